"""How long tests wait for what has to come."""

GIVES_UP = 300.0
"""Seconds after which a test gives up. What is awaited comes in a moment, and late on a machine that has much else to do; only a test
that fails waits so long. Less than `faulthandler_timeout` in pyproject.toml."""
