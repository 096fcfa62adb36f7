"""The lints: errors and doubts about a policy that can be read.

`document_lints` need the written document, `policy_lints` only its meaning. Each has a name in `rules.lint_catalog`,
with the reason that ``tocsin check --explain NAME`` prints. Begin with `policy_lints`.
"""
