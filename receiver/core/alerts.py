"""Effects of alerts on an incident: they open it, join it, raise its level, let it recover. Repeats change nothing.

Absence from a payload never resolves an alert (CONTRACTS A.1).
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from receiver.core.classify import NOT_WIRED
from receiver.core.draft import Draft, Effects
from receiver.core.episodes import Hearing, News, compare, fires, is_over, sift
from receiver.core.events import AlertsReceived, EchoesListed, Event
from receiver.core.flapping import cease, flap
from receiver.core.impact import note_impacts
from receiver.core.lifecycle import (
    await_verification,
    begin_recovery,
    new_incident,
    recur,
    renew_acknowledgement,
    take_risen_level,
    void_acknowledgement,
)
from receiver.core.measured import is_told, measured, without_value
from receiver.core.model import UNIT_LABELS, Alert, Fact, Incident, Instant, Kind, Reason, Recovery, State, Window
from receiver.core.paging import lift_silence, page_more, start_paging, tell_threads
from receiver.core.plan import DecisionContext
from receiver.core.silences import resume
from receiver.core.staleness import is_worth_noting, note_heard
from receiver.core.unheeded import heed, keep_recorded, note_unheeded, record
from receiver.core.upkeep import keep_up
from rules.policy import EMERGENCY, INFORMATIONAL
from rules.reserved import FAIL_THROUGH, MARK, MARKED, PASSING_LABELS

WHERE_LIMIT = 60
"""Maximum characters of a system's name in a title."""
TITLE_LIMIT = 160
"""Maximum characters of an incident's title."""


def receive(
    incident: Incident | None, event: AlertsReceived, known: Mapping[str, Alert], now: Instant, context: DecisionContext
) -> Effects:
    """Decide on received alerts. `known`: the stored alerts with the event's fingerprints."""
    hearing = Hearing(
        now, event.source, event.told_by, event.peers_differ, context.is_blind(event.source), context.cluster
    )
    news = sift(_with_known_starts(event.alerts, known), known, hearing)
    if not news:
        return _repeat(incident, event, now, context)
    if incident is None:
        return _open(event, news, now, context)
    draft = Draft(incident, now, context, known)
    note_heard(draft)
    keep_recorded(draft)
    _say_found(draft, event, news)
    _take(draft, news, truncated=event.truncated)
    return draft.effects()


def loses_title(incident: Incident, event: Event, known: Mapping[str, Alert]) -> bool:
    """Whether the event may end the alert that the title names, and names no other firing alert to take its place."""
    told = [each for each in event.alerts if each.fingerprint in known] if isinstance(event, AlertsReceived) else []
    if any(each.firing and known[each.fingerprint].firing for each in told) or sum(incident.firing) < 2:
        return False
    ending = [known[each.fingerprint] for each in told]
    ending = ending or [each for each in known.values() if each.held_until is not None]
    return any(each.firing and title_of(each) == incident.title for each in ending)


def pass_echo_window(draft: Draft) -> None:
    """Held alerts whose window has passed take the state that was last told of them."""
    held = _held(draft)
    due = {name: each for name, each in held.items() if (each.held_until or 0) <= draft.now}
    if due:
        after = {
            name: is_over(each) if each.firing else fires(each, draft.now, proved=False) for name, each in due.items()
        }
        _settle(draft, due, after, "its end was not heard again")
    left = [each.held_until or draft.now for name, each in held.items() if name not in due]
    if left:
        draft.arm(Window.ECHO, min(left))


def take_listing(draft: Draft, event: EchoesListed) -> bool:
    """Apply Alertmanager's list to the held alerts; returns whether anything changed."""
    held = _held(draft)
    after = {name: fires(each, draft.now, proved=True) for name, each in held.items() if name in event.listed}
    after |= {name: is_over(each) for name, each in held.items() if name in event.unlisted}
    if after:
        _settle(draft, held, after, "Alertmanager lists it")
    return bool(after)


def _held(draft: Draft) -> dict[str, Alert]:
    return {name: each for name, each in draft.known.items() if each.held_until is not None}


