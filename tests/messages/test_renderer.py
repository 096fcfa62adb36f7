"""The words people get: what a page says, which template goes out when, and that nothing can spoil them."""

import dataclasses
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest
from msgspec.structs import replace

from receiver.core.model import Instant, Kind, Reason, Recovery, State, Window
from receiver.core.response import Impact, ImpactGrade, Moment, Notice
from receiver.messages import SHORT_LIMIT, MessageRenderer
from receiver.messages.notice_text import render_notice
from rules.load import load
from rules.placeholders import PLACEHOLDERS
from rules.policy import HOUR, MINUTE, Template, Templates
from tests.messages.samples import (
    INCIDENT,
    INITIAL,
    NOON,
    POLICY,
    RESOLUTION,
    UPDATE,
    Delivery,
    acknowledged,
    context,
    delivery,
    notification,
    resolved,
)

WORDS = MessageRenderer("https://tocsin.example.org/", "inst")
GUIDE = Path(__file__).parents[1] / "policies" / "guide.md"


def after(minutes):
    return Instant(NOON + minutes * MINUTE)


def message(kind=Kind.PAGE, reason=Reason.OPENED, incident=INCIDENT, minutes=2, policy=POLICY, words=WORDS, **data):
    what = notification(kind, reason, incident=incident, **data)
    what = replace(what, created_at=max(what.created_at, after(minutes)))
    return words.render(delivery(what, incident, policy), after(minutes))


def with_templates(**changes):
    templates = {"initial": INITIAL, "update": UPDATE, "resolution": RESOLUTION} | changes
    return dataclasses.replace(POLICY, templates=Templates(**templates))


def test_page_says_everything_somebody_needs_at_night():
    """What, how bad and what that means, until when, what to do first, how to acknowledge, labels, runbook."""
    page = message()
    assert page.subject == "#12 landing-7: safety_margin_violation"
    for said in (
        "#12 EMERGENCY: Safety margin of landing-7 is 0.91, below 0.95",
        "acknowledge by 12:17 UTC; next escalation at 12:07 UTC",
        "Emergency means: Critical issues that may cause safety or business failure.",
        "1. Immediately stop affected operations",
        "Acknowledge #12: https://tocsin.example.org/incidents/12",
        "To acknowledge: tocsin acknowledge 12",
        "Condition: safety_margin < 0.95",
        "system = landing-7",
        "Runbook: https://runbooks.example.org/safety-margin",
    ):
        assert said in page.text
    assert "acknowledged" not in page.text


def test_sms_holds_the_essence():
    """An SMS says which, how bad, what, until when and how to acknowledge, in plain letters."""
    assert message().short == (
        "T#12 EMERGENCY landing-7: Safety margin of landing-7 is 0.91, below 0.95. Ack by 12:17 UTC: reply ACK 12"
    )
    without = message(words=MessageRenderer("https://t.example", "inst", sms_replies=False)).short
    assert without.endswith("Ack by 12:17 UTC: https://t.example/incidents/12")


def test_a_comparison_is_spoken():
    """A voice says "below", where a sign would be swallowed."""
    speech = message(incident=replace(INCIDENT, title="safety_margin < 0.95 and x >= 2 on landing-7")).speech
    assert "safety margin below 0.95 and x at least 2 on landing-7." in speech


def test_voice_gets_sentences():
    """What is spoken has no underscores, brackets or numbers with signs that a voice stumbles over."""
    incident = replace(INCIDENT, title="safety_margin (landing-7) <0.95 #3")
    speech = message(incident=incident).speech
    assert speech.startswith("Tocsin here. Emergency incident 12. safety margin, landing-7 0.95 3.")
    assert not set("_()<>#{}") & set(speech)


def test_type_with_immediate_actions_gives_them_all():
    """An incident type's own immediate actions come before any procedure."""
    rules = {"aviation_safety_incident_response/engine_failure": 4}
    page = message(incident=replace(INCIDENT, type="engine_failure", rules=rules))
    assert "1. Activate engine failure procedures\n2. Notify maintenance team" in page.text


def test_rule_without_a_procedure_of_its_own_begins_with_the_initial_response():
    """Where the rule's section has no response procedure, the first step of `initial_response` is the first action."""
    page = message(incident=replace(INCIDENT, type="disk_full", rules={"DiskFull": 4}))
    assert "First do this:\n1. Acknowledge incident\n" in page.text


