"""What every part of the web needs of HTTP itself: bodies within limits, errors as problem documents, connections, TLS.

Imports nothing of the web's other rooms. Begin with `request_body`.
"""
