"""Framework systems: which way is good, what a budget is, which burn rates can fire, and what promtool says to it."""

from dataclasses import replace
from decimal import Decimal

import pytest
import yaml

from rules.compile import compile as compiled
from rules.outputs import rule_file
from rules.policy import HOUR, MINUTE, Micros, Place
from rules.slo import direction, expand
from rules.system import AlertName, MonitoringRule, SafetyThreshold, Slo, System
from tests.rules.policies import policy, rule

HERE = Place("system.yaml", 3, 5, "slos.x")


def slo(name="accuracy", target="0.999", window=30 * 24 * HOUR, **more):
    return Slo(name, Decimal(target), Micros(window), HERE, **more)


def system(*slos, thresholds=(), monitoring=(), alerts=(), criticality="safety_critical", name="Landing System"):
    return System(name, criticality, slos, tuple(thresholds), tuple(monitoring), tuple(alerts), HERE)


def recorded(*systems):
    return {(each.record, dict(each.labels).get("window", "")): each.expr for each in expand(systems).recordings}


DIRECTIONS = {
    "what is said": (slo("x", "0.1", direction="lower"), (), "lower"),
    "a maximum under safety_thresholds": (slo("x", "0.9"), (SafetyThreshold("x", HERE, max=Decimal(1)),), "lower"),
    "a minimum under safety_thresholds": (slo("x", "0.1"), (SafetyThreshold("x", HERE, min=Decimal(0)),), "higher"),
    "false positives": (slo("false_positive_rate", "0.001"), (), "lower"),
    "an error rate": (slo("grading_error_rate", "0.01"), (), "lower"),
    "failures": (slo("failure_probability", "0.01"), (), "lower"),
    "a proportion in time": (slo("response_time", "0.99"), (), "higher"),
    "half": (slo("x", "0.5"), (), "higher"),
    "a small number without a hint": (slo("defects", "0.02"), (), None),
    "a reduction": (slo("cost_reduction", "0.2"), (), "level"),
}


@pytest.mark.parametrize(("given", "thresholds", "expected"), DIRECTIONS.values(), ids=DIRECTIONS)
def test_which_way_is_good(given, thresholds, expected):
    """The direction comes from what is said, the safety thresholds, the name, the target, in this order."""
    assert direction(given, thresholds) == expected


def test_a_doubtful_direction_is_an_error_with_its_place():
    """Where it is unclear which way is good, the SLO is refused rather than guessed."""
    (problem, *_) = expand([system(slo("defects", "0.02"))]).problems
    assert problem.severity == "error"
    assert (problem.line, problem.column) == (3, 5)
    assert "direction: higher" in problem.message


def test_the_budget_is_exact_whichever_way_is_good():
    """The error budget is 1 - target where more is better, the target where less is; without binary noise."""
    higher, lower = recorded(system(slo("a", "0.999"))), recorded(system(slo("false_b", "0.001")))
    assert higher["mlse:sli_error:ratio", ""] == "1 - (a >= 0 <= 1)"
    assert lower["mlse:sli_error:ratio", ""] == "false_b >= 0 <= 1"
    for made, name in ((higher, "a"), (lower, "false_b")):
        ratio = f'mlse:sli_error:ratio{{slo="{name}",system="landing-system"}}'
        assert made["error_budget_consumed", "30d"] == f"avg_over_time({ratio}[30d]) / 0.001"


def test_a_perfect_target_has_no_budget_to_divide_by():
    """A target of 1 is missed by the first error of its window."""
    made = recorded(system(slo("a", "1.0", 24 * HOUR)))
    ratio = 'mlse:sli_error:ratio{slo="a",system="landing-system"}'
    assert made["slo_violation_detected", "1d"] == f"max_over_time({ratio}[1d]) > bool 0"
    assert ("error_budget_consumed", "1d") not in made


def test_a_reduction_is_a_level_to_reach():
    """A cost reduction of 0.2 is reached or not: there is no budget of 0.8."""
    made = recorded(system(slo("cost_reduction", "0.2", 24 * HOUR)))
    assert made == {("slo_violation_detected", "1d"): "1 - (avg_over_time(cost_reduction[1d]) >= bool 0.2)"}


TIERS = {
    "a month": ("0.999", 30 * 24 * HOUR, ["1h", "6h", "1d", "3d"]),
    "a week": ("0.999", 7 * 24 * HOUR, ["1h24m", "5h36m", "16h48m"]),
    "a day": ("0.999", 24 * HOUR, ["48m", "2h24m"]),
    "an hour": ("0.999", HOUR, []),
    "a generous budget": ("0.8", 30 * 24 * HOUR, ["1d", "3d"]),
}


@pytest.mark.parametrize(("target", "window", "longs"), TIERS.values(), ids=TIERS)
def test_only_burn_rates_that_can_fire_are_kept(target, window, longs):
    """A tier stays if its short window holds four evaluations and an error ratio of 1 can reach its factor."""
    made = expand([system(slo("a", target, window))]).rules
    assert [each.name for each in made] == [f"a_burn_rate_{long}" for long in longs]
    assert {each.signal for each in made} <= {"a"}


