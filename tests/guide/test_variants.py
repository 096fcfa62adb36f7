"""The story of aviation (docs/stories/aviation.md) elsewhere: a loss of revenue that grows, and a failure of quality
control that a person raises, under the guide with an authority to tell. Each is practised, comes back, is reported in
stages and closed by two persons, through the real receiver.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pytest

from rules.compile import compile as compile_rules
from rules.groups import AlertingRule
from rules.load import PACKS, load
from rules.policy import EMERGENCY, HOUR, MINUTE, Policy, Procedure
from rules.promtool.input_series import told as told_by
from rules.promtool.vectors import Sample
from tests.guide.conftest import GUIDE, Hall, policy_of_the_guide
from tests.guide.test_scripted import SYSTEM, webhook

ONE, TWO = "api/v1/incidents/1", "api/v1/incidents/2"
EVIDENCE = ("Gather system logs", "Hand the evidence to a notary")
CUSTODY = Procedure("incident_response", "custody", "Custody", EVIDENCE[1:], "opened")
OUTSIDE = ("customers@company.com", "partners@company.com", "regulators@company.com")


@dataclass(frozen=True)
class Variant:
    """What is different from one story to the other."""

    name: str
    """The rule or the incident type."""
    obligations: str
    obligation: str
    stages: tuple[str, ...]
    grows: bool
    """Whether its alert's own value raises it; else a person does."""
    actions: tuple[str, ...] = ()
    """What is to be done first."""


VARIANTS = (
    Variant("revenue_loss", "nis2", "nis2", ("early_warning", "notification", "final_report"), grows=True),
    Variant(
        "quality_control_failure",
        "ai-act",
        "ai_serious_incident",
        ("report",),
        grows=False,
        actions=(
            "Stop affected production lines",
            "Implement manual quality checks",
            "Notify quality management",
            "Assess product quality impact",
        ),
    ),
)


@pytest.fixture(params=VARIANTS, ids=lambda variant: variant.name)
def variant(request: pytest.FixtureRequest) -> Variant:
    """One of them."""
    found: Variant = request.param
    return found


@pytest.fixture
def policy(variant: Variant) -> Policy:
    """The guide, a recipient of its reports, a contact, and the authorities that the law wants told."""
    owed = load([PACKS / "obligations" / f"{variant.obligations}.yaml"])
    return replace(
        policy_of_the_guide(),
        contact_information="operations, +49 30 5550100",
        procedures=(*GUIDE.procedures, CUSTODY),
        reporting_obligations=owed.reporting_obligations,
    )


class Story:
    """What happens in each of them."""

    def __init__(self, hall: Hall, variant: Variant) -> None:
        self.hall, self.variant, self.begin = hall, variant, hall.clock.now
        rules = [each for group in compile_rules(GUIDE) for each in group.alerts if each.rule and each.lost is None]
        self.alerts: list[AlertingRule] = [each for each in rules if each.rule and each.rule.name == variant.name]

    async def fire(self, grade: int = 0, value: float = 0.08, *, over: bool = False) -> None:
        """The alert of the rule itself (0), or that of its highest grade (-1)."""
        alert = self.alerts[grade]
        labels, annotations = told_by(alert, Sample(tuple(SYSTEM.items()), value))
        body = webhook(
            {"alertname": alert.alert, **dict(labels)},
            dict(annotations),
            self.begin,
            self.hall.clock.now if over else None,
        )
        body["alerts"][0]["fingerprint"] = alert.alert
        await self.hall.api("POST", "webhook/alertmanager", body)

    async def approve(self, one: str) -> None:
        """A person reads the newest notice that waits, and approves it."""
        *_, notice = (await self.hall.api("GET", f"{one}/notices"))["notices"]
        assert notice["standing"] == "held"
        await self.hall.api("POST", f"{one}/notices/{notice['id']}/approve", {"by": "mira", "hash": notice["hash"]})

    async def resolve(self, one: str, cause: str) -> None:
        """It is over, and why."""
        facts = {"root_cause": cause, "fix_description": f"mended: {cause}", "lessons_learned": f"watch {cause}"}
        await self.hall.api("PATCH", one, {"by": "dana", "facts": facts})
        await self.hall.api("POST", f"{one}/resolve", {"by": "dana", "note": "checked at the till"})

    async def file(self, stage: str) -> None:
        """A report was filed."""
        said = {"stage": stage, "reference": f"BSI-{stage}", "file": f"{stage}.pdf", "sha256": digest(stage)}
        await self.hall.api("POST", f"{TWO}/obligations/{self.variant.obligation}/filings", {"by": "dana", **said})

    async def tick_all(self, one: str) -> None:
        """What closing wants ticked."""
        for checklist in (await self.hall.api("GET", f"{one}/checklists"))["checklists"]:
            for step in checklist["steps"] if checklist["key"] in GUIDE.closing.checklists else ():
                await self.hall.api("PUT", f"{one}/steps/{step['id']}", {"by": "dana"})

    def outside(self) -> list[tuple[str, str]]:
        """(who, subject) of all that left the house."""
        return [(each.to, each.headline) for each in self.hall.heard if each.to.strip("<>") in OUTSIDE]


