"""The proofs: promtool test files for every compiled rule of a policy, and for past incidents.

`unit_tests` writes the file, `cases` is one entry of it, `boundary_values` finds the values on both sides of a
condition (`evaluate`), `input_series` makes promtool's input. Imports the policy language, nothing of the receiver.
Begin with `cases`.
"""
