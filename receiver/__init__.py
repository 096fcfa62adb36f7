"""The receiver: takes Alertmanager's webhooks, opens incidents, keeps their escalation windows, notifies people."""
