"""The lints by name: doubts about a usable policy, with the reasons.

`rules.lint.document_lints`, `rules.lint.policy_lints` and the receiver's proofs make Problems of them by `doubt`;
`tocsin check --explain NAME` shows the explanation; a policy allows one with a reason: ``lints: {allow: {NAME:
"why"}}``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from rules.channel_types import types_where
from rules.policy import Place
from rules.problems import Problem, Severity


@dataclass(frozen=True, slots=True)
class Doubt:
    """One lint."""

    severity: Severity
    """`error`: `check` fails. `note`: shown by ``check -v`` only."""
    explanation: str
    may_be_allowed: bool = True
    """Whether a policy may allow it with a reason."""


_WAKING = ", nor ".join(types_where(lambda facts: facts.wakes))
_QUIET = " and ".join(types_where(lambda facts: facts.is_quiet_fallback))

DOUBTS: Mapping[str, Doubt] = MappingProxyType(
    {
        "all-channels-disabled": Doubt(
            "warning", "Every channel has `enabled: false`. Incidents open, and nobody hears of any. Enable one."
        ),
        "nothing-detected": Doubt(
            "warning", "No detection rule and no incident type: only alerts made elsewhere would open incidents."
        ),
        "level-not-defined": Doubt(
            "warning", "A level that the policy leaves out is as in the guide. Define it if other times are meant."
        ),
        "level-order": Doubt(
            "warning", "A worse level has more time to respond than a milder one. Usually two values were swapped."
        ),
        "late-escalation": Doubt(
            "warning",
            "escalation_time is not shorter than response_time, so nobody further hears of the incident until the "
            "response time is over. Make it shorter: half of it is the guide's measure.",
        ),
        "unused-level": Doubt(
            "note",
            "No rule and no incident type has this level. Only alerts made elsewhere, or a person, can bring it about.",
        ),
        "unused-channel": Doubt(
            "note",
            "No rule, type, level, stakeholder group or `fallback` names this channel. It is told at a breach or as a "
            "fallback of its type at most. Name it where it is wanted, or leave it out.",
        ),
        "disabled-channels": Doubt(
            "warning", "A rule tells disabled channels only, so each of its pages goes to `fallback`, a minute late."
        ),
        "idle-duration": Doubt(
            "warning",
            "Only `monitoring` of post_incident_actions lasts for its `duration`: so long a resolved incident is "
            "watched. On another block it does nothing. Where a deadline is meant, write `time_limit`.",
        ),
        "obligation-without-incident": Doubt(
            "warning",
            "A reporting obligation whose sections, types and levels no rule and no incident type of the policy meets: "
            "only an incident that a person declares so, or a person who says that it applies, would have it.",
        ),
        "nobody-told": Doubt(
            "error",
            "A drill with every channel up reached nobody within the response time. Give the rule (or its level) a "
            "channel that is enabled and has a recipient; a phone recipient without a number reaches nobody by itself.",
            may_be_allowed=False,
        ),
        "single-channel": Doubt(
            "warning",
            "A drill with this one channel down reached nobody within the response time: it is the only way to reach a "
            f"person. Add another kind of channel, or one to `fallback` (levels 1 and 2 fall back to {_QUIET}).",
        ),
        "slow-without-channel": Doubt(
            "warning",
            "A drill with this one channel down reached a person only after the first escalation, because no fallback "
            "was left before it. Add a channel, or one to `fallback`.",
        ),
        "emergency-without-pager": Doubt(
            "warning",
            f"An emergency tells neither {_WAKING} at once: email and chat wake nobody. Add one to "
            "the rule's channels.",
        ),
        "late-reach": Doubt(
            "warning",
            "A step of a person's `reach` comes after the level has escalated: others are told before this person is. "
            "Make `after` shorter than the level's escalation_time, or name the step's `levels`.",
        ),
        "reach-without-channel": Doubt(
            "warning",
            "A step of a person's `reach` names a type of which no channel is enabled. The step goes on to the next at "
            "once. Add a channel of that type, or take the type out of the step.",
        ),
        "not-repeated": Doubt(
            "warning",
            "`repeat: false` spares a person the pages of escalation steps: who slept through the first is told again "
            "only when the response time is over.",
        ),
        "on-call-gap": Doubt(
            "error",
            "A schedule has hours in which nobody is on call: its channels reach nobody then, and pages go to "
            "`fallback` and the next step. Add people or hours; of a schedule for office hours, say that it is one.",
        ),
        "contact-missing": Doubt(
            "error",
            "A channel pages the people on call, and one of them has no contact of its type. Give them one.",
        ),
        "fallback-by-schedule": Doubt(
            "error",
            "Every channel that `fallback` can take from level 3 on reaches only the people on call. A wrong or lost "
            "schedule would then be silence. Name a channel with a person or an address.",
        ),
        "on-call-twice": Doubt(
            "warning",
            "One person is on call in two schedules at once. Where one stands behind the other, nobody is behind them.",
        ),
        "nights-in-a-row": Doubt(
            "warning",
            "One person is on call for more nights in a row than the schedule's `nights` (7). Shorten the turns.",
        ),
        "handoff-at-night": Doubt(
            "warning",
            "A person takes over between 22:00 and 07:00 of their own zone, and is asleep. Move `starts`, or give the "
            "layer its people's zone.",
        ),
        "name-without-at": Doubt(
            "warning",
            "A telephone channel has the name of a person or a schedule among its recipients without an @: that is "
            'a person to be called by hand. Write "@NAME" to have the person called for whom it stands.',
        ),
        "calendar-ends": Doubt(
            "warning", "A schedule's calendar has no event until the end of what was walked (--days). Plan further."
        ),
        "calendar-overlap": Doubt(
            "warning", "Events of a calendar overlap: all of their people are on call then, and all are told."
        ),
        "calendar-name": Doubt(
            "warning",
            "An event of a calendar names nobody whom the policy knows, by name, e-mail address or `aliases`: it puts "
            "nobody on call. Write what the calendar calls the person among their `aliases`.",
        ),
        "calendar-free": Doubt(
            "warning",
            "Events of a calendar name people and are marked as free (TRANSP:TRANSPARENT), as Google Calendar marks "
            "whole days: they put nobody on call. Mark them as busy, or take them out.",
        ),
        "calendar-backwards": Doubt(
            "error",
            "An event of a calendar ends before it begins: nobody can tell which hours are meant, so it puts nobody on "
            "call. Mend its times where it is made.",
        ),
        "fixed-zone": Doubt(
            "warning",
            "A time zone is a fixed offset from UTC under a name that people take for a place's time: EST is UTC-5 in "
            "summer too, and the sign of Etc/GMT+5 is the other way round. What is local time there is an hour off for "
            "half of the year. Write the place (America/New_York), or UTC where no place is meant.",
        ),
        "calendar-not-read": Doubt(
            "warning",
            "A calendar could not be read here, so nothing is known of who is on call. One at a URL is fetched by the "
            "service: ask it now with --fetch, or give a copy of it with --calendar NAME=FILE.",
        ),
        "single-person": Doubt(
            "warning",
            "A drill in which nothing gets through to this one person reached nobody within the response time. Put "
            "another person behind them: a second schedule, or a `fallback`.",
        ),
        "short-heartbeat": Doubt(
            "warning",
            "Prometheus tells Alertmanager of an alert that goes on firing every 75 s, and Alertmanager repeats it up "
            "to 20 s later: a heartbeat is up to 95 s old where all is well. One that may be missing for less wakes "
            "people again and again. 150s is the default. Allow it only where both are set to repeat faster "
            "(--rules.alert.resend-delay, the route's repeat_interval).",
        ),
        "no-report-recipients": Doubt(
            "warning",
            "When an incident closes, its report is mailed to incident_report.recipients, and so is each revision. "
            "Without any it can be read in the console only, and nobody is told that it is there.",
        ),
        "no-roles": Doubt(
            "warning",
            "The guide asks to define roles and responsibilities. With `roles` the console, the API and reports show "
            "who holds which, and who is still wanted.",
        ),
        "no-drills": Doubt(
            "warning",
            "The guide asks for regular training. With `drills: {every: 90d}` each person who took part in a live "
            "drill is reminded before another is due, and what is overdue stands in the console, in reports and in "
            "`tocsin check --url`.",
        ),
        "short-retention": Doubt(
            "warning",
            "Closed incidents are deleted after `retention`, drills too. If that is shorter than `drills.every`, a "
            "drill that still counts is forgotten, and the people who took part in it are told that training is due or "
            "overdue.",
        ),
        "no-obligations": Doubt(
            "warning",
            "Steps speak of authorities, and the policy does not say which must be told, until when: they are boxes to "
            "tick, without a clock. `reporting_obligations` has them counted, reminded of and told when late; "
            "rules/packs/obligations has examples.",
        ),
        "no-internal-stakeholders": Doubt(
            "warning",
            "A breached response time, a raised level, the updates and what is overdue are told to the internal groups "
            "of `stakeholder_notification` too. Where none hears of an incident (by its level, its section, and over a "
            "channel that is enabled), nobody but the responders learns that they are not there.",
        ),
        "no-external-stakeholders": Doubt(
            "warning",
            "Steps speak of people outside the house, and `stakeholder_notification` has no external group: no notice "
            "would wait for an approval, and nobody be offered the updates and the end. Name them, with who approves.",
        ),
        "impact-range": Doubt(
            "warning",
            "A scale whose words are numbers grades the numbers that alerts and responders say. A grade without a "
            "range is reached by its words only: a worse number may then be of no grade, and raise nothing. Begin each "
            "with a range: 0-5%, 5-20%, >50%, <5%, or plain numbers such as 100-1,000 users; all of one scale alike.",
        ),
        "unknown-checklist": Doubt(
            "warning",
            "`closing.checklists` names one that the policy does not have: a slip of the pen, and incidents close "
            "without it. Procedures are called by their name, actions by section and name "
            "(`fix_implementation.verification`).",
        ),
        "same-condition": Doubt(
            "warning",
            "Two rules have one condition: both alert, in one incident. Fine if both names are wanted; else drop one.",
        ),
        "same-condition-levels": Doubt(
            "warning",
            "Two rules have one condition and different levels. The worse one always wins, so the milder one only adds "
            "noise. Keep one, or give them different thresholds.",
        ),
        "contradicting-thresholds": Doubt(
            "warning",
            "Two thresholds of one signal contradict each other: the milder one can only be crossed when the worse one "
            "has been already, or together they leave no value at which all is well. Probably two values were swapped.",
        ),
        "cannot-fire": Doubt(
            "warning",
            "A range is too short for how often the signal is read: rate(), increase() and their like need two samples "
            "in it, others one. With fewer they have no value, and the condition is silently false. Make the range at "
            "least twice check_interval; four times survives a lost scrape.",
        ),
        "one-bad-sample": Doubt(
            "warning",
            "The rule waits for less time than passes between two scrapes, so all its consecutive failures are one and "
            "the same sample. Wait at least one scrape interval; to wait for N samples, N-1 of them.",
        ),
        "keeps-too-short": Doubt(
            "warning",
            "keep_firing_for is shorter than the time to the next scrape, so it outlasts no good sample: an alert that "
            "flaps from sample to sample still ends with each good one.",
        ),
        "vanishes-between-scrapes": Doubt(
            "warning",
            "Prometheus takes a sample for the current value for five minutes. A metric that is scraped more rarely is "
            "absent between, and the condition false. Read it by last_over_time().",
        ),
        "unseen-time": Doubt(
            "warning",
            "A range is shorter than check_interval: what happens in the rest of the time is never looked at. Make the "
            "range as long as check_interval at least, or look more often.",
        ),
        "no-missing-data-twin": Doubt(
            "warning",
            "`missing_data: false` switches off the alarm that says when a signal vanishes or is NaN. The rules that "
            "read it then fall silent with it, and silence looks like safety.",
        ),
        "empty-label": Doubt(
            "warning",
            "A template among a rule's `annotations` names a label that the condition takes away, by an aggregation or "
            "a join: it is always empty in what people read. Keep the label in the condition: `by (instance)`.",
        ),
        "experimental-function": Doubt(
            "warning",
            "The expression uses a function that Prometheus has behind a flag. Without the flag the rule file is "
            "refused, also by promtool.",
        ),
        "differs-on-3": Doubt(
            "note",
            "The expression means something else on Prometheus 3 than on 2: ranges leave out their very beginning, "
            "and `le` and `quantile` have a decimal point. Say with `prometheus:` which one runs it, or write it so "
            "that both mean the same.",
        ),
        "doubtful-condition": Doubt(
            "warning", "The condition is valid PromQL, but reads like a slip of the pen. The message says which."
        ),
        "compared-metrics": Doubt(
            "note",
            "The condition compares two metrics, of which only series with the very same labels meet. Mostly that is "
            "meant; where the second was to be a limit, write its number.",
        ),
        "unread-signal": Doubt("warning", "No condition reads this signal. A misspelt name, here or there?"),
        "critical-threshold": Doubt(
            "warning", "The rule's number and the section's critical_threshold differ; only the rule's has an effect."
        ),
        "report-without-approver": Doubt(
            "note",
            "Reports go out as drafts until a person approves them. `incident_report.approver` names the role (of "
            "`roles`) whose holder does; without it every approver of Tocsin may.",
        ),
        "contact-not-given": Doubt(
            "warning",
            "A template tells how to reach those who respond, and the policy does not say it. Set "
            "`contact_information`, or take {contact_information} out of the template: a notice to the outside whose "
            "contact is none cannot be approved.",
        ),
        "update-interval-not-given": Doubt(
            "warning",
            "A template promises updates at an interval. They come, at the level's response_time where it has no "
            "`update_interval`. Set what is meant on each level (classification.severity_levels), or allow this.",
        ),
        "notice-without-approver": Doubt(
            "warning",
            "A notice to an external group waits for an approver, and nobody but who has the incident is told that it "
            "does. Name `approvers` of the group, or an internal group that hears of such incidents.",
        ),
        "section-name": Doubt(
            "warning", "The section's name is nearly one of the guide's. It works as a section of its own."
        ),
    }
)


def doubt(name: str, place: Place | None, message: str) -> Problem:
    """The lint of that name as a problem at a place."""
    return replace(Problem.at(place, message, DOUBTS[name].severity), name=name)


def without_allowed(problems: Iterable[Problem], allowed: Mapping[str, str]) -> Iterator[Problem]:
    """The problems without the allowed lints."""
    return (problem for problem in problems if problem.name not in allowed)
