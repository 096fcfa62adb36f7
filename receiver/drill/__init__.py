"""Drills: the real engine with a virtual clock, a store in memory and channels that fail on request.

`simulator` has the clock and the channels, `script` one incident with its responders, `reach` the effect of channel
failures on a policy, `differences` the effect of another policy. The engine makes all decisions. Imports the engine,
the messages and the reports, but no database and no HTTP. Begin with `simulator.World`.
"""
