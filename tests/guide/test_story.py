"""An aviation incident from its exercise to its last report, under an airline's policy: what each person got, and when.

The story is `manual.stories.aviation`; docs/stories/aviation.md tells it word for word.
"""

import re
from pathlib import Path

import pytest

from manual.stories.aviation import Aviation, local
from manual.stories.house import Chapter, Done, Heard, Shown
from manual.stories.transcript import PLACE, page, play

ROOT = Path(__file__).parents[2]
OUTSIDE = ("charterers@customers.example", "duty-manager@airport.example", "+493055502", "desk@authority.example")
ACTIONS = (
    "Activate backup communication systems",
    "Notify air traffic control",
    "Implement communication protocols",
    "Assess communication status",
)


@pytest.fixture(scope="module")
def story() -> Aviation:
    """Played once."""
    return play()


def chapter(story: Aviation, begins: str) -> list[Heard]:
    """What was heard in the chapter whose title begins so."""
    inside, found = False, []
    for scene in story.scenes:
        if isinstance(scene, Chapter):
            inside = scene.title.startswith(begins)
        elif inside and isinstance(scene, Heard):
            found.append(scene)
    assert found, begins
    return found


def at(heard: list[Heard], time: str) -> list[Heard]:
    """What came at that time of the airline's clock, in 2026."""
    return [each for each in heard if each.at == local(f"2026-{time}")]


def to(heard: list[Heard], address: str) -> list[Heard]:
    """What reached that address."""
    return [each for each in heard if address in each.to]


def outside(story: Aviation) -> list[Heard]:
    """All that left the house."""
    return [each for each in story.heard() if each.to in OUTSIDE]


def reports(story: Aviation) -> list[str]:
    """The reports that the board was mailed of the real incident, in order."""
    return [each.text for each in story.heard("email", "board@nordwind.example") if "EXERCISE" not in each.headline]


