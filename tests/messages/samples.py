"""A policy with the guide's words, an incident under it, and what can happen to both."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from receiver.core.checklists import attach_due
from receiver.core.draft import Draft
from receiver.core.model import Incident, Instant, Kind, Notification, Reason, State, Target, Window
from receiver.core.plan import DecisionContext, PolicyVersion
from rules.policy import (
    HOUR,
    MINUTE,
    Channel,
    IncidentType,
    Level,
    Micros,
    Policy,
    Procedure,
    Rule,
    Template,
    Templates,
    TimedActions,
)

NOON = Instant(1_795_435_320_000_000)
"""2026-11-23 12:02 UTC."""

INITIAL = Template(
    "INCIDENT ALERT: {severity} - {incident_type}",
    """Incident Details:
- Type: {incident_type}
- Severity: {severity}
- Time: {timestamp}
- Impact: {impact_description}

Response Actions:
- Incident acknowledged
- Investigation in progress
- Updates will be provided every {update_interval}

Contact: {contact_information}
""",
    "acknowledged",
)
UPDATE = Template(
    "INCIDENT UPDATE: {incident_id} - {status}",
    """Incident Status Update:
- Incident ID: {incident_id}
- Status: {status}
- Time: {timestamp}

Current Status:
- Investigation: {investigation_status}
- Fix: {fix_status}
- Impact: {current_impact}

Next Steps:
- {next_steps}

Estimated Resolution: {estimated_resolution_time}
""",
    "updated",
)
RESOLUTION = Template(
    "INCIDENT RESOLVED: {incident_id}",
    """Incident Resolution:
- Incident ID: {incident_id}
- Resolution Time: {resolution_time}
- Duration: {incident_duration}

Resolution Details:
- Root Cause: {root_cause}
- Fix Applied: {fix_description}
- Verification: {verification_status}

Post-Incident Actions:
- {post_incident_actions}

Lessons Learned:
- {lessons_learned}
""",
    "resolved",
)

LEVELS = (
    Level(1, "informational", Micros(24 * HOUR), Micros(12 * HOUR)),
    Level(2, "warning", Micros(4 * HOUR), Micros(2 * HOUR)),
    Level(3, "critical", Micros(HOUR), Micros(30 * MINUTE), impact="Significant impact on users or business processes"),
    Level(
        4,
        "emergency",
        Micros(15 * MINUTE),
        Micros(5 * MINUTE),
        resolution="confirmed",
        description="Critical issues that may cause safety or business failure",
        impact="Severe impact on safety or business operations",
    ),
)

CHANNELS = (
    Channel("email", "email", recipients=("incident-response@company.com",)),
    Channel("slack", "slack", recipients=("#incident-response",), mention="<!here>"),
    Channel("pagerduty", "pagerduty", recipients=("ml-systems",)),
    Channel("sms", "sms", recipients=("+1234567890",)),
    Channel("phone", "phone", recipients=("+1234567890",)),
    Channel("webhook", "webhook", recipients=("https://hooks.example.org/in",)),
)

POLICY = Policy(
    levels=LEVELS,
    channels=CHANNELS,
    rules=(
        Rule(
            "safety_incident_response",
            "safety_margin_violation",
            "safety_margin < 0.95",
            4,
            ("email", "slack", "pagerduty", "sms"),
            runbook_url="https://runbooks.example.org/safety-margin",
        ),
        Rule("incident_response", "slo_violation", "slo_violation_detected", 3, ("email", "slack", "pagerduty")),
    ),
    templates=Templates(INITIAL, UPDATE, RESOLUTION),
    incident_types=(
        IncidentType(
            "aviation_safety_incident_response",
            "engine_failure",
            4,
            "Aircraft engine failure",
            immediate_actions=("Activate engine failure procedures", "Notify maintenance team"),
        ),
        IncidentType(
            "manufacturing_business_incident_response",
            "production_stoppage",
            3,
            "Production line stoppage",
            business_impact="high",
        ),
    ),
    procedures=(
        Procedure("incident_response", "initial_response", "", ("Acknowledge incident", "Assess incident severity")),
        Procedure("incident_response", "escalation", "", ("Notify management",), "escalated"),
        Procedure("incident_response", "resolution", "", ("Implement fix", "Verify it"), "recovered"),
        Procedure(
            "safety_incident_response",
            "safety_emergency_response",
            "",
            ("Immediately stop affected operations", "Activate safety protocols"),
        ),
    ),
    post_incident=(
        TimedActions("monitoring", "Monitor system stability", ("Watch for recurrence",), duration=Micros(24 * HOUR)),
        TimedActions("documentation", "Document incident", ("Complete incident report", "Share findings")),
    ),
    contact_information="on-call desk, +49 30 1234567",
)

_OPENED = Incident(
    id="5f0c1d2e3a4b5c6d7e8f901234567890",
    key="k" * 64,
    policy="d" * 64,
    level=4,
    type="safety_margin_violation",
    title="Safety margin of landing-7 is 0.91, below 0.95",
    opened_at=NOON,
    response_due_at=Instant(NOON + 15 * MINUTE),
    number=12,
    labels={"alertname": "safety_margin_violation", "system": "landing-7", "severity": "emergency"},
    rules={"safety_incident_response/safety_margin_violation": 4},
    firing=(0, 0, 0, 1),
    paged=tuple(Target(channel.name, channel.recipients[0]) for channel in CHANNELS),
    windows={Window.ESCALATE: Instant(NOON + 5 * MINUTE), Window.BREACH: Instant(NOON + 15 * MINUTE)},
)


def context(policy: Policy = POLICY) -> DecisionContext:
    """A decision context in which the incident's version is the current one."""
    policy_version = PolicyVersion.of(policy, "d" * 64)
    return DecisionContext(policy_version, policy_version, frozenset(channel.name for channel in policy.channels))


