"""Names that are Tocsin's own: alerts, labels and annotations that `rules.compile` and `rules.self_monitoring` give.

A policy may not take them (`rules.document` refuses), and the receiver believes them only of alerts that are ours
(`receiver.core.classify`). Nothing is imported here, so that the receiver's core may read it.
"""

MARK = "tocsin"
"""The annotation that every compiled alert carries: it is ours, so its labels mean what they say."""

MARKED = "1"
"""The mark's value. An annotation of a stranger's may have the same name: a link to a page about Tocsin, say."""

DIGEST = "tocsin_rules"
"""The annotation with the digest of what the rules were made of (`rules.stored.rules_digest`)."""

FAIL_THROUGH = "TocsinFailThrough"
"""The alert that an emergency fires while Tocsin may have told nobody."""

WATCH = ("TocsinHeartbeat", "TocsinDown", FAIL_THROUGH, "TocsinRuleEvaluationFails")
"""The alerts of `rules.self_monitoring`, which are not made from the policy."""

WATCHDOG = "Watchdog"
"""The alert of other people's rules that always fires."""

HEARTBEATS = frozenset({WATCH[0], WATCHDOG})
"""Alerts that always fire and prove that alerting lives; they open no incident."""

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
"""Types of incidents that the receiver opens by itself."""

NAMES = frozenset({TWIN, NOT_WIRED, BLIND, BROKEN, OTHER_RULES, UNREADABLE, CALENDAR, TRAINING})
"""Rules and incident types of a policy may not be called so."""

ALERTS = frozenset({*WATCH, *HEARTBEATS})
"""Nor may the alerts that they compile to."""

SEVERITY = "severity"
"""The label with the level's name, or with a rule's own word for others to read: Tocsin goes by `severity_level`."""

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
"""Labels of compiled alerts that Tocsin sets, or reads; a policy's own may not be called so, but for SEVERITY."""

COMPILED = LABELS - {"alertname", "incident_type", "section", "severity"}
"""Those that mean nothing to us on an alert that is not ours."""
