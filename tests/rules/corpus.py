"""Conditions as people write them, by kind: what `compile` must prove, or name as not proved with the reason.

The shapes are those of public rule collections (node, Kubernetes, databases, queues, models); names are made up. In a
condition, `@` before a metric's name is replaced by a prefix of its own, so that all can be compiled as one policy.
"""

import re

PROVED: dict[str, tuple[str, ...]] = {
    "threshold": (
        "@safety_margin < 0.95",
        "@temperature_celsius >= 80",
        "@up == 0",
        "@replicas != 3",
        "100 < @latency_ms",
        "-@altitude > 0.5",
        "@drift > 1e-5",
        "@queue_length > 10 * 100",
        "@free_bytes < 5 * 1024 * 1024 * 1024",
        "@age_seconds > 60 * 60 * 24",
        "@flag",
        "abs(@offset_seconds) > 0.05",
        "ceil(@load) > 4",
        "floor(@load) < 1",
        "round(@level, 0.1) < 0.5",
        "sqrt(@power) > 10",
        "clamp_min(@margin, 0) < 0.2",
        "clamp_max(@margin, 1) < 0.2",
        "clamp(@margin, 0, 1) > 0.9",
        "sgn(@speed) < 0",
        "(@a_metric > 3) < 10",
        "0.2 < @band < 0.8",
        "@load % 7 > 5",
        "@size ^ 2 > 100",
    ),
    "labels": (
        '@errors{code="500"} > 3',
        '@errors{code=~"5.."} > 3',
        '@errors{code!~"2..|3.."} > 3',
        '@errors{job!=""} > 3',
        '@errors{job="api",mode=~"idle|user"} > 3',
        '{__name__="@metric_by_name"} > 3',
    ),
    "two metrics": (
        "@errors / @requests > 0.05",
        "@errors / on(job) @requests > 0.05",
        "@used / ignoring(kind) @size > 0.9",
        "@temp > on(device) @temp_limit",
        "@temp > @temp_limit",
        "@temp > 1.1 * @temp_limit",
        "@accuracy < on(model) group_left @accuracy_floor",
        "@accuracy < on(model) group_left(team) @accuracy_floor",
        "@floor > on(model) group_right @accuracy",
        "@free / @size * 100 < 10",
        "1 - @free / @size > 0.9",
        "(@size - @free) / @size > 0.9",
        "@used - @limit > 0",
        "@predicted - @actual > 0.1 or @actual - @predicted > 0.1",
        "abs(@predicted - @actual) > 0.1",
        "@desired != @ready",
        "@desired - @ready > 0",
        "@restarts > 3 and @age < 600",
        "@restarts > 3 and on(pod) @age < 600",
        "@restarts > 3 and on() @enabled == 1",
        "@restarts > 3 unless @maintenance == 1",
        "@restarts > 3 unless on(node) @maintenance == 1",
        "@info == 1 and on(instance) @old_version > 3",
        "@left > 1 or @right > 1",
        "@left * on(pod) group_left(node) @pod_info > 5",
        "@memory_used / on(container) group_left @memory_limit > 0.9",
        "@x_value > bool @y_value == 1",
        "@value_a > @value_b + 10",
    ),
    "overlapping": (
        'sum(@errors{code="500"}) / sum(@errors) > 0.05',
        'sum(@reqs{code=~"5.."}) / sum(@reqs) > 0.05',
        'sum by (job) (@reqs{code=~"5.."}) / sum by (job) (@reqs) > 0.05',
        '@mem{kind="free"} / ignoring(kind) @mem{kind="total"} < 0.1',
        'sum(@cpu{mode!="idle"}) / sum(@cpu) > 0.9',
    ),
    "aggregated": (
        "sum(@load) > 5",
        "sum by (zone) (@load) > 5",
        "sum without (instance) (@load) > 5",
        "avg by (job) (@load) < 5",
        "max(@heat) >= 1500000",
        "min by (rack) (@volts) < 210",
        "count(@up == 0) > 0",
        "count by (job) (@up == 0) > 0",
        "group(@members < 3)",
        "quantile(0.9, @latency) > 3",
        "topk(1, @latency) > 3",
        "bottomk(3, @margin) < 0.5",
        "sum(@up) / count(@up) < 0.5",
        "avg(@up) < 0.5",
        "count(@down == 1) / count(@down) > 0.5",
        "sum(@ready) by (app) == 0",
    ),
    "windows": (
        "avg_over_time(@quality[10m]) < 0.8",
        "max_over_time(@pressure[5m]) > 3",
        "min_over_time(@pressure[5m]) < 3",
        "last_over_time(@pressure[5m]) < 3",
        "quantile_over_time(0.9, @pressure[5m]) > 3",
        "max by (job) (max_over_time(@pressure[5m])) > 3",
        "@slow_metric offset 5m > 3",
    ),
    "absence": (
        "absent(@heartbeat)",
        'absent(@up{job="tocsin"} == 1)',
        "absent_over_time(@beat[5m])",
        "@wanted unless @present",
    ),
    "labels made": (
        'label_replace(@pressure, "site", "$1", "instance", "(.*)") > 3',
        'label_join(@pressure, "site", "-", "a", "b") > 3',
    ),
    "scalars": (
        "vector(1) * on() @load > 3",
        "scalar(@lonely) * @load > 3",
    ),
}
"""Kind → conditions that are proved, up to how long they keep firing where they look back."""

