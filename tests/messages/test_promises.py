"""What messages promise and tell of updates, notices and times: so when they are read, and nothing internal outside."""

import dataclasses

import pytest
from msgspec.structs import replace

from receiver.core.model import Instant, Kind, Reason, Window
from receiver.core.obligations import reports
from receiver.core.response import Impact, ImpactGrade, Moment, Notice, Obligation, Occurrence, Response, Standing
from receiver.messages import MessageRenderer
from receiver.messages.incident_text import IncidentText
from receiver.messages.notice_text import render_notice, render_report
from rules.policy import HOUR, MINUTE, ExternalText, Micros, ReportingObligation, ReportStage, Stakeholders
from tests.messages.samples import INCIDENT, NOON, POLICY, acknowledged, context, delivery, notification, resolved

WORDS = MessageRenderer("https://tocsin.example.org/", "inst")


def after(minutes: float) -> Instant:
    """So many minutes after the opening, at 12:02 UTC."""
    return Instant(round(NOON + minutes * MINUTE))


def running(changed_at: float = 3, changed: bool = False):
    """Acknowledged at 12:05, the next update by 12:20."""
    incident = acknowledged()
    windows = {**incident.windows, Window.UPDATE: after(18)}
    return replace(incident, windows=windows, changed_at=after(changed_at), changed=changed)


def message(kind, reason, incident, minutes=4.0, policy=POLICY, channel="email", **data):
    """The message at that minute."""
    what = notification(kind, reason, channel, incident, **data)
    return WORDS.render(delivery(what, incident, policy), after(minutes))


def test_an_update_says_that_nothing_changed_and_when_the_next_comes():
    """In every medium: by mail, by SMS and spoken."""
    told = message(Kind.UPDATE, Reason.ACTION, running(), unchanged_since=str(after(3)))
    assert told.lead == "Status update: no change since 12:05 UTC. Next update by 12:20 UTC."
    assert "no change since 12:05 UTC. Next update by 12:20 UTC." in told.short
    assert "no change since twelve oh five" in told.speech


@pytest.mark.parametrize("incident", [running(changed_at=3.5), running(changed=True)])
def test_what_changes_before_it_leaves_is_not_denied(incident):
    """A message is worded when it is sent."""
    told = message(Kind.UPDATE, Reason.ACTION, incident, unchanged_since=str(after(3)))
    assert "no change" not in f"{told.text} {told.short}"


@pytest.mark.parametrize("kind", [Kind.ACKNOWLEDGED, Kind.UPDATE, Kind.BREACH, Kind.REMINDER])
def test_the_next_updates_time_stands_in_each(kind):
    """A message sent while updates are promised says when the next one comes."""
    assert ("Next update", "by 12:20 UTC") in message(kind, Reason.ACTION, running()).facts


def test_no_next_update_is_told_where_none_comes():
    """Before the first answer, and after the end."""
    assert "Next update" not in message(Kind.PAGE, Reason.OPENED, INCIDENT).text
    ended = replace(resolved(), windows={Window.UPDATE: after(60)})
    assert "Next update" not in message(Kind.RESOLVED, Reason.ACTION, ended, 41).text


def test_the_owner_is_told_when_the_update_is_due():
    """And what happens if it is not written."""
    told = message(Kind.REMINDER, Reason.UPDATE_DUE, running(), whom="ada", due_at=str(after(18)))
    assert told.lead.startswith(
        "Reminder: ada: the next status update is due at 12:20 UTC. Write it, else Tocsin tells"
    )


def test_incident_details_tell_when_it_began():
    """`{timestamp}` of the initial template is the opening, and of an update the time of the update."""
    assert "- Time: 2026-11-23 12:02 UTC" in message(Kind.ACKNOWLEDGED, Reason.ACTION, running(), 9).text
    assert "- Time: 2026-11-23 12:11 UTC" in message(Kind.UPDATE, Reason.ACTION, running(), 9).text