def test_limits_of_a_safety_critical_system_tolerate_nothing():
    """A safety threshold is level 4 and immediate; where lives are not at stake three failures are tolerated."""
    limit = SafetyThreshold("margin", HERE, min=Decimal("0.95"), max=Decimal("1.5"), unit="g")
    made = expand([system(thresholds=[limit])])
    assert [(each.name, each.condition, each.level, each.immediate) for each in made.rules] == [
        ("margin_below_minimum", "margin < 0.95", 4, True),
        ("margin_above_maximum", "margin > 1.5", 4, True),
    ]
    assert [(each.name, each.unit) for each in made.signals] == [("margin", "g")]
    (tolerant,) = expand([system(thresholds=[replace(limit, max=None)], criticality="business_critical")]).rules
    assert (tolerant.immediate, tolerant.threshold) == (False, 3)


def test_units_and_names_that_are_rarely_metrics_are_questioned():
    """A limit in unknown units is an error; a name that ends like a setting is a warning."""
    seconds = SafetyThreshold("response_time_p99", HERE, max=Decimal(500), metric="response_time_p99_seconds")
    setting = SafetyThreshold("confidence_threshold", HERE, min=Decimal("0.9"))
    problems = expand([system(thresholds=[seconds, setting])]).problems
    assert [(each.severity, each.message.split(":")[0].split(" ")[0]) for each in problems[:2]] == [
        ("error", "response_time_p99_seconds"),
        ("warning", "is"),
    ]


def monitoring(**fields):
    watched = MonitoringRule(**({"name": "m", "condition": "load > 0.9", "place": HERE} | fields))
    (made,) = expand([system(monitoring=[watched])]).rules
    return made


def test_a_window_averages_except_where_that_means_nothing():
    """`window` averages a gauge; a percentile is held instead; a window of one evaluation changes nothing."""
    five = Micros(5 * MINUTE)
    assert monitoring(window=five).condition == "avg_over_time(load[5m]) > 0.9"
    held = monitoring(condition="latency_p99 > 100", window=five)
    assert (held.condition, held.waits) == ("latency_p99 > 100", five)
    assert monitoring(window=Micros(MINUTE)).condition == "load > 0.9"


def test_what_must_hold_is_turned_round():
    """A validation rule says what must be so: the alert fires where it is not, NaN included."""
    assert monitoring(condition="availability >= 0.9999", must_hold=True).condition == (
        "availability unless availability >= 0.9999"
    )


def test_names_without_conditions_can_be_declared():
    """The framework's alert names are incident types without a rule."""
    made = expand([system(alerts=[AlertName("system_unavailable", HERE, 4), AlertName("drift", HERE)])])
    assert [(each.name, each.level, each.fires) for each in made.incident_types] == [
        ("system_unavailable", 4, False),
        ("drift", 3, False),
    ]
    assert not made.rules


def test_one_name_twice_stays_two_rules():
    """The framework allows a name several times; both rules live on under names of their own."""
    twice = [MonitoringRule("m", f"load > {n}", HERE) for n in (1, 2)]
    assert [each.key for each in expand([system(monitoring=twice)]).rules] == [
        "system:landing-system/m",
        "system:landing-system/m_2",
    ]


def test_rules_without_channels_get_their_levels():
    """A rule that names no channel gets those of its level."""
    (made,) = expand([system(monitoring=[MonitoringRule("m", "load > 1", HERE, 2)])], {2: ("email", "slack")}).rules
    assert made.channels == ("email", "slack")


def test_compliance_is_the_worst_of_the_slos_a_standard_demands():
    """`compliance_violation_detected` is recorded where an SLO names a standard, and nowhere else."""
    made = recorded(system(slo("a", compliance_standard="ISO-26262"), slo("b")))
    assert made["compliance_violation_detected", ""] == (
        'max by (system) (slo_violation_detected{slo=~"a",system="landing-system"})'
    )
    assert ("compliance_violation_detected", "") not in recorded(system(slo("a")))


STORIES = {
    "exactly on target is met": ("0.999x300", "slo_violation_detected", 0, False),
    "just below is missed": ("0.9989x300", "slo_violation_detected", 1, False),
    "percent instead of a ratio is unknown, not perfect": ("99.9x300", "slo_violation_detected", None, True),
    "NaN is unknown": ("NaN " * 20, "slo_violation_detected", None, True),
    "one NaN poisons nothing": ("1x3 NaN 1x300", "slo_violation_detected", 0, False),
    "a good value": ("1x300", "error_budget_consumed", 0, False),
}


@pytest.mark.parametrize(("values", "expr", "value", "lost"), STORIES.values(), ids=STORIES)
def test_what_prometheus_makes_of_an_slo(promtool, tmp_path, values, expr, value, lost):
    """Told by promtool: the target itself is met, and what is no proportion is unknown, told by the twin."""
    made = expand([system(slo("accuracy", "0.999", 24 * HOUR))])
    whole = replace(policy(rule("slo_violation", "slo_violation_detected"), *made.rules), recordings=made.recordings)
    (tmp_path / "rules.yml").write_bytes(rule_file.render(compiled(whole)))
    labels = f'{expr}{{slo="accuracy",system="landing-system",window="1d"}}'
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": "accuracy", "values": values}],
                "promql_expr_test": [
                    {
                        "expr": expr,
                        "eval_time": "10m",
                        "exp_samples": [] if value is None else [{"labels": labels, "value": value}],
                    },
                    {
                        "expr": 'count(ALERTS{alertname="AccuracySignalLost",alertstate="firing"})',
                        "eval_time": "10m",
                        "exp_samples": [{"labels": "{}", "value": 1}] if lost else [],
                    },
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    answer = promtool("test", "rules", "test.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