def with_checklists(incident: Incident, policy: Policy = POLICY) -> Incident:
    """The incident with the checklists of all that it has come to."""
    draft = Draft(incident, NOON, context(policy))
    attach_due(draft)
    return draft.incident


INCIDENT = with_checklists(_OPENED)


def notification(
    kind: Kind = Kind.PAGE,
    reason: Reason = Reason.OPENED,
    channel: str = "email",
    incident: Incident = INCIDENT,
    sequence: int = 1,
    **data: str,
) -> Notification:
    """One message of that kind to the channel's first recipient."""
    known = POLICY.channel(channel)
    return Notification(
        id=f"{incident.id}-{sequence}",
        incident_id=incident.id,
        sequence=sequence,
        kind=kind,
        reason=reason,
        channel=channel,
        recipient=known.recipients[0] if known else "nobody",
        level=incident.level,
        created_at=Instant(max(NOON, incident.resolved_at or NOON)) if kind is Kind.RESOLVED else NOON,
        due_at=NOON,
        give_up_at=Instant(NOON + HOUR),
        page=1 if kind is Kind.PAGE else 0,
        data=data,
    )


@dataclass(frozen=True)
class Delivery:
    """What the engine hands out, as far as words go."""

    items: tuple
    context: DecisionContext
    alerts: dict = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.items[0][0].id if len(self.items) == 1 else f"{self.items[0][0].id}-5"


def delivery(what: Notification, incident: Incident = INCIDENT, policy: Policy = POLICY) -> Delivery:
    """One notification about one incident, which has the checklists that it is due."""
    return Delivery(((what, with_checklists(incident, policy)),), context(policy))


def acknowledged(incident: Incident = INCIDENT, by: str = "ada") -> Incident:
    """The same, acknowledged three minutes after the opening."""
    at = Instant(incident.opened_at + 3 * MINUTE)
    windows = {Window.ACK_EXPIRY: Instant(at + 15 * MINUTE)}
    return replace(incident, state=State.ACKNOWLEDGED, acknowledged_by=by, acknowledged_at=at, windows=windows)


def resolved(incident: Incident = INCIDENT, by: str = "ada") -> Incident:
    """The same, over after 40 minutes."""
    at = Instant(incident.opened_at + 40 * MINUTE)
    return replace(
        acknowledged(incident),
        state=State.RESOLVED,
        resolved_at=at,
        resolved_by=by,
        recovered_at=Instant(at - 5 * MINUTE),
        firing=(0, 0, 0, 0),
        windows={},
    )
