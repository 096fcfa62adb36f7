"""`tocsin demo`: an incident from drift to recovery on this machine, with the real components.

The shipped policy is compiled; the real Prometheus and Alertmanager (where they are installed) watch a small ML
exporter drift into failure; the real receiver, on a SQLite file, opens the incident and sends its messages to local
stand-ins that print them. Only time is shortened, by a stated factor. Imports the service; only the command imports it.
Begin with `story`.
"""

from receiver.demo.story import tell

__all__ = ["tell"]
