"""The report goes out when the incident closes, to the policy's recipients; one that is not sent is recorded."""

from dataclasses import replace

from receiver.core.model import Fact, Kind, Status, Target
from rules.policy import HOUR, Person, Policy, Reports
from tests.core.guide import ALL, POLICY
from tests.core.world import World

DAY = 24 * 60


def closed(*recipients: str, configured: frozenset[str] = ALL, policy: Policy = POLICY) -> World:
    """An incident that closed after its day of watching, under a policy with these recipients of reports."""
    world = World(replace(policy, reports=Reports(recipients=recipients)), configured)
    world.fire("a")
    world.acknowledge()
    world.clear("a")
    world.advance(10)
    assert not world.planned(Kind.REPORT)
    return world.advance(DAY)


def test_report_is_mailed_at_the_close() -> None:
    """Every recipient gets the report once, by e-mail, when the incident closes, not before."""
    world = closed("safety@company.com", "board@company.com")
    assert world.heard(Kind.REPORT) == [Target("email", "safety@company.com"), Target("email", "board@company.com")]


def test_nobody_named_nobody_mailed() -> None:
    """Without recipients no report goes out."""
    assert not closed().planned(Kind.REPORT)


def test_no_mail_is_said() -> None:
    """Without a usable email channel each report is recorded as undeliverable, and the timeline says why."""
    world = closed("safety@company.com", configured=ALL - {"email"})
    assert [each.status for each in world.planned(Kind.REPORT)] == [Status.UNDELIVERABLE]
    assert "no usable email channel" in world.entries(Fact.UNDELIVERABLE)[-1].data["why"]


def test_recipient_that_is_no_address_is_said() -> None:
    """A number or a chat channel gets no report, and the timeline says so; the others get theirs."""
    world = closed("#reports", "safety@company.com")
    assert [each.recipient for each in world.planned(Kind.REPORT) if each.status is Status.ACCEPTED] == [
        "safety@company.com"
    ]
    assert "#reports" in world.entries(Fact.UNDELIVERABLE)[-1].data["channel"]


def test_recipients_are_read_live() -> None:
    """Whom the current policy names gets the report, as with every recipient."""
    world = World(replace(POLICY, reports=Reports(recipients=("old@company.com",))))
    world.fire("a")
    world.use(replace(POLICY, reports=Reports(recipients=("new@company.com",))))
    world.acknowledge()
    world.clear("a")
    world.advance(10 + DAY)
    assert [target.recipient for target in world.heard(Kind.REPORT)] == ["new@company.com"]
    assert world.incident.closed_at is not None
    assert world.incident.closed_at - (world.incident.resolved_at or 0) == 24 * HOUR


def test_a_person_of_the_policy_gets_it_by_mail() -> None:
    """A recipient that stands for a person is looked up as the report leaves; who has no address is recorded."""
    people = (Person("ada", (("email", "ada@company.com"),)), Person("ben", (("sms", "+4930123456"),)))
    world = closed("@ada", "@ben", policy=replace(POLICY, people=people))
    told = {(each.recipient, each.status) for each in world.planned(Kind.REPORT)}
    assert told == {("ada@company.com", Status.ACCEPTED), ("@ben", Status.UNDELIVERABLE)}
    assert world.incident.response.sent_report.to == ("ada@company.com",)
