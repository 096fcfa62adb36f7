"""Who is asking, and what they may do: tokens, passwords, OpenID Connect, sessions, signatures.

`access` compares tokens, `sessions` keeps who logged in, `signing` signs links and cookies. Imports `http`; knows no
page and no operation of the API. Begin with `access`.
"""
