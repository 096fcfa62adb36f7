"""Clients of the systems that Tocsin asks: the APIs of Alertmanager and Prometheus, and the alerts they send.

`alert_payload` reads a webhook's body into the core's alerts, `payload_repair` mends what other senders send. What goes
wrong is raised as an error of `receiver.errors` that says it in words (`CannotError`, `QueryFailed`). Imports the core,
the errors and the format of times. Begin with `prometheus`.
"""
