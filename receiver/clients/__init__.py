"""Clients of the systems that Tocsin asks: the APIs of Alertmanager and Prometheus, and the alerts they send.

`alert_payload` reads a webhook's body into the core's alerts, `payload_repair` mends what other senders send.
Whatever goes wrong is a value, not an exception. Imports the core and the format of times. Begin with `prometheus`.
"""