def test_a_repeated_acknowledgement_does_not_repeat_the_initial_alert():
    """It says who has it, in Tocsin's words; the template went out with the first."""
    told = [message(Kind.ACKNOWLEDGED, Reason.ACTION, running(), by="ada", **more) for more in ({}, {"again": "yes"})]
    assert ["Incident Details:" in each.text for each in told] == [True, False]
    assert all("Acknowledged by ada" in each.lead for each in told)


def test_without_a_contact_none_is_told():
    """Neither the owner's name nor our own page is how to reach those who respond."""
    without = dataclasses.replace(POLICY, contact_information="")
    told = message(Kind.ACKNOWLEDGED, Reason.ACTION, running(), policy=without)
    assert "Contact: not yet known" in told.text
    assert "Contact: on-call desk" in message(Kind.ACKNOWLEDGED, Reason.ACTION, running()).text


PARTNERS = Stakeholders(
    "partners",
    "",
    ("a@partner.example",),
    ("email",),
    external=True,
    initial=ExternalText("Trouble at our side", "Dear partner, since {timestamp}: {impact_description}. {next_steps}"),
    resolution=ExternalText("All clear", "Dear partner, it is over. {next_update}"),
)
WITH_PARTNERS = dataclasses.replace(POLICY, stakeholders=(PARTNERS,))


def notice(moment: Moment, group: str = "customers", **more) -> Notice:
    """A notice that was held eight minutes after the opening."""
    promised = None if moment is Moment.RESOLVED else after(18)
    return Notice("n1", group, moment, after(8), next_at=promised, **more)


def outside(moment: Moment, group: str = "customers", incident=None, **more) -> tuple[str, str]:
    """Its text."""
    case = WORDS.case(
        incident or (resolved() if moment is Moment.RESOLVED else running()), context(WITH_PARTNERS), NOON
    )
    return render_notice(notice(moment, group, **more), case)


@pytest.mark.parametrize("moment", [Moment.UPDATED, Moment.BREACHED, Moment.RESOLVED])
def test_no_internal_step_is_told_outside(moment):
    """The default text leaves out the paragraphs that our own messages fill with steps of procedures."""
    said = outside(moment)[1]
    for step in ("Immediately stop", "Assess incident severity", "Watch for recurrence", "Complete incident report"):
        assert step not in said
    assert "Next Steps" not in said
    assert "Post-Incident Actions" not in said


def test_what_a_person_entered_for_it_is_told():
    """`next_steps` as a fact is a person's word, not a checklist."""
    entered = replace(running(), facts={"next_steps": "We replace the pump tonight"})
    assert "Next Steps:\n- We replace the pump tonight" in outside(Moment.UPDATED, incident=entered)[1]


@pytest.mark.parametrize("moment", [Moment.ACKNOWLEDGED, Moment.UPDATED, Moment.BREACHED])
def test_a_notice_tells_by_when_the_next_update_comes(moment):
    """As it was when it was held, also in an hour."""
    assert outside(moment)[1].endswith("\n\nNext update by 2026-11-23 12:20 UTC.")


def test_a_group_has_a_text_of_its_own():
    """Where the policy gives it one; else the policy's own."""
    subject, body = outside(Moment.ACKNOWLEDGED, "partners")
    assert subject == "Trouble at our side"
    assert body.startswith("Dear partner, since 2026-11-23 12:02 UTC: Severe impact on safety or business operations.")
    assert "Immediately stop" not in body
    assert ". not yet known" in body, "in a line of other words it is only not told"
    assert outside(Moment.UPDATED, "partners")[0] == "INCIDENT UPDATE: #12 - acknowledged"
    assert outside(Moment.RESOLVED, "partners")[0] == "All clear"


def test_no_metric_and_no_name_of_ours_is_told_outside():
    """A graded impact has our metric in it, and who confirmed is ours to know; what a person wrote is told."""
    graded = replace(running(), response=Response(impacts={"revenue_impact": Impact(ImpactGrade.CRITICAL, "0.6")}))
    assert "Impact: Severe impact on safety or business operations" in outside(Moment.ACKNOWLEDGED, incident=graded)[1]
    wrote = replace(graded, facts={"impact_description": "Orders wait"})
    assert "- Impact: Orders wait" in outside(Moment.ACKNOWLEDGED, incident=wrote)[1]
    said = outside(Moment.RESOLVED, incident=replace(resolved(), resolved_by="ada"))[1]
    assert "- Verification: confirmed by a person" in said
    assert "ada" not in said