def test_exercise_says_so_first():
    """An exercise cannot be taken for an emergency, on any medium."""
    page = message(incident=replace(INCIDENT, exercise=True))
    assert page.subject.startswith("EXERCISE: ")
    assert page.text.startswith("EXERCISE")
    assert page.short.startswith("EXERCISE ")
    assert page.speech.startswith("This is an exercise.")
    assert page.headline.startswith("EXERCISE ")
    assert "EXERCISE: nobody is in danger" in page.html


@pytest.mark.parametrize(
    ("reason", "data", "said"),
    [
        (Reason.ESCALATED, {}, "Nobody has acknowledged it in 20 minutes."),
        (Reason.ESCALATED, {"by": "ada", "note": "need the network team"}, "ada asks for help now."),
        (Reason.BREACHED, {}, "within the response time of 15 minutes (due by 12:17 UTC)"),
        (Reason.REPEATED, {}, "Nobody has acknowledged it in 20 minutes."),
        (Reason.FALLBACK, {}, "has reached nobody yet"),
        (
            Reason.NEW_DANGER,
            {"rule": "safety/x", "acknowledged_by": "ada"},
            "worse: x fired. New danger voided the acknowledgement of ada at ",
        ),
        (Reason.NEW_DANGER, {"rule": "Disk", "summary": "Disk on db: 93"}, "It got worse: Disk fired on db: 93."),
        (Reason.ACK_EXPIRED, {"acknowledged_by": "ada"}, "The acknowledgement of ada expired at "),
        (Reason.RECURRED, {}, "fires again after it was resolved (second time)"),
        (Reason.STILL_FIRING, {}, "resolved while its alerts fired"),
        (Reason.RULE_JOINED, {"rule": "safety/y"}, "A further rule fired: y."),
        (Reason.RULE_JOINED, {"rule": "Disk", "summary": "Disk on db"}, "A further rule fired: Disk on db."),
        (Reason.RULE_JOINED, {"rule": "Disk", "summary": "Diskette"}, "A further rule fired: Disk: Diskette."),
        (Reason.RULE_JOINED, {"rule": "safety/y, safety/signal_lost"}, "A further rule fired: y, missing data."),
        (Reason.OPENED, {"by": "ada"}, "Declared by ada."),
    ],
)
def test_page_says_why_it_comes_now(reason, data, said):
    """Every page after the first says what happened since, before anything else."""
    page = message(reason=reason, incident=replace(INCIDENT, recurrences=2), minutes=20, **data)
    assert said in page.lead
    assert said in page.text
    assert data.get("note", "") in page.text


def test_late_page_says_how_late():
    """When the response time is over, the page says when that was."""
    page = message(reason=Reason.REPEATED, minutes=25)
    assert "Nobody has acknowledged it in 25 minutes.\nOpen; an answer was due by 12:17 UTC" in page.text
    assert "Ack now (due 12:17 UTC)" in page.short


def test_deadline_of_another_day_has_its_date():
    """A deadline that is not today's is not shown as if it were."""
    incident = replace(INCIDENT, level=1, response_due_at=Instant(NOON + 24 * HOUR), windows={})
    assert "acknowledge by 24 Nov 12:02 UTC" in message(incident=incident).text


def test_acknowledgement_carries_the_initial_template():
    """The guide's initial template says "Incident acknowledged": it goes out then, filled."""
    told = message(Kind.ACKNOWLEDGED, Reason.ACTION, acknowledged(), minutes=4, by="ada", note="on it")
    assert told.subject == "#12 landing-7: safety_margin_violation"
    assert "INCIDENT ALERT: emergency - safety_margin_violation\n\nIncident Details:" in told.text
    assert "Acknowledged by ada at 12:06 UTC, 4 minutes after the opening.\nNote: on it" in told.text
    assert "- Impact: Severe impact on safety or business operations" in told.text
    assert "- Updates will be provided every 15 minutes" in told.text
    assert "Contact: on-call desk, +49 30 1234567" in told.text


def test_send_on_opened_moves_the_initial_template_to_the_page():
    """`send_on: opened` puts its body into the first page, beside what the page says anyway."""
    policy = with_templates(initial=dataclasses.replace(INITIAL, send_on="opened"))
    page = message(policy=policy)
    assert "- Impact: Severe impact" in page.text
    assert "To acknowledge: tocsin acknowledge 12" in page.text
    told = message(Kind.ACKNOWLEDGED, Reason.ACTION, acknowledged(), policy=policy, by="ada")
    assert "Incident Details" not in told.text
    assert told.text.startswith("ACKNOWLEDGED\n#12 EMERGENCY: Safety margin of landing-7 is 0.91, below 0.95\n")


