"""The compiled unit tests notice: each way to break a compiled rule makes promtool fail."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from rules import self_monitoring
from rules.outputs import render
from rules.policy import IncidentType, Signal
from tests.rules.policies import policy, rule

POLICY = policy(
    rule("margin", "safety_margin < 0.95", 4),
    rule("budget", "error_budget_consumed > 0.95", 3),
    rule("at_once", "response_time_p99 >= 100", 3, immediate=True),
    rule("joined", "a > 1 and b < 2", 3),
    rule("share", "share_of_errors > 0.05", 3),
    signals=(Signal("share_of_errors", "failed / all_of_them"),),
    types=(IncidentType("aviation", "engine_failure", 4, "Aircraft engine failure"),),
)
OUTPUTS = render(POLICY)
RULES = yaml.safe_load(OUTPUTS.files["rules.yml"])
PLACES = {
    each.get("alert") or each["record"]: (group, position)
    for group, members in enumerate(RULES["groups"])
    for position, each in enumerate(members["rules"])
}


def change(**fields):
    return lambda rule: {name: value for name, value in (rule | fields).items() if value is not None}


def swap(old, new):
    def swapped(rule):
        assert old in rule["expr"]
        return rule | {"expr": rule["expr"].replace(old, new)}

    return swapped


def relabel(**labels):
    return lambda rule: rule | {"labels": rule["labels"] | labels}


RULE_MUTANTS = {
    "for dropped": ("Margin", change(**{"for": None})),
    "for one interval shorter": ("Margin", change(**{"for": "1m"})),
    "for one interval longer": ("Margin", change(**{"for": "3m"})),
    "for added": ("AtOnce", change(**{"for": "1m"})),
    "stops firing before its twin begins": ("Margin", change(keep_firing_for=None)),
    "threshold a hair higher": ("Margin", swap("0.95", "0.9501")),
    "threshold a hair lower": ("Margin", swap("0.95", "0.9499")),
    "operator flipped": ("Margin", swap("<", ">")),
    "boundary included": ("Margin", swap("<", "<=")),
    "boundary excluded": ("AtOnce", swap(">=", ">")),
    "and becomes or": ("Joined", swap("and", "or")),
    "half of the condition lost": ("Joined", swap(" and b < 2", "")),
    "the other half's threshold": ("Joined", swap("b < 2", "b < 2.1")),
    "another signal": ("Budget", swap("error_budget_consumed", "error_budget_left")),
    "another level": ("Margin", relabel(severity_level="3")),
    "another section": ("Budget", relabel(section="other")),
    "boolean turned round": ("EngineFailure", swap("> 0", "== 0")),
}
TWIN_MUTANTS = {
    "never seen goes unnoticed": swap('\nor on() label_replace(absent(safety_margin), "seen", "never", "", "")', ""),
    "vanished and NaN go unnoticed": lambda rule: rule | {"expr": "absent(safety_margin)"},
    "NaN goes unnoticed": swap("safety_margin == safety_margin", "safety_margin"),
    "a rollout cries loss": swap("(instance, pod, container, endpoint)", "(container, endpoint)"),
    "one unit's loss goes unnoticed": swap("without (instance, pod, container, endpoint)", "by ()"),
    "waits too long": change(**{"for": "3m"}),
    "does not wait": change(**{"for": None}),
    "other words": lambda rule: rule | {"annotations": rule["annotations"] | {"summary": "fine"}},
}
WATCH_MUTANTS = {
    "heartbeat stops": ("TocsinHeartbeat", swap("vector(time())", "vector(time()) > 1000")),
    "a heartbeat that does not say when": ("TocsinHeartbeat", swap("time()", "1")),
    "a Tocsin that was never there": ("TocsinDown", swap('absent(up{job="tocsin"} == 1)', 'up{job="tocsin"} == 0')),
    "a target that is down": ("TocsinDown", swap(" == 1", "")),
    "late pages": ("TocsinFailThrough", swap("> 90", "> 91")),
    "early alarm": ("TocsinFailThrough", swap("> 90", ">= 90")),
    "a replica that cannot read": ("TocsinFailThrough", swap(' unless tocsin_store_up{job="tocsin"} == 0', "")),
    "one replica that cannot write": (
        "TocsinFailThrough",
        swap("max(max_over_time(tocsin_store_up", "min(max_over_time(tocsin_store_up"),
    ),
    "late heartbeats": ("TocsinFailThrough", swap("> 140", "> 141")),
    "early heartbeats": ("TocsinFailThrough", swap("> 140", ">= 140")),
    "one replica without a heartbeat": ("TocsinFailThrough", swap("min(tocsin_heartbeat", "max(tocsin_heartbeat")),
    "foreign emergencies": ("TocsinFailThrough", swap("(?i:", "(?:")),
    "compiled emergencies": ("TocsinFailThrough", swap('section!=""', 'section="no"')),
    "its own alerts": (
        "TocsinFailThrough",
        lambda rule: rule | {"expr": re.sub(r'alertname!~"[^"]*",paging!="around-tocsin",', "", rule["expr"])},
    ),
    **{
        f"way {number} in which Tocsin fails": ("TocsinFailThrough", swap(f"({way})", "(vector(1) < 1)"))
        for number, way in enumerate(self_monitoring.ways_to_fail(self_monitoring.THE_ONLY), 1)
    },
    "failing rules": ("TocsinRuleEvaluationFails", swap("> 0", "> 10")),
}
RECORDING_MUTANTS = {
    "another sum": ("share_of_errors", swap("/", "*")),
}
MUTANTS = {
    **{f"rule: {name}": mutant for name, mutant in RULE_MUTANTS.items()},
    **{f"twin: {name}": ("SafetyMarginSignalLost", mutant) for name, mutant in TWIN_MUTANTS.items()},
    **{f"watch: {name}": mutant for name, mutant in WATCH_MUTANTS.items()},
    **{f"recording: {name}": mutant for name, mutant in RECORDING_MUTANTS.items()},
    **{f"removed: {name}": (name, None) for name in PLACES},
}


def passes(promtool, folder: Path, rules) -> bool:
    (folder / "rules.yml").write_text(yaml.dump(rules, Dumper=yaml.CSafeDumper))
    (folder / "rules_test.yml").write_bytes(OUTPUTS.files["rules_test.yml"])
    return promtool("test", "rules", "rules_test.yml", folder=folder).returncode == 0


def test_the_original_passes(promtool, tmp_path):
    """Unchanged, the rules pass: what fails below fails because of the change."""
    assert passes(promtool, tmp_path, RULES)


@pytest.mark.parametrize(("name", "mutate"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_rule_is_noticed(promtool, tmp_path, name, mutate):
    """A change to a rule's expression, waiting, labels or words, or its loss, fails its tests."""
    rules = copy.deepcopy(RULES)
    group, position = PLACES[name]
    members = rules["groups"][group]["rules"]
    if mutate is None:
        del members[position]
    else:
        changed = mutate(members[position])
        assert changed != members[position]
        members[position] = changed
    assert not passes(promtool, tmp_path, rules)
