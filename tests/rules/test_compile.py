"""What rules a policy becomes: names, labels, waiting, twins, order."""

import pytest

from rules import compile as compiler
from rules.policy import HOUR, MINUTE, SECOND, IncidentType, Micros, Place, Recording, Signal
from tests.rules.policies import policy, rule


def groups(*rules, **more):
    return compiler.compile(policy(*rules, **more))


def alerts(*rules, **more):
    return {alert.alert: alert for group in groups(*rules, **more) for alert in group.alerts}


def test_a_rule_becomes_an_alert_that_says_all():
    """The alert carries level, section, rule, signal and type as labels; words, condition and source as annotations."""
    made = alerts(
        rule(
            "safety_margin_violation",
            "safety_margin < 0.95",
            4,
            "safety_incident_response",
            immediate=True,
            runbook_url="https://runbooks.example.org/margin",
            labels=(("system", "reactor"),),
            place=Place("/home/me/policy.yaml", 7, 1, "safety_incident_response.detection[0]"),
        )
    )["SafetyMarginViolation"]
    assert dict(made.labels) == {
        "immediate": "true",
        "incident_type": "safety_margin_violation",
        "rule": "safety_margin_violation",
        "section": "safety_incident_response",
        "severity": "emergency",
        "severity_level": "4",
        "signal": "safety_margin",
        "system": "reactor",
    }
    told = dict(made.annotations)
    assert (told.pop("tocsin"), len(told.pop("tocsin_rules"))) == ("1", 16)
    assert told == {
        "condition": "safety_margin < 0.95",
        "description": 'safety_margin is {{ printf "%.6g" $value }}.',
        "runbook_url": "https://runbooks.example.org/margin",
        "source": "safety_incident_response.detection[0]",
        "summary": 'safety_margin is below 0.95 on reactor: {{ printf "%.6g" $value }}',
        "value": '{{ printf "%.10g" $value }}',
    }


@pytest.mark.parametrize(
    ("more", "wait"),
    [
        ({"threshold": 3}, 2 * MINUTE),
        ({"threshold": 1}, 0),
        ({"threshold": 3, "interval": Micros(10 * SECOND)}, 20 * SECOND),
        ({"threshold": 3, "immediate": True}, 0),
        ({"hold": Micros(5 * MINUTE)}, 5 * MINUTE),
    ],
)
def test_n_failures_are_n_minus_one_intervals(more, wait):
    """`for` is the time from the first to the last of the failures it takes; immediate rules have none."""
    assert alerts(rule("margin", "a < 1", **more))["Margin"].hold == wait


def test_what_people_write_is_never_run_as_a_template():
    """Braces in names, descriptions and conditions reach the alert as they are written."""
    made = alerts(rule("margin", 'a{x="{{ b }}"} < 1', description="{{ .Secret }} happens"))
    margin = dict(made["Margin"].annotations)
    assert margin["description"].startswith("{{ `{{` }} .Secret }} happens. ")
    assert margin["condition"] == 'a{x="{{ `{{` }} b }}"} < 1'
    assert dict(made["ASignalLost"].labels)["selector"] == 'a{x="{{ `{{` }} b }}"}'


def test_one_twin_per_signal_as_severe_as_its_worst_rule():
    """Rules on one signal share one twin; its level, section and signal are the most severe rule's."""
    made = groups(
        rule("low", "margin < 0.9", 2), rule("lower", "margin < 0.8", 4, "safety"), rule("lowest", "margin < 0.7", 4)
    )
    twins = [alert for group in made for alert in group.alerts if alert.lost]
    assert len(twins) == 1
    labels = dict(twins[0].labels)
    assert {
        name: labels[name] for name in ("severity_level", "section", "signal", "rule", "twin", "incident_type")
    } == {
        "severity_level": "4",
        "section": "safety",
        "signal": "margin",
        "rule": "signal_lost",
        "twin": "true",
        "incident_type": "lower",
    }


def test_rules_with_a_twin_keep_firing_until_it_does():
    """Between the loss of a signal and its twin no alert resolves."""
    made = alerts(rule("margin", "a < 1"), rule("slow", "b < 1", interval=Micros(5 * MINUTE)))
    for name, twin in (("Margin", "ASignalLost"), ("Slow", "BSignalLost")):
        assert made[name].rule is not None
        assert made[name].keep_firing == made[twin].hold + made[name].rule.interval
    assert made["ASignalLost"].hold == 2 * MINUTE
    assert made["BSignalLost"].hold == 10 * MINUTE


def test_a_twin_waits_for_two_scrapes_however_hasty_the_rules():
    """Rules that run every second do not cry loss before the first scrape."""
    assert alerts(rule("margin", "a < 1", interval=Micros(SECOND)))["ASignalLost"].hold == 70 * SECOND


def test_no_twin_where_none_is_wanted():
    """Booleans of incident types, signals and rules that say so, and conditions about absence have no twin."""
    made = alerts(
        rule("excused", "a < 1"),
        rule("asks_for_none", "b < 1", missing_data=False),
        rule("also_engine", "engine_failure > 0"),
        rule("gone", "absent(c)"),
        rule("alert_of_alerts", 'ALERTS{alertname="X"}'),
        signals=(Signal("a", missing_data=False),),
        types=(
            IncidentType("aviation", "engine_failure", 4, "Aircraft engine failure"),
            IncidentType("aviation", "declared_only", 4, fires=False),
        ),
    )
    assert sorted(made) == ["AlertOfAlerts", "AlsoEngine", "AsksForNone", "EngineFailure", "Excused", "Gone"]
    assert made["EngineFailure"].expr == "engine_failure > 0"
    assert dict(made["EngineFailure"].annotations)["summary"] == "Aircraft engine failure"
    assert not any(alert.keep_firing for alert in made.values())


