"""Background jobs: what the service does without being asked, each in a task of its own.

`scheduler` carries out due windows and starts due messages, `dispatcher` sends them; `periodic` runs the others and
reports one that stops (`receiver.background` lists them). A job that has a rule of its own in `receiver.core` bears the
rule's name: the job asks, and hands the answer over as an event; the rule decides. Imports neither the web nor the
drill nor the writer. Begin with `staleness`, the shortest.
"""
