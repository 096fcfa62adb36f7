"""On-call shifts: policy, calendars, overrides and zone data are expanded to shifts in UTC.

Begin with `expand`. Pure: no I/O, no clock. It is a layer below the core, which looks shifts up and does not make them:
the core uses only `shift` and `references`, which are independent of zones. Instants and durations are microseconds
(UTC).
"""
