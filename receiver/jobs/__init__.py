"""Background jobs: what the service does without being asked, each from its own loop.

`scheduler` carries out due windows and starts due messages, `dispatcher` sends them; `periodic` runs the others and
reports one that stops. A job that has a rule of its own in `receiver.core` bears the rule's name: the job asks the
world and hands the answer over as an event, the rule decides. May import everything but the web, the drill and the
writer. Begin with `staleness`, the shortest.
"""
