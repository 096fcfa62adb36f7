"""The engine: the only way into the store. It runs the core's decisions as transactions.

`engine` claims, decides and stores; `unit_of_work` is one transaction's loading, deciding and writing; `commands` is
what may be asked of the engine and what it answers; `queue` turns the calls of many tasks into batches for the one
thread that runs the engine; `service_state` is what the service knows of itself. Imports the core, the clock and the
errors; knows no channel, no HTTP and no SQL. Begin with `unit_of_work.UnitOfWork`.
"""
