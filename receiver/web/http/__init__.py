"""HTTP basics for the web packages: bodies within limits, errors as problem documents, connections, TLS.

Imports nothing of the other web packages. Begin with `request_body`.
"""
