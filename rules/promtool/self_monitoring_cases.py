"""Tests of Tocsin's own alerts (`rules.self_monitoring`), for `rules.promtool.unit_tests`."""

from collections.abc import Iterator, Mapping, Sequence

from rules.groups import AlertingRule, Group
from rules.matchers import match
from rules.policy import MINUTE
from rules.promtool.cases import ExpectedAlert, PromtoolCase, series_name
from rules.promtool.input_series import sequence, told
from rules.promtool.vectors import Labels, Sample, Unprovable, sorted_labels
from rules.self_monitoring import DOWN, FAIL_THROUGH, HEARTBEAT, JOB, LATEST, RULES_FAIL, UNHEARD, Tocsin

TICK = MINUTE
"""Microseconds between two evaluations in these tests, regardless of the groups' own interval."""

BURNING: Labels = (("rule", "reactor_burns"), ("section", "example"), ("signal", "reactor_heat"), ("system", "reactor"))
FOREIGN: Labels = (("namespace", "power"),)
FIRES = {"ReactorBurns": (*BURNING, ("severity_level", "4")), "GridDown": (*FOREIGN, ("severity", "Emergency"))}
"""One compiled emergency and one foreign: alert name → its labels."""

FAILURES: Labels = (("rule_group", "tocsin:example"),)

Values = Mapping[str, float | None]
"""The differences from WELL: series, or a series of one replica (``age a``) → its value; None: absent."""

WELL: Values = {"up": 1, "store": 1, "oldest": 0, "age": 20, "refused": 0, "unsent": 0, "fires": 1}

PHASES: tuple[tuple[Values, bool], ...] = (
    ({"oldest": LATEST + 1}, True),
    ({"oldest": LATEST}, False),
    ({"store a": 0, "oldest a": LATEST + 1}, False),  # the other replica pages
    ({"store": 0}, True),  # it answers and reads, but refuses webhooks: no other signal
    ({}, False),
    ({"up a": 0, "store a": None, "oldest a": None, "age a": None}, False),
    ({"up": 0, "store": None, "oldest": None, "age": None}, True),
    ({}, False),
    ({"age": UNHEARD + 1}, True),  # a revoked token: all other signals are good
    ({"age": UNHEARD}, False),
    ({"age a": UNHEARD + 1}, False),
    ({"age": None}, True),  # it never received this Prometheus' heartbeat
    ({}, False),
    ({"refused": 1}, True),  # a webhook answered 503 each minute
    ({}, False),
    ({"unsent": 1}, True),  # connection refused
    ({}, False),
    ({"oldest": LATEST + 1}, True),
    ({"oldest": LATEST + 1, "fires": None}, False),  # it does not keep itself firing
)
LASTS = 5
"""Ticks of a phase: longer than any window. Its last tick is checked."""

COUNTERS = ("refused", "unsent")
"""Given as the increase per tick."""

SCRAPES = 2
"""Scrapes per tick: a range of 90 s must contain two samples, even without its left boundary (Prometheus 3)."""

DOWN_AT = LASTS * next(at for at, (values, _) in enumerate(PHASES) if values.get("up") == 0)


