"""Authentication and roles: tokens, passwords, OpenID Connect, sessions, signatures.

`access` compares tokens, `sessions` keeps logins, `signing` signs links and cookies. Imports `http`, but no page and no
operation of the API. Begin with `access`.
"""
