"""The JSON API under ``/api/v1``.

`routes` has each operation once, with its handler, role, body and answer; `openapi` describes it from that table, and
the console's buttons take role and body from it. `requests` are the bodies, `responses` and `response_shapes` the
answers: a promise to other programs, so fields are added and never renamed. Imports `auth` and `http`. Begin with
`routes`.
"""