def _settle(draft: Draft, held: Mapping[str, Alert], after: Mapping[str, Alert], why: str) -> None:
    """Apply the known states of held alerts; `why` is for the timeline."""
    believed = sum(each.firing and not held[name].firing for name, each in after.items())
    if believed:
        draft.enter(Fact.ECHO_BELIEVED, alerts=believed, why=why)
    _take(draft, compare(held, after))


def _take(draft: Draft, news: News, *, truncated: bool = False) -> None:
    before = draft.incident
    _count(draft, news)
    _hold(draft, news)
    news = _heeded(draft, news)
    if news.fired:
        _fire(draft, news, before)
        note_impacts(draft, news.fired)
    if news.cleared:
        _clear(draft, news, truncated=truncated)
    if news.flashed:
        _flash(draft, news.flashed, before)
    _keep_name_true(draft, news)
    keep_up(draft)


def _with_known_starts(received: Sequence[Alert], known: Mapping[str, Alert]) -> list[Alert]:
    """A firing alert whose sender gives no start keeps its stored start: it is no new episode."""
    found = []
    for alert in received:
        old = known.get(alert.fingerprint)
        goes_on = alert.start_unknown and old is not None and old.firing
        found.append(replace(alert, starts_at=old.starts_at) if goes_on and old else alert)
    return found


def _heeded(draft: Draft, news: News) -> News:
    """The news of alerts above level 0; the others are noted in the timeline."""
    note_unheeded(draft, [each for each in (*news.fired, *news.cleared, *news.flashed) if not each.level])
    sorts = (news.fired, news.cleared, news.flashed)
    fired, cleared, flashed = (tuple(each for each in some if each.level) for some in sorts)
    return replace(news, fired=fired, cleared=cleared, flashed=flashed)


def _repeat(incident: Incident | None, event: AlertsReceived, now: Instant, context: DecisionContext) -> Effects:
    """Without news only the time of hearing is stored, at intervals."""
    fires = any(alert.firing for alert in event.alerts)
    if incident is None or not (fires and incident.is_heard and is_worth_noting(incident, now)):
        return Effects()
    draft = Draft(incident, now, context)
    note_heard(draft)
    keep_recorded(draft)
    return draft.effects()


def _open(event: AlertsReceived, news: News, now: Instant, context: DecisionContext) -> Effects:
    opening = _opening(news)
    if not opening:
        return Effects()
    top = max(opening, key=lambda alert: alert.level)
    level = max(top.level, INFORMATIONAL)
    named = max(opening, key=lambda alert: (alert.firing, alert.level))
    title = title_of(named)
    draft = Draft(new_incident(event.key, now, context, level, top.type, title), now, context)
    occurred_at = min(now, *(each.starts_at for each in opening))
    draft.set(source=event.source, labels=_identity_labels(opening), occurred_at=occurred_at)
    _count(draft, news)
    if not top.level:
        record(draft, top)
        _say_found(draft, event, news)
        return draft.effects()
    summary = title if top is named else title_of(top)
    draft.enter(Fact.OPENED, level=top.level, rule=top.rule, alerts=len(opening), summary=summary)
    _say_found(draft, event, news)
    _say_doubts(draft, news)
    note_impacts(draft, opening)
    start_paging(draft, Reason.OPENED)
    if news.flashed:
        _say_flash(draft, news.flashed)
    if not draft.incident.is_firing:
        begin_recovery(draft)
    keep_up(draft)
    return draft.effects()


def _opening(news: News) -> tuple[Alert, ...]:
    """The alerts that open an incident: those that fired (of level 0 only if there are no others), and flashed ones
    that are an emergency or worse than all that fired.
    """
    fired = tuple(each for each in news.fired if each.level)
    least = min(EMERGENCY, 1 + max((each.level for each in fired), default=EMERGENCY))
    return (*fired, *(each for each in news.flashed if each.level >= least)) or news.fired