def vigils(groups: Sequence[Group], tocsin: Tocsin) -> list[PromtoolCase]:
    """Tests of each watch alert: when it fires, its texts, and when it does not. Raises Unprovable.

    Texts with names of emergencies are checked at the first tick only, because later the policy's unfed twins fire too.
    """
    alerts = {alert.alert: alert for group in groups for alert in group.alerts}
    story = PromtoolCase("Tocsin fails in each way that there is, while emergencies fire, and is well in between")
    story.series = _series(_targets(tocsin), tocsin.source)
    story.fed_per_tick = SCRAPES
    story.alerts = [
        (0, HEARTBEAT, _one(alerts[HEARTBEAT], value=0)),
        (0, FAIL_THROUGH, (*_one(alerts[FAIL_THROUGH], _named("GridDown")), *_one(alerts[FAIL_THROUGH], BURNS))),
        (4, HEARTBEAT, _one(alerts[HEARTBEAT], value=4 * TICK / 1_000_000)),
        (DOWN_AT, DOWN, ()),
        (DOWN_AT + _ticks(alerts[DOWN]), DOWN, _one(alerts[DOWN])),
        (DOWN_AT + LASTS, DOWN, ()),
    ]
    story.samples = list(_fails_through())
    broken = PromtoolCase("a rule begins to fail")
    broken.series = {series_name("prometheus_rule_evaluation_failures_total", FAILURES): "0 0 1x2"}
    broken.alerts = [(1, RULES_FAIL, ()), (2, RULES_FAIL, _one(alerts[RULES_FAIL], FAILURES))]
    never = PromtoolCase("Tocsin was never there")
    held = _ticks(alerts[DOWN])
    never.alerts = [(held - 1, DOWN, ()), (held, DOWN, _one(alerts[DOWN]))]
    return [story, broken, never]


def _fails_through() -> Iterator[tuple[int, str, float | None]]:
    for at, (_, fires) in enumerate(PHASES, 1):
        for name in FIRES:
            alert = f'alertname="{FAIL_THROUGH}",alertstate="firing",emergency="{name}"'
            yield at * LASTS - 1, f"count(ALERTS{{{alert}}})", 1.0 if fires else None


def _targets(tocsin: Tocsin) -> dict[str, str]:
    """The labels of its targets."""
    matchers = tocsin.narrowed((JOB,))
    labels = {label: value for label, operator, value in matchers if operator == "="}
    if not match(matchers, labels):
        raise Unprovable("the instance's matchers name no single value")
    return labels


def _series(targets: dict[str, str], source: str) -> dict[str, str]:
    """The series scraped from two replicas and an Alertmanager, and the firing alerts."""
    fed: dict[str, str] = {}
    for replica in ("a", "b"):
        labels = targets | {"instance": f"{replica}:8095"}
        names = {
            "up": series_name("up", sorted_labels(labels)),
            "store": series_name("tocsin_store_up", sorted_labels(labels)),
            "oldest": series_name("tocsin_oldest_undelivered_emergency_seconds", sorted_labels(labels)),
            "age": series_name("tocsin_heartbeat_age_seconds", sorted_labels(labels | {"source": source})),
            "refused": series_name("tocsin_webhooks_total", sorted_labels(labels | {"result": "unavailable"})),
        }
        fed |= {name: _values(key, replica) for key, name in names.items()}
    fed[series_name("alertmanager_notifications_failed_total", (("integration", "webhook"),))] = _values("unsent")
    for alertname, more in FIRES.items():
        name = series_name("ALERTS", (("alertname", alertname), ("alertstate", "firing"), *more))
        fed[name] = _values("fires")
    return fed


def _values(key: str, replica: str = "") -> str:
    values: list[str] = []
    grown = 0.0
    for phase, _ in PHASES:
        value = phase.get(f"{key} {replica}", phase.get(key, WELL[key]))
        if key in COUNTERS:
            steps = [grown + (value or 0) * (scrape + 1) / SCRAPES for scrape in range(LASTS * SCRAPES)]
            grown = steps[-1]
            values += [f"{step:g}" for step in steps]
        else:
            fed = LASTS * SCRAPES
            values += ["stale", *["_"] * (fed - 1)] if value is None else [f"{value:g}"] * fed
    return sequence(values)


def _ticks(alert: AlertingRule) -> int:
    return -(-alert.hold // TICK)


def _named(name: str) -> Labels:
    """The labels of an emergency in the fail-through alert."""
    kept = [pair for pair in FIRES[name] if not pair[0].startswith("severity")]
    return tuple(sorted((*kept, ("emergency", name))))


BURNS = _named("ReactorBurns")


def _one(alert: AlertingRule, labels: Labels = (), value: float = 1.0) -> tuple[ExpectedAlert, ...]:
    return (told(alert, Sample(labels, value)),)
