"""Makes a Message from notifications and their incidents. The dispatcher calls `MessageRenderer.render` when it sends.

Time, policy and Tocsin's address are arguments. If a policy's template fails, the page is sent with Tocsin's own text,
which says so. Another process fills Jinja2 templates, which may take a second: never call `MessageRenderer.render` on
an event loop.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from receiver.core.closing import wants_sign_off
from receiver.core.model import Alert, Incident, Instant, Kind, Notification, Reason, Recovery, State, Target
from receiver.core.occurrences import begun_at, trouble_since
from receiver.core.plan import DecisionContext
from receiver.messages.incident_text import RECOVERED, IncidentText, brief, name, numbers, systems
from receiver.messages.lateness import holds
from receiver.messages.letter import CALM, COLOURS, EARLIER, Letter, Row, as_html, as_text
from receiver.messages.message import Message, Picture
from receiver.messages.notice_text import as_message, render_notice
from receiver.messages.placeholder_values import fill, values
from receiver.messages.plain import cut, line
from receiver.messages.reasons import COUNTED, LABELS, held_notices, label, lead
from receiver.messages.short import short, short_bundle, short_news, short_update, speak, speak_bundle
from receiver.messages.times import Manner
from receiver.messages.unsaid import unsaid
from rules.placeholders import TemplateError

SEVERITIES = {1: "info", 2: "warning", 3: "error", 4: "critical"}
"""PagerDuty's names of the severities."""

ROWS = 10
"""Incidents of a bundle that are named with their titles; the others with their numbers."""

EARLIER_FACT = 120
"""Maximum characters of a cause, fix or lesson of an earlier incident."""

HEADLINE = 150
"""Characters of a headline that chat programs show."""

EVENTS = {
    Kind.ACKNOWLEDGED: "acknowledged",
    Kind.UPDATE: "updated",
    Kind.RESOLVED: "resolved",
}

REPLY = "To acknowledge by mail: reply with ack as the first line, alone."
REPLY_TO_ALL = "To acknowledge all of these by mail: reply with ack as the first line, alone."
FOR_APPROVERS = "For approvers:"
"""How to approve what waits; others read the message too."""

OPENING = frozenset({Reason.OPENED, Reason.RECURRED})
SELF_EXPLAINING = frozenset({*EVENTS, Kind.BREACH, Kind.REPORT})
"""Kinds whose first sentence already contains the label."""


class Telling(Protocol):
    """The content of one message (the engine's Delivery)."""

    @property
    def items(self) -> Sequence[tuple[Notification, Incident]]:
        """One notification and its incident; several in a bundle."""

    @property
    def name(self) -> str:
        """The name that an answer refers to: the notification's id, or the bundle's name."""

    @property
    def context(self) -> DecisionContext:
        """The policy version of the (first) incident, and the current one."""

    @property
    def alerts(self) -> Mapping[str, Sequence[Alert]]:
        """Incident id → the first of its alerts that fire now."""