def _count(draft: Draft, news: News) -> None:
    """Store the alerts, and what the incident counts of them."""
    firing = list(draft.incident.firing)
    rules = dict(draft.incident.rules)
    for level in filter(None, news.level_before.values()):
        firing[level - 1] = max(0, firing[level - 1] - 1)
    for alert in news.fired:
        if alert.level:
            firing[alert.level - 1] += 1
    for alert in (*news.fired, *news.flashed):
        if alert.level:
            rules[alert.rule] = max(alert.level, rules.get(alert.rule, 0))
    for alert in news.kept:
        draft.keep(alert)
    told = {alert.fingerprint: alert.absent for alert in (*news.fired, *news.cleared)}
    absent = [each for each in draft.incident.absent if each not in told] + [each for each in told if told[each]]
    held = max(0, draft.incident.held + news.held_more)
    draft.set(firing=tuple(firing), rules=rules, absent=tuple(absent), held=held)


def _keep_window(draft: Draft, held: Sequence[Alert]) -> Instant:
    """Keep the echo window at the earliest `held_until` of all; returns the earliest of `held`."""
    until = min(each.held_until or draft.now for each in held)
    draft.arm(Window.ECHO, min(until, draft.incident.windows.get(Window.ECHO, until)))
    return until


def _hold(draft: Draft, news: News) -> None:
    """Enter what is held, dropped and moved; keep the echo window."""
    if news.held:
        until = _keep_window(draft, news.held)
        draft.enter(Fact.ECHO_HELD, rule=news.held[0].rule, alerts=len(news.held), until=until)
    if news.doubted:
        until = _keep_window(draft, news.doubted)
        draft.enter(Fact.END_HELD, rule=news.doubted[0].rule, alerts=len(news.doubted), until=until)
    if news.confirmed:
        draft.enter(Fact.END_DROPPED, rule=news.confirmed[0].rule, alerts=len(news.confirmed))
    if news.dropped:
        draft.enter(Fact.ECHO_DROPPED, rule=news.dropped[0].rule, alerts=len(news.dropped))
    if not draft.incident.held:
        draft.disarm(Window.ECHO)
        if news.dropped:
            await_verification(draft)
    if news.moved:
        draft.enter(Fact.START_MOVED, rule=news.moved[0].rule, alerts=len(news.moved), began=news.moved[0].starts_at)


def _fire(draft: Draft, news: News, before: Incident) -> None:
    """Apply alerts that fired to an existing incident."""
    top = max(news.fired, key=lambda alert: alert.level)
    if before.recorded_only:
        heed(draft, news.fired, top, title_of(top))
        _say_doubts(draft, news)
        return
    words = {"rule": top.rule, "summary": title_with_value(top)}
    rose = top.level > before.level
    new_rules = [alert.rule for alert in news.fired if alert.rule not in before.rules]
    if rose:
        _rise(draft, top)
    if not before.is_firing:
        _retell(draft, news.fired)
    _say_doubts(draft, news)
    if before.state is State.RESOLVED:
        recur(draft, Reason.RECURRED, {"summary": title_with_value(top)})
        flap(draft, news.fired)  # if it flaps, it must be clear for longer before it resolves
        return
    lift_silence(draft)  # a silenced alert sends no webhook, so this one is not silenced
    if not rose and not new_rules and not before.is_paused and flap(draft, news.fired):
        return
    if before.recovery is not Recovery.NONE:
        _fire_again(draft, words["summary"])
    danger = new_rules or (draft.incident.level == EMERGENCY and not all(map(_asks_who_was_told, news.fired)))
    if rose:
        take_risen_level(draft, words)
    elif before.state is State.ACKNOWLEDGED and danger:
        void_acknowledgement(draft, words)
    else:
        _join(draft, news, new_rules, before)
        if before.is_paused:
            resume(draft)


def _asks_who_was_told(alert: Alert) -> bool:
    """Whether it only asks if Tocsin told of an emergency. An acknowledgement answers that, and stays valid."""
    return alert.labels.get("alertname") == FAIL_THROUGH and MARK in alert.annotations


