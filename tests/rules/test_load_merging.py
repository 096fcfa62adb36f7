"""Several documents, one policy: what merges, what is a conflict, and that files and order do not matter."""

import pytest

from rules import stored
from rules.load import load_text
from rules.matchers import written
from rules.policy import HOUR, MINUTE, SECOND
from rules.problems import PolicyError
from tests.rules.test_load_refusals import BASE

CHANNELS = """\
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.org]}
"""
DETECTION = """\
incident_response:
  detection:
    check_interval: 30
    alert_threshold: 4
    rules:
      - {name: margin, condition: "safety_margin < 0.95", severity: 4, channels: [email]}
"""
LEVEL = (
    "incident_response: {classification: {severity_levels: [{level: 4, name: emergency, response_time: 10m, %s}]}}\n"
)


def conflict(text):
    with pytest.raises(PolicyError) as caught:
        load_text(text, "policy.yaml")
    errors = (problem for problem in caught.value.problems if problem.severity == "error")
    return [f"{error.line}:{error.column}: {error.message}" for error in errors]


def test_a_section_may_be_written_in_several_documents():
    """Channels in one document and rules in another are one policy."""
    policy = load_text(CHANNELS + "---\n" + DETECTION).policy
    assert [channel.name for channel in policy.channels] == ["email"]
    assert [rule.key for rule in policy.rules] == ["incident_response/margin"]


def test_a_named_thing_may_be_completed_elsewhere():
    """A level written in one document gains what another says about the same level."""
    policy = load_text(CHANNELS + "---\n" + LEVEL % "escalation_time: 5m" + "---\n" + LEVEL % "resolve_after: 0").policy
    assert (policy.level(4).response_time, policy.level(4).resolve_after) == (10 * MINUTE, 0)


def test_the_same_said_twice_is_no_conflict():
    """Repeating a thing word for word changes nothing."""
    text = CHANNELS + "---\n" + DETECTION
    assert load_text(text + "---\n" + text).policy == load_text(text).policy


def test_different_contents_for_one_thing_name_both_places():
    """Two values for one key are an error at the second that names the first."""
    text = CHANNELS + "---\n" + LEVEL % "escalation_time: 5m" + "---\n" + LEVEL % "escalation_time: 6m"
    (told,) = conflict(text)
    assert told == (
        "7:121: incident_response.classification.severity_levels[level 4].escalation_time is defined twice "
        'with different content: "6m" here, "5m" there (first at policy.yaml:5)'
    )


def test_two_lists_of_plain_words_for_one_thing_are_a_conflict():
    """Recipients do not add up silently: two different lists are an error."""
    other = CHANNELS.replace("oncall", "boss")
    assert "recipients is defined twice with different content" in conflict(CHANNELS + "---\n" + other)[0]


def test_a_list_against_a_mapping_is_a_conflict():
    """A key that is a list here and a mapping there cannot merge."""
    (told,) = conflict(CHANNELS + "signals: {a: {unit: s}}\n---\nsignals: [a]\n")
    assert told.startswith("6:10: signals is defined twice with different content")


def test_another_meaning_has_another_digest():
    """One changed threshold is a new version of the policy."""
    text = CHANNELS + "---\n" + DETECTION
    assert stored.digest(load_text(text).policy) != stored.digest(load_text(text.replace("0.95", "0.96")).policy)


def test_anchors_and_merge_keys_work():
    """What YAML offers against repetition may be used: aliases and ``<<``."""
    text = CHANNELS + (
        "safety_incident_response:\n  detection:\n"
        "    - &first {name: a, condition: x > 1, severity: 3, channels: &all [email]}\n"
        "    - {<<: *first, name: b, condition: y > 1, severity: 4}\n"
        "    - {name: c, condition: z > 1, severity: 2, channels: *all}\n"
    )
    rules = load_text(text).policy.rules
    assert [(rule.name, rule.level, rule.channels) for rule in rules] == [
        ("a", 3, ("email",)),
        ("b", 4, ("email",)),
        ("c", 2, ("email",)),
    ]


def test_keys_of_ones_own_are_free_everywhere():
    """Keys that begin with ``x-`` may hold anything, at any depth, and mean nothing."""
    text = DETECTION.replace("severity: 4", "severity: 4, x-owner: {team: [a]}") + "x-note:\n"
    assert load_text(CHANNELS + "---\n" + text).policy == load_text(CHANNELS + "---\n" + DETECTION).policy


def test_defaults_reach_the_rules_of_every_section():
    """Interval and threshold of incident_response.detection count for all sections, unless a rule says otherwise."""
    text = CHANNELS + "---\n" + DETECTION + "safety_incident_response:\n  detection:\n"
    text += "    - {name: plain, condition: a > 1, severity: 3}\n"
    text += "    - {name: at_once, condition: b > 1, severity: 3, immediate_response: true}\n"
    text += "    - {name: own, condition: c > 1, severity: 3, check_interval: 5m, alert_threshold: 2}\n"
    plain, at_once, own = load_text(text).policy.rules[1:]
    assert (plain.interval, plain.threshold, plain.waits) == (30 * SECOND, 4, 90 * SECOND)
    assert (at_once.immediate, at_once.waits) == (True, 0)
    assert (own.interval, own.waits) == (5 * MINUTE, 5 * MINUTE)


