"""Tocsin's reserved names: alerts, labels and annotations that `rules.compile` and `rules.self_monitoring` set.

A policy may not use them (`rules.document` refuses), and the receiver trusts them only on compiled alerts
(`receiver.core.classify`). No imports, so that the receiver's core may read it.
"""

MARK = "tocsin"
"""The annotation of every compiled alert; only alerts with it have trusted labels."""

MARKED = "1"
"""The mark's value: a foreign alert may have an annotation of the same name (a link to a page about Tocsin)."""

DIGEST = "tocsin_rules"
"""The annotation with the digest of the rules' inputs (`rules.stored.rules_digest`)."""

FAIL_THROUGH = "TocsinFailThrough"
"""The alert that fires for an emergency while Tocsin may be unable to notify."""

WATCH = ("TocsinHeartbeat", "TocsinDown", FAIL_THROUGH, "TocsinRuleEvaluationFails")
"""The alerts of `rules.self_monitoring`, which are not from the policy."""

WATCHDOG = "Watchdog"
"""The conventional always-firing alert of foreign rules."""

HEARTBEATS = frozenset({WATCH[0], WATCHDOG})
"""Always-firing alerts that prove that alerting works; they open no incident."""

TWIN = "signal_lost"
"""The label `rule` of every missing-data twin (`rules.missing_data`)."""

NOT_WIRED, BLIND, BROKEN, OTHER_RULES, UNREADABLE, CALENDAR, TRAINING = (
    "not_wired_yet",
    "alerting_is_blind",
    "channel_is_broken",
    "rules_of_another_policy",
    "alerts_cannot_be_read",
    "calendar_is_in_doubt",
    "training_is_due",
)
"""Types of incidents that the receiver opens itself."""

NAMES = frozenset({TWIN, NOT_WIRED, BLIND, BROKEN, OTHER_RULES, UNREADABLE, CALENDAR, TRAINING})
"""Names that a policy's rules and incident types may not have."""

ALERTS = frozenset({*WATCH, *HEARTBEATS})
"""Names that their compiled alerts may not have."""

SEVERITY = "severity"
"""The label with the level's name, or with a rule's own word for other programs; Tocsin uses `severity_level`."""

LABELS = frozenset(
    (
        "alertname",
        "heartbeat",
        "immediate",
        "incident_type",
        "paging",
        "rule",
        "section",
        "seen",
        "selector",
        SEVERITY,
        "severity_level",
        "signal",
        "twin",
    )
)
"""Labels of compiled alerts that Tocsin sets or reads; a policy may set only SEVERITY of them."""

COMPILED = LABELS - {"alertname", "incident_type", "section", "severity"}
"""Labels that are ignored on foreign alerts."""

PASSING_LABELS = ("instance", "pod", "container", "endpoint")
"""Labels that change in a rollout of a healthy unit, and so do not identify a unit."""