def _rise(draft: Draft, top: Alert) -> None:
    draft.enter(Fact.LEVEL_ROSE, before=draft.incident.level, level=top.level, rule=top.rule)
    draft.set(level=top.level, type=top.type)
    if not draft.incident.declared and (top.firing or not draft.incident.is_firing):
        draft.set(title=title_of(top))


def _retell(draft: Draft, fired: Sequence[Alert]) -> None:
    """Take title and labels from the alerts that fire now, as no earlier one does."""
    if not draft.incident.declared:
        draft.set(title=title_of(max(fired, key=lambda alert: alert.level)), labels=_identity_labels(fired))


def _keep_name_true(draft: Draft, news: News) -> None:
    """If the alerts behind title or labels have cleared, name the worst known one that fires and the shared labels."""
    after = {**draft.known, **{each.fingerprint: each for each in news.kept}}
    left = [each for each in after.values() if each.firing and each.level]
    if not (news.cleared and left):
        return
    title = draft.incident.title
    if title in map(title_of, news.cleared) and title not in map(title_of, left):
        draft.set(title=title_of(max(left, key=lambda alert: (alert.level, -alert.starts_at))))
    own = draft.incident.labels.items()
    if not draft.incident.declared and not any(own <= each.labels.items() for each in left):
        is_all = len(left) == sum(draft.incident.firing)
        shared = _identity_labels(left).items()
        draft.set(labels=dict(shared if is_all else shared & own))


def _flash(draft: Draft, flashed: Sequence[Alert], before: Incident) -> None:
    """Apply alerts that fired and cleared between two webhooks: a higher level is new danger, and an emergency reopens
    a resolved incident.
    """
    top = max(flashed, key=lambda alert: alert.level)
    _say_flash(draft, flashed)
    words = {"rule": top.rule, "summary": title_with_value(top)}
    if draft.incident.recorded_only:
        if top.level == EMERGENCY:
            heed(draft, flashed, top, title_of(top))
            begin_recovery(draft)
        return
    if top.level > draft.incident.level:
        _rise(draft, top)
        if before.is_live:
            take_risen_level(draft, words)
    if before.state is State.RESOLVED and top.level == EMERGENCY:
        recur(draft, Reason.RECURRED, {"summary": title_with_value(top)})
    elif before.is_live:
        tell_threads(draft, Kind.NOTICE, Reason.FLASHED, {**words, "alerts": str(len(flashed))})
    if draft.incident.is_live and not draft.incident.is_firing and draft.incident.recovery is Recovery.NONE:
        begin_recovery(draft)


def _say_flash(draft: Draft, flashed: Sequence[Alert]) -> None:
    for alert in flashed:
        draft.enter(Fact.FLASHED, rule=alert.rule, began=alert.starts_at, ended=alert.ended_at or alert.starts_at)


def _join(draft: Draft, news: News, new_rules: Sequence[str], before: Incident) -> None:
    """A further alert, or a further rule at no higher level: tell the threads and page the plan's new channels."""
    first = news.fired[0]
    words = {"rule": first.rule, "alerts": str(len(news.fired)), "summary": title_with_value(first)}
    fact, reason = Fact.ALERT_JOINED, Reason.ALERT_JOINED
    if new_rules:
        fact, reason = Fact.RULE_JOINED, Reason.RULE_JOINED
        words["rule"] = ", ".join(dict.fromkeys(new_rules))
    elif before.recovery is not Recovery.NONE:
        reason = Reason.FIRED_AGAIN  # no other alert was firing
    draft.enter(fact, **words)
    if draft.incident.type != NOT_WIRED:  # a first install has dozens; the incident's page lists them
        tell_threads(draft, Kind.NOTICE, reason, words)
    if draft.incident.state is State.OPEN:
        planned = draft.context.policy_version.plan(before).channels
        page_more(draft, reason, [name for name in draft.plan.channels if name not in planned], words)


