"""Every lint has a policy that it finds fault with, and one that it does not."""

import json
import re

import pytest
from typer.testing import CliRunner

from receiver.cli import app
from receiver.drill import on_call_walk
from receiver.drill.on_call_reach import person_lints, reaches_over
from receiver.drill.reach import lints, reaches
from receiver.drill.simulator import START
from rules.expression import Selector
from rules.lint_catalog import DOUBTS, without_allowed
from rules.load import load, load_text
from rules.policy import MINUTE, SECOND, Micros
from rules.problems import PolicyError
from rules.scraping import of_configuration

CHANNELS = """
    - {name: email, type: email, recipients: [oncall@example.com]}
    - {name: slack, type: slack, channel: "#incidents"}
    - {name: sms, type: sms, number: "+4930123456"}"""
PAGER = "\n    - {name: pagerduty, type: pagerduty, service: ml}"
RULE = '{name: low, condition: "margin < 0.9", severity: 3, channels: [email, slack]}'


def policy(*rules: str, channels: str = CHANNELS, levels: str = "", more: str = "", section: str = "") -> str:
    """A small policy that is well, but for what is given."""
    written = "".join(f"\n      - {rule}" for rule in rules or (RULE,))
    classification = f"\n  classification:\n    severity_levels:{levels}" if levels else ""
    return (
        f"incident_response:{classification}\n  alert_channels:{channels}\n  detection:\n    check_interval: 60\n"
        f"    rules:{written}\n{section}{more}"
    )


def levels(**changed: str) -> str:
    """The guide's four levels, with one written otherwise: level_3="…"."""
    usual = {
        "level_1": "{level: 1, name: informational, response_time: 24h, escalation_time: 12h}",
        "level_2": "{level: 2, name: warning, response_time: 4h, escalation_time: 2h}",
        "level_3": "{level: 3, name: critical, response_time: 1h, escalation_time: 30m}",
        "level_4": "{level: 4, name: emergency, response_time: 15m, escalation_time: 5m}",
    }
    return "".join(f"\n      - {each}" for each in (usual | changed).values() if each)


DISABLED = re.sub("}$", ", enabled: false}", CHANNELS, flags=re.MULTILINE)
EMAIL_OFF = CHANNELS.replace("com]}", "com], enabled: false}")
ONLY_EMAIL = "\n    - {name: email, type: email, recipients: [a@example.com]}"
TWO_PHONES = """
    - {name: a, type: sms, number: "+4930123456"}
    - {name: b, type: sms, number: "+4930123457"}"""
NAME_ONLY = "\n    - {name: phone, type: phone, recipients: [Ada]}"
EVERY_LEVEL = tuple(
    f'{{name: r{n}, condition: "x{n} > 1", severity: {n}, channels: [email, sms]}}' for n in (1, 2, 3, 4)
)
TEAM = """people:
  - {name: dana, contacts: {sms: "+4930123457", phone: "+4930123457", email: d@example.com}}
  - {name: ben, contacts: {sms: "+4930123458", email: b@example.com}}
"""
EACH_WEEK = "{people: [dana, ben], starts: 2025-12-01T09:00, every: 1w}"
ON_CALL = CHANNELS.replace('number: "+4930123456"', 'recipients: ["@primary"]')


def on_call(layer: str = EACH_WEEK, *, more: str = "", channels: str = ON_CALL + PAGER, team: str = TEAM) -> str:
    """A policy whose SMS go to the person on call; `more`: keys of the schedule, or further schedules."""
    schedule = f"schedules:\n  - name: primary\n    layers: [{layer}]\n{more}"
    return policy(RULE.replace("email, slack", "email, sms"), channels=channels, more=team + schedule)