def digest(stage: str) -> str:
    """Of what was filed."""
    return sha256(stage.encode()).hexdigest()


async def practise(story: Story) -> None:
    """An exercise: approved and closed, nothing goes outside, and no authority's clock goes on."""
    hall, variant = story.hall, story.variant
    declared = {"type": variant.name, "labels": SYSTEM, "exercise": True, "level": EMERGENCY, "by": "erik"}
    await hall.api("POST", "api/v1/incidents", declared)
    await hall.api("POST", f"{ONE}/acknowledge", {"by": "dana"})
    await story.approve(ONE)
    await story.resolve(ONE, "nothing: an exercise")
    await story.tick_all(ONE)
    await hall.api("POST", f"{ONE}/sign-off", {"by": "erik"})
    await hall.pass_time(48 * HOUR)
    assert (await hall.api("GET", ONE))["state"] == "closed"
    assert not story.outside()
    told = [each for each in hall.heard if each.headline not in {"acknowledge", "resolve"}]  # of PagerDuty's events
    unmarked = [each for each in told if "EXERCISE" not in f"{each.headline}\n{each.text}"]
    assert not unmarked, unmarked
    del hall.heard[:]


async def fire_and_tell(story: Story) -> None:
    """It is real, at level 3: paged with the first actions, acknowledged, and the outside is told once a person approves."""
    hall, variant = story.hall, story.variant
    story.begin = hall.clock.now
    await story.fire()
    assert {each.medium for each in hall.heard} == {"email", "slack", "pagerduty"}
    assert all(each in hall.mails("incident-response@company.com")[-1].text for each in variant.actions)
    await hall.api("POST", f"{TWO}/acknowledge", {"by": "dana"})
    await hall.api("PATCH", TWO, {"by": "dana", "facts": {"impact_description": "no card is accepted"}})
    steps = {step["text"]: step["id"] for each in await checklists(hall) for step in each["steps"]}
    for text in EVIDENCE:
        await hall.api("PUT", f"{TWO}/steps/{steps[text]}", {"by": "dana", "link": "https://logs.example/1"})
    await story.approve(TWO)
    assert sorted(to for to, _ in story.outside()) == sorted(OUTSIDE)


async def raise_it(story: Story) -> None:
    """By its own value, which has a rule of its own, or by a person: that level's channels hear at once, and a duty is owed."""
    hall, variant = story.hall, story.variant
    del hall.heard[:]
    await hall.pass_time(10 * MINUTE)
    if variant.grows:
        await story.fire(-1, 0.6)
    else:
        raised = {"by": "dana", "level": EMERGENCY, "reason": "parts have left the factory"}
        await hall.api("PATCH", TWO, raised)
        judged = {"by": "erik", "applies": True, "reason": "parts of brakes are concerned"}
        await hall.api("PUT", f"{TWO}/obligations/{variant.obligation}", judged)
    assert {each.medium for each in hall.heard} >= {"email", "slack", "pagerduty", "sms"}
    assert hall.mails("management@company.com")
    owed = (await hall.api("GET", f"{TWO}/obligations"))["obligations"]
    [due] = [each for each in owed if each["name"] == variant.obligation]
    assert (due["applies"], tuple(each["stage"] for each in due["stages"])) == (True, variant.stages)
    await hall.api("POST", f"{TWO}/acknowledge", {"by": "dana"})
    await story.file(variant.stages[0])
    for grade in range(len(story.alerts)):
        await story.fire(grade, over=True)
    await story.resolve(TWO, "a stale price list")
    await story.approve(TWO)