def section(report: str, title: str) -> str:
    """One section of a report as it is mailed."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", report, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def test_the_page_is_current(story: Aviation) -> None:
    """docs/stories/aviation.md is what this code tells; `python -m manual` writes it anew."""
    assert (ROOT / PLACE).read_text() == page(story.scenes)


def test_nothing_of_the_exercise_leaves_the_house(story: Aviation) -> None:
    """The approver gets the texts, each marked in subject and text; nothing goes outside."""
    heard = chapter(story, "Practised")
    assert not {each.to for each in heard} & set(OUTSIDE)
    texts = [each for each in heard if each.headline.startswith("EXERCISE: ") and "#1 radio" not in each.headline]
    assert [each.to for each in texts].count("mira@nordwind.example") == 4
    assert [each.to for each in texts].count("erik@nordwind.example") == 2
    assert all(each.text.startswith("EXERCISE: ") for each in texts)
    assert all("EXERCISE" in each.words for each in heard if each.text)


def test_an_exercise_owes_no_authority_anything(story: Aviation) -> None:
    """Closed, no reminder of its reports is sent, and its own report claims no filing and no telling."""
    told = story.heard("email", "board@nordwind.example")[0]
    assert "**EXERCISE: nobody was in danger.**" in told.text
    assert "practised, filed with nobody, 2026-11-19" in told.text
    assert "What the external groups were told" not in told.text
    assert "approved, and sent to its approvers" in told.text
    assert "(an exercise: nothing is filed)" in told.text
    assert not [each for each in story.heard() if "EXERCISE" in each.words and each.at > told.at]


def test_the_page_at_night_says_what_is_needed(story: Aviation) -> None:
    """At 03:02 each channel of level 3, to who is on call, with the four first actions and the deadline."""
    opened = at(chapter(story, "Real"), "11-25 03:02")
    assert {each.medium for each in opened} == {"email", "slack", "pagerduty"}
    assert {each.to for each in opened if each.medium == "email"} == {
        "dana@nordwind.example",
        "operations@nordwind.example",
    }
    for each in opened:
        assert "acknowledge by 04:02 CET" in each.text
        assert each.medium == "pagerduty" or all(action in each.text for action in ACTIONS)
        assert "on radio-gateway: 1" not in each.words


def test_a_raised_level_owes_at_once_what_level_4_has(story: Aviation) -> None:
    """SMS, a new page, the management, level 4's windows, and the authority's notice with the next answer."""
    raised = at(chapter(story, "Raised"), "11-25 03:31")
    assert {each.medium for each in raised} == {"email", "slack", "pagerduty", "sms"}
    assert to(raised, "management@nordwind.example")
    assert "Ack by 03:46 CET" in next(each.headline for each in raised if each.medium == "sms")
    [notice] = [each for each in chapter(story, "Raised") if each.to == "desk@authority.example"]
    assert notice.at == local("2026-11-25 03:36")
    assert "NW17 flies without voice contact" in notice.text


def test_an_update_comes_by_the_clock_to_all_who_were_told(story: Aviation) -> None:
    """Half an hour after the one by hand: all who were paged and the management, by the medium they were told on."""
    due = [
        each for each in at(chapter(story, "Raised"), "11-25 04:20") if "Status update: no change since" in each.words
    ]
    assert {each.medium for each in due} == {"email", "slack", "sms"}
    assert {each.to for each in due if each.medium == "email"} == {
        "dana@nordwind.example",
        "operations@nordwind.example",
        "management@nordwind.example",
    }
    assert all("no change since 04:00 CET" in each.words and "Next update by 04:50 CET" in each.words for each in due)


def test_who_was_told_outside_hears_each_beginning_and_each_end(story: Aviation) -> None:
    """Customers, partners and the authority: ALERT, RESOLVED, and both again when it came back; updates in between."""
    told = [(each.to, each.headline) for each in outside(story)]
    over, alert, update = (
        "Disturbance of our flights: over",
        "Disturbance of our flights",
        "Disturbance of our flights: how it stands",
    )
    assert [subject for address, subject in told if address == OUTSIDE[0]] == [alert, update, over, alert, update, over]
    emergency = "INCIDENT ALERT: emergency - communication_failure"
    assert [subject for address, subject in told if address == OUTSIDE[1]] == [
        "INCIDENT ALERT: critical - communication_failure",
        "INCIDENT RESOLVED: #2",
        emergency,
        "INCIDENT RESOLVED: #2",
    ]
    assert [subject for address, subject in told if address == OUTSIDE[3]] == [emergency, "INCIDENT RESOLVED: #2"] * 2


def test_the_same_time_is_told_to_everybody_outside(story: Aviation) -> None:
    """When it began: to customers, partners, the authority, and in the report that is filed."""
    first = [each for each in outside(story) if each.at < local("2026-11-25 04:00")]
    assert len(first) == 4
    assert all("2026-11-25 03:01 CET" in each.text for each in first if "how it stands" not in each.headline)
    looked = next(
        each.text for each in story.scenes if isinstance(each, Shown) and "Occurrence report What" in each.text
    )
    assert "When: 2026-11-25 03:01 CET" in looked


def test_nothing_internal_is_told_outside(story: Aviation) -> None:
    """No name of a responder but where a person confirmed, no address of the house, no link, no step of a procedure."""
    for each in outside(story):
        assert not re.search(r"tocsin\.example|@nordwind|prometheus|Next Steps|Post-Incident", each.words)
        assert not any(action in each.words for action in ACTIONS)


def test_what_comes_back_begins_anew(story: Aviation) -> None:
    """The four first actions, level 4's channels, its own deadline, and that the earlier cause and fix did not hold."""
    back = at(chapter(story, "It comes back"), "11-25 11:40")
    assert {each.medium for each in back} == {"email", "slack", "pagerduty", "sms"}
    mail = to(back, "dana@nordwind.example")[0]
    assert all(action in mail.text for action in ACTIONS)
    assert "acknowledge by 11:55 CET" in mail.text
    assert "What was entered before did not hold (cause: A loose connector at the gateway's antenna; fix: " in mail.text
    [call] = [each for each in at(chapter(story, "It comes back"), "11-25 11:45") if each.medium == "phone"]
    assert call.words.count("no answer since") == 1  # nothing is said twice
    [end] = [each for each in to(chapter(story, "It comes back"), "management@") if "INCIDENT RESOLVED" in each.text]
    assert "cracked solder joint" in end.text
    assert "loose connector" not in end.text


def test_it_does_not_close_with_something_missing(story: Aviation) -> None:
    """A day after the end people read what is missing; a signature is refused with the same, and who may not close is told."""
    refused = [each.what for each in story.scenes if isinstance(each, Done) and "Refused" in each.what]
    missing = "the lessons learned are not known; 5 of 5 steps of safety_investigation not ticked"
    assert len(refused) == 3
    assert missing in refused[0]
    assert (
        "the final results to the competent authority of the member state (aviation_analysis) are not filed"
        in refused[0]
    )
    reminded = at(chapter(story, "It does not close yet"), "11-26 13:02")
    assert all(missing in " ".join(each.words.split()) for each in reminded)
    mail = next(each for each in reminded if each.medium == "email")
    assert mail.text.count("lessons learned are not known") == 1


def test_nobody_is_reminded_daily_for_months(story: Aviation) -> None:
    """Of reports that are not due the authority's own clock reminds: once before each."""
    between = [each for each in story.heard("slack") if local("2026-11-28 00:00") < each.at < local("2027-02-19 00:00")]
    assert [each.at for each in between] == [local("2026-12-18 03:02"), local("2027-02-11 03:02")]
    assert "amir: the preliminary results to the competent authority" in between[0].text