def _fire_again(draft: Draft, summary: str) -> None:
    draft.disarm(Window.VERIFY, Window.CONFIRM_REMINDER)
    draft.set(recovery=Recovery.NONE, recovered_at=None, confirmed_by=())
    draft.enter(Fact.FIRED_AGAIN, summary=summary)
    if draft.incident.state is State.ACKNOWLEDGED and Window.ACK_EXPIRY not in draft.incident.windows:
        renew_acknowledgement(draft)


def _clear(draft: Draft, news: News, *, truncated: bool) -> None:
    """In a truncated group unlisted alerts may fire: its clearing proves no recovery."""
    last = max(news.cleared, key=_cleared_at)
    if _cleared_at(last)[0] >= (draft.incident.cleared_at or 0):
        cleared_at = min(_cleared_at(last)[0], draft.now)  # the sender's clock may be ahead of ours
        draft.set(twin_cleared_last=last.twin or truncated, cleared_at=cleared_at)
    elif truncated:
        draft.set(twin_cleared_last=True)
    cease(draft, news.cleared)
    draft.enter(Fact.ALERT_CLEARED, rule=last.rule, alerts=len(news.cleared), firing=sum(draft.incident.firing))
    if draft.incident.is_live and not draft.incident.is_firing:
        begin_recovery(draft)


def _cleared_at(alert: Alert) -> tuple[Instant, bool]:
    """Sort key: time of the end; at equal times the twin is the later."""
    return alert.ended_at or alert.starts_at, alert.twin


def _say_found(draft: Draft, event: AlertsReceived, news: News) -> None:
    for alert in {alert.repairs: alert for alert in (*news.fired, *news.cleared) if alert.repairs}.values():
        draft.enter(Fact.ALERT_REPAIRED, rule=alert.rule, repairs="; ".join(alert.repairs))
    if event.found:
        rules = dict.fromkeys(alert.rule for alert in (*news.fired, *news.cleared, *news.held))
        draft.enter(Fact.RECONCILED, found=event.found, rule=", ".join(rules))


def _say_doubts(draft: Draft, news: News) -> None:
    for note in dict.fromkeys(alert.level_note for alert in news.fired if alert.level_note):
        draft.enter(Fact.LEVEL_UNKNOWN, note=note)


def title_of(alert: Alert) -> str:
    """The title of an incident that this alert opens."""
    if alert.type == NOT_WIRED:
        return "Not wired yet: Prometheus has never seen some of the policy's signals"
    text = alert.annotations.get("summary") or alert.annotations.get("description") or alert.type
    line = without_value(" ".join(text.split()), alert.annotations)
    where = _where(alert, line)
    room = TITLE_LIMIT - len(where)
    return f"{line if len(line) <= room else line[: room - 1] + '…'}{where}"


def title_with_value(alert: Alert) -> str:
    """The title of this alert, with its value if it has one."""
    title, value = title_of(alert), measured(alert)
    return title if is_told(value, title) else f"{title}: {value}"


def _where(alert: Alert, said: str) -> str:
    """SLO, system and unit, unless `said` names them: the responder needs these first."""
    named = ("slo", "system", next((name for name in _unit_labels(alert) if alert.labels.get(name)), ""))
    slo, system, unit = (" ".join(alert.labels.get(name, "").split())[:WHERE_LIMIT] for name in named)
    told = f" ({slo})" if slo and slo not in said else ""
    if system and system not in said:
        told += f" on {system}"
    if is_told(unit.partition(":")[0], f"{said}{told}"):
        return told
    return f"{told}{', ' if system or ' on ' in said else ' on '}{unit}"


def _unit_labels(alert: Alert) -> Iterable[str]:
    """Labels that name a unit; of a compiled rule's alert those where it is measured are left out: its sentence has the
    one that tells units apart.
    """
    is_ours = alert.annotations.get(MARK) == MARKED
    return (name for name in UNIT_LABELS if not (is_ours and name in PASSING_LABELS))


def _identity_labels(alerts: Sequence[Alert]) -> dict[str, str]:
    """The labels that all alerts share."""
    shared = dict(alerts[0].labels)
    for alert in alerts[1:]:
        shared = {name: value for name, value in shared.items() if alert.labels.get(name) == value}
    return shared
