"""The metrics that a receiver exposes, and those that a query reads."""

import re
from collections.abc import Iterator, Mapping, Sequence

import promql_parser
from prometheus_client.parser import text_string_to_metric_families

from receiver.core.model import Instant
from receiver.engine.service_state import ServiceState
from receiver.store import open_store
from receiver.telemetry.metrics import Metrics


def exposed() -> Mapping[str, Sequence[Mapping[str, str]]]:
    """Name → the labels of its series, of a receiver that has just started and has one channel; `up` is Prometheus's."""
    metrics = Metrics()
    metrics.policy("digest")
    state = ServiceState()
    state.policy_read_at = Instant(0)
    metrics.channel_configured("email", configured=True)
    metrics.alertmanager_up.labels("alertmanager:9093").set(True)
    metrics.reconciled(0, 0, 0)
    store = open_store("sqlite://")
    figures = store.reads().figures(Instant(0))
    store.close()
    found: dict[str, list[Mapping[str, str]]] = {"up": [{}]}
    for family in metrics.registry.collect():  # those that have no series yet
        endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        found |= {family.name + ending: [] for ending in endings}
    for family in text_string_to_metric_families(metrics.expose(figures, Instant(0), state).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def metrics_in(expression: promql_parser.Expr) -> Iterator[str]:
    """The metrics of ours that a parsed query reads."""
    return (found[0] for found in re.finditer(r"\b(tocsin_\w+|up)\b(?=\{|\b(?!\())", expression.prettify()))
