"""The core: what happens to an incident, decided from data and an instant. No I/O, no clock, no chance.

`decide.decide` takes an incident, an event (`events`) and an instant, and returns what follows: the incident changed,
messages to send, entries of the timeline. `model` and `plan` are the data, `storage` is what the engine needs of a
store; every other module is one rule. Imports only the policy's meaning (`rules.policy` and what that names). Begin
with `model`, then `decide`.
"""
