"""The Alertmanagers that send webhooks here: how long one may still tell what another has told the end of."""

from msgspec import Struct

from receiver.core.model import Alert
from rules.policy import EMERGENCY, MINUTE, SECOND
from rules.reserved import MARK, MARKED


class Cluster(Struct, frozen=True):
    """The Alertmanagers that send webhooks here, as far as echoes depend on them. Durations in microseconds."""

    peers: int = 2
    """One peer has no slower one: then nothing is held."""
    peer_timeout: int = 15 * SECOND
    """Alertmanager's `--cluster.peer-timeout`."""
    window: int | None = None
    """How long echoes are held; None: derived from the rest."""

    def echo_window(self, alert: Alert) -> int:
        """How long after the first word of its end a firing of this alert may be an echo; 0: none is.

        Group interval of its route + (peers - 1) x peer timeout + 10 s, and never more than 60 s at level 4.
        """
        if self.peers < 2:
            return 0
        waits = (self.peers - 1) * self.peer_timeout
        window = _group_interval(alert, waits) + waits + 10 * SECOND if self.window is None else self.window
        return min(window, MINUTE) if alert.level == EMERGENCY else window


def _group_interval(alert: Alert, waits: int) -> int:
    """As `rules.outputs.alertmanager_config` writes it; of routes that are not compiled, Alertmanager's default."""
    if alert.annotations.get(MARK) != MARKED:
        return 5 * MINUTE
    at_once = alert.level == EMERGENCY or alert.labels.get("immediate") == "true"
    return waits + 5 * SECOND if at_once else MINUTE
