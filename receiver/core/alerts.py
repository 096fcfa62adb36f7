"""What alerts do to an incident: open it, join it, worsen it, recover it. Repeats do nothing.

A payload says nothing about alerts it does not list: absence is never resolution (CONTRACTS A.1).
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from receiver.core.classify import NOT_WIRED
from receiver.core.draft import Draft, Effects
from receiver.core.events import AlertsReceived
from receiver.core.impact import note_impacts
from receiver.core.lifecycle import begin_recovery, new_incident, recur, renew_acknowledgement, void_acknowledgement
from receiver.core.model import Alert, Fact, Incident, Instant, Kind, Reason, Recovery, State, Window
from receiver.core.paging import lift_silence, page_more, start_paging, tell_threads, worsen
from receiver.core.plan import Book
from receiver.core.silences import resume
from receiver.core.staleness import is_worth_noting, note_heard
from receiver.core.upkeep import keep_up
from rules.policy import EMERGENCY

WHERE_LIMIT = 60
"""Characters of a system's name in a title."""
TITLE_LIMIT = 160
"""Characters of an alert's summary that become the incident's title."""


class News(Struct, frozen=True):
    """What of the received alerts is new to us."""

    fired: tuple[Alert, ...]
    """Not known as firing until now."""
    cleared: tuple[Alert, ...]
    """Known as firing until now, in their new form."""
    level_before: Mapping[str, int]
    """Fingerprint → level under which a replaced or cleared alert was counted as firing."""


def sift(received: Sequence[Alert], known: Mapping[str, Alert]) -> News:
    """Separate news from repeats, retries, and late words about an older firing."""
    fired: dict[str, Alert] = {}
    cleared: dict[str, Alert] = {}
    before: dict[str, int] = {}
    for alert in received:
        old = fired.get(alert.fingerprint) or cleared.get(alert.fingerprint) or known.get(alert.fingerprint)
        if alert.firing and (old is None or not old.firing or _outdoes(alert, old)):
            cleared.pop(alert.fingerprint, None)
            fired[alert.fingerprint] = alert
        elif not alert.firing and old is not None and old.firing and alert.starts_at >= old.starts_at:
            fired.pop(alert.fingerprint, None)
            cleared[alert.fingerprint] = replace(alert, level=old.level, rule=old.rule, type=old.type, twin=old.twin)
    for fingerprint in (*fired, *cleared):
        counted = known.get(fingerprint)
        if counted is not None and counted.firing:
            before[fingerprint] = counted.level
    return News(tuple(fired.values()), tuple(a for a in cleared.values() if a.fingerprint in before), before)


def _outdoes(alert: Alert, old: Alert) -> bool:
    """A firing alert is news beside a firing one if it is worse, or began later (its resolve got lost)."""
    return alert.level > old.level or alert.starts_at > old.starts_at


def receive(
    incident: Incident | None, event: AlertsReceived, known: Mapping[str, Alert], now: Instant, book: Book
) -> Effects:
    """Decide on received alerts. `known` are the stored alerts with the fingerprints that the event names."""
    news = sift(event.alerts, known)
    if not news.fired and not news.cleared:
        return _repeat(incident, event, now, book)
    if incident is None:
        if not news.fired:
            return Effects()
        return _open(event, news, now, book)
    draft = Draft(incident, now, book)
    before = draft.incident
    note_heard(draft)
    _count(draft, news)
    _say_found(draft, event, news)
    if news.fired:
        _fire(draft, news, before)
        note_impacts(draft, news.fired)
    if news.cleared:
        _clear(draft, news, truncated=event.truncated)
    keep_up(draft)
    return draft.effects()


def _repeat(incident: Incident | None, event: AlertsReceived, now: Instant, book: Book) -> Effects:
    """Nothing new, and nothing is written; but that it is still heard of, now and then."""
    fires = any(alert.firing for alert in event.alerts)
    if incident is None or not (fires and incident.is_live and is_worth_noting(incident, now)):
        return Effects()
    draft = Draft(incident, now, book)
    note_heard(draft)
    return draft.effects()


def _open(event: AlertsReceived, news: News, now: Instant, book: Book) -> Effects:
    top = max(news.fired, key=lambda alert: alert.level)
    draft = Draft(new_incident(event.key, now, book, top.level, top.type, _title(top)), now, book)
    draft.set(source=event.source, labels=_identity_labels(news.fired))
    _count(draft, news)
    draft.enter(Fact.OPENED, level=top.level, rule=top.rule, alerts=len(news.fired), summary=draft.incident.title)
    _say_found(draft, event, news)
    _say_doubts(draft, news)
    note_impacts(draft, news.fired)
    start_paging(draft, Reason.OPENED)
    keep_up(draft)
    return draft.effects()


def _count(draft: Draft, news: News) -> None:
    """Keep the alerts, the number firing at each level, and the rules that fired."""
    firing = list(draft.incident.firing)
    rules = dict(draft.incident.rules)
    for level in news.level_before.values():
        firing[level - 1] = max(0, firing[level - 1] - 1)
    for alert in news.fired:
        firing[alert.level - 1] += 1
        rules[alert.rule] = max(alert.level, rules.get(alert.rule, 0))
        draft.keep(alert)
    for alert in news.cleared:
        draft.keep(alert)
    draft.set(firing=tuple(firing), rules=rules)


