"""One subject for each incident, true in all its states; its state is the text's first line."""

import dataclasses
from itertools import product

import pytest
from msgspec.structs import replace

from receiver.core.model import Instant, Kind, Reason, Recovery, State, Window
from receiver.core.response import Impact
from receiver.messages import MessageRenderer
from rules.load import load
from rules.policy import MINUTE
from tests.messages.samples import INCIDENT, NOON, POLICY, Delivery, acknowledged, context, notification, resolved
from tests.messages.test_renderer import GUIDE

WORDS = MessageRenderer(
    "https://tocsin.example.org", "inst", ack_url=lambda _incident, _name: "https://t.example/act/1"
)
SUBJECT = "#12 landing-7: safety_margin_violation"
VERIFYING = replace(INCIDENT, recovery=Recovery.VERIFYING, windows={Window.VERIFY: Instant(NOON + 30 * MINUTE)})
CONFIRM = replace(INCIDENT, recovery=Recovery.CONFIRM, windows={})
UNVERIFIED = replace(INCIDENT, recovery=Recovery.UNVERIFIED, windows={})


def message(
    kind=Kind.PAGE, reason=Reason.OPENED, incident=INCIDENT, minutes=25, policy=POLICY, channel="email", **data
):
    what = notification(kind, reason, channel, incident, **data)
    return WORDS.render(Delivery(((what, incident),), context(policy)), Instant(NOON + minutes * MINUTE))


def bundle(*incidents, reason=Reason.REPEATED, minutes=25):
    items = tuple((notification(Kind.PAGE, reason, "sms", each), each) for each in incidents)
    return WORDS.render(Delivery(items, context()), Instant(NOON + minutes * MINUTE))


def numbered(number, incident=INCIDENT):
    return replace(incident, number=number, id=f"{number:032}")


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.EXTERNAL])
@pytest.mark.parametrize("incident", [INCIDENT, VERIFYING, CONFIRM, acknowledged(), resolved()])
def test_an_incident_has_one_subject_from_its_opening_to_its_end(kind, incident):
    """For any kind, reason and state the subject names the incident and says nothing else."""
    assert {message(kind, reason, incident).subject for reason in Reason} == {SUBJECT}


def test_a_subject_outlives_what_it_could_have_said():
    """A rise of the level, a worse rule and another title change nothing of the subject: the thread goes on."""
    worse = replace(INCIDENT, level=4, title="db9 fires", type="other", rules={**INCIDENT.rules, "x/engine_failure": 4})
    before = replace(INCIDENT, level=3)
    assert message(incident=before).subject == message(incident=worse).subject == SUBJECT


def test_no_two_emergencies_have_one_subject():
    """The number tells two of one type on one system apart, in bundles too."""
    subjects = {message(incident=numbered(number)).subject for number in range(1, 40)}
    subjects |= {bundle(numbered(number), numbered(number + 1)).subject for number in range(1, 40)}
    assert len(subjects) == 39 * 2


@pytest.mark.parametrize(
    ("labels", "subject"),
    [
        ({"job": "node", "alertname": "DiskFull"}, "#12 node: DiskFull"),
        ({"service": "shop", "job": "node"}, "#12 shop: DiskFull"),
        ({"alertname": "DiskFull"}, "#12 DiskFull"),
    ],
)
def test_what_others_alert_on_is_named_by_its_usual_labels(labels, subject):
    """An alert of others' has no label `system`: the service, the job or the namespace names what it is about."""
    assert message(incident=replace(INCIDENT, labels=labels, rules={"DiskFull": 4}, type="DiskFull")).subject == subject


def test_an_exercise_says_so_in_its_subject():
    """An exercise is one from its opening to its end, so its subject may say it."""
    assert message(incident=replace(INCIDENT, exercise=True)).subject == f"EXERCISE: {SUBJECT}"


@pytest.mark.parametrize(
    ("kind", "reason", "incident", "first"),
    [
        (Kind.PAGE, Reason.OPENED, INCIDENT, "OPEN"),
        (Kind.PAGE, Reason.BREACHED, INCIDENT, "OPEN: RESPONSE TIME BREACHED"),
        (Kind.PAGE, Reason.REPEATED, INCIDENT, "OPEN: STILL NO ANSWER"),
        (Kind.PAGE, Reason.REPEATED, VERIFYING, "OPEN, SIGNAL RECOVERED"),
        (Kind.PAGE, Reason.STILL_FIRING, CONFIRM, "OPEN, SIGNAL RECOVERED"),
        (Kind.PAGE, Reason.REPEATED, acknowledged(), "ACKNOWLEDGED"),
        (Kind.REMINDER, Reason.OVERDUE, INCIDENT, "OPEN: OVERDUE"),
        (Kind.NOTICE, Reason.RECOVERED, VERIFYING, "OPEN, SIGNAL RECOVERED"),
        (Kind.NOTICE, Reason.RECOVERED, INCIDENT, "OPEN"),
        (Kind.ACKNOWLEDGED, Reason.ACTION, acknowledged(), "ACKNOWLEDGED"),
        (Kind.ACKNOWLEDGED, Reason.ACTION, resolved(), "RESOLVED"),
        (Kind.RESOLVED, Reason.ACTION, resolved(), "RESOLVED"),
        (Kind.RESOLVED, Reason.ACTION, INCIDENT, "OPEN"),
    ],
)
def test_the_text_begins_with_how_it_stands_now(kind, reason, incident, first):
    """The state, and why the message comes, as far as that is so when it leaves."""
    told = message(kind, reason, incident)
    assert told.text.splitlines()[0] == first
    state = first.partition(":")[0]
    assert f"&middot; {state}" in told.html