def ics(*events: tuple[str, str, str]) -> str:
    """A calendar of (person, first day, the day after the last)."""
    written = "".join(
        f"BEGIN:VEVENT\nUID:{who}{first}\nSUMMARY:{who}\nDTSTART;VALUE=DATE:{first}\nDTEND;VALUE=DATE:{last}\nEND:VEVENT\n"
        for who, first, last in events
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{written}END:VCALENDAR\n"


FETCHED = on_call().replace(f"layers: [{EACH_WEEK}]", "calendar: 'https://example.com/oncall.ics'")
FULL = ("dana", "20251201", "20280101")
DANA = 'people:\n  - {{name: dana, contacts: {{sms: "+4930123456"}}{}}}\n'
SAFETY = "safety_incident_response:\n  critical_threshold: 0.9{more}\n  detection:\n    - {rule}\n"

OUTSIDERS = (
    "stakeholder_notification:\n"
    "  - {{name: customers, external: true, recipients: [a@example.org], channels: [email]{more}}}\n"
)
GROUPS = OUTSIDERS.format(more=", approvers: [email]")

MANAGEMENT = "stakeholder_notification: [{name: management, recipients: [m@example.com], channels: [email]}]\n"
SCALE = policy(
    more="business_incident_response:\n  impact_assessment:\n    - name: revenue\n      thresholds:\n"
    '        {low: "0-5%", medium: "GRADE", high: "20-50%", critical: ">50%"}\n'
)

AUTHORITIES = "aviation_safety_incident_response: {procedures: [{name: tell, steps: [Notify aviation authorities]}]}\n"

CASES = {
    "all-channels-disabled": (policy(channels=DISABLED), policy()),
    "no-report-recipients": (policy(), policy(more="incident_report: {recipients: [board@example.com]}\n")),
    "no-roles": (policy(), policy(more="roles: [{name: incident_commander}]\n")),
    "no-drills": (policy(), policy(more="drills: {every: 90d}\n")),
    "short-retention": (
        policy(more="drills: {every: 90d}\nretention: 30d\n"),
        policy(more="drills: {every: 90d}\nretention: 90d\n"),
    ),
    "no-obligations": (
        policy(more=AUTHORITIES),
        policy(more=AUTHORITIES + "reporting_obligations: [{name: o, authority: a, stages: [{name: s, within: 1h}]}]\n"),
    ),
    "no-internal-stakeholders": (policy(more=GROUPS), policy(more=MANAGEMENT)),
    "no-external-stakeholders": (policy(more=AUTHORITIES), policy(more=AUTHORITIES + GROUPS)),
    "impact-range": (SCALE.replace("GRADE", "5-20 of it"), SCALE.replace("GRADE", "5-20% of it")),
    "unknown-checklist": (
        policy(more="closing: {checklists: [immediate_action]}\n"),
        policy(more="closing: {checklists: [immediate_actions, calls]}\n"),
    ),
    "nothing-detected": (f"incident_response:\n  alert_channels:{CHANNELS}\n", policy()),
    "level-not-defined": (policy(levels=levels(level_2="")), policy(levels=levels())),
    "level-order": (
        policy(levels=levels(level_4="{level: 4, name: emergency, response_time: 2h, escalation_time: 5m}")),
        policy(levels=levels()),
    ),
    "late-escalation": (
        policy(levels=levels(level_3="{level: 3, name: critical, response_time: 1h, escalation_time: 1h}")),
        policy(levels=levels()),
    ),
    "unused-level": (policy(), policy(*EVERY_LEVEL)),
    "unused-channel": (
        policy(more="fallback: [slack]\n"),
        policy(more="fallback: [sms]\n"),
    ),
    "disabled-channels": (
        policy(RULE.replace("email, slack", "email"), channels=EMAIL_OFF),
        policy(RULE, channels=EMAIL_OFF),
    ),
    "idle-duration": (
        policy(more="fix_implementation: [{name: fix, duration: 4h, actions: [Deploy]}]\n"),
        policy(more="post_incident_actions: [{name: monitoring, duration: 4h, actions: [Watch]}]\n"),
    ),
    "obligation-without-incident": (
        policy(more="reporting_obligations: [{name: o, authority: a, levels: [1], stages: [{name: s, within: 1h}]}]\n"),
        policy(more="reporting_obligations: [{name: o, authority: a, levels: [4], stages: [{name: s, within: 1h}]}]\n"),
    ),
    "nobody-told": (
        policy(RULE.replace("email, slack", "phone"), channels=NAME_ONLY),
        policy(RULE.replace("email, slack", "phone"), channels=NAME_ONLY + CHANNELS),
    ),
    "single-channel": (
        policy(RULE.replace("email, slack", "email"), channels=ONLY_EMAIL),
        policy(RULE.replace("email, slack", "email"), channels=CHANNELS + PAGER),
    ),
    "slow-without-channel": (
        policy(RULE.replace("email, slack", "a"), RULE.replace("low", "worse").replace("margin", "other").replace(
            "severity: 3", "severity: 4").replace("email, slack", "b"), channels=TWO_PHONES, more="fallback: [a]\n"),
        policy(RULE.replace("email, slack", "a"), RULE.replace("low", "worse").replace("margin", "other").replace(
            "severity: 3", "severity: 4").replace("email, slack", "b"), channels=TWO_PHONES, more="fallback: [a, b]\n"),
    ),
    "emergency-without-pager": (
        policy(RULE.replace("severity: 3", "severity: 4")),
        policy(RULE.replace("severity: 3", "severity: 4").replace("slack", "sms")),
    ),
    "same-condition": (policy(RULE, RULE.replace("low", "again")), policy(RULE, RULE.replace("low", "b").replace("0.9", "0.8"))),
    "same-condition-levels": (
        policy(RULE, RULE.replace("low", "again").replace("severity: 3", "severity: 2")),
        policy(RULE, RULE.replace("low", "again")),
    ),
    "contradicting-thresholds": (
        policy(RULE, RULE.replace("low", "mild").replace("severity: 3", "severity: 2").replace("0.9", "0.8")),
        policy(RULE, RULE.replace("low", "mild").replace("severity: 3", "severity: 2").replace("0.9", "0.95")),
    ),
    "cannot-fire": (
        policy(RULE.replace("margin < 0.9", "rate(errors_total[1m]) > 1")),
        policy(RULE.replace("margin < 0.9", "rate(errors_total[2m]) > 1")),
    ),
    "one-bad-sample": (
        policy(RULE.replace("low,", "low, alert_threshold: 3,"), more="scrape_interval: 150s\n"),
        policy(RULE.replace("low,", "low, alert_threshold: 3,"), more="scrape_interval: 2m\n"),
    ),
    "keeps-too-short": (
        policy(RULE.replace("low,", "low, keep_firing_for: 30s,"), more="scrape_interval: 1m\n"),
        policy(RULE.replace("low,", "low, keep_firing_for: 1m,"), more="scrape_interval: 1m\n"),
    ),
    "vanishes-between-scrapes": (
        policy(more="scrape_interval: 5m\n"),
        policy(RULE.replace("margin", "last_over_time(margin[10m])"), more="scrape_interval: 5m\n"),
    ),
    "unseen-time": (
        policy(RULE.replace("margin <", "rate(errors_total[1m]) >").replace("low,", "low, check_interval: 5m,"),
               more="scrape_interval: 15s\n"),
        policy(RULE.replace("margin <", "rate(errors_total[5m]) >").replace("low,", "low, check_interval: 5m,"),
               more="scrape_interval: 15s\n"),
    ),
    "on-call-gap": (on_call(EACH_WEEK.replace("1w}", "1w, only: [{days: [mon, tue]}]}")), on_call()),
    "contact-missing": (
        on_call(channels=ON_CALL + PAGER + '\n    - {name: phone, type: phone, recipients: ["@primary"]}'),
        on_call(channels=ON_CALL + PAGER + '\n    - {name: phone, type: phone, recipients: ["@dana"]}'),
    ),
    "fallback-by-schedule": (
        on_call(channels='\n    - {name: email, type: email, recipients: ["@primary"]}'
                '\n    - {name: sms, type: sms, recipients: ["@primary"]}'),
        on_call(),
    ),
    "on-call-twice": (
        on_call(more=f"  - name: secondary\n    layers: [{EACH_WEEK}]\n"),
        on_call(more=f"  - name: secondary\n    layers: [{EACH_WEEK.replace('dana, ben', 'ben, dana')}]\n"),
    ),
    "nights-in-a-row": (on_call(EACH_WEEK.replace("1w", "8d")), on_call(EACH_WEEK)),
    "handoff-at-night": (on_call(EACH_WEEK.replace("09:00", "22:00")), on_call(EACH_WEEK.replace("09:00", "07:00"))),
    "calendar-not-read": (FETCHED, on_call()),
    "calendar-ends": ((FETCHED, ics(("dana", "20251201", "20260201"))), (FETCHED, ics(FULL))),
    "calendar-overlap": (
        (FETCHED, ics(FULL, ("ben", "20260201", "20260202"))),
        (FETCHED, ics(("dana", "20251201", "20260201"), ("ben", "20260201", "20280101"))),
    ),
    "calendar-name": ((FETCHED, ics(FULL, ("zoe", "20260201", "20260202"))), (FETCHED, ics(FULL))),
    "name-without-at": (
        on_call(channels=ON_CALL + PAGER + "\n    - {name: phone, type: phone, recipients: [primary]}"),
        on_call(channels=ON_CALL + PAGER + '\n    - {name: phone, type: phone, recipients: ["@dana"]}'),
    ),
    "calendar-free": (
        (FETCHED, ics(FULL).replace("DTSTART", "TRANSP:TRANSPARENT\nDTSTART")),
        (FETCHED, ics(FULL)),
    ),
    "calendar-backwards": (
        (FETCHED, ics(FULL, ("ben", "20260202", "20260201"))),
        (FETCHED, ics(FULL, ("ben", "20260201", "20260202"))),
    ),
    "fixed-zone": (policy(more="time_zone: EST\n"), policy(more="time_zone: America/New_York\n")),
    "single-person": (
        on_call(channels=ON_CALL.replace("[oncall@example.com]", '["@primary"]').replace(
            '    - {name: slack, type: slack, channel: "#incidents"}\n', "")),
        on_call(),
    ),
    "late-reach": (
        policy(more=DANA.format(", reach: [{by: [sms], after: 30m, levels: [3]}]")),
        policy(more=DANA.format(", reach: [{by: [sms], after: 29m, levels: [3]}]")),
    ),
    "reach-without-channel": (
        policy(more=DANA.replace("sms: ", 'phone: "+4930123457", sms: ').format(", reach: [{by: [phone]}]")),
        policy(more=DANA.format(", reach: [{by: [sms]}]")),
    ),
    "not-repeated": (policy(more=DANA.format(", repeat: false")), policy(more=DANA.format(""))),
    "short-heartbeat": (policy(more="heartbeat_within: 94s\n"), policy(more="heartbeat_within: 95s\n")),
    "empty-label": (
        policy('{name: low, condition: "sum by (job) (x) < 9", severity: 3, annotations: {a: "{{ $labels.pod }}"}}'),
        policy('{name: low, condition: "sum by (job) (x) < 9", severity: 3, annotations: {a: "{{ $labels.job }}"}}'),
    ),
    "no-missing-data-twin": (policy(RULE.replace("}", ", missing_data: false}")), policy()),
    "doubtful-condition": (
        policy(RULE.replace("margin < 0.9", "sum by (pod) (a) > 1 and max by (node) (b) < 2")),
        policy(RULE.replace("margin < 0.9", "sum by (pod) (a) > 1 and on() max by (node) (b) < 2")),
    ),
    "compared-metrics": (
        policy(RULE.replace("margin < 0.9", "margin < critical_margin")),
        policy(RULE.replace("margin < 0.9", "margin < on(pod) critical_margin")),
    ),
    "unread-signal": (
        policy(more="signals:\n  margn: {unit: ratio}\n"),
        policy(more="signals:\n  margin: {unit: ratio}\n"),
    ),
    "report-without-approver": (
        policy(more="incident_report: {recipients: [a@b.example]}\n"),
        policy(more="roles: [{name: boss}]\nincident_report: {recipients: [a@b.example], approver: boss}\n"),
    ),
    "critical-threshold": (
        policy(section=SAFETY.format(more="", rule='{name: s, condition: "safety_margin < 0.95", severity: 4, channels: [sms]}')),
        policy(section=SAFETY.format(more="", rule='{name: s, condition: "safety_margin < 0.9", severity: 4, channels: [sms]}')),
    ),
    "contact-not-given": (
        policy(more=f"{GROUPS}initial_alert_template: {{subject: x, body: 'Contact: {{contact_information}}'}}\n"),
        policy(more=f"{GROUPS}contact_information: ops@example.com\n"),
    ),
    "update-interval-not-given": (
        policy(more="initial_alert_template: {subject: x, body: 'Again every {update_interval}'}\n"),
        policy(more="initial_alert_template: {subject: x, body: 'Again soon'}\n"),
    ),
    "notice-without-approver": (
        policy(more=OUTSIDERS.format(more="")),
        policy(more=OUTSIDERS.format(more=", approvers: [chief@example.com]")),
    ),
    "section-name": (
        policy(section="saftey_incident_response:\n  enabled: true\n"),
        policy(section="safety_incident_response:\n  enabled: true\n"),
    ),
    "experimental-function": (
        policy('{name: r, condition: "limitk(2, load) > 3", severity: 3, channels: [email]}', more='prometheus: "3.0"\n'),
        policy('{name: r, condition: "topk(2, load) > 3", severity: 3, channels: [email]}', more='prometheus: "3.0"\n'),
    ),
    "differs-on-3": (
        policy('{name: r, condition: "count_over_time(load[5m]) < 3", severity: 3, channels: [email]}'),
        policy('{name: r, condition: "avg_over_time(load[5m]) < 3", severity: 3, channels: [email]}'),
    ),
}  # fmt: skip


def found(case: str | tuple[str, str]) -> set[str]:
    """The names of all lints of a policy, and of its calendar."""
    text, calendar = case if isinstance(case, tuple) else (case, "")
    loaded = load_text(text, "policy.yaml")
    known = on_call_walk.with_copies(loaded.policy, {"primary": calendar} if calendar else {})
    year = on_call_walk.walk(known, START, 400)
    ways, _ = reaches_over(year)
    doubts = (*lints(loaded.policy, ways), *person_lints(loaded.policy, ways), *on_call_walk.lints(year))
    drilled = without_allowed(doubts, loaded.allowed)
    return {problem.name for problem in (*loaded.warnings, *loaded.notes, *drilled)}


def test_every_lint_is_in_the_table():
    """No lint goes without its two policies."""
    assert set(CASES) == set(DOUBTS)


@pytest.mark.parametrize("name", CASES)
def test_a_lint_finds_its_fault_and_only_that(name):
    """The first policy has the fault, the second is free of it."""
    faulty, sound = CASES[name]
    assert name in found(faulty)
    assert name not in found(sound)


@pytest.mark.parametrize("name", [name for name in CASES if DOUBTS[name].may_be_allowed])
def test_a_lint_can_be_allowed_with_a_reason(name):
    """What the policy allows is not complained of; the other lints stay."""
    case = CASES[name][0]
    text, *calendar = case if isinstance(case, tuple) else (case,)
    allowed = f'{text}lints: {{allow: {{{name}: "it is meant so"}}}}\n'
    assert found((allowed, *calendar) if calendar else allowed) == found(case) - {name}


@pytest.mark.parametrize(
    ("allow", "says"),
    [
        ('{single-chanel: "x"}', "did you mean `single-channel`"),
        ('{nobody-told: "x"}', "cannot be allowed"),
        ('{single-channel: ""}', "single-channel"),
    ],
)
def test_what_cannot_be_allowed_is_refused(allow, says):
    """An unknown lint, an error, and a missing reason are told with their place."""
    with pytest.raises(PolicyError) as refused:
        load_text(f"{policy()}lints: {{allow: {allow}}}\n", "policy.yaml")
    assert says in str(refused.value)
    assert re.match(r"policy\.yaml:\d+:\d+:", str(refused.value))


@pytest.mark.parametrize("again", ["0.9 > margin", "(margin) < 0.90", "margin  <  0.9"])
def test_the_same_condition_in_other_words_is_the_same(again):
    """What compares the same with the same is one condition, however it is spelt; another number is not."""
    milder = RULE.replace("low", "again").replace("severity: 3", "severity: 2").replace("margin < 0.9", again)
    assert "same-condition-levels" in found(policy(RULE, milder))
    assert "same-condition-levels" not in found(policy(RULE, milder.replace("0.9", "0.8")))


def test_a_subquery_has_its_own_step():
    """rate() over a subquery needs two of its steps; the rule's interval says nothing about it."""
    for window, faulty in (("90s:1m", True), ("5m:1m", False), ("30s:10s", False), ("90s:", True)):
        text = policy(RULE.replace("margin < 0.9", f"rate(errors_total[{window}]) > 1"))
        assert ("cannot-fire" in found(text)) is faulty, window


def test_ranges_are_held_against_the_scrapes():
    """With the scrape interval known, a range needs two scrapes, not two evaluations; recorded signals come with these."""
    short, long = (RULE.replace("margin < 0.9", f"rate(errors_total[{each}]) > 1") for each in ("1m", "2m"))
    assert "cannot-fire" not in found(policy(short, more="scrape_interval: 30s\n"))
    assert "cannot-fire" in found(policy(long, more="scrape_interval: 90s\n"))
    derived = 'signals: {errors_total: {expr: "sum(bad_total)"}}\nscrape_interval: 5s\n'
    assert "cannot-fire" in found(policy(short, more=derived))


CONFIGURATION = """
global: {scrape_interval: 15s}
scrape_configs:
  - {job_name: quick, scrape_interval: 5s}
  - {job_name: slow, scrape_interval: 4m}
"""


def test_a_prometheus_configuration_tells_how_often_each_job_is_scraped(tmp_path):
    """`--prometheus-config`: a condition that names its job is held against that job's interval, another against the
    shortest, not against the policy's; `check` and `compile` alike. What is no configuration is named.
    """
    scraping = of_configuration(CONFIGURATION)
    assert [scraping.of(Selector("up", each)) for each in ((), (("job", "=", "slow"),), (("job", "=", "none"),))] == [
        Micros(5 * SECOND),
        Micros(4 * MINUTE),
        Micros(15 * SECOND),
    ]
    slow = RULE.replace("margin", "margin{job='slow'}").replace("low,", "low, alert_threshold: 3,", 1)
    (tmp_path / "policy.yaml").write_text(
        policy(slow, slow.replace("name: low", "name: b").replace("job='slow'", ""), more="scrape_interval: 1h\n")
    )
    (tmp_path / "prometheus.yml").write_text(CONFIGURATION)
    (tmp_path / "other.yml").write_text("groups: []\n")
    for command in (["check"], ["compile", "--out", str(tmp_path / "out")]):
        words = [*command, str(tmp_path / "policy.yaml"), "--prometheus-config"]
        told = CliRunner().invoke(app, [*words, str(tmp_path / "prometheus.yml")]).output
        assert told.count("[one-bad-sample]") == 1, told
        assert "[vanishes-between-scrapes]" not in told
        assert CliRunner().invoke(app, [*words, str(tmp_path / "other.yml")]).exit_code == 2


def test_opposite_thresholds_that_leave_no_value_contradict():
    """Below 5 and above 3 together leave nothing good; above 7 leaves a range."""
    low, high = RULE.replace("0.9", "5"), RULE.replace("low", "high").replace("<", ">")
    assert "contradicting-thresholds" in found(policy(low, high.replace("0.9", "3")))
    assert "contradicting-thresholds" not in found(policy(low, high.replace("0.9", "7")))


def test_the_worst_case_is_what_a_drill_of_it_shows():
    """A critical rule that tells only email wakes a person by the fallback after a minute, as the rescue has it."""
    loaded = load_text(policy(RULE.replace("email, slack", "email")), "policy.yaml")
    way = next(each for each in reaches(loaded.policy) if each.members)
    assert (way.all_up, way.without["email"], way.without["sms"]) == (60_000_000, 60_000_000, None)


def test_the_shipped_policy_reaches_somebody_whatever_fails():
    """In the packs every rule reaches a person, and no channel is the only way."""
    shipped = load()
    assert not list(lints(shipped, reaches(shipped)))


def test_check_says_it(tmp_path):
    """`check` prints the lints with their names, exits 1 for an error among them, and tells what was allowed."""
    run = CliRunner()
    file = tmp_path / "policy.yaml"
    file.write_text(CASES["nobody-told"][0])
    result = run.invoke(app, ["check", str(file)])
    assert result.exit_code == 1
    assert "[nobody-told]" in result.stdout
    assert "NOT sound" in result.stdout
    file.write_text(f'{CASES["single-channel"][0]}lints: {{allow: {{single-channel: "a hobby"}}}}\n')
    result = run.invoke(app, ["check", str(file)])
    assert result.exit_code == 0
    assert "allowed: single-channel (a hobby)" in result.stdout
    assert "nobody in time without email" in " ".join(result.stdout.split())
    said = json.loads(run.invoke(app, ["check", str(file), "--json"]).stdout)
    assert said["worst_case"][0] == {
        "level": 4,
        "all_up": 0,
        "one_down": None,
        "down": "email",
        "without": {"email": None},
    }
    assert "unused-level" in {each["name"] for each in said["lints"]}


def test_check_explains_its_lints():
    """`--explain NAME` says why and how to allow it; an unknown name is answered with the known ones."""
    run = CliRunner()
    assert 'lints: {allow: {single-channel: "why"}}' in run.invoke(app, ["check", "--explain", "single-channel"]).stdout
    assert "late-escalation" in run.invoke(app, ["check", "--explain", "all"]).stdout
    unknown = run.invoke(app, ["check", "--explain", "nonsense"])
    assert unknown.exit_code == 2
    assert "single-channel" in unknown.stderr


def test_check_says_when_nobody_may_approve(tmp_path):
    """Said where the environment says who may do what, and none of them approves; not where no person is named."""
    (tmp_path / "policy.yaml").write_text(policy())
    for tokens, said in (("rita:responder:rrr", True), ("rita:responder:rrr,cleo:approver:ccc", False), ("", False)):
        shown = CliRunner().invoke(app, ["check", str(tmp_path)], env={"TOCSIN_API_TOKENS": tokens})
        assert ("nobody has the role approver" in shown.output) is said