def test_two_persons_close_it(story: Aviation) -> None:
    """Who resolved it may not sign; with another's signature it closes, and the board and safety get the report."""
    mailed = [each for each in chapter(story, "A second person") if each.text.startswith("# Incident report #2")]
    assert {each.to for each in mailed} == {"board@nordwind.example", "safety@nordwind.example"}
    assert {each.at for each in mailed} == {local("2027-02-19 14:00")}
    details = section(reports(story)[0], "Incident details")
    assert "**Resolved:** 2026-11-25 12:02 UTC (13:02) by amir, 1 hour 22 minutes after it came back" in details
    assert "**Signed off:** 2027-02-19 13:00 UTC (14:00) by erik" in details


def test_what_becomes_known_later_goes_to_whoever_got_the_first(story: Aviation) -> None:
    """Numbered, with what changed, a quarter of an hour later; the signature for what was read before is void."""
    first, revised = reports(story)
    assert "Revision 2 of its report" in revised
    assert "this has changed: contributing factors" in revised
    assert "lost its fan on 12 November, unnoticed" in revised
    assert "nobody other than amir, who resolved it, has signed it off" in revised
    assert "lost its fan on" not in first


def test_the_report_holds_what_a_regulator_asks(story: Aviation) -> None:
    """What happened, when it was known and told, by whom, the evidence, what changed, who signed; nothing twice."""
    report = story.scenes[-1]
    assert isinstance(report, Shown)
    summary = section(report.text, "Summary")
    assert re.search(
        r"level 4 \(emergency\), opened by an alert at level 3 on .*\n +- it got worse after that: level is now 4 \(NW17",
        summary,
    )
    for said in (
        "in occurrence 1: Flights NW21 and NW34 hold on the ground, customer impact high",
        "  - All departures hold on the ground\n",
        "| the competent authority of the member state (Regulation (EU) No 376/2014, Article 13(4)) | final results ",
        "the cause given in occurrence 1 did not hold: A loose connector",
        "breached: escalation, 5 minutes from the reopening: amir, 3 minutes late",
        "| 2026-11-25 07:00 UTC (08:00), recorded by amir | ECR-2026-00417 | occurrence_report.pdf SHA-256 ",
        "| 2026-12-21 10:00 UTC (11:00), recorded by amir | ECR-2026-00417/P | preliminary_results.pdf SHA-256 ",
        "| 2027-02-19 10:00 UTC (11:00), recorded by amir | ECR-2026-00417/F | final_results.pdf SHA-256 ",
    ):
        assert said in summary
    first = section(report.text, "Occurrence 1")
    assert first.count("Customer impact") == 1
    assert "**Root cause:** A loose connector at the gateway's antenna (did not hold)" in first
    assert "by dana: Voice checked with the tower\n" in first
    assert "customer impact high" in section(report.text, "Impact assessment")
    assert re.search(r"Verification results:\*\*\n.*\n.* amir: Voice checked with tower and NW17", report.text)
    changed = section(report.text, "Changed since version 1")
    assert changed.count("| 30 days from the awareness |".replace("|", "\\|")) == 2  # as it was, and as it is
    timeline = section(report.text, "Timeline")
    assert len(re.findall(r"SHA-256 of the file [0-9a-f]{64} ", timeline)) == 3
    assert "status update: NW17 has voice contact by satellite telephone | dana" in timeline
    assert "customer_impact is high: Significant customer impact (calls for level 3 at least) | dana" in timeline
    assert "new danger voids the acknowledgement of dana (NW17 is in the air without voice contact) | dana" in timeline
    details = section(report.text, "Incident details")
    told = details[details.index("### Who was told") : details.index("### External notices")]
    for when in ("2026-11-25 10:48:00 (11:48:00) | acknowledged", "2026-11-25 12:02:00 (13:02:00) | resolved"):
        assert re.search(rf"{re.escape(when)} [^\n]*management@nordwind\.example", told)
    assert "by amir, 8 minutes after it came back" in details
    assert "n3 to external_regulators: edited | (the text that was approved) | erik" in details
    assert "none: every follow-up action is done" in section(report.text, "Executive summary")


def test_an_approved_version_says_who_prepared_and_who_approved_it(story: Aviation) -> None:
    """Dana prepared it, erik approved it as safety manager; the version mailed before has no approval."""
    report = story.scenes[-1]
    assert isinstance(report, Shown)
    assert "**Approved by:** erik (safety_manager), 2027-02-24 14:00 UTC (15:00)" in report.text
    assert "**Prepared by:** dana" in report.text
    assert all("**Approved by:** nobody yet" in each for each in reports(story))
