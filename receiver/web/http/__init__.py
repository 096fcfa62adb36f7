"""What every part of the web needs of HTTP itself: bodies within limits, errors as problem documents,
connections, TLS.

Imports nothing of Tocsin but its errors. Begin with `request_body`.
"""
