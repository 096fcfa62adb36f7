"""The policy language: from the framework's YAML to its meaning, and from there to Prometheus rules.

`load` reads files (`composer`, `document`, `validate`) and returns a `policy.Policy`, the meaning; `compile` makes
rules of it, `outputs` the files, `promtool` their proofs, `lint` the doubts. Imports nothing of the receiver. Begin
with `policy`.
"""