def test_a_bundle_begins_with_how_its_incidents_stand():
    """How many stand how, where they do not all stand alike."""
    assert bundle(numbered(12), numbered(13)).text.startswith(
        "OPEN: STILL NO ANSWER\nEMERGENCY: 2 incidents on landing-7: #12-#13"
    )
    mixed = bundle(numbered(12), numbered(13, CONFIRM), numbered(14, acknowledged()))
    assert mixed.text.startswith("1 OPEN; 1 OPEN, SIGNAL RECOVERED; 1 ACKNOWLEDGED\n")
    assert mixed.subject == "3 incidents on landing-7: #12-#14"


def test_a_bundle_names_its_systems():
    """Up to three by name; of more, how many they are."""
    several = [replace(numbered(number), labels={"system": f"db{number}"}) for number in range(1, 6)]
    assert bundle(*several[:2]).subject == "2 incidents on db1, db2: #1-#2"
    assert bundle(*several).subject == "5 incidents on 5 systems: #1-#5"


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("incident", [VERIFYING, CONFIRM, UNVERIFIED])
@pytest.mark.parametrize("replies", [True, False])
def test_an_sms_of_what_recovered_asks_for_no_acknowledgement(reason, incident, replies):
    """For any reason, alone or with others: an incident that may be over is never called unacknowledged."""
    words = dataclasses.replace(WORDS, sms_replies=replies)
    for incidents in ([incident], [numbered(12, incident), numbered(13, incident)]):
        items = tuple((notification(Kind.PAGE, reason, "sms", each), each) for each in incidents)
        said = words.render(Delivery(items, context()), Instant(NOON + 25 * MINUTE)).short.lower()
        assert "recover" in said
        assert not any(
            each in said for each in ("unacknowledged", "ack now", "ack by", "to ack:", "still firing", "again")
        )


def test_an_sms_says_how_a_recovery_is_confirmed():
    """Where a person must confirm, the answer that does so is named, not the acknowledgement."""
    assert "reply RESOLVE 12" in message(Kind.PAGE, Reason.REPEATED, CONFIRM, channel="sms").short


def test_an_sms_of_what_still_fires_says_so():
    """The words for what waits are still there."""
    said = message(Kind.PAGE, Reason.REPEATED, channel="sms").short
    assert said.startswith("T#12 STILL NO ANSWER EMERGENCY landing-7: ")
    assert "Ack now (due 12:17 UTC): reply ACK 12" in said


@pytest.mark.parametrize("kind", [Kind.ACKNOWLEDGED, Kind.UPDATE])
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"current_impact": "two landings diverted"},
        {"impact_description": "three flights held"},
        {"current_impact": "two landings diverted", "impact_description": "three flights held"},
    ],
)
@pytest.mark.parametrize("graded", [{}, {"business_impact": Impact("high", "production_stoppage")}])
@pytest.mark.parametrize("policy", [POLICY, load([GUIDE])], ids=["samples", "guide"])
def test_a_message_tells_one_impact(kind, facts, graded, policy):
    """The policy's text and the facts below it say the same, known or not."""
    incident = replace(acknowledged(), facts=facts, response=replace(INCIDENT.response, impacts=graded))
    told = message(kind, Reason.ACTION, incident, policy=policy).text
    impacts = {line.partition("Impact: ")[2] for line in told.splitlines() if "Impact: " in line}
    assert len(impacts) == 1
    assert "not yet known" not in impacts


def test_labels_of_ours_are_nobody_elses_business():
    """Of a compiled alert people see the labels that they chose; of a stranger's, all that mean nothing to Tocsin."""
    ours = {"alertname": "X", "severity_level": "4", "rule": "r", "section": "s", "signal": "m", "paging": "now"}
    mine = replace(INCIDENT, labels={**ours, "system": "landing-7", "team": "ground"})
    assert message(incident=mine).labels == (("system", "landing-7"), ("team", "ground"))
    foreign = replace(mine, rules={"X": 4}, type="X")
    assert dict(message(incident=foreign).labels).keys() == {
        "system",
        "team",
        "rule",
        "signal",
        "paging",
        "severity_level",
    }
    assert "severity_level" not in message(incident=mine).text


def test_no_text_goes_stale():
    """Nothing that is read later says how long is left: only a voice, which is heard at once."""
    for kind, reason, minutes in product((Kind.PAGE, Kind.NOTICE, Kind.REMINDER), Reason, (2, 25)):
        told = message(kind, reason, minutes=minutes, expires_at=str(NOON + 30 * MINUTE))
        read = "\n".join((told.text, told.html, told.short, told.headline, told.lead, *dict(told.facts).values()))
        assert " left" not in read
        assert " ago" not in read
    assert "13 minutes left" in message(minutes=2).speech


def test_state_names_every_state():
    """No state has no words."""
    for state in State:
        assert message(incident=replace(INCIDENT, state=state)).text.startswith(state.upper())
