"""Who is on call when: policy, calendars, overrides and zone data become shifts in UTC.

Pure: no I/O, no clock. It stands below the core, which looks shifts up and never makes them: only `shift` and
`references`, which know no zone, are for the core. Instants and durations are microseconds (UTC). Begin with `expand`.
"""
