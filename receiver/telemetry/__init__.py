"""Tocsin's own logs, metrics and traces.

`metrics` defines all metrics, `logs` the format of log lines and a line per incident event; `tracing` is an
interface without cost until `otlp` sends. Imports the data types of the engine and the store, and calls neither. Begin
with `metrics`.
"""