def test_a_disabled_section_is_without_effect_but_listed():
    """``enabled: false`` takes away a section's rules, types and procedures; channels stay, marked."""
    text = CHANNELS.replace("email, type", "email, enabled: false, type") + "---\n" + DETECTION
    text += (
        "x_incident_response:\n  enabled: false\n  detection: [{name: a, condition: b > 1, severity: 1}]\n"
        "  incidents: [{name: c, severity: 4}]\n  procedures: [{name: d, steps: [e]}]\n"
    )
    policy = load_text(text).policy
    assert policy.disabled_sections == ("x_incident_response",)
    assert [rule.name for rule in policy.rules] == ["margin"]
    assert (policy.incident_types, policy.procedures) == ((), ())
    assert not policy.channels[0].enabled


def test_disabled_detection_takes_its_rules_only():
    """``detection: {enabled: false}`` silences the rules of the basic section and is listed."""
    text = CHANNELS + "---\n" + DETECTION.replace("detection:\n", "detection:\n    enabled: false\n")
    policy = load_text(text).policy
    assert (policy.rules, policy.disabled_sections) == ((), ("incident_response.detection",))


def test_what_is_left_out_is_as_in_the_guide():
    """Levels, templates, fallback and severity words have their usual values; level 4 waits for a person."""
    policy = load_text(CHANNELS).policy
    assert [(level.name, level.resolution) for level in policy.levels] == [
        ("informational", "automatic"),
        ("warning", "automatic"),
        ("critical", "automatic"),
        ("emergency", "confirmed"),
    ]
    assert policy.templates.initial.send_on == "acknowledged"
    assert policy.fallback == ("phone", "sms", "pagerduty", "slack", "email")
    assert dict(policy.severity_aliases)["page"] == 3
    assert policy.monitoring_duration == 24 * HOUR


def test_levels_not_written_are_as_in_the_guide_and_said_so():
    """A policy that writes level 4 only gets the others from the guide, with a warning that names them."""
    loaded = load_text(CHANNELS + "---\n" + LEVEL % "escalation_time: 5m")
    assert loaded.policy.level(3).response_time == HOUR
    assert any("not defined, so as in the guide: level 1 (informational), 2" in str(w) for w in loaded.warnings)


def test_everything_tocsin_adds_to_the_guide_is_read():
    """Each of the additions arrives in the policy as it was written."""
    text = """
incident_response:
  classification:
    severity_levels:
      - level: 4
        name: disaster_level
        response_time: 10m
        escalation_time: 2m
        resolve_after: 0
        resolution: automatic
        confirmations: 2
        escalates_to: [slack]
        update_interval: 20m
        impact: People are in danger
  alert_channels:
    - {name: email, type: email, recipients: [a@b.org], rate_limit: 20/1m, send_resolved: false}
    - {name: slack, type: slack, channel: C012345, mention: <!here>}
    - {name: hook, type: webhook, url: "https://example.org/x", headers: {X-Team: ml}}
    - {name: phone, type: phone, recipients: ["+4930123456", Officer of the watch]}
    - {name: sms, type: sms, number: "+4930123457"}
  detection:
    rules:
      - name: margin
        condition: safety_margin < 0.95
        severity: 4
        description: Too near to the edge
        labels: {team: ml}
        missing_data: false
signals:
  safety_margin: {expr: "min by (unit) (margin_ratio)", unit: ratio, identity: [unit], help: How far}
fallback: [slack, sms]
default_severity: 2
severity_aliases: {P1: 4}
impact_raises: {critical: 4}
contact_information: "Call 112"
runbook_url_base: https://wiki.example.org/runbooks/
incident_report: {structure: [timeline], recipients: [boss@example.org]}
initial_alert_template: {subject: "{{ severity | upper }}", body: "{{ status }}", send_on: opened}
"""
    policy = load_text(text).policy
    level = policy.level(4)
    assert (level.resolve_after, level.resolution, level.confirmations) == (0, "automatic", 2)
    assert (level.escalates_to, level.update_interval) == (("slack",), 20 * MINUTE)
    assert [channel.recipients for channel in policy.channels] == [
        ("a@b.org",),
        ("C012345",),
        ("https://example.org/x",),
        ("+4930123456", "Officer of the watch"),
        ("+4930123457",),
    ]
    assert (policy.channels[0].rate_limit.count, policy.channels[0].rate_limit.per) == (20, MINUTE)
    assert policy.channels[1].mention == "<!here>"
    assert policy.channels[2].headers == (("X-Team", "ml"),)
    (rule,) = policy.rules
    assert rule.runbook_url == "https://wiki.example.org/runbooks/margin"
    assert (rule.labels, rule.missing_data, rule.description) == ((("team", "ml"),), False, "Too near to the edge")
    assert policy.signals[0].identity == ("unit",)
    assert policy.fallback == ("slack", "sms")
    aliases = dict(policy.severity_aliases)
    assert (aliases["p1"], aliases["disaster_level"], policy.default_severity) == (4, 4, 2)
    assert policy.impact_raises == (("critical", 4),)
    assert policy.reports.recipients == ("boss@example.org",)
    assert policy.templates.initial.send_on == "opened"
    assert stored.parse(stored.dump(policy)) == policy


