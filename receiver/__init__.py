"""The receiver: takes Alertmanager's webhooks, opens incidents, keeps their windows, tells people."""