def test_update_carries_the_update_template_and_what_was_written():
    """A status update has the person's words and the template, with every step still to do on a line of its own."""
    incident = replace(acknowledged(), facts={"current_impact": "two landings diverted", "root_cause": "sensor drift"})
    told = message(Kind.UPDATE, Reason.ACTION, incident, minutes=14, by="ada", text="switched to backup")
    assert "INCIDENT UPDATE: #12 - acknowledged\n\nIncident Status Update:" in told.text
    assert "Status update by ada.\nswitched to backup" in told.text
    assert "- Investigation: root cause found\n- Fix: not yet known\n- Impact: two landings diverted" in told.text
    assert "Next Steps:\n- Immediately stop affected operations\n- Activate safety protocols\n" in told.text
    assert "Estimated Resolution: not yet known" in told.text


def test_resolution_carries_the_resolution_template():
    """The all-clear says when, how long, why, how it is known, and what comes after."""
    incident = replace(resolved(), facts={"root_cause": "sensor drift", "fix_description": "recalibrated"})
    told = message(Kind.RESOLVED, Reason.ACTION, incident, minutes=44, by="ada")
    for said in (
        "INCIDENT RESOLVED: #12\n\nIncident Resolution:",
        "Resolved by ada after 40 minutes.",
        "- Resolution Time: 2026-11-23 12:42 UTC\n- Duration: 40 minutes",
        "- Root Cause: sensor drift\n- Fix Applied: recalibrated\n- Verification: confirmed by ada",
        "- Monitor system stability for 24 hours: Watch for recurrence\n- Document incident: Complete incident report",
        "Lessons Learned:\n- not yet known",
    ):
        assert said in told.text
    assert not told.live


def test_recovery_that_nobody_saw_is_not_called_verified():
    """A resolve while alerts fire is not told as an all-clear."""
    incident = replace(resolved(), firing=(0, 0, 0, 2))
    told = message(Kind.RESOLVED, Reason.ACTION, incident, by="ada")
    assert "Alerts still fire." in told.lead
    assert "Verification: not verified: alerts still fire" in told.text
    alone = message(Kind.RESOLVED, Reason.RECOVERED, resolved(by=""))
    assert "Verification: the signal recovered at 2026-11-23 12:37 UTC and stayed recovered" in alone.text


@pytest.mark.parametrize(
    ("recovery", "said"),
    [
        (Recovery.VERIFYING, "signal recovered, verifying until 12:07 UTC"),
        (Recovery.CONFIRM, "signal recovered, a person must confirm"),
        (Recovery.UNVERIFIED, "recovery unverified"),
    ],
)
def test_recovery_is_told_as_far_as_it_is_known(recovery, said):
    """Pages and news never sound the all-clear before it is one."""
    incident = replace(INCIDENT, recovery=recovery, windows={Window.VERIFY: after(5)}, firing=(0, 0, 0, 0))
    assert said in message(reason=Reason.REPEATED, incident=incident).text
    assert said in dict(message(Kind.NOTICE, Reason.RECOVERED, incident).facts)["State"]


def test_a_headline_and_a_call_say_that_the_signal_recovered():
    """The title is of what is over: the recipient of a late page reads and hears that first."""
    incident = replace(INCIDENT, recovery=Recovery.CONFIRM, firing=(0, 0, 0, 0))
    told = message(incident=incident, reason=Reason.ESCALATED)
    assert told.headline.startswith("SIGNAL RECOVERED #12 EMERGENCY: ")
    assert "Emergency incident 12, signal recovered. " in told.speech


@pytest.mark.parametrize(
    ("inhibited", "said"),
    [
        (True, "inhibited in Alertmanager: nobody is paged meanwhile"),
        (False, "silenced in Alertmanager until 12:07 UTC: nobody is paged meanwhile"),
    ],
)
def test_what_keeps_an_incident_quiet_is_named(inhibited, said):
    """An inhibition is called none but that, and has no end that Alertmanager never told."""
    quiet = replace(INCIDENT, level=3, silenced_until=after(5), inhibited=inhibited)
    assert said in dict(message(Kind.NOTICE, Reason.INHIBITED, quiet).facts)["State"]