def with_notices(*notices: Notice):
    """An incident with these notices."""
    return replace(running(), response=Response(notices=notices))


def test_approvers_read_what_waits():
    """Which notice, to whom, by when best, and its text; in an exercise, marked."""
    incident = replace(with_notices(notice(Moment.ACKNOWLEDGED, due_at=after(18))), exercise=True)
    told = message(Kind.APPROVAL, Reason.WAITS, incident, 9, waits="n1")
    assert told.text.startswith("EXERCISE, ACKNOWLEDGED: WAITS FOR APPROVAL")
    assert "The notice n1 to customers waits for approval, best by 12:20 UTC: nobody outside is told" in told.text
    assert "n1 to customers:\n\nEXERCISE: INCIDENT ALERT: emergency - safety_margin_violation" in told.text
    assert "nobody outside is told of an exercise, approved or not." in told.text
    assert "nobody outside is told before that" not in told.text
    assert "waits for approval" in told.short


def test_approvers_read_how_to_approve():
    """By a command for each notice that waits still, and on the page; an SMS says one of them."""
    held, sent = notice(Moment.ACKNOWLEDGED), notice(Moment.ACKNOWLEDGED, standing=Standing.SENT)
    incident = with_notices(held, replace(sent, id="n2"), replace(held, id="n3"))
    told = message(Kind.APPROVAL, Reason.WAITS, incident, 9, waits="n1 n2 n3")
    assert "For approvers: tocsin approve 12 n1 and tocsin approve 12 n3\n" in told.text
    assert told.short.endswith(" For approvers: https://tocsin.example.org/incidents/12#notices")
    unlinked = MessageRenderer("", "inst").render(
        delivery(notification(Kind.APPROVAL, Reason.WAITS, "sms", incident, waits="n1"), incident, POLICY), after(9)
    )
    assert unlinked.short.endswith(" For approvers: tocsin approve 12 n1")
    decided = message(Kind.APPROVAL, Reason.STILL_WAITS, with_notices(sent), 9, waits="n1")
    assert "For approvers" not in f"{decided.text} {decided.short}"


def test_approvers_read_what_became_of_it_meanwhile():
    """Decided on before the message left, it is not said to wait."""
    sent = with_notices(notice(Moment.ACKNOWLEDGED, standing=Standing.SENT, by="cleo"))
    told = message(Kind.APPROVAL, Reason.STILL_WAITS, sent, 9, waits="n1")
    assert "is sent by now" in told.lead
    assert "waits for approval" not in told.text.lower()


def test_approvers_read_why_one_is_void():
    """In plain words."""
    void = notice(Moment.ACKNOWLEDGED, standing=Standing.VOID, why="nobody has the incident any more")
    told = message(Kind.APPROVAL, Reason.VOIDED, with_notices(void), 9, void="n1")
    assert "The notice n1 to customers is void: nobody has the incident any more." in told.lead


def test_a_report_to_an_authority_tells_the_impact_of_the_whole_incident():
    """What was written down before it came back stands in the proposed text, not the level's usual impact."""
    stage = ReportStage("final", Micros(72 * HOUR), text="Impact: {impact_description}")
    duty = ReportingObligation("nis2", "the CSIRT", (stage,))
    policy = dataclasses.replace(POLICY, reporting_obligations=(duty,))
    before = Occurrence(1, NOON, after(60), facts={"impact_description": "three patients"})
    known = Response(obligations={"nis2": Obligation(NOON)}, occurrences=(before,))
    for now, said in (
        ("", "in occurrence 1: three patients"),
        ("one more", "one more; in occurrence 1: three patients"),
    ):
        incident = replace(INCIDENT, facts={"impact_description": now}, response=known)
        [owed] = reports(incident, policy)
        text = render_report(owed, IncidentText(incident, context(policy), after(90), ""))
        assert text == f"Impact: {said}"