WARNINGS = {
    "escalates too late": (LEVEL % "escalation_time: 10m", "escalates only when its response time is over (10m, 10m)"),
    "two rules, one condition": (
        DETECTION + "safety_incident_response: {detection: [{name: b, condition: safety_margin  < 0.95, severity: 4}]}",
        '"b" has the same condition as "margin"',
    ),
    "threshold and condition differ": (
        "x_incident_response: {critical_threshold: 0.9, detection: [{name: b, condition: safety_margin < 0.8, severity: 4}]}",
        "compares with 0.8, critical_threshold is 0.9",
    ),
    "signal without missing data": ("signals: {up: {missing_data: false}}", "nobody is told"),
    "signal that nothing reads": (DETECTION + "signals: {safety_margn: {}}", "did you mean `safety_margin`?"),
    "section with a slip": ("saftey_incident_response: {}", "did you mean `safety_incident_response`?"),
    "level 4 slower than 3": (LEVEL.replace("10m", "2h") % "escalation_time: 5m", "level 4 has more time to respond"),
    "nothing to detect": ("x-empty: 1", "nothing would be detected"),
}


@pytest.mark.parametrize(("text", "says"), WARNINGS.values(), ids=WARNINGS)
def test_what_is_probably_not_meant_is_a_warning(text, says):
    """A doubtful policy loads, and a warning with its place says why it is doubtful."""
    loaded = load_text(CHANNELS + "---\n" + text + "\n", "policy.yaml")
    told = [warning for warning in loaded.warnings if says in warning.message]
    assert len(told) == 1, loaded.warnings
    assert str(told[0]).startswith(f"policy.yaml:{told[0].line}:{told[0].column}: warning: ")


ATTACHED = {
    "safety_emergency_response": "opened",
    "initial_response": "opened",
    "whatever": "opened",
    "escalation": "escalated",
    "safety_investigation": "recovered",
    "resolution": "recovered",
    "resolution, attach: acknowledged": "acknowledged",
}


@pytest.mark.parametrize(("written", "attach"), ATTACHED.items(), ids=ATTACHED)
def test_a_procedures_moment_is_written_or_read_from_its_name(written, attach):
    """`attach` says when incidents get the procedure; left out, its name does."""
    text = f"x_incident_response:\n  procedures: [{{steps: [y], name: {written}}}]\n"
    [procedure] = load_text(f"{CHANNELS}{text}").policy.procedures
    assert procedure.attach == attach


def test_words_of_several_sources_merge():
    """Several files may name words of one source, and words for all."""
    text = f"{BASE}severities:\n  - {{source: a, map: {{P1: 2}}}}\n  - {{map: {{boring: 0}}}}\n"
    more = "severities:\n  - {source: b, map: {P1: 0}}\n  - {source: a, map: {P2: 1}}\n  - {map: {dull: 0}}\n"
    policy = load_text(f"{text}---\n{more}").policy
    assert policy.severities == (("a", (("p1", 2), ("p2", 1))), ("b", (("p1", 0),)))
    aliases = dict(policy.severity_aliases)
    assert (aliases["boring"], aliases["dull"]) == (0, 0)
    assert stored.parse(stored.dump(policy)) == policy


def test_what_is_ignored_in_several_files():
    """Entries of `ignore` of several files stand beside each other; the stored version holds the matchers, read."""
    ignored = ["""ignore: [{matchers: ['a="b"', 'c=~"d.*"'], reason: no}]""", """ignore: [{matchers: ['e!=""']}]"""]
    policy = load_text(BASE + "\n---\n".join(ignored)).policy
    assert [written(each) for each in policy.ignore] == ['a="b",c=~"d.*"', 'e!=""']
    assert stored.parse(stored.dump(policy)) == policy


@pytest.mark.parametrize("text", ['severity="none"', "severity=none", " severity = none ", "{severity='none'}"])
def test_a_matcher_as_alertmanager_takes_it(text):
    """Quotes may be left out, as in Alertmanager."""
    policy = load_text(f"{BASE}ignore:\n  - matchers:\n      - {text!r}\n").policy
    assert policy.ignore == ((("severity", "=", "none"),),)
