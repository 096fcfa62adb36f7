"""Rule groups → ``rules.yml``, the file for `rule_files` of Prometheus."""

from collections.abc import Iterable, Sequence
from typing import Any

from rules.durations import format_duration
from rules.groups import AlertingRule, Group, RecordingRule
from rules.prometheus_versions import requirement
from rules.yaml_text import WrittenOften, text

HEAD = "Compiled by Tocsin from the policy: edit that, not this. Needs {needed}."


def render(groups: Iterable[Group], written: Sequence[dict[str, Any]] = ()) -> bytes:
    """The rule file; `written`: the groups' documents, if there are some already."""
    every = tuple(groups)
    needed = requirement(rule.expr for group in every for rule in group.rules if not _adds_nothing(rule))
    return text({"groups": written or documents(every)}, HEAD.format(needed=needed))


def _adds_nothing(rule: AlertingRule | RecordingRule) -> bool:
    """Whether a rule adds no names or labels: a missing-data twin has those of its rule, and reading 10,000 of them
    takes long.
    """
    return isinstance(rule, AlertingRule) and rule.lost is not None and rule.identity is None


def documents(groups: Iterable[Group]) -> list[dict[str, Any]]:
    """The groups in Prometheus's YAML form; a PrometheusRule's spec has the same."""
    return [
        {
            "name": group.name,
            "interval": format_duration(group.interval),
            "rules": [_alert(rule) if isinstance(rule, AlertingRule) else _recording(rule) for rule in group.rules],
        }
        for group in groups
    ]


def _alert(rule: AlertingRule) -> dict[str, Any]:
    document: dict[str, Any] = {"alert": rule.alert, "expr": rule.expr}
    if rule.hold:
        document["for"] = format_duration(rule.hold)
    if rule.keep_firing:
        document["keep_firing_for"] = format_duration(rule.keep_firing)
    return WrittenOften(document, labels=dict(rule.labels), annotations=dict(rule.annotations))


def _recording(rule: RecordingRule) -> dict[str, Any]:
    document: dict[str, Any] = {"record": rule.record, "expr": rule.expr}
    return document | ({"labels": dict(rule.labels)} if rule.labels else {})
