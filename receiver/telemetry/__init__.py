"""What Tocsin says of itself: logs, metrics and traces.

`metrics` holds every metric, `logs` the format of a line, `incident_log` one line for each thing that happens to an
incident; `tracing` is an interface that costs nothing until `otlp` sends. Imports the engine's and the store's data,
reads neither. Begin with `metrics`.
"""