@dataclass(frozen=True, slots=True)
class MessageRenderer:
    """Makes messages. `external_url`: where people reach Tocsin; None: messages have no links."""

    external_url: str | None = None
    installation: str = ""
    sms_replies: bool = True
    """Whether answers to an SMS reach Tocsin."""
    ack_url: Callable[[Incident, str], str] | None = None
    """Returns a message's own link to acknowledge by, from the (first) incident and the message's name."""
    answer_token: Callable[[Incident, str], str] | None = None
    """Returns the token with which an answer names its message, from the same."""
    answered_types: Container[str] = ()
    """Channel types from which such answers reach Tocsin."""

    def render(
        self, delivery: Telling, now: Instant, picture: Picture | None = None, earlier: Sequence[Incident] = ()
    ) -> Message:
        """Returns the message for one delivery, as of `now`. `picture`: the incident's signals; bundles have none.
        `earlier`: closed similar incidents; a page states their cause, fix and lesson.
        """
        if len(delivery.items) > 1:
            return self._bundle(delivery, now)
        notification, incident = delivery.items[0]
        if notification.kind is Kind.EXTERNAL:
            return as_message(notification, self.case(incident, delivery.context, now))
        case = replace(
            self._read_case(incident, delivery, now),
            ack_url=self._link(delivery),
            asks_reader=_is_asked(notification, incident),
        )
        return self._single(notification, case, picture, earlier, self._answer_token(delivery))

    def _link(self, delivery: Telling) -> str:
        """Only for channels that one person reads: following the link acknowledges without a login."""
        facts = delivery.context.facts(delivery.items[0][0].channel)
        if self.ack_url is None or not _wants_answer(delivery) or facts is None or not facts.shows_link:
            return ""
        return self.ack_url(delivery.items[0][1], delivery.name)

    def _answer_token(self, delivery: Telling) -> str:
        facts = delivery.context.facts(delivery.items[0][0].channel)
        if self.answer_token is None or facts is None or facts.name not in self.answered_types:
            return ""
        return self.answer_token(delivery.items[0][1], delivery.name) if _wants_answer(delivery) else ""

    def case(
        self, incident: Incident, context: DecisionContext, now: Instant, alerts: Sequence[Alert] = ()
    ) -> IncidentText:
        """Returns the incident as texts show it. `alerts`: the first of those that fire now."""
        return IncidentText(incident, context, now, self._page_url(incident), alerts=alerts)

    def _page_url(self, incident: Incident) -> str:
        return f"{self.external_url.rstrip('/')}/incidents/{incident.number}" if self.external_url else ""

    def _read_case(self, incident: Incident, delivery: Telling, now: Instant) -> IncidentText:
        """Returns the incident as readers of the message's channel see it."""
        channel = delivery.context.channel(delivery.items[0][0].channel)
        zone = channel.time_zone if channel else None
        case = self.case(incident, delivery.context, now, delivery.alerts.get(incident.id, ()))
        return replace(case, zone_of_channel=zone or "")

    def _single(
        self,
        notification: Notification,
        case: IncidentText,
        picture: Picture | None,
        earlier: Sequence[Incident],
        answer_token: str,
    ) -> Message:
        case = replace(case, news=notification.data.get("summary", ""))
        letter, unfilled = _letter(notification, case)
        letter = replace(letter, picture=picture.words if picture else "", reply=REPLY if answer_token else "")
        if earlier and case.live:
            pages = ((f"Earlier: #{each.number}", self._page_url(each)) for each in earlier)
            told = tuple(_came_to(each, case) for each in earlier)
            letter = replace(letter, earlier=told, links=(*letter.links, *(each for each in pages if each[1])))
        incident, spoken = case.incident, _spoken(case)
        return Message(
            subject=letter.subject,
            text=as_text(letter),
            html=as_html(letter),
            short=short_update(case, letter.lead, _approving_shortly(notification, case))
            if notification.kind in {Kind.UPDATE, Kind.APPROVAL}
            else short(case, *_state_or_label(case, notification), replies=self.sms_replies),
            speech=speak(spoken, lead(notification, spoken)),
            headline=_headline(case),
            facts=(*letter.facts[:1], ("State", case.stands), *letter.facts[1:]),
            paragraphs=_paragraphs(letter),
            links=letter.links,
            level=incident.level,
            severity=SEVERITIES[incident.level],
            lead=letter.lead
            if notification.kind in SELF_EXPLAINING
            else f"{letter.label}: {letter.lead}".removeprefix(": "),
            live=case.live,
            asks_reader=case.asks_reader,
            wants_sign_off=wants_sign_off(case.incident, case.context.policy_version),
            level_name=letter.level,
            system=case.system,
            actions=letter.actions,
            labels=letter.labels,
            acknowledge=case.ack_url,
            answer_token=answer_token,
            command=letter.command,
            instants=case.instants,
            unfilled=unfilled,
            firing=case.firing.document,
            picture=picture,
        )

    def _bundle(self, delivery: Telling, now: Instant) -> Message:
        items = sorted(delivery.items, key=_worst_first)
        cases = [
            replace(self._read_case(incident, delivery, now), news=notification.data.get("summary", ""))
            for notification, incident in items
        ]
        console = f"{self.external_url.rstrip('/')}/" if self.external_url else ""
        link = self._link(delivery)
        notifications = [notification for notification, _ in items]
        pages = notifications[0].kind is Kind.PAGE
        make = _bundle_letter if pages else _news_letter
        answer_token = self._answer_token(delivery)
        label_of_all = _common_label(notifications, cases) if pages else ""
        letter = replace(
            make(notifications, cases, console, link),
            label=label_of_all,
            reply=REPLY_TO_ALL if answer_token else "",
        )
        spoken = [_spoken(case) for case in cases]
        worst = max(case.incident.level for case in cases)
        return Message(
            subject=letter.subject,
            text=as_text(letter),
            html=as_html(letter),
            short=short_bundle(cases, label_of_all, link, replies=self.sms_replies)
            if pages
            else short_news(cases, letter.lead),
            speech=speak_bundle(spoken, letter.title, make(notifications, spoken, console, link).lead),
            headline=_headline_of_many(cases, letter.title),
            facts=letter.facts,
            paragraphs=_paragraphs(letter),
            links=letter.links,
            level=worst,
            severity=SEVERITIES[worst],
            lead=letter.lead,
            live=pages and any(case.live for case in cases),
            count=len(cases),
            level_name=letter.level,
            acknowledge=link,
            answer_token=answer_token,
            command=letter.command,
            instants={words: at for case in cases for words, at in case.instants.items()},
        )


