"""The options of `tocsin compile`."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from rules.addresses import AddressError, parse_address
from rules.matchers import Matcher
from rules.policy import SECOND, Micros
from rules.self_monitoring import Tocsin

MOST_PEERS = 20

PEER_TIMEOUT = Micros(15 * SECOND)
"""Alertmanager's default `--cluster.peer-timeout`: the delay after which each further peer sends what the one before
it has not."""

LAST_PORT = 65_535

_SMARTHOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Options:
    """The addresses of Tocsin, and of people when Tocsin is down, for Prometheus and Alertmanager."""

    receiver_url: str = "http://127.0.0.1:8095/webhook/alertmanager"
    token_file: str | None = None
    """A file for Alertmanager with Tocsin's webhook token."""
    fallback_email: str | None = None
    """The recipient of Alertmanager's own mail when Tocsin is down or cannot deliver; needs the two below."""
    fallback_smarthost: str | None = None
    """``host:port`` of the mail server."""
    fallback_from: str | None = None
    """The sender's address."""
    fallback_pagerduty_key_file: str | None = None
    """A file for Alertmanager with a PagerDuty routing key, for the same purpose."""
    watch: bool = True
    """Whether the rules include Tocsin's own alerts (heartbeat, down, fail-through, failing rules)."""
    alertmanager_peers: int = 2
    """The number of Alertmanagers in the cluster; 1: no cluster."""
    instance: tuple[Matcher, ...] = ()
    """Labels that distinguish this Tocsin's metrics from another's in the same Prometheus."""
    namespace: str = ""
    """The namespace of the Kubernetes objects, and of Tocsin's own alerts in them; empty: left to kubectl."""

    def __post_init__(self) -> None:
        """Refuses unreachable addresses and an incomplete mail configuration, which otherwise would fail only in an
        outage.
        """
        if not 1 <= self.alertmanager_peers <= MOST_PEERS:
            raise ValueError(f"alertmanager_peers is a number from 1 to {MOST_PEERS}, not {self.alertmanager_peers}")
        if any(label == "__name__" for label, _, _ in self.instance):
            raise ValueError(
                "instance names labels of this Tocsin's metrics, and __name__ is each metric's own: leave it out"
            )
        _require_url(self.receiver_url)
        smarthost = _SMARTHOST.fullmatch(self.fallback_smarthost or "")
        if self.fallback_smarthost and not (smarthost and 0 < int(smarthost[2]) <= LAST_PORT):
            raise ValueError(
                f"fallback_smarthost is host:port, as in mail.example.org:587, not {self.fallback_smarthost!r}"
            )
        if self.fallback_email and not (self.fallback_smarthost and self.fallback_from):
            raise ValueError("fallback_email needs fallback_smarthost (host:port) and fallback_from (an address)")
        if not self.fallback_email and (self.fallback_smarthost or self.fallback_from):
            raise ValueError(
                "fallback_smarthost and fallback_from mean nothing without fallback_email: say who is mailed"
            )
        for name in ("fallback_email", "fallback_from"):
            try:
                parse_address(getattr(self, name) or "a@localhost", within=True)
            except AddressError as error:
                raise ValueError(f"{name} is no e-mail address: {error}") from None

    @property
    def tocsin(self) -> Tocsin:
        """The Tocsin that the self-monitoring rules and the dashboards refer to."""
        return Tocsin(self.instance, self.receiver_url)

    @property
    def urgent_interval(self) -> Micros:
        """The interval of messages about an urgent group: long enough for the slowest peer to send before the next
        message.

        With a shorter one, a peer could send the previous state while the next message is sent.
        """
        return Micros((self.alertmanager_peers - 1) * PEER_TIMEOUT + 5 * SECOND)

    @property
    def fallback_needs_tls(self) -> bool:
        """Whether TLS is required: Alertmanager's default, which a relay on the same machine rarely supports."""
        host = (self.fallback_smarthost or "").rpartition(":")[0]
        return host not in {"localhost", "127.0.0.1", "[::1]"}

    @property
    def has_fallback(self) -> bool:
        """Whether people can be notified without Tocsin."""
        return bool(self.fallback_email or self.fallback_pagerduty_key_file)


def _require_url(text: str) -> None:
    """Raises ValueError if Alertmanager could not post webhooks to the URL."""
    try:
        url = urlsplit(text)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0 and "#" not in text
        usable = usable and not any(map(str.isspace, text))
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            f"receiver_url is no URL that webhooks can be posted to (http or https, a host, no #): {text!r}"
        )
    if not urlsplit(text).path.strip("/"):
        raise ValueError(f"receiver_url has no path: write {text.rstrip('/')}/webhook/alertmanager")