def test_whoever_is_paged_again_reads_what_alertmanager_no_longer_says():
    """Also where Alertmanager does not answer: nothing is claimed about what it would say."""
    told = message(reason=Reason.SILENCE_ENDED)
    assert "Alertmanager no longer says that it is silenced or inhibited, and it is not over." in told.text


def test_owner_is_reminded_of_the_expiry():
    """A reminder names its addressee, the moment, and what keeps the acknowledgement."""
    told = message(Kind.REMINDER, Reason.ACK_EXPIRED, acknowledged(), 12, whom="ada", expires_at=str(after(18)))
    assert told.lead == (
        "Reminder: ada: your acknowledgement expires at 12:20 UTC. A note, a step or an update keeps it."
    )


def test_bundle_names_every_incident():
    """One message for many: all numbers, the first titles, the first deadline."""
    incidents = [replace(INCIDENT, number=number, id=f"{number:032}") for number in (*range(12, 31), 40)]
    items = tuple((notification(incident=each), each) for each in incidents)
    told = WORDS.render(Delivery(items, context()), after(1))
    assert told.subject == "20 incidents on landing-7: #12-#30, #40"
    assert told.count == 20
    assert "the first by 12:17 UTC" in told.text
    assert "#21 Safety margin" in told.text
    assert "and 10 more" in told.text
    assert told.short.startswith("T 20 incidents EMERGENCY landing-7 #12-#30, #40: Safety margin")
    assert "https://tocsin.example.org/" in told.text


def test_bundled_news_says_what_happened_and_asks_for_nothing():
    """News of many: how many of what, of each its own first sentence, and no way to acknowledge what needs it not."""
    incidents = [
        replace(
            INCIDENT, number=number, id=f"{number:032}", state=State.ACKNOWLEDGED if number < 29 else State.RESOLVED
        )
        for number in range(12, 32)
    ]
    kinds = [Kind.ACKNOWLEDGED] * 17 + [Kind.RESOLVED] * 3
    items = tuple(
        (
            replace(notification(incident=each), kind=kind, reason=Reason.ACTION, data={"by": "ada", "note": "on it"}),
            each,
        )
        for each, kind in zip(incidents, kinds, strict=True)
    )
    told = WORDS.render(Delivery(items, context()), after(1))
    assert told.subject == "20 incidents on landing-7: #12-#31"
    assert told.lead == "News: 17 acknowledged, 3 resolved."
    assert told.short.startswith("T 20 incidents EMERGENCY landing-7 #12-#31:")
    assert told.short.endswith("News: 17 acknowledged, 3 resolved.")
    assert "Acknowledged by ada" in told.text
    assert "Note: on it" in told.text
    assert "cknowledge each" not in told.text + told.short
    assert "To ack" not in told.text + told.short
    assert not told.live


def test_bundle_of_far_apart_incidents_still_fits():
    """Hundreds of numbers without neighbours do not break the limits."""
    incidents = [replace(INCIDENT, number=number, id=f"{number:032}") for number in range(1, 2000, 2)]
    items = tuple((notification(incident=each), each) for each in incidents)
    told = WORDS.render(Delivery(items, context()), after(1))
    assert len(told.short) <= SHORT_LIMIT
    assert len(told.subject) <= 200
    assert "#1999" in told.text


def test_without_an_address_there_are_no_links():
    """Unset TOCSIN_EXTERNAL_URL leaves the command, and no broken links."""
    page = message(words=MessageRenderer(None, "inst"))
    assert "To acknowledge: tocsin acknowledge 12" in page.text
    assert dict(page.links) == {"Runbook": "https://runbooks.example.org/safety-margin"}
    assert "incidents/12" not in page.html


def test_link_that_is_no_web_address_is_left_out():
    """A runbook that a browser must not open becomes no link."""
    rule = dataclasses.replace(POLICY.rules[0], runbook_url="javascript:alert(1)")
    page = message(policy=dataclasses.replace(POLICY, rules=(rule,)))
    assert "javascript" not in page.html


def test_jinja_templates_work_too():
    """A template in Jinja2 gets the same values; several points are joined."""
    template = Template(
        "{{ severity | upper }} {{ incident_id }}", "{% if status == 'open' %}{{ next_steps }}{% endif %}", "opened"
    )
    page = message(policy=with_templates(initial=template))
    assert "\nEMERGENCY #12\n\nImmediately stop affected operations; Activate safety protocols" in page.text


