"""What `tocsin check` says of training: whose drills are overdue, as a running receiver knows it.

A policy alone says how often people are to practise (`drills: every`), and not whether they did: the receiver that
`--url` names is asked. Where none is named, or none answers, that is said.
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
    """What is known of training; nothing of a policy that wants none."""

    wanted: bool
    asked: bool = False
    """Whether a receiver answered."""
    lapses: tuple[str, ...] = ()
    """What is overdue or missing, each in words."""

    def problems(self) -> Iterator[Problem]:
        """As warnings."""
        if self.wanted and not self.asked:
            message = "drills: who has practised is not in the policy; with --url a running receiver is asked"
            yield Problem("TOCSIN_URL", 0, 0, message, "note")
        for each in self.lapses:
            yield Problem("drills", 0, 0, each, "warning")

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"training": {"wanted": self.wanted, "asked": self.asked, "overdue": list(self.lapses)}}


def check_training(policy: Policy, now: Instant, url: str, token: str) -> TrainingCheck:
    """Ask the receiver at `url` who has practised what; empty: nobody is asked. Its drills, by this policy's terms."""
    if policy.drills_every is None:
        return TrainingCheck(wanted=False)
    if not url:
        return TrainingCheck(wanted=True)
    try:
        trained = call("GET", url, token, "/drills", query={"period": EVER})["trained"]
    except SystemExit:  # said already; the policy is checked all the same
        return TrainingCheck(wanted=True)
    known = [practised(each["person"], each["subject"], _instant(each["last"]), policy) for each in trained]
    return TrainingCheck(True, True, tuple(lapses(known, policy, now)))


def _instant(text: str) -> Instant:
    return Instant(round(datetime.fromisoformat(text).timestamp() * SECOND))
