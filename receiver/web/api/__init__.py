"""The JSON API under ``/api/v1``.

`routes` has each operation once, with its handler, role, body and answer; the OpenAPI document is made from it.
`requests` are the bodies, `responses` and `response_shapes` the answers: a promise to other programs, so fields are
added and never renamed. Begin with `routes`.
"""