async def come_back(story: Story) -> None:
    """People begin anew, the old cause is disproved, and the outside is told again."""
    hall, variant = story.hall, story.variant
    del hall.heard[:]
    await hall.pass_time(HOUR)
    story.begin = hall.clock.now
    await story.fire()
    page = hall.mails("incident-response@company.com")[-1].text
    assert all(each in page for each in variant.actions)
    assert "did not hold (cause: a stale price list" in page
    assert {each.medium for each in hall.heard} >= {"email", "slack", "pagerduty", "sms"}
    assert all(not step["done"] for each in await checklists(hall) for step in each["steps"])
    await hall.api("POST", f"{TWO}/acknowledge", {"by": "dana"})
    await story.approve(TWO)
    await story.fire(over=True)
    await story.resolve(TWO, "a rule that rounds down")
    await story.approve(TWO)
    assert [subject.partition(":")[0] for to, subject in story.outside() if to.strip("<>") == OUTSIDE[2]] == [
        "INCIDENT ALERT",
        "INCIDENT RESOLVED",
    ]


async def close(story: Story) -> None:
    """Not while a step, a signature or a report to the authority is missing; then it does, and the report goes out."""
    hall, variant = story.hall, story.variant
    await hall.pass_time(48 * HOUR)
    assert (await hall.api("GET", TWO))["state"] == "resolved"
    await story.tick_all(TWO)
    for stage in variant.stages[1:]:
        missing = " ".join((await hall.api("GET", TWO))["outstanding"])
        assert stage.replace("_", " ") in missing
        await story.file(stage)
    assert (await hall.api("GET", TWO))["outstanding"] == ["nobody other than dana, who resolved it, has signed it off"]
    assert not hall.mails("board@company.com")
    await hall.api("POST", f"{TWO}/sign-off", {"by": "erik", "note": "read"})
    assert (await hall.api("GET", TWO))["state"] == "closed"
    check_report(hall.mails("board@company.com")[-1].text, variant)


async def test_the_whole_story(hall: Hall, variant: Variant) -> None:
    """Practised, real, raised, come back, filed in stages, closed by two persons: each hears what is theirs, and the
    report has all of it.
    """
    story = Story(hall, variant)
    await practise(story)
    await fire_and_tell(story)
    await raise_it(story)
    await come_back(story)
    await close(story)


async def checklists(hall: Hall) -> list[dict[str, Any]]:
    """Those of the second incident."""
    found: list[dict[str, Any]] = (await hall.api("GET", f"{TWO}/checklists"))["checklists"]
    return found


def check_report(report: str, variant: Variant) -> None:
    """What happened and who raised it, both occurrences, the cause that did not hold, what was filed, who signed."""
    raised = "rose from level 3 to 4 by" if variant.grows else "level is now 4 (parts have left the factory), dana on "
    for said in (
        "opened by an alert at level 3",
        f"it got worse after that: {raised}",
        "in occurrence 1: no card is accepted",
        "the cause given in occurrence 1 did not hold: a stale price list",
        "a rule that rounds down",
        "dana: checked at the till",
        "by erik",
        *(f"{text}: https://logs.example/1" for text in EVIDENCE),
        *(f"BSI-{stage} | {stage}.pdf SHA-256 {digest(stage)}" for stage in variant.stages),
        *(f"{action} (dana)" for action in variant.actions),
    ):
        assert said in report, said
    assert "| not filed |" not in report
