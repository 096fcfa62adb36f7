"""The JSON API under ``/api/v1``.

`routes` lists each operation once, with its handler, role, body and response; `openapi` describes the API from that
table, and the console's buttons take role and body from it. `requests` has the bodies, `responses` and
`response_shapes` the responses; other programs depend on both, so fields are added and never renamed. Imports `auth`
and `http`. Begin with `routes`.
"""
