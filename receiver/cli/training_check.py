"""The part of `tocsin check` on training: overdue drills, from a running receiver.

The policy states how often people must practise (`drills: every`); only the receiver at `--url` knows whether they did.
If there is none, or it does not answer, that is reported.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from receiver.cli.incidents import call
from receiver.core.model import Instant
from receiver.reports.training_roster import lapses, practised
from rules.policy import SECOND, Policy
from rules.problems import Problem

EVER = "3650d"


@dataclass(frozen=True, slots=True)
class TrainingCheck:
    """The state of training; empty if the policy requires none."""

    wanted: bool
    asked: bool = False
    """Whether a receiver answered."""
    lapses: tuple[str, ...] = ()
    """Overdue and missing training, in words."""

    def problems(self) -> Iterator[Problem]:
        """Yields them as warnings."""
        if self.wanted and not self.asked:
            message = "drills: who has practised is not in the policy; with --url a running receiver is asked"
            yield Problem("TOCSIN_URL", 0, 0, message, "note")
        for each in self.lapses:
            yield Problem("drills", 0, 0, each, "warning")

    def as_json(self) -> dict[str, Any]:
        """Returns them as JSON."""
        return {"training": {"wanted": self.wanted, "asked": self.asked, "overdue": list(self.lapses)}}


def check_training(policy: Policy, now: Instant, url: str, token: str) -> TrainingCheck:
    """Asks the receiver at `url` for its drills, judged by this policy; empty: no receiver is asked."""
    if policy.drills_every is None:
        return TrainingCheck(wanted=False)
    if not url:
        return TrainingCheck(wanted=True)
    try:
        trained = call("GET", url, token, "/drills", query={"period": EVER})["trained"]
    except SystemExit:  # the error is already printed; the check continues
        return TrainingCheck(wanted=True)
    known = [practised(each["person"], each["subject"], _instant(each["last"]), policy) for each in trained]
    return TrainingCheck(True, True, tuple(lapses(known, policy, now)))


def _instant(text: str) -> Instant:
    return Instant(round(datetime.fromisoformat(text).timestamp() * SECOND))