def test_labels_of_identity_tell_units_apart():
    """A signal's identity labels stay in its twin; without them all labels but the passing ones do."""
    made = alerts(rule("one", "a < 1"), rule("two", "b < 1"), signals=(Signal("a", identity=("unit", "site")),))
    assert "group by (unit, site) (last_over_time(a[24h]))" in made["ASignalLost"].expr
    assert "group without (instance, pod, container, endpoint) (b == b)" in made["BSignalLost"].expr


def test_what_is_recorded_stands_before_what_reads_it_in_one_group():
    """Groups have no order: a recorded signal and everything that reads it are one group, inputs first."""
    made = groups(
        rule("high", "share > 0.1"),
        rule("other", "c > 1"),
        signals=(Signal("share", "bad / everything"), Signal("everything", "good + bad")),
    )
    assert [
        (group.name, [getattr(each, "record", getattr(each, "alert", "")) for each in group.rules]) for group in made
    ] == [
        ("tocsin:recorded", ["everything", "share", "High", "ShareSignalLost"]),
        ("tocsin:incident_response", ["Other", "CSignalLost"]),
    ]


def test_groups_are_sections_and_intervals():
    """Each section and interval is a group; an interval that is not the guide's stands in its name."""
    made = groups(rule("a", "a < 1"), rule("b", "b < 1", section="x"), rule("c", "c < 1", interval=Micros(5 * MINUTE)))
    assert [(group.name, group.interval) for group in made] == [
        ("tocsin:incident_response", MINUTE),
        ("tocsin:x", MINUTE),
        ("tocsin:incident_response:5m", 5 * MINUTE),
    ]


def test_a_twin_sees_through_what_looks_back():
    """An average stays fine for its whole window: the twin watches what the average reads, under the SLO's name."""
    ratio = Recording("s", "ratio", "errors", (("slo", "accuracy"),))
    average = Recording("s", "consumed", 'avg_over_time(ratio{slo="accuracy"}[24h])', (("slo", "accuracy"),))
    other = Recording("s", "consumed", 'avg_over_time(ratio{slo="other"}[24h])', (("slo", "other"),))
    made = groups(rule("used_up", 'consumed{slo="accuracy"} > 0.95'), recordings=(ratio, average, other))
    twins = [alert for group in made for alert in group.alerts if alert.lost]
    assert [str(twin.lost) for twin in twins] == ['ratio{slo="accuracy"}']
    assert dict(twins[0].labels)["signal"] == "accuracy"


def test_a_recorded_signal_is_watched_with_what_its_window_hides():
    """A rate hides the loss of its counters for minutes, and can be NaN (0/0) while they are well: both are watched."""
    share = Signal("share", "rate(bad[5m]) / rate(everything[5m])")
    made = alerts(rule("high", "share > 0.1", 4), signals=(share,))
    assert sorted(made) == ["BadSignalLost", "EverythingSignalLost", "High", "ShareSignalLost"]
    assert {dict(alert.labels)["signal"] for alert in made.values()} == {"share"}


def test_two_systems_on_one_metric_have_a_twin_each():
    """Rules of different systems on one metric are different incidents, so their twins carry their system."""
    made = groups(
        rule("low", "a < 1", section="s1", labels=(("system", "one"),)),
        rule("low", "a < 1", section="s2", labels=(("system", "two"),)),
    )
    assert [dict(alert.labels)["system"] for group in made for alert in group.alerts if alert.lost] == ["one", "two"]


def test_the_same_policy_compiles_to_the_same_rules():
    """Compiling is a function of the policy and nothing else."""
    rules = [rule(f"r{n}", f"s{n} < {n}", 1 + n % 4, f"section{n % 3}", hold=Micros(HOUR)) for n in range(20)]
    assert groups(*rules) == groups(*rules)


def test_each_alert_has_a_name_of_its_own_that_tells_what_it_is_about():
    """Rules of two sections, twins of one metric with two labels, and one metric of two systems are told apart."""
    found = groups(
        rule("bad", "a > 1"),
        rule("bad", "b > 1", section="business_incident_response"),
        rule("server", 'errors{code="500"} > 1'),
        rule("client", 'errors{code=~"4.."} > 1'),
        rule("slow", "latency > 1", labels=(("system", "lander-7"),), section="system:lander-7"),
        rule("slower", "latency > 2", labels=(("system", "rover"),), section="system:rover"),
        rule("lost one", "x{a='!'} > 2", section="incident_response"),
        rule("lost two", "x{a='?'} > 2", section="incident_response"),
        rule("own", 'burn{slo="api"} > 1'),
        rule("other", 'burn{slo!="api"} > 1'),
        rule("from", 'hops{source="edge"} > 1'),
        rule("to", 'hops{target="edge"} > 1'),
    )
    names = [alert.alert for group in found for alert in group.alerts]
    assert len(names) == len(set(names))
    assert {"Bad", "BusinessBad", "Errors500SignalLost", "LatencyLander7SignalLost", "LatencyRoverSignalLost"} <= {
        *names
    }
    assert {"XSignalLost", "XSignalLost2"} <= {*names}
    assert {"BurnApiSignalLost", "BurnNotApiSignalLost"} <= {*names}
    assert {"HopsSourceEdgeSignalLost", "HopsTargetEdgeSignalLost"} <= {*names}
