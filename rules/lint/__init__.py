"""The lints: what is wrong or doubtful about a policy that can be read.

`document_lints` need what people wrote, `policy_lints` only its meaning. Each is named in `rules.lint_catalog`, with
the reason that ``tocsin check --explain NAME`` prints. Begin with `policy_lints`.
"""
