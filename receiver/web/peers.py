"""Identifies the sending Alertmanager of a cluster, and whether a source's peers can be told apart.

Peers of a cluster may have different external URLs, or share one. Only a source with several URLs identifies the peer.
"""

from hashlib import sha256

SOURCES = 1000
"""Sources remembered; any client that may post chooses its source."""

URLS = 8
"""External URLs remembered per source."""


class PeersSeen:
    """External URLs by source, in this process only."""

    def __init__(self) -> None:
        self._urls: dict[str, frozenset[str]] = {}

    def hear(self, source: str, external_url: str, group_key: str) -> tuple[str, bool]:
        """A short id of the Alertmanager and group (empty: unknown); whether the source's peers can be told apart."""
        if not external_url:
            return "", False
        known = self._urls.get(source, frozenset())
        if external_url not in known and len(known) < URLS and (known or len(self._urls) < SOURCES):
            self._urls[source] = known = known | {external_url}
        return sha256(f"{external_url}\n{group_key}".encode(errors="replace")).hexdigest()[:16], len(known) > 1