@pytest.mark.parametrize(
    "body",
    [
        "{{ nope }}",
        "{{ 1 / 0 }}",
        "{% if %}",
        "{{ severity.__class__.__mro__ }}",
        "{{ ''.join(range(9)) }}",
        '{{ "x" * 3000000000 }}',
    ],
)
def test_template_that_fails_takes_no_page_away(body):
    """What a policy's template does wrong is said in the message, and Tocsin's own words go out."""
    page = message(policy=with_templates(initial=Template(body, body, "opened")))
    assert "these are Tocsin's own words" in page.text
    assert "To acknowledge: tocsin acknowledge 12" in page.text
    assert page.text.startswith("OPEN\n#12 EMERGENCY: Safety margin of landing-7 is 0.91, below 0.95\n")


def test_braces_reach_nothing_but_values():
    """`{placeholder}` knows names only: no attributes, no formats; a value with braces is not filled again."""
    template = Template("{severity.__class__} {severity!r} {impact_description}", "{{incident_id}", "opened")
    incident = replace(INCIDENT, facts={"impact_description": "{severity} and {lessons_learned}"})
    page = message(policy=with_templates(initial=dataclasses.replace(template, body="-")), incident=incident)
    assert "\n{severity.__class__} {severity!r} {severity} and {lessons_learned}\n" in page.text


def test_every_placeholder_is_filled():
    """No name of rules.placeholders stays in braces; what is unknown reads "not yet known"."""
    body = "\n".join(f"{name}: {{{name}}}" for name in PLACEHOLDERS)
    told = message(Kind.UPDATE, Reason.ACTION, policy=with_templates(update=Template("x", body, "updated")))
    lines = told.text.splitlines()
    for name in PLACEHOLDERS:
        (line,) = [line for line in lines if line.startswith(f"{name}: ")]
        assert "{" not in line
    assert "lessons_learned: not yet known" in lines
    assert "incident_type: safety_margin_violation" in lines


def test_what_responders_entered_goes_before_what_is_assumed():
    """An entered fact stands in its placeholder, also where a usual value exists."""
    facts = {
        "impact_description": "three flights held",
        "next_steps": "swap the sensor",
        "contact_information": "gate 4",
    }
    told = message(Kind.ACKNOWLEDGED, Reason.ACTION, replace(acknowledged(), facts=facts))
    assert "- Impact: three flights held" in told.text
    assert "Contact: gate 4" in told.text


@pytest.mark.parametrize(("kind", "reason"), list(product(Kind, Reason)))
@pytest.mark.parametrize("state", list(State))
def test_every_message_can_be_said_in_every_state(kind, reason, state):
    """An incident may have moved on before its message leaves: no combination fails or exceeds a limit."""
    nasty = "\ud800\u202e\u2028\r\n<b>&{severity}{{ 7*7 }}\x00\x1b" + "é" * 5000
    told_of = dict.fromkeys(("rule", "by", "note", "summary", "subject", "body"), nasty)
    for incident in (INCIDENT, replace(INCIDENT, title=nasty, type=nasty, labels={nasty: nasty}, rules={nasty: 4})):
        told = message(kind, reason, replace(incident, state=state), **told_of)
        assert 0 < len(told.short) <= SHORT_LIMIT
        assert 0 < len(told.subject) <= 200
        assert len(told.text) < 30_000
        for text in (told.subject, told.text, told.html, told.short, told.speech, told.headline, told.lead):
            assert text.encode()
            assert not set("\x00\x1b\r\u2028\u202e") & set(text)
        for one_line in (told.subject, told.short, told.headline, *dict(told.facts).values()):
            assert "\n" not in one_line
        assert "49" not in told.subject


@pytest.mark.parametrize("kind", list(Kind))
def test_html_is_well_formed_and_holds_the_words(kind):
    """Every element is closed, and nothing foreign is markup."""
    incident = replace(INCIDENT, title='<script>alert("1")</script>', labels={"<b>": '"><img src=x>'}, exercise=True)
    told = message(kind, Reason.ACTION, incident, subject=incident.title, body=incident.title)
    page = Outline()
    page.feed(told.html)
    assert page.open == []
    assert not page.seen & {"script", "img", "b"}
    assert '<script>alert("1")</script>' in page.words


