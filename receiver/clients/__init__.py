"""Clients of external systems: the APIs of Alertmanager and Prometheus, calendars, and the format of webhooks.

`alert_payload` converts a webhook's body to the core's alerts, `payload_repair` corrects bodies of other senders.
Failures are raised as errors of `receiver.errors` with a readable reason (`CannotError`, `QueryFailed`). Imports the
core, the errors and the format of times. Begin with `prometheus`.
"""
