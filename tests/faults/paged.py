"""Whom a page goes to, held against who is on call by plain counting: at every commit that plans one, and at every claim."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from receiver.core.model import Entry, Fact, Incident, Kind, Notification, Reason, Status
from receiver.core.plan import PolicyVersion
from rules.channel_types import CHANNEL_FACTS
from rules.policy import CRITICAL, Channel
from tests.faults.on_call import OnCall, reachable

JOINS = {Reason.FALLBACK, Reason.RULE_JOINED, Reason.REACH, Reason.HANDOFF}
"""Reasons that add a recipient to a page under way."""
STANDS = {Status.WAITING, Status.ACCEPTED, Status.DELIVERED}

By = Mapping[str, Mapping[str, str]]
"""Reference → person → where the schedule has them from."""


class WrongPageError(AssertionError):
    """A person is paged who is not on call, or the other way round."""


class Pager:
    """Knows whom the pages of a world with schedules must go to."""

    def __init__(self, on_call: OnCall, version: PolicyVersion) -> None:
        self.on_call, self.version = on_call, version

    def check_commit(
        self,
        before: Incident | None,
        after: Incident,
        entries: Sequence[Entry],
        known: Collection[Notification],
        now: int,
    ) -> None:
        """A decision was committed; `known`: all messages of the incident. Raises WrongPageError."""
        by, planned = self.on_call.at(now), before.sequence if before else 0
        fresh = [each for each in known if each.kind is Kind.PAGE and each.sequence > planned]
        waiting = [each for each in fresh if each.status is Status.WAITING]
        for each in waiting:
            self._check_recipient(each, by, after)
        self._check_once(known)
        serial = before.page.serial if before else 0
        steps = [each for each in fresh if each.reason not in JOINS and each.page == after.page.serial]
        if after.page.serial > serial and after.wants_answer and not after.is_paused:
            self._check_told(steps, after, known, by, planned)
            self._check_vacancies(after, entries, by, before.page.vacant if before else ())

    def check_claim(self, page: Notification, incident: Incident, now: int) -> None:
        """A page is about to leave: its recipient must be on call by then. Raises WrongPageError."""
        if page.kind is Kind.PAGE:
            self._check_recipient(page, self.on_call.at(now), incident)

    def check_open(self, incident: Incident, known: Iterable[Notification], now: int) -> None:
        """Time passed, and nothing was in the way: who is on call has heard of the page under way."""
        by = self.on_call.at(now)
        heard = {each.person for each in known if each.page == incident.page.serial and each.status in STANDS}
        for name in incident.page.told:
            for reference in self._references(name):
                for person in reachable(self.version.policy, name, by[reference]):
                    if person not in heard and not self._may_be_spared(person, incident, known):
                        raise WrongPageError(
                            f"{person} is on call by {reference}, and has not heard of #{incident.number}"
                        )

    def _check_recipient(self, page: Notification, by: By, incident: Incident) -> None:
        channel, person = self._channel(page.channel), self.version.policy.person(page.person)
        what = f"{page.id} to {page.person or page.recipient} on {page.channel} ({page.reason}, {page.via})"
        if not page.person:
            if page.recipient not in channel.recipients:
                raise WrongPageError(f"{what}: the channel does not name them")
            return
        if person is None or person.contact(channel.type) != page.recipient:
            raise WrongPageError(f"{what}: it is no contact of theirs")
        if page.recipient in channel.recipients:
            return
        references = {each for name in (page.channel, *incident.page.told) for each in self._references(name)}
        if page.leased_by:  # at the claim they may be on call by another reference than at first
            if not any(page.person in by[each] for each in references):
                raise WrongPageError(f"{what}: they are not on call any more, {by} is")
            return
        if page.person not in by.get(page.via, {}):
            raise WrongPageError(f"{what}: they are not on call, {by} is")
        if page.shift != by[page.via][page.person]:
            raise WrongPageError(f"{what}: not by {page.shift}, but by {by[page.via]}")
        if page.via not in references and page.page == incident.page.serial:
            raise WrongPageError(f"{what}: no channel of the page names {page.via}")

    def _check_once(self, known: Iterable[Notification]) -> None:
        """A person is told once by a page, however many references name them."""
        told: set[tuple[int, str, str]] = set()
        for each in (
            each for each in known if each.page and each.person and each.status in STANDS and not each.superseded
        ):
            key = each.page, self._channel(each.channel).type, each.recipient
            if key in told and each.reason not in {Reason.HANDOFF, Reason.REACH}:
                raise WrongPageError(f"{each.person} is told twice of page {each.page} of {each.incident_id}")
            told.add(key)

    def _check_told(
        self, pages: Sequence[Notification], after: Incident, known: Iterable[Notification], by: By, planned: int
    ) -> None:
        """Everybody who is on call for the step hears of it, on all that wakes from level 3 on."""
        whom = {each.person for each in pages}
        ways = {(self._channel(each.channel).type, each.recipient) for each in pages}
        earlier = [each for each in known if each.sequence <= planned]
        for name in self._step(after):
            channel = self._channel(name)
            for reference in self._references(name):
                for person in reachable(self.version.policy, name, by[reference]):
                    if self._may_be_spared(person, after, earlier):
                        continue
                    what = f"page {after.page.serial} of #{after.number}, step {after.step}: {person} is on call"
                    if person not in whom:
                        raise WrongPageError(f"{what} by {reference}, and is not told")
                    contact = (channel.type, dict(self.version.policy.person(person).contacts)[channel.type])  # type: ignore[union-attr]
                    if after.level >= CRITICAL and CHANNEL_FACTS[channel.type].wakes and contact not in ways:
                        raise WrongPageError(f"{what}, and {name} does not wake them")

    def _may_be_spared(self, person: str, incident: Incident, earlier: Iterable[Notification]) -> bool:
        known = self.version.policy.person(person)
        is_early = incident.step == 1 and incident.breached_at is None and not incident.response.asked_by
        was_told = any(each.person == person and (each.attempts or each.status in STANDS) for each in earlier)
        return known is not None and not known.repeat and is_early and was_told

    def _check_vacancies(self, after: Incident, entries: Sequence[Entry], by: By, before: Collection[str]) -> None:
        """Nobody on call is never silence: it is said, and the fallback and the next step are told at once."""
        vacant = {
            reference
            for name in self._step(after)
            for reference in self._references(name)
            if not reachable(self.version.policy, name, by[reference])
        }
        said = {
            each for entry in entries if entry.fact is Fact.NOBODY_ON_CALL for each in entry.data["whom"].split(", ")
        }
        facts = {each.fact for each in entries}
        if not vacant <= (said and said.union(before)):
            raise WrongPageError(f"nobody is on call by {vacant - said} for #{after.number}, and that is not said")
        if said and not (after.step and facts & {Fact.FALLBACK, Fact.FALLBACK_EXHAUSTED}):
            raise WrongPageError(f"nobody is on call for #{after.number}, and nobody else is told")

    def _step(self, incident: Incident) -> tuple[str, ...]:
        plan = self.version.plan(incident)
        return (plan.channels, plan.escalation, plan.breach)[min(incident.step, 2)]

    def _references(self, name: str) -> list[str]:
        return [each for each in self._channel(name).recipients if each.startswith("@")]

    def _channel(self, name: str) -> Channel:
        return self.version.channels[name]