NOT_PROVED: dict[str, tuple[str, ...]] = {
    "rates": (
        "rate(@errors_total[5m]) > 1",
        "increase(@restarts_total[15m]) > 3",
        "irate(@errors_total[5m]) > 1",
        'sum(rate(@requests_total{code=~"5.."}[5m])) / sum(rate(@requests_total[5m])) > 0.05',
        "histogram_quantile(0.99, sum by (le) (rate(@latency_bucket[5m]))) > 0.5",
        "predict_linear(@free_bytes[1h], 4 * 3600) < 0",
        "deriv(@temp[10m]) > 1",
        "delta(@temp[10m]) > 1",
        "changes(@state[10m]) > 3",
        "resets(@counter_total[10m]) > 3",
        "avg_over_time(rate(@errors_total[5m])[1h:1m]) > 1",
        "max_over_time((@a_gauge > 3)[10m:1m]) > 5",
        "count_over_time(@a_gauge[10m]) < 3",
        "sum_over_time(@a_gauge[10m]) > 30",
    ),
    "several units": (
        "@steady_metric / max(@steady_metric) < 0.5",
        "@load_now > 2 * scalar(avg(@load_now)) and @load_now > 3",
        "count(@members) < 3",
        "stddev(@latency) > 3",
        "stddev_over_time(@pressure[5m]) > 3",
    ),
    "moments": (
        "time() - @last_backup_seconds > 86400",
        "@expires_seconds - time() < 86400 * 7",
        "@load > 3 and on() hour() >= 0",
        "@a_gauge @ 100 > 3",
        "timestamp(@a_gauge) < 3",
        "day_of_week(@a_gauge) == 6",
    ),
}


_OPERATORS = ("<", "<=", ">", ">=", "==", "!=")
_AGGREGATIONS = ("sum", "avg", "min", "max", "group", "count")

PROVED["each comparison"] = tuple(f"@a_value {op} {limit}" for op in _OPERATORS for limit in (0, 1, 0.5, -3, 1e6))
PROVED["each comparison of two"] = tuple(
    f"@used {arithmetic} @size {op} 3" for arithmetic in ("+", "-", "*", "/") for op in _OPERATORS
)
PROVED["each aggregation"] = tuple(
    f"{name} {grouping} (@a_value) {op} 1.5"
    for name in _AGGREGATIONS
    for grouping in ("by (job)", "without (instance)")
    for op in ("<", ">")
    if name not in {"group", "count"}
)
PROVED["each matching"] = tuple(
    f"@used {arithmetic} {matching} @size {op} 2"
    for arithmetic in ("-", "/")
    for matching in ("on(pod)", "ignoring(kind)", "on(pod) group_left", "on(pod) group_right(team)")
    for op in ("<", ">=")
)
PROVED["each window"] = tuple(
    f"{name}_over_time(@a_value[{window}]) {op} 4"
    for name in ("avg", "min", "max", "last")
    for window in ("5m", "1h")
    for op in ("<", ">")
)

_ELEMENTWISE = "abs ceil exp floor ln log10 log2 sgn sort sort_desc sqrt acos acosh asin asinh atan atanh cos cosh"
_ELEMENTWISE += " deg rad sin sinh tan tanh"
_OVER_TIME = "avg count last max min present stddev stdvar sum"
_OF_RANGES = "changes delta deriv idelta increase irate rate resets"
_OF_TIMES = "day_of_month day_of_week day_of_year days_in_month hour minute month timestamp year"
_OF_HISTOGRAMS = "histogram_count histogram_sum"
_SINGLY = "sum min max avg group stddev stdvar count"

