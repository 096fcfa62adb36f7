"""`tocsin demo`: a whole story on this machine, told by the real parts.

The shipped policy is compiled; the real Prometheus and Alertmanager (where they are installed) watch a
small ML exporter drift into failure; the real receiver, on a SQLite file, opens the incident and sends
its messages to local stand-ins that print what people would get. Only time is shortened, by a stated factor. Imports
the service; nothing imports it but the command. Begin with `story`.
"""

from receiver.demo.story import tell

__all__ = ["tell"]