def _worst_first(item: tuple[Notification, Incident]) -> tuple[bool, int]:
    """Sort key: short media describe the first only, so it is the worst, and no exercise beside a real incident."""
    _, incident = item
    return incident.exercise, -incident.level


def _wants_answer(delivery: Telling) -> bool:
    """Whether it is a page that an acknowledgement answers."""
    is_page = delivery.items[0][0].kind is Kind.PAGE
    return is_page and any(incident.wants_answer for _, incident in delivery.items)


def _came_to(earlier: Incident, case: IncidentText) -> str:
    """Returns cause, fix and lesson of an earlier incident on one line."""
    named = {"cause": "root_cause", "fix": "fix_description", "lesson": "lessons_learned"}
    facts = ((what, line(earlier.facts.get(fact, ""), EARLIER_FACT)) for what, fact in named.items())
    said = ", ".join(f"{what}: {fact}" for what, fact in facts if fact)
    day = case.stamp(earlier.opened_at).partition(" ")[0]
    return f"#{earlier.number} of {day} ({line(earlier.type, 60)}): {said or 'nothing was written down'}"


def _spoken(case: IncidentText) -> IncidentText:
    return replace(case, manner=Manner.SPOKEN)


def _state_or_label(case: IncidentText, notification: Notification) -> tuple[str, str]:
    """Returns (text, person) where there is room for one of: recovery, label, or the state of an incident that is not
    open. A call for help is combined with a recovery.
    """
    said, by = label(notification, case), name(notification.data.get("by", ""))
    if case.incident.declared and notification.reason is Reason.OPENED and case.awaits_answer:
        return "declared" if by else "", by
    asks = case.incident.response.asked_by or (by and notification.reason is Reason.ESCALATED)
    if case.recovered and case.live and asks:
        said = f"{said or LABELS[Reason.HELP]}, {RECOVERED[case.incident.recovery]}"
    elif not said or case.recovered or said.lower() in case.state_words:
        state = "" if case.awaits_answer else case.state_words.removeprefix("open, ")
        return state, by if said.lower() in state.split(", ") else ""
    return said, by


def _letter(notification: Notification, case: IncidentText) -> tuple[Letter, str]:
    """Returns the letter, and why the policy's template is not in it; empty: it is, or none is due."""
    said = label(notification, case)
    body, unfilled = _from_policy(notification, case)
    paging = notification.kind is Kind.PAGE and case.live
    why = lead(notification, case)
    letter = Letter(
        subject=line(case.subject),
        level=line(case.level.name),
        colour=COLOURS[case.incident.level] if case.live else CALM,
        exercise=case.incident.exercise,
        state=case.state_words,
        label="" if said.lower() in case.state_words else said,
        number=case.number,
        title=case.what,
        lead=why,
        stands=_sentence(unsaid(case.stands, why)),
        description=case.firing.description if case.live else "",
        meaning=_sentence(line(case.level.description)) if paging else "",
        actions=case.first_actions if paging else (),
        body=body,
        button=_button(case),
        command=_approving(notification, case) or _command(case),
        facts=tuple(_facts(case)),
        labels=case.labels,
        links=case.links,
    )
    return letter, unfilled


def _from_policy(notification: Notification, case: IncidentText) -> tuple[str, str]:
    """Returns the filled policy templates, each under its subject, and an error text if they cannot be filled.

    The policy's subject heads the text and is not the mail's subject: "INCIDENT RESOLVED" would stay in a thread's list
    of subjects when the incident is open again, and two emergencies of one type would have the same subject.
    """
    templates = case.policy.templates
    resolved_at = case.incident.resolved_at
    at = (
        (templates.initial, trouble_since(case.incident)),
        (templates.update, None),
        (templates.resolution, resolved_at),
    )
    opening = notification.kind is Kind.PAGE and notification.reason in OPENING
    is_of_help = notification.reason is Reason.WITHDRAWN or "helps" in notification.data
    is_event = holds(notification, case) and not (is_of_help or "again" in notification.data)
    event = "opened" if opening else EVENTS.get(notification.kind, "") if is_event else ""
    due = [(template, event_at) for template, event_at in at if template.send_on == event]
    try:
        filled = ((each, values(case, event_at)) for each, event_at in due)
        texts = [f"{fill(each.subject, filling)}\n\n{fill(each.body, filling)}" for each, filling in filled]
        return "\n\n".join((*texts, *_waiting_texts(notification, case))), ""
    except TemplateError as error:
        unfilled = line(str(error))
        return f"The policy's template cannot be filled ({unfilled}); these are Tocsin's own words.", unfilled


