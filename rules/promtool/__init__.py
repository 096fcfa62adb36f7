"""The proofs: promtool test files for every rule that a policy compiles to, and for incidents that happened.

`unit_tests` writes the file, `cases` is one entry of it, `boundary_values` finds the values on both sides of a
condition (`evaluate`), `input_series` what promtool is fed. Imports the policy language, nothing of the receiver.
Begin with `cases`.
"""
