"""Background jobs of the service, each in a task of its own.

`scheduler` processes due windows and starts due messages, `dispatcher` sends them; `periodic` runs the others and
reports any that stops (`receiver.background` lists them). A job whose rules are in `receiver.core` has the name of that
module: the job collects the data and passes it on as an event; the core decides. Imports neither the web nor the drill
nor the writer. Begin with `staleness`, the shortest.
"""