def _fire(draft: Draft, news: News, before: Incident) -> None:
    """New alerts in an incident that exists: does this worsen it?"""
    top = max(news.fired, key=lambda alert: alert.level)
    rose = top.level > before.level
    new_rules = [alert.rule for alert in news.fired if alert.rule not in before.rules]
    if rose:
        draft.set(level=top.level, type=top.type, title=_title(top))
        draft.enter(Fact.LEVEL_ROSE, before=before.level, level=top.level, rule=top.rule)
    _say_doubts(draft, news)
    if before.state is State.RESOLVED:
        recur(draft)
        return
    lift_silence(draft)  # what is silenced is not told of: this is not
    if before.recovery is not Recovery.NONE:
        _fire_again(draft)
    danger = rose or new_rules or draft.incident.level == EMERGENCY
    if before.state is State.ACKNOWLEDGED and danger:
        void_acknowledgement(draft, {"rule": top.rule})
    elif rose:
        worsen(draft, {"rule": top.rule})
    else:
        _join(draft, news, new_rules, before)
        if before.is_paused:
            resume(draft)


def _join(draft: Draft, news: News, new_rules: Sequence[str], before: Incident) -> None:
    """Another alert, or another rule at no higher level: the threads hear of it; new channels are paged."""
    first = news.fired[0]
    words = {"rule": first.rule, "alerts": str(len(news.fired)), "summary": _title(first)}
    fact, reason = Fact.ALERT_JOINED, Reason.ALERT_JOINED
    if new_rules:
        fact, reason = Fact.RULE_JOINED, Reason.RULE_JOINED
        words["rule"] = ", ".join(dict.fromkeys(new_rules))
    draft.enter(fact, **words)
    if draft.incident.type != NOT_WIRED:  # on a first install there are dozens: its page lists them
        tell_threads(draft, Kind.NOTICE, reason, words)
    if draft.incident.state is State.OPEN:
        planned = draft.book.playbook.plan(before).channels
        page_more(draft, reason, [name for name in draft.plan.channels if name not in planned], words)


def _fire_again(draft: Draft) -> None:
    """It fired again before its recovery was believed."""
    draft.disarm(Window.VERIFY, Window.CONFIRM_REMINDER)
    draft.set(recovery=Recovery.NONE, recovered_at=None, confirmed_by=())
    draft.enter(Fact.FIRED_AGAIN)
    if draft.incident.state is State.ACKNOWLEDGED and Window.ACK_EXPIRY not in draft.incident.windows:
        renew_acknowledgement(draft)


def _clear(draft: Draft, news: News, *, truncated: bool) -> None:
    """Of a truncated group more may fire than we know: the last clearing known proves nothing then."""
    last = max(news.cleared, key=_cleared_at)
    if _cleared_at(last)[0] >= (draft.incident.cleared_at or 0):
        draft.set(twin_cleared_last=last.twin or truncated, cleared_at=_cleared_at(last)[0])
    elif truncated:
        draft.set(twin_cleared_last=True)
    draft.enter(Fact.ALERT_CLEARED, rule=last.rule, alerts=len(news.cleared), firing=sum(draft.incident.firing))
    if draft.incident.is_live and not draft.incident.is_firing:
        begin_recovery(draft)


def _cleared_at(alert: Alert) -> tuple[Instant, bool]:
    """When, and at one time the twin is the later."""
    return alert.ended_at or alert.starts_at, alert.twin


def _say_found(draft: Draft, event: AlertsReceived, news: News) -> None:
    if event.found:
        rules = dict.fromkeys(alert.rule for alert in (*news.fired, *news.cleared))
        draft.enter(Fact.RECONCILED, found=event.found, rule=", ".join(rules))


def _say_doubts(draft: Draft, news: News) -> None:
    for note in dict.fromkeys(alert.level_note for alert in news.fired if alert.level_note):
        draft.enter(Fact.LEVEL_UNKNOWN, note=note)


def _title(alert: Alert) -> str:
    if alert.type == NOT_WIRED:
        return "Not wired yet: Prometheus has never seen some of the policy's signals"
    text = alert.annotations.get("summary") or alert.annotations.get("description") or alert.type
    line = " ".join(text.split())
    where = _where(alert.labels, line)
    room = TITLE_LIMIT - len(where)
    return f"{line if len(line) <= room else line[: room - 1] + '…'}{where}"


def _where(labels: Mapping[str, str], said: str) -> str:
    """Which SLO, and which system: the first thing that whoever is woken wants to know."""
    slo, system = (" ".join(labels.get(name, "").split())[:WHERE_LIMIT] for name in ("slo", "system"))
    told = f" ({slo})" if slo and slo not in said else ""
    return f"{told} on {system}" if system and system not in said else told


def _identity_labels(alerts: Sequence[Alert]) -> dict[str, str]:
    """The labels that all of the alerts share."""
    shared = dict(alerts[0].labels)
    for alert in alerts[1:]:
        shared = {name: value for name, value in shared.items() if alert.labels.get(name) == value}
    return shared
