"""The engine: it runs the core's decisions as transactions, and is the only way to store them.

`engine` claims, decides and stores; `unit_of_work` is the loading, deciding and writing of one transaction; `commands`
defines the engine's requests and results; `queue` collects the requests of many tasks into batches for the single
thread that runs the engine; `service_state` is the service's own state. Imports the core, the clock and the errors;
knows no channel, no HTTP and no SQL. Begin with `unit_of_work.UnitOfWork`.
"""