def _waiting_texts(notification: Notification, case: IncidentText) -> list[str]:
    """Returns the full texts that wait for approval, for the approvers. Raises TemplateError."""
    held = held_notices(notification, case)
    texts = ((each, (each.subject, each.body) if each.edited_by else render_notice(each, case)) for each in held)
    return [f"{each.id} to {line(each.group)}:\n\n{subject}\n\n{body}" for each, (subject, body) in texts]


def _facts(case: IncidentText) -> list[tuple[str, str]]:
    """Returns (label, value), the most important first (the level); unknown values are left out."""
    incident = case.incident
    rules = [line(key) for key in incident.rules]
    since = case.time(case.firing.since) if case.firing.since else ""
    declared = "declared by a person" if incident.declared else "none firing"
    facts = (
        ("Level", f"{incident.level} {case.level.name}"),
        ("Value", "" if len(case.firing.units) > 1 else case.value_told),
        ("Condition", case.conditions),
        ("Alerts", case.firing.counted or declared),
        ("Impact", cut(case.impact, 500)),
        ("Type", _kind(case)),
        ("Opened", case.time(incident.opened_at)),
        ("Back since", case.time(begun_at(incident)) if incident.response.occurrences else ""),
        ("Next update", f"by {case.next_update}" if case.next_update else ""),
        ("Firing since", since if since != case.time(incident.opened_at) else ""),
        ("Rules", cut(", ".join(rules), 500) if len(rules) > 1 else ""),
        ("Recurrences", str(incident.recurrences or "")),
    )
    return [(name, value) for name, value in facts if value]


def _kind(case: IncidentText) -> str:
    """Returns the incident type, with its description unless the title contains it."""
    said = line(case.kind.description) if case.kind else ""
    return f"{case.type}: {said}" if said and said not in case.title else case.type


def _headline(case: IncidentText) -> str:
    """Returns the headline. A state other than open comes first: the title may describe what is over."""
    exercise = "EXERCISE" if case.incident.exercise else ""
    help_wanted = "help wanted" if case.live and case.incident.response.asked_by else ""
    state = (help_wanted or case.state_words.removeprefix(State.OPEN).lstrip(", ")).upper()
    words = (exercise, state, case.number, f"{case.level.name.upper()}:")
    before = " ".join(filter(None, words))
    return f"{before} {case.what_in(HEADLINE - len(before) - 1)}"


def _headline_of_many(cases: list[IncidentText], title: str) -> str:
    worst = max(cases, key=lambda case: case.incident.level)
    exercise = "EXERCISE: " if all(case.incident.exercise for case in cases) else ""
    return line(f"{exercise}{worst.level.name.upper()}: {title}")


def _is_asked(notification: Notification, incident: Incident) -> bool:
    """Whether a message goes to a person whom the incident pages, not to a stakeholder or approver."""
    target = Target(notification.channel, notification.recipient)
    return notification.kind is Kind.PAGE or target in incident.paged


def _button(case: IncidentText) -> tuple[str, str] | None:
    if not case.page_url:
        return None
    if case.wants_answer:
        return f"Acknowledge {case.number}", case.ack_url or case.page_url
    return f"Open {case.number}", case.page_url


def _approving(notification: Notification, case: IncidentText) -> str:
    """Returns the commands that approve the notices which wait; empty: the message is of none."""
    held = held_notices(notification, case)
    commands = " and ".join(f"tocsin approve {case.incident.number} {each.id}" for each in held)
    return f"{FOR_APPROVERS} {commands}" if held else ""


def _approving_shortly(notification: Notification, case: IncidentText) -> str:
    """Returns the page on which the notices wait, without a page the commands; empty: the message is of none."""
    commands = _approving(notification, case)
    return f"{FOR_APPROVERS} {case.page_url}#notices" if commands and case.page_url else commands


def _command(case: IncidentText) -> str:
    if case.wants_answer:
        return f"To acknowledge: tocsin acknowledge {case.incident.number}"
    if case.asks_reader and case.live and case.incident.recovery in {Recovery.CONFIRM, Recovery.UNVERIFIED}:
        return f"To confirm: tocsin resolve {case.incident.number}"
    return ""