class Outline(HTMLParser):
    """The elements of a page, and its words."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.words = [], set(), ""

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def test_the_guide_as_it_stands_gives_its_messages():
    """With the guide as the policy, its own templates go out, filled."""
    policy = load([GUIDE])
    rules = {"incident_response/safety_critical_failure": 4}
    incident = replace(INCIDENT, type="safety_critical_failure", rules=rules)
    page = message(policy=policy, incident=incident)
    assert page.subject == "#12 landing-7: safety_critical_failure"
    told = message(Kind.ACKNOWLEDGED, Reason.ACTION, acknowledged(incident), policy=policy)
    assert "Response Actions:\n- Incident acknowledged\n- Investigation in progress" in told.text
    over = message(Kind.RESOLVED, Reason.ACTION, resolved(incident), policy=policy)
    assert "- Monitor system stability for 24 hours: Monitor system performance; Watch for recurrence" in over.text
    assert "{" not in told.text + over.text


def test_an_overdue_limit_is_told_with_its_limit():
    """The stakeholders' message after a missed acknowledgement or assessment."""
    told = notification(Kind.REMINDER, Reason.OVERDUE, what="severity assessment", limit="30m")
    message = WORDS.render(delivery(told), NOON)
    assert "The severity assessment is overdue: it should have come within 30m." in message.text
    assert message.text.startswith("OPEN: OVERDUE\n#12 EMERGENCY: ")


def test_a_handover_is_told_with_both_names():
    """The threads read who gave it to whom, and the incident stands with both from then on."""
    handed = acknowledged()
    handed = replace(handed, response=replace(handed.response, owner="ben"))
    told = notification(Kind.NOTICE, Reason.HANDED_OVER, by="ada", to="ben")
    message = WORDS.render(delivery(told, handed), NOON)
    assert "ada handed it over to ben." in message.text
    assert "handed over to ben" in dict(message.facts)["State"]


def test_the_impact_is_told_with_its_grade():
    """Graded impacts stand before what the level usually means, the worst first; a person's own words before both."""
    scales = load([GUIDE]).impact_scales
    impacts = {
        "revenue_impact": Impact(ImpactGrade.MEDIUM, "0.1"),
        "business_impact": Impact(ImpactGrade.HIGH, "production_stoppage"),
    }
    graded = replace(INCIDENT, response=replace(INCIDENT.response, impacts=impacts))
    told = message(incident=graded, policy=dataclasses.replace(POLICY, impact_scales=scales))
    said = "high (business impact of production_stoppage); medium: 5-20% revenue impact (revenue_impact 0.1)"
    assert dict(told.facts)["Impact"] == said
    own = replace(graded, facts={"impact_description": "one line stands"})
    assert dict(message(incident=own).facts)["Impact"] == "one line stands"


def test_an_approved_notice_is_sent_word_for_word():
    """The outside gets what was approved: no link, no number, no command of ours around it."""
    told = message(Kind.EXTERNAL, Reason.APPROVED, subject="INCIDENT ALERT", body="Type: x\nImpact: <b>none</b>")
    assert (told.subject, told.text) == ("INCIDENT ALERT", "Type: x\nImpact: <b>none</b>\n")
    assert (told.links, told.facts, told.live) == ((), (), False)
    assert "tocsin.example.org" not in told.html
    assert "&lt;b&gt;none&lt;/b&gt;" in told.html


@pytest.mark.parametrize(("minute", "is_late"), [(1, True), (3, False)])
def test_a_notice_that_leaves_after_the_update_that_it_names_says_so(minute, is_late):
    """The approved text stands as it is; that what it promises is due by now is said after it."""
    told = message(
        Kind.EXTERNAL, Reason.APPROVED, subject="INCIDENT ALERT", body="Next update soon.", promised=str(after(minute))
    )
    assert told.text.startswith("Next update soon.\n")
    assert ("This message left late: it was approved at" in told.text) is is_late
    assert ("The next update that it names is due by now." in told.text) is is_late


@pytest.mark.parametrize(
    ("moment", "subject"),
    [
        (Moment.ACKNOWLEDGED, "INCIDENT ALERT"),
        (Moment.BREACHED, "INCIDENT UPDATE"),
        (Moment.RESOLVED, "INCIDENT RESOLVED"),
    ],
)
def test_a_held_notice_is_the_template_of_its_moment(moment, subject):
    """The same at any time, until the incident changes; an exercise says that it is one."""
    notice = Notice("n1", "external", moment, NOON)
    exercise = replace(acknowledged(), exercise=True)
    texts = {render_notice(notice, WORDS.case(exercise, context(), after(minutes))) for minutes in (1, 500)}
    [(said, body)] = texts
    assert said.startswith(f"EXERCISE: {subject}")
    assert body.startswith("EXERCISE: ")
    assert "tocsin.example.org" not in body
