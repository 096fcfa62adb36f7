"""The core decides what happens to an incident from data and an instant. No I/O, no clock, no randomness.

`decide.decide` takes an incident, an event (`events`) and an instant, and returns the changed incident, messages to
send and timeline entries. `model` and `plan` are the data, `storage` is the store's interface for the engine; every
other module is one rule. Imports only the policy's meaning (`rules.policy` and what that names). Read `model` first,
then `decide`.
"""
