"""Who tells of alerts: which Alertmanager of a cluster, and whether its peers can be told apart.

Peers of a cluster may have external URLs of their own, or share one. Only where a source was seen with several do they
say which peer a webhook comes from.
"""

from hashlib import sha256

SOURCES = 1000
"""Sources that are remembered; any client that may post names its own."""

URLS = 8
"""External URLs of a source that are remembered."""


class PeersSeen:
    """The external URLs that were seen, by source. One process's knowledge: another learns it by itself."""

    def __init__(self) -> None:
        self._urls: dict[str, frozenset[str]] = {}

    def hear(self, source: str, external_url: str, group_key: str) -> tuple[str, bool]:
        """A short name for the Alertmanager and the group (empty: unknown), and whether it tells peers apart."""
        if not external_url:
            return "", False
        known = self._urls.get(source, frozenset())
        if external_url not in known and len(known) < URLS and (known or len(self._urls) < SOURCES):
            self._urls[source] = known = known | {external_url}
        return sha256(f"{external_url}\n{group_key}".encode(errors="replace")).hexdigest()[:16], len(known) > 1
