"""The Alertmanagers that send webhooks: how long after an end a slower peer may send an echo of the firing."""

from msgspec import Struct

from receiver.core.model import Alert
from rules.policy import EMERGENCY, MINUTE, SECOND
from rules.reserved import MARK, MARKED


class Cluster(Struct, frozen=True):
    """What echoes depend on in the Alertmanagers that send webhooks. Durations in microseconds."""

    peers: int = 2
    """With 1 there are no echoes, and nothing is held."""
    peer_timeout: int = 15 * SECOND
    """Alertmanager's `--cluster.peer-timeout`."""
    window: int | None = None
    """How long possible echoes are held; None: computed from the other fields."""

    def echo_window(self, alert: Alert) -> int:
        """Microseconds after its end was first heard in which a firing of this alert may be an echo; 0: it never is.

        Group interval of its route + (peers - 1) x peer timeout + 10 s; at most 60 s at level 4.
        """
        if self.peers < 2:
            return 0
        waits = (self.peers - 1) * self.peer_timeout
        window = _group_interval(alert, waits) + waits + 10 * SECOND if self.window is None else self.window
        return min(window, MINUTE) if alert.level == EMERGENCY else window


def _group_interval(alert: Alert, waits: int) -> int:
    """As `rules.outputs.alertmanager_config` writes it; for routes that are not compiled, Alertmanager's default."""
    if alert.annotations.get(MARK) != MARKED:
        return 5 * MINUTE
    at_once = alert.level == EMERGENCY or alert.labels.get("immediate") == "true"
    return waits + 5 * SECOND if at_once else MINUTE