FUNCTIONS: dict[str, str] = {
    **{name: f"{name}(@value) > 0.5" for name in _ELEMENTWISE.split()},
    **{f"{name}_over_time": f"{name}_over_time(@value[10m]) > 3" for name in _OVER_TIME.split()},
    **{name: f"{name}(@value[10m]) > 3" for name in _OF_RANGES.split()},
    **{name: f"{name}(@value) > 3" for name in (*_OF_TIMES.split(), *_OF_HISTOGRAMS.split())},
    **{name: f"{name}(@value) > 3" for name in _SINGLY.split()},
    "absent": "absent(@value)",
    "absent_over_time": "absent_over_time(@value[10m])",
    "bottomk": "bottomk(2, @value) < 3",
    "clamp": "clamp(@value, 0, 5) > 3",
    "clamp_max": "clamp_max(@value, 5) > 3",
    "clamp_min": "clamp_min(@value, 1) > 3",
    "count_values": 'count_values("version", @value) > 3',
    "histogram_fraction": "histogram_fraction(0, 0.2, @value) < 0.9",
    "histogram_quantile": "histogram_quantile(0.9, @value_bucket) > 3",
    "label_join": 'label_join(@value, "site", "-", "a", "b") > 3',
    "label_replace": 'label_replace(@value, "site", "$1", "instance", "(.*)") > 3',
    "pi": "@value > pi()",
    "predict_linear": "predict_linear(@value[1h], 3600) < 0",
    "quantile": "quantile(0.9, @value) > 3",
    "quantile_over_time": "quantile_over_time(0.9, @value[10m]) > 3",
    "round": "round(@value, 0.5) > 3",
    "scalar": "scalar(@lonely) + @value > 3",
    "time": "time() - @value > 86400",
    "topk": "topk(2, @value) > 3",
    "vector": "vector(1) * on() @value > 3",
}
"""Every function and aggregation that both supported Prometheus have, with a condition of it."""

NEWER_FUNCTIONS: dict[str, str] = {
    "double_exponential_smoothing": "double_exponential_smoothing(@value[10m], 0.5, 0.5) > 3",
    "histogram_avg": "histogram_avg(@value) > 3",
    "histogram_stddev": "histogram_stddev(@value) > 3",
    "histogram_stdvar": "histogram_stdvar(@value) > 3",
    "info": "info(@value) > 3",
    "limit_ratio": "limit_ratio(0.5, @value) > 3",
    "limitk": "limitk(2, @value) > 3",
    "mad_over_time": "mad_over_time(@value[10m]) > 3",
    "sort_by_label": 'sort_by_label(@value, "job") > 3',
    "sort_by_label_desc": 'sort_by_label_desc(@value, "job") > 3',
    "ts_of_last_over_time": "ts_of_last_over_time(@value[10m]) > 3",
    "ts_of_max_over_time": "ts_of_max_over_time(@value[10m]) > 3",
    "ts_of_min_over_time": "ts_of_min_over_time(@value[10m]) > 3",
}
"""Those that only Prometheus 3 has, some with a flag."""

NATIVE: dict[str, tuple[str, ...]] = {
    "native histograms": (
        'histogram_avg(@latency{job="api"}) > 3',
        "histogram_avg(@drift) < -0.5",
        "histogram_avg(@latency) > 1.5 * @limit",
        "histogram_avg(@latency) > 3 or absent(@latency_limit)",
        "max by (job) (histogram_avg(@latency)) > 3",
        "histogram_sum(@bytes) * 2 >= 5e6",
        "histogram_count(@requests) < 5",
        "histogram_count(@requests) == 0",
        "-histogram_count(@requests) <= -5",
    ),
}
"""Proved where a rule needs Prometheus 3."""

NOT_NATIVE: dict[str, tuple[str, ...]] = {
    "histograms otherwise": (
        "histogram_sum(@latency) / histogram_count(@latency) > 3",
        "histogram_avg(sum(@latency)) > 3",
        "histogram_avg(rate(@latency[5m])) > 3",
        "histogram_avg(@latency) > 3 and @latency > 2",
        "histogram_quantile(0.9, @latency) > 3",
    ),
}


def of_functions(some: dict[str, str]) -> list[tuple[str, str]]:
    """(name of the rule, condition), each with metrics of its own."""
    return [(name, re.sub(r"@(?=[a-z])", f"of_{name}_", each)) for name, each in some.items()]


def conditions(kinds: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """(name of the rule, condition), each with metrics of its own."""
    named = [
        (f"{kind.replace(' ', '_')}_{number}", each) for kind, some in kinds.items() for number, each in enumerate(some)
    ]
    return [(name, re.sub(r"@(?=[a-z])", f"{name}_", condition)) for name, condition in named]