def _paragraphs(letter: Letter) -> tuple[str, ...]:
    """For chat: the parts that headline, lead, facts, actions and labels leave out."""
    rows = "\n".join(f"{row.number} {row.title} ({row.stands})" for row in letter.rows)
    parts = (
        letter.description,
        "\n".join((EARLIER, *letter.earlier)) if letter.earlier else "",
        letter.meaning and f"{letter.level.capitalize()} means: {letter.meaning}",
        rows and rows + (f"\nand {letter.more} more" if letter.more else ""),
        letter.body,
    )
    return tuple(part for part in parts if part)


def _bundle_letter(notifications: Sequence[Notification], cases: list[IncidentText], console: str, link: str) -> Letter:
    letter = _list_letter([case.stands for case in cases], cases, console)
    return replace(
        letter,
        lead=" ".join(filter(None, (_why_together(notifications, cases), _until_when(cases)))),
        button=(f"Acknowledge these {len(cases)}", link) if link else letter.button,
        command="To acknowledge some: tocsin acknowledge NUMBER NUMBER …",
    )


def _news_letter(notifications: Sequence[Notification], cases: list[IncidentText], console: str, _link: str) -> Letter:
    """Returns news of several incidents; for each the first words of its own message."""
    told = [line(lead(each, case)) for each, case in zip(notifications, cases, strict=True)]
    letter = _list_letter(told, cases, console)
    alive = any(case.live for case in cases)
    return replace(letter, lead=f"News: {_reasons(notifications, cases)}.", colour=letter.colour if alive else CALM)


def _list_letter(told: Sequence[str], cases: list[IncidentText], console: str) -> Letter:
    """`told`: the text for each incident beside its title."""
    worst = max(cases, key=lambda case: case.incident.level)
    of = [case.incident.number for case in cases]
    where = systems(cases)
    title = f"{len(cases)} incidents{f' on {where}' if where else ''}: {brief(of)}"
    states = Counter(case.state_words for case in cases)
    exercise = all(case.incident.exercise for case in cases)
    rows = [
        Row(case.number, f"{'EXERCISE ' if case.incident.exercise else ''}{case.what}", said, case.page_url)
        for case, said in zip(cases[:ROWS], told, strict=False)
    ]
    return Letter(
        subject=line(f"{'EXERCISE: ' if exercise else ''}{title}"),
        level=line(worst.level.name),
        colour=COLOURS[worst.incident.level],
        exercise=exercise,
        state="; ".join(f"{count} {state}" for state, count in states.items())
        if len(states) > 1
        else next(iter(states)),
        label="",
        number="",
        title=title,
        lead="",
        button=("Open the console", console) if console else None,
        facts=(("Level", f"{worst.incident.level} {worst.level.name}"), ("Incidents", numbers(of))),
        links=(("Console", console),) if console else (),
        rows=rows,
        more=max(0, len(cases) - ROWS),
    )


def _until_when(cases: list[IncidentText]) -> str:
    """Returns by when the open incidents must be acknowledged."""
    due = min((case.incident.response_due_at for case in cases if case.awaits_answer), default=None)
    if due is None:
        return ""
    told = cases[0].time(due)
    return (
        f"Acknowledge each now: the first was due by {told}."
        if due < cases[0].now
        else (f"Acknowledge each, the first by {told}.")
    )


def _why_together(notifications: Sequence[Notification], cases: list[IncidentText]) -> str:
    """States that many pages are combined, and the reasons unless all of them opened."""
    if all(each.reason is Reason.OPENED for each in notifications):
        return "So many opened at once that they come together."
    return f"So many pages at once that they come together: {_reasons(notifications, cases)}."


def _common_label(notifications: Sequence[Notification], cases: list[IncidentText]) -> str:
    """Returns the label of all pages; empty: they have several, or none."""
    labels = {label(each, case) for each, case in zip(notifications, cases, strict=True)}
    return labels.pop() if len(labels) == 1 else ""


def _reasons(notifications: Sequence[Notification], cases: list[IncidentText]) -> str:
    """Returns the count of each reason: "12 escalated, 3 opened"; of incidents that changed since, their state."""
    reasons = Counter(_reason(each, case) for each, case in zip(notifications, cases, strict=True))
    return ", ".join(f"{count} {why}" for why, count in reasons.items())


def _reason(notification: Notification, case: IncidentText) -> str:
    said = label(notification, case)
    said = COUNTED.get(said, said.lower())
    is_new = notification.kind is Kind.PAGE and notification.reason is Reason.OPENED and case.awaits_answer
    return said or ("opened" if is_new else case.state_words.removeprefix("open, "))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""
