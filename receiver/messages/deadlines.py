"""The countdowns of an incident, for pages, the API and the command line."""

from dataclasses import dataclass

from receiver.core.duties import running
from receiver.core.model import Incident, Instant, Recovery, State, Window
from receiver.core.plan import Plan, PolicyVersion
from receiver.messages.plain import line


@dataclass(frozen=True, slots=True)
class DeadlineRow:
    """One countdown."""

    label: str
    at: Instant
    tells: tuple[str, ...] = ()
    """Channels that are notified at that time."""
    passed: bool = False
    """The deadline has passed and its task is not done."""


def deadlines(incident: Incident, policy_version: PolicyVersion, now: Instant) -> tuple[DeadlineRow, ...]:
    """Returns the countdowns of an incident, the next first and passed ones last. `policy_version`: the incident's."""
    plan = policy_version.plan(incident)
    duties = [
        DeadlineRow(f"{line(task.what, 120)} due", duty.due_at, passed=duty.due_at <= now)
        for task, duty in running(incident, policy_version)
    ]
    found = [*_escalations(incident, plan), *_others(incident), *duties]
    return tuple(sorted(found, key=lambda each: (each.passed, each.at)))


def _escalations(incident: Incident, plan: Plan) -> list[DeadlineRow]:
    found = []
    breach, escalation = incident.windows.get(Window.BREACH), incident.windows.get(Window.ESCALATE)
    if escalation is not None:
        channels = plan.escalation if incident.step == 0 else plan.breach
        found.append(DeadlineRow("Next escalation", escalation, channels))
    if Window.HELP in incident.windows:
        channels = plan.escalation if incident.step == 0 else plan.breach
        found.append(DeadlineRow("Help is asked for again", incident.windows[Window.HELP], channels))
    if breach is not None:
        found.append(DeadlineRow("Response time ends", breach, plan.breach))
    if incident.breached_at is not None and incident.state is State.OPEN:
        found.append(DeadlineRow("Response time ended", incident.response_due_at, passed=True))
    return found


def _others(incident: Incident) -> list[DeadlineRow]:
    labels = {
        Window.ACK_EXPIRY: "Acknowledgement expires",
        Window.UPDATE: "Next status update",
        Window.NOTICE: "Approvers are reminded",
        Window.SILENCE: "Silenced until",
        Window.VERIFY: "Resolves by itself",
        Window.FORCED: "Reopens if it still fires",
        Window.CLOSE: "Asked about what is missing" if incident.response.kept_open else "Watched until",
        Window.REVISION: "Revised report goes out",
    }
    if incident.recovery is Recovery.UNREPORTED:
        del labels[Window.VERIFY]  # the incident is only checked again
    return [
        DeadlineRow(label, incident.windows[window]) for window, label in labels.items() if window in incident.windows
    ]
