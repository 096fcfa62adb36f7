"""The policy language: from the framework's YAML to its meaning, and from there to Prometheus rules."""
