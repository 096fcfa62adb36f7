"""Drills: the real engine on a virtual clock, a store in memory and channels that fail when they are told to.

`simulator` is the clock and the channels, `script` one incident with the people who answer it, `reach` what a policy is
worth when channels fail, `differences` what another policy would have done. Nothing here decides anything. Imports the
engine, the messages and the reports; knows no database and no HTTP. Begin with `simulator.World`.
"""
