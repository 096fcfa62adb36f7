"""What a policy may not say: every kind of bad input is named here, with what the person who wrote it reads."""

import re
from dataclasses import dataclass

import pytest

from rules.load import load_text
from rules.problems import PolicyError
from rules.reserved import LABELS, SEVERITY

BASE = """\
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.org]}
    - {name: slack, type: slack, channel: "#incidents"}
  detection:
    rules:
      - {name: margin, condition: "safety_margin < 0.95", severity: 4, channels: [email]}
"""


def problems_of(text, path="policy.yaml"):
    with pytest.raises(PolicyError) as caught:
        load_text(text, path)
    return caught.value.problems


def errors_of(text, path="policy.yaml"):
    return [problem for problem in problems_of(text, path) if problem.severity == "error"]


@dataclass
class Bad:
    name: str
    marked: str
    """What is written; § stands before the place that the problem must point to (none: the whole file)."""
    says: str
    path: str = "policy.yaml"

    @property
    def text(self):
        return self.marked.replace("§", "")

    @property
    def at(self):
        before, mark, _ = self.marked.partition("§")
        lines = before.split("\n")
        return f"{self.path}:{len(lines)}:{len(lines[-1]) + 1}" if mark else self.path


def rule(name="a", condition='"x < 1"', severity="3", channels="[email]", more=None):
    """The base policy and one more rule, which differs from a good one."""
    more = f", {more}" if more else ""
    return (
        BASE + f"      - {{name: {name}, condition: {condition}, severity: {severity}, channels: {channels}{more}}}\n"
    )


def channel(fields):
    return BASE.replace('type: slack, channel: "#incidents"', fields)


def level(fields, number="4"):
    spec = f"level: {number}, name: e, escalation_time: 1m, {fields}"
    return BASE.replace("  detection:", f"  classification: {{severity_levels: [{{{spec}}}]}}\n  detection:")


def stakeholders(fields):
    return BASE + f"stakeholder_notification: [{{name: s, {fields}}}]\n"


def template(subject, body):
    return BASE + f"resolution_template:\n  subject: {subject}\n  body: |\n    {body}\n"


def section(fields):
    return BASE + f"x_incident_response: {{{fields}}}\n"


def obligation(fields):
    usual = "" if "stages" in fields else ", stages: [{name: s, within: 1h}]"
    return BASE + f"reporting_obligations:\n  - {{name: o, authority: a, {fields}{usual}}}\n"


def system(line):
    return BASE + f"system: {{name: s}}\n{line}\n"


DANA = "{name: dana, contacts: {email: dana@example.org}}"


def person(fields):
    return BASE + f"people:\n  - {{name: ben, {fields}}}\n"


def layer(fields, more=""):
    rows = f"  - name: primary\n    layers:\n      - {{{fields}}}\n"
    return BASE + f"people: [{DANA}]\nschedules:\n{rows}{more}"


def turns(fields):
    return layer(f"people: [dana], starts: 2026-10-01T09:00, {fields}")


def told(recipient, channel="{name: mail, type: email, recipients: [X]}"):
    channel = channel.replace("X", f'§"{recipient}"')
    return BASE.replace("  detection:", f"    - {channel}\n  detection:") + f"people: [{DANA}]\n"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: {'§' if name == 'f' else ''}&{name} [{','.join([f'*{below}'] * 10)}]\n"
    for below, name in zip("abcdefg", "bcdefgh", strict=True)
)

TAKEN = "is taken: its alert would be called"

CASES = [
    # What is Tocsin's own
    Bad(
        "the approver's role is none",
        f"{BASE}roles: [{{name: safety_officer}}]\nincident_report:\n  §approver: safty_officer\n",
        "no role is named `safty_officer`; did you mean `safety_officer`?",
    ),
    Bad("a rule whose alert is a heartbeat", rule("§watchdog"), f'"watchdog" {TAKEN} Watchdog'),
    Bad("a rule whose alert is our heartbeat", rule("§tocsin-heartbeat"), f"{TAKEN} TocsinHeartbeat"),
    Bad("a rule whose alert goes around Tocsin", rule("§'tocsin down'"), f"{TAKEN} TocsinDown"),
    Bad("a rule whose alert is a failing rule", rule("§tocsin_rule_evaluation_fails"), f"{TAKEN} TocsinRule"),
    Bad(
        "a rule whose alert is one of the self-rules'", rule("§tocsin-database-unavailable"), "has an alert of its own"
    ),
    Bad("a rule named as an incident of ours, otherwise", rule("§Alerting-Is-Blind"), "is taken: Tocsin calls"),
    Bad("a rule named as twins are, otherwise", rule("§'signal lost'"), "is taken: Tocsin calls"),
    Bad("a rule named as twins are", rule("§signal_lost"), '"signal_lost" is taken: Tocsin calls'),
    Bad("a rule named as an incident of ours", rule("§not_wired_yet"), '"not_wired_yet" is taken: Tocsin calls'),
    Bad(
        "a rule of a section",
        section('detection: [{name: §Watchdog, condition: "x < 1", severity: 3}]'),
        f"{TAKEN} Watchdog",
    ),
    Bad("an incident type", section("incidents: [{name: §watchdog, severity: 3}]"), f"{TAKEN} Watchdog"),
    Bad("an incident type of ours", section("incidents: [{name: §not_wired_yet, severity: 3}]"), "is taken"),
    Bad("a system's rule", system('monitoring: {rules: [{name: §watchdog, condition: "x < 1"}]}'), f"{TAKEN} Watchdog"),
    *(
        Bad(f"the label {name}", rule(more=f'labels: {{team: ml, §{name}: "true"}}'), f"`{name}`: Tocsin gives")
        for name in sorted(LABELS - {SEVERITY})
    ),
    Bad("an alert of ours", rule(more="alert: §TocsinDown"), "is taken"),
    Bad("an alert in braces", rule(more='alert: §"a {{ $value }}"'), "one line without braces"),
    Bad("waits twice", rule(more="alert_threshold: 3, for: §5m"), "both say how long it waits"),
    Bad("waits for nothing", rule(more="immediate_response: true, for: §5m"), "leave it or `for` out"),
    Bad("an annotation of ours", rule(more="annotations: {§tocsin_rules: x}"), "marks its alerts with this"),
    Bad("no template", rule(more="annotations: {a: '§{{ .Nope }}'}"), "an alert has no `.Nope`"),
    Bad("half a template", rule(more="annotations: {a: '§{{ if $value }}x'}"), "has no `{{ end }}`"),
    Bad("a label of Prometheus's", rule(more="labels: {§__name__: x}"), "labels that begin with __"),
    # People and schedules
    Bad("a contact that is no address", person("contacts: {email: §ben}"), '"ben" is no e-mail address'),
    Bad("a contact that is no number", person('contacts: {sms: §"0170 1"}'), "is no telephone number"),
    Bad("a phone contact that is a name", person("contacts: {phone: §Ben}"), "is no telephone number"),
    Bad("a contact of an unknown kind", person("contacts: {§fax: x}"), "`fax`"),
    Bad("a contact that is a program", person('contacts: {webhook: §"https://x.org"}'), "a program, not a person"),
    Bad("a contact that is a reference", person('contacts: {slack: §"@dana"}'), '"@dana" is no Slack'),
    *(
        Bad(f"a Slack contact that is {wrong}", person(f'contacts: {{slack: §"{wrong}"}}'), "is no Slack user's id")
        for wrong in ("#oncall", "dana", "C024BE7LH", "u024be7lh", "U1", "<@U024BE7LH>", "dana@x.org")
    ),
    Bad("a phone contact that is a short code", person('contacts: {phone: §"71234"}'), "is no telephone number"),
    Bad("an SMS contact that is a short code", person('contacts: {sms: §"+71234"}'), "is no telephone number"),
    *(
        Bad(f"people as {word}", BASE + f"§{word}: []\n", "did you mean `people`")
        for word in ("persons", "person", "People", "users", "responders")
    ),
    *(
        Bad(f"schedules as {word}", BASE + f"§{word}: []\n", "did you mean `schedules`")
        for word in ("schedule", "rotation", "rotations", "rota", "on-call", "shifts")
    ),
    *(
        Bad(f"an override {place}", text, "made while Tocsin serves: by `tocsin override`")
        for place, text in (
            ("at the top", BASE + "§overrides: []\n"),
            ("misnamed", BASE + "§swaps: []\n"),
            ("of a person", person("§vacation: 2026-12-24")),
            ("of a layer", layer("people: [dana], starts: 2026-10-01T09:00, every: 1w, §overrides: []")),
        )
    ),
    Bad("a layer's people", layer("§persons: [dana], starts: 2026-10-01T09:00, every: 1w"), "did you mean `people`"),
    Bad("a layer's length", layer("people: [dana], starts: 2026-10-01T09:00, §length: 1w"), "did you mean `every`"),
    Bad("a contact beside the contacts", person("§email: b@x.org"), "did you mean `contacts`"),
    Bad("a mobile phone", person('contacts: {§mobile: "+4930123456"}'), "did you mean `phone`"),
    Bad("a way without a contact", person("contacts: {email: b@x.org}, reach: [{by: [§sms]}]"), "no contact for sms"),
    Bad(
        "a way of reaching in no time", person("contacts: {email: b@x.org}, reach: [{by: [email], after: §3}]"), "unit"
    ),
    Bad("a person's zone", person("time_zone: §Europe/Berln"), "did you mean `Europe/Berlin`"),
    Bad("a person's key misspelt", person("§contact: {}"), "did you mean `contacts`"),
    Bad("a person twice", BASE + "people:\n  - {name: a}\n  - §{name: a, repeat: false}\n", 'people has "a" twice'),
    Bad(
        "an alias that is somebody else",
        BASE + f"people:\n  - {DANA}\n  - {{name: ben, aliases: [B, §Dana]}}\n",
        '"Dana" is dana already',
    ),
    Bad(
        "a schedule that is a person",
        layer("people: [dana], starts: 2026-10-01T09:00, every: 1w").replace("name: primary", "§name: dana"),
        '"dana" is a person too',
    ),
    Bad("a layer of strangers", layer("people: [§dan], starts: 2026-10-01T09:00, every: 1w"), "did you mean `dana`"),
    Bad("a layer of nobody", layer("§people: [], starts: 2026-10-01T09:00, every: 1w"), "must not be empty"),
    Bad("a layer without a start", layer("people: [dana], every: 1w").replace("- {p", "- §{p"), "needs `starts`"),
    Bad("a start without a time", layer("people: [dana], starts: §2026-10-01, every: 1w"), "no local date and time"),
    Bad("a start of no day", layer("people: [dana], starts: §2026-02-30T09:00, every: 1w"), "no local date and time"),
    Bad(
        "a start with an offset",
        layer("people: [dana], starts: §2026-10-01T09:00Z, every: 1w"),
        "without an offset: the zone is `time_zone`",
    ),
    Bad("a turn without a unit", turns("every: §7"), 'it needs a unit: write for example "7d"'),
    *(
        Bad(f"a turn of {written}", turns(f"every: §{written}"), f'write "{meant}"')
        for written, meant in {
            "1 week": "1w",
            "weekly": "1w",
            "daily": "1d",
            "2 Weeks": "2w",
            "1W": "1w",
            "1mo": "1month",
            "1M": "1month",
            "3 months": "3month",
            "8 hours": "8h",
            "30 minutes": "30m",
        }.items()
    ),
    Bad("hours of the day as numbers", turns("every: 1d, only: [{from: §8}]"), '"8" is no time of day: write for'),
    Bad("days that are a text", turns("every: 1d, only: [{days: §mon}]"), 'must be a list, not "mon": write [mon]'),
    Bad("hours that are no list", turns("every: 1d, §only: {to: 17:00}"), "a mapping: put it in [ ]"),
    Bad("a range of days", turns("every: 1d, only: [{days: [§mon-fri]}]"), "write each day that is meant, of mon, tue"),
    Bad("a day cut otherwise", turns("every: 1d, only: [{days: [§thurs]}]"), "did you mean `thu`?"),
    Bad("a contact's kind nearly", person('contacts: {§telephone: "+4930123456"}'), "did you mean `phone`?"),
    Bad(
        "a person of no people",
        BASE + "schedules: [{name: a, layers: [{people: [§x], starts: 2026-01-01T09:00, every: 1w}]}]\n",
        "the policy has no `people`",
    ),
    Bad("a person without their @", told("dana", "{name: sms, type: sms, recipients: [X]}"), 'did you mean "@dana"?'),
    Bad(
        "a reference without quotes",
        BASE.replace("oncall@example.org", "§@dana"),
        "what begins with @ stands in quotes",
    ),
    Bad("a turn of an unknown unit", turns("every: §1q"), '"1q" is no length of a turn'),
    Bad("a turn of whole days in hours", turns("every: §24h"), 'write "1d"'),
    Bad("a turn that does not divide a day", turns("every: §5h"), "does not divide a day"),
    Bad("a turn of nothing", turns("every: §0d"), "is no length of a turn"),
    Bad("an unknown day", turns("every: 1d, only: [{days: [§mo]}]"), "did you mean `mon`?"),
    Bad("an unknown time of day", turns('every: 1d, only: [{from: §"9", to: "17:00"}]'), '"9" is no time of day'),
    Bad("a time after the day", turns('every: 1d, only: [{to: §"24:30"}]'), '"24:30" is no time of day'),
    Bad("hours of no length", turns('every: 1d, only: [{from: "09:00", to: §"09:00"}]'), "is the same as `from`"),
    Bad("layers beside a calendar", turns("every: 1w").rstrip() + "\n    calendar: §a.ics\n", "stands beside layers"),
    Bad("a schedule of nothing", BASE + "schedules:\n  - §{name: primary}\n", "needs `layers` or a `calendar`"),
    Bad("a calendar elsewhere", BASE + "schedules: [{name: a, calendar: §../a.ics}]\n", "without a folder"),
    Bad("a calendar in the clear", BASE + 'schedules: [{name: a, calendar: §"http://x.org/a.ics"}]\n', "https://"),
    Bad("a reference to nobody", told("@dan"), '"@dan" is neither a person nor a schedule; did you mean `dana`'),
    Bad(
        "a reference to somebody without a number",
        told("@dana", "{name: sms, type: sms, recipients: [X]}"),
        "dana has no contact for sms",
    ),
    Bad(
        "the one number is a reference to nobody",
        told("@x", "{name: sms, type: sms, number: X}"),
        "neither a person nor a schedule",
    ),
    Bad(
        "a Slack channel that is a person without Slack",
        told("@dana", "{name: chat, type: slack, channel: X}"),
        "dana has no contact for slack",
    ),
    Bad(
        "a stakeholder who is nobody",
        stakeholders('recipients: [a@x.org, §"@dan"], channels: [email]'),
        "neither a person nor a schedule",
    ),
    Bad(
        "a stakeholder without a number",
        stakeholders('recipients: [§"@dana"], channels: [sms]') + f"people: [{DANA}]\n",
        "dana has no contact for sms",
    ),
    Bad(
        "a report for nobody",
        BASE + 'incident_report: {recipients: [§"@dan"]}\n',
        "neither a person nor a schedule",
    ),
    # Clocks
    Bad(
        "a limit that nobody can meet",
        BASE + "root_cause_analysis:\n  - {name: analysis, time_limit: §4h}\n",
        "without `actions` nobody can tick that it is done",
    ),
    Bad(
        "a limit of what is assessed, without anything",
        BASE + "impact_assessment:\n  - {name: business, time_limit: §4h}\n",
        "without `metrics` nobody can tick",
    ),
    Bad(
        "a limit of a further block of the initial response",
        BASE + "initial_response: {acknowledgment: [{name: team, time_limit: §4h}]}\n",
        "without `actions` nobody can tick",
    ),
    Bad(
        "a limit before the end",
        BASE + "post_incident_actions:\n  - {name: monitoring, duration: 24h, time_limit: §1h, actions: [Look]}\n",
        "it lasts 1d (`duration`) and could not be done before",
    ),
    Bad("a limit of an incident type", section("incidents: [{name: x, severity: 3, §time_limit: 1h}]"), "unknown key"),
    Bad("a limit of a group", stakeholders("recipients: [a@b.c], channels: [email], §time_limit: 1h"), "unknown key"),
    # Reporting obligations
    Bad("an obligation without a stage", obligation("§stages: []"), "must not be empty"),
    Bad("of an unknown section", obligation("sections: [§safety_incident_response]"), "there is no section `safety_"),
    Bad("of an unknown type", obligation("types: [§margn]"), "did you mean `margin`?"),
    Bad("of an unknown level", obligation("levels: [§5]"), "from 1 (informational) to 4"),
    Bad("counted from nothing", obligation("counted_from: §opening"), "'occurrence', 'awareness' or 'classification'"),
    Bad(
        "an approver that is no role",
        obligation("stages: [{name: s, within: 1h, §approver: boss}]"),
        "no role is named",
    ),
    Bad("an approver that is no address", obligation("stages: [{name: s, within: 1h, §approver: 'a@'}]"), "no e-mail"),
    Bad(
        "a stage after one that comes later",
        obligation("stages: [{name: s, within: 1h, after: §t}, {name: t, within: 1h}]"),
        "no stage before it is named `t`",
    ),
    Bad(
        "a stage after itself",
        obligation("stages: [{name: s, within: 1h, after: §s}]"),
        "no stage before it is named `s`",
    ),
    Bad(
        "a reminder after the end",
        obligation("stages: [{name: s, within: 1h, remind_before: §2h}]"),
        "must be shorter than `within`",
    ),
    Bad("a text that nobody can fill", obligation('stages: [{name: s, within: 1h, text: "{§boss}"}]'), "`boss`"),
    Bad(
        "a group of an unknown section",
        stakeholders("recipients: [a@b.cc], channels: [email], sections: [§x_incident_response]"),
        "there is no section `x_incident_response`",
    ),
    # Roles
    Bad("a role's key misspelt", BASE + "roles:\n  - {name: commander, §from_levle: 3}\n", "did you mean `from_level`"),
    Bad("a role's level", BASE + "roles:\n  - {name: commander, from_level: §5}\n", "from 1 (informational) to 4"),
    Bad("a role twice", BASE + "roles:\n  - {name: a}\n  - §{name: a, from_level: 3}\n", 'roles has "a" twice'),
    Bad("a role without a name", BASE + "roles:\n  - §{from_level: 3}\n", "roles[0] needs `name`"),
    # Not YAML, or not the right kind of it
    Bad("empty file", "", "the file is empty"),
    Bad("only a comment", "# soon\n", "the file is empty"),
    Bad("a list", "§- a\n- b\n", "a policy is a mapping of sections"),
    Bad("a word", "§hello\n", 'this is "hello"'),
    Bad("tab as indent", "incident_response:\n§\tenabled: true\n", "a tab cannot indent YAML: use spaces"),
    Bad("bracket never closed", "a: [1, 2\nb§: 1\n", "that begins in line 1"),
    Bad("quote never closed", 'a: "b\nc: d\n§', "that begins in line 1"),
    Bad("two values for one key", "a: b§: c\n", "mapping values are not allowed"),
    Bad("NUL", "a: b\nc: §\0\n", "control character (U+0000)"),
    Bad("escape character", "a: §\x1b[31m\n", "control character (U+001B)"),
    Bad("a list as a key", "? §[a, b]\n: c\n", "a key must be a word, not a list"),
    Bad("Python object", "a: §!!python/object/apply:os.system [id]\n", "python/object"),
    Bad("unknown alias", "a: §*b\n", "the alias *b has no anchor above it"),
    Bad("alias of itself", "a: &b [§*b]\n", "contains itself"),
    Bad("billion laughs", BOMB, "stands for more than 1,000,000 values (aliases counted)"),
    Bad("deep nesting", "a: " + "[" * 59 + "§" + "[" * 100_000, "nested more than 60 deep"),
    Bad(
        "deep mapping", "\n".join(" " * n + ("§a:" if n == 60 else "a:") for n in range(99)), "nested more than 60 deep"
    ),
    Bad("duplicate key", BASE + "x-a: 1\n§x-a: 2\n", "`x-a` stands here twice (first in line 8)"),
    # Keys
    Bad("unknown section", BASE + "§incident_respons: {}\n", "did you mean `incident_response`?"),
    Bad("section of nobody", BASE + "§zebra: {}\n", "keys of your own begin with `x-`"),
    Bad("unknown key of a rule", rule(more="§sverity: 1"), "unknown key `sverity`; did you mean `severity`?"),
    Bad("key without value", BASE + "contact_information:§\n", "is empty (an unquoted # begins a comment)"),
    Bad("comment for a value", BASE + "contact_information:§ #oncall\n", "is empty (an unquoted # begins a comment)"),
    Bad("mapping for a list", BASE + "safety_incident_response:\n  §detection: {}\n", "must be a list, not a mapping"),
    Bad("list for a mapping", BASE + "§signals: [a]\n", "signals: must be a mapping, not a list"),
    Bad(
        "updates where there is no place for them",
        BASE.replace("detection:", "  - {name: pd, type: pagerduty, service: a, updates: §true}\n  detection:", 1),
        "pagerduty keeps a state and has no place for updates",
    ),
    Bad(
        "approvers of a group inside",
        BASE
        + "stakeholder_notification:\n  - {name: in, recipients: [a@example.org], channels: [email], approvers: §[email]}\n",
        "means nothing for a group that is not external",
    ),
    # Rules
    Bad("severity 0", rule(severity="§0"), "from 1 (informational) to 4 (emergency), not 0"),
    Bad("severity 5", rule(severity="§5"), "from 1 (informational) to 4 (emergency), not 5"),
    Bad("severity as a word", rule(severity="§high"), 'write 3 for "high"'),
    Bad("severity as an unknown word", rule(severity="§blue"), 'not "blue"'),
    Bad("severity in quotes", rule(severity='§"3"'), "write 3 without quotes"),
    Bad("severity true", rule(severity="§true"), "not True"),
    Bad("severity missing", BASE + "      - §{name: a, condition: x > 1}\n", "rules[1] needs `severity`"),
    Bad("unknown channel", rule(channels="[§emial]"), "no channel is named `emial`; did you mean `email`"),
    Bad("channel that is a type", rule(channels="[§sms]"), "no channel is named `sms`; known here: email, slack"),
    Bad(
        "two rules of one name",
        BASE + "      - §{name: margin, condition: x > 1, severity: 1}\n",
        "twice (first in line 7)",
    ),
    Bad("condition not PromQL", rule(condition='"x <§"'), "cannot be read"),
    Bad("condition constant", rule(condition='"1 §> 0"'), "condition:"),
    Bad("condition empty", rule(condition='§""'), "must not be empty"),
    Bad(
        "condition too deep",
        rule(condition='"' + "(" * 50 + "§" + "(" * 900 + "x" + ")" * 950 + '"'),
        "brackets within each other",
    ),
    Bad("condition too long", rule(condition='§"' + "x + " * 2000 + 'x > 1"'), "more than 100 operators"),
    Bad("threshold 0", rule(more="alert_threshold: §0"), "greater than or equal to 1"),
    Bad("interval 0", rule(more="check_interval: §0"), "must be longer than nothing"),
    Bad("interval negative", rule(more="check_interval: §-60"), "cannot be negative"),
    Bad("name with a slash", rule(name="§a/b"), "a name: it may not be empty nor contain a slash"),
    Bad("label name", rule(more="labels: {§a-b: c}"), '`a-b`: "a-b" is not a label\'s name'),
    Bad("runbook no URL", rule(more="runbook_url: §wiki"), "http:// or https://"),
    # Durations and levels
    Bad("duration negative", level("response_time: §-5m"), "cannot be negative"),
    Bad("duration unparsable", level("response_time: §soon"), 'not a duration: "soon"'),
    Bad("duration fraction", level("response_time: §1.5h"), '"1h30m"'),
    Bad("duration without unit", level("response_time: §15"), 'write "15s" or "15m"'),
    Bad("duration zero", level("response_time: §0s"), "must be longer than nothing"),
    Bad("duration of centuries", level("response_time: §99999d"), "longer than ten years"),
    Bad("duration endless", level("response_time: §" + "9" * 99 + "d"), "not a duration"),
    Bad("level 5", level("response_time: 1h", number="§5"), "not 5"),
    Bad("level twice", level("response_time: 1h}, §{level: 4, name: f, response_time: 1h"), "level 4 twice"),
    # Channels and people
    Bad("address without at", channel("type: email, recipients: [§oncall.example.org]"), "is no e-mail address"),
    Bad("dots in a row", channel("type: email, recipients: [a.§.b@example.org]"), "never two in a row"),
    Bad("domain without a dot", channel("type: email, recipients: [a@§localhost]"), "has no dot"),
    Bad("domain with a bad part", channel("type: email, recipients: [a@b.§-c.org]"), "cannot be a part of a domain"),
    Bad("domain of no letters", channel("type: email, recipients: [a@§☃.example.org]"), "cannot be registered"),
    Bad("address with a break", channel('type: email, recipients: ["a§@b.org\\nBcc: x@y.z"]'), "is no e-mail address"),
    Bad("number without quotes", channel("type: sms, recipients: [§+4930123456]"), 'write "+4930123456" with quotes'),
    Bad("number without country", channel('type: sms, recipients: [§"030123456"]'), "with its country code"),
    Bad("half a number for phone", channel('type: phone, number: §"+49 30"'), "with its country code"),
    Bad("unknown type", channel("type: §pager"), 'not "pager"'),
    Bad(
        "slack without channel",
        BASE.replace("{name: slack", "§{name: slack").replace(', channel: "#incidents"', ""),
        "needs `channel`",
    ),
    Bad("service for slack", channel('type: slack, channel: "#x", service: §y'), "means nothing for slack"),
    Bad("webhook no URL", channel("type: webhook, url: §example.org"), "http:// or https://"),
    Bad("rate limit", channel('type: slack, channel: "#x", rate_limit: §lots'), '"20/1m"'),
    Bad("stakeholder no address", stakeholders("recipients: [§bob], channels: [email]"), "neither an e-mail address"),
    Bad("stakeholder channel", stakeholders("recipients: [a@b.org], channels: [§fax]"), "no channel is named `fax`"),
    Bad("fallback", BASE + "fallback: [§pager]\n", "no channel is named `pager`"),
    Bad("no channel", "§safety_incident_response: {enabled: true}\n", "nobody could be told"),
    # Templates
    Bad(
        "unknown placeholder", template("x", "one\n    two {§root_causes}"), "`root_causes`; did you mean `root_cause`?"
    ),
    Bad("attribute in a placeholder", template("'{§severity.__class__}'", "x"), "nobody can fill"),
    Bad("unknown name in Jinja2", template("'a {{ §sev }}'", "x"), "placeholder `sev`"),
    Bad("broken Jinja2", template("x", "one\n§    {% if %}"), "not Jinja2"),
    Bad("deep Jinja2", template("§'{{ " + "(" * 9000 + " }}'", "x"), "nested too deep"),
    Bad("Jinja2 that fails", template("§'{{ 1 / 0 }}'", "x"), "division by zero"),
    Bad(
        "a loop in Jinja2",
        template("x", "one\n§    {% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
        "this template fails: filling it takes more than 0.25 s",
    ),
    Bad(
        "a loop in one state only",
        template(
            "x",
            "§{% if status == 'closed' %}{% for a in range(99999) %}"
            "{% for b in range(99999) %}{% endfor %}{% endfor %}{% endif %}",
        ).replace("    §", "§    "),
        "takes more than",
    ),
    Bad("a huge text in Jinja2", template("§'{{ \"x\" * 3000000000 }}'", "x"), "takes more than 128 MB"),
    Bad("both ways mixed", template("'{{ status }} §{severity}'", "x"), "write {{ severity }}"),
    Bad("template without body", BASE + "resolution_template: §{subject: x}\n", "needs `body`"),
    # Signals and further sections
    Bad("signal name", BASE + "signals: {§a-b: {unit: s}}\n", "a metric's name"),
    Bad("signal expression", BASE + "signals: {safety_margin: {expr: 'sum(§'}}\n", "expr:"),
    Bad(
        "seconds for milliseconds", BASE + "signals: {§latency_p99: {expr: 'max(request_seconds)'}}\n", "say `unit: s`"
    ),
    Bad("incident no metric", section("incidents: [{name: §engine failure, severity: 4}]"), "a metric's name"),
    Bad(
        "incident named as a rule",
        section("detection: [{name: a, condition: y > 1, severity: 1}], incidents: [§{name: a, severity: 1}]"),
        "is also a detection rule",
    ),
    Bad(
        "business impact",
        section("incidents: [{name: a, severity: 4, business_impact: §bad}]"),
        "must be 'low', 'medium', 'high' or 'critical'",
    ),
    Bad("threshold in percent", section("critical_threshold: §95"), "less than or equal to 1"),
    Bad("a rule that tells nobody", rule(severity="§0"), "not 0: only the words of others"),
    Bad("level of a word", BASE + "severities: [{source: a, map: {P1: §5}}]\n", "or 0: nobody is told"),
    Bad("a truth for a level", BASE + "severities: [{map: {none: §false}}]\n", "from 1 (informational) to 4"),
    Bad("severities without words", BASE + "severities: [§{source: a}]\n", "severities[0] needs `map`"),
    Bad("no source", BASE + "severities: [{source: §'', map: {a: 1}}]\n", "must not be empty"),
    Bad("a level's name for nobody", BASE + "severities: [{source: a, map: {§Critical: 0}}]\n", "cannot mean 0 here"),
    Bad("a level's name for another", BASE + "severities: [{map: {§critical: 2}}]\n", "cannot mean 2 for all"),
    Bad("a word in two spellings", BASE + "severities: [{source: a, map: {P0: 4, §p0: 1}}]\n", "cannot mean 1 and 4"),
    Bad("an alias that is a level's name", BASE + "severity_aliases: {§critical: 1}\n", "the name of level 3"),
    *(
        Bad(f"a heartbeat that {name}", BASE + f"heartbeats: [{before}§{{name: a, matchers: '{matchers}'}}]\n", says)
        for name, before, matchers, says in (
            ("is a rule's alert", "", 'alertname="Margin"', "own alert Margin meets"),
            ("is a twin", "", 'twin="true"', "own alert SafetyMarginSignalLost meets"),
            ("is every critical alert", "", 'severity="critical"', "meets its matchers, and is no heartbeat"),
            ("goes around Tocsin", "", 'alertname="TocsinDown"', "own alert TocsinDown meets"),
            ("names a replica", "", 'alertname="W", replica="0"', "the label replica only tells replicas apart"),
            ("is another", """{name: b, matchers: 'alertname="W"'}, """, 'alertname="W", eu="1"', 'taken for "b"'),
        )
    ),
    Bad("replicas without a name", BASE + "§replica_labels: [alertname]\n", "no heartbeat would be known"),
    Bad("cycles that are true", BASE + "flapping: {cycles: §true}\n", "cycles: must be a whole number, not true"),
    Bad("a threshold that is true", rule(more="alert_threshold: §true"), "must be a whole number, not true"),
    Bad(
        "a group that is read again",
        BASE + """ignore: [{matchers: ['a=~"§(?P<n>x)(?P=n)"']}]\n""",
        "invalid perl operator: (?P",
    ),
    Bad("words for all, twice", BASE + "severities: [{map: {a: 1}}, §{map: {b: 2}}]\n", "a map for every source twice"),
    Bad("no matcher", BASE + "ignore: [{matchers: [severity§]}]\n", "one of = != =~ !~ is expected"),
    Bad("a number for a matcher", BASE + "ignore: [{matchers: [§3]}]\n", "must be matchers of labels"),
    Bad("a label without an operator", BASE + "ignore: [{matchers: x§}]\n", "is expected here"),
    Bad("no expression", BASE + """ignore: [{matchers: ['a=~"§("']}]\n""", "is no regular expression"),
    Bad("nothing to match", BASE + "ignore: [{matchers: §[]}]\n", "must be matchers of labels"),
    Bad(
        "ignoring a rule", BASE + """ignore: [§{matchers: ['alertname=~".*"']}]\n""", "own alert Margin, and those are"
    ),
    Bad("ignoring a twin", BASE + """ignore: [§{matchers: ['twin="true"']}]\n""", "and those are never ignored"),
    Bad("ignoring our own watch", BASE + """ignore: [§{matchers: ['alertname="TocsinDown"']}]\n""", "TocsinDown"),
    Bad(
        "a framework's rule for nobody",
        system("monitoring: {rules: [{name: a, condition: x > 1, severity: §none}]}"),
        '"none" is no severity of a rule',
    ),
    Bad("alias to a word", BASE + "severity_aliases: {p1: §emergency}\n", 'write 4 for "emergency"'),
    Bad("impact grade", BASE + "impact_raises: {§huge: 4}\n", "`huge`: must be"),
    # Markdown
    Bad("Markdown without YAML", "# Policy\n", "no ```yaml block", path="policy.md"),
    Bad("Markdown block open", "# P\n§```yaml\nx-a: 1\n", "never closed", path="policy.md"),
    Bad(
        "line in Markdown",
        "# P\n\n* item\n\n  ```yaml\n  signals: §3\n  ```\n",
        "must be a mapping, not 3",
        path="policy.md",
    ),
    # Framework systems
    Bad("SLO target in percent", system("slos: {a: {target: §95, window: 1d}}"), "less than or equal to 1"),
    Bad("SLO without window", system("slos: {a: §{target: 0.9}}"), "slos.a needs `window`"),
    Bad("SLO a number", system("slos: {a: §3}"), "slos.a must be a mapping, not 3"),
    Bad("threshold without limit", system("safety_thresholds: {a: §{maximum: 3}}"), "needs `min` or `max`"),
    Bad("threshold upside down", system("safety_thresholds: {a: {max: §1, min: 3}}"), "is below min"),
    Bad(
        "monitoring severity",
        system("monitoring: {rules: [{name: a, condition: x > 1, severity: §huge}]}"),
        '"huge" is no severity',
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_bad_input_is_refused_with_its_place(case):
    """Each bad input is an error at its very line and column, in words that say what to do."""
    found = [(str(problem).split(": ", 1)[0], problem.message) for problem in errors_of(case.text, case.path)]
    assert any(where == case.at and case.says in message for where, message in found), found


def test_all_problems_are_told_at_once():
    """One run shows the faults of every part of every section, in the order of the lines."""
    text = rule(severity="9", channels="[fax]") + "fallback: [pager]\nsignals: {a-b: {}}\nzebra: 1\n"
    told = [(problem.line, problem.message.split(":")[0]) for problem in errors_of(text)]
    assert told == [(8, "severity"), (8, "channels[0]"), (9, "fallback[0]"), (10, "`a-b`"), (11, told[-1][1])]


WRITTEN = [
    '"+49 170 1234567"',
    "491701234567",
    '"01701234567"',
    '"(0170) 123-4567"',
    '"0049170123456"',
    "+491701234567",
]


def test_no_error_tells_a_whole_number():
    """`check` shows problems, and the log keeps them: numbers are cut in the words and in the quoted line, and the
    caret stays under its column. The example of a number, dates and conditions stay whole.
    """
    channels = "".join(
        f"    - {{name: sms{index}, type: sms, recipients: [{each}]}}\n" for index, each in enumerate(WRITTEN)
    )
    text = BASE.replace("  detection:", f"{channels}  detection:").replace("< 0.95", "> 10737418240 and and 2026-10-01")
    found = errors_of(text)
    said = "\n".join(map(str, found))
    assert len(found) == len(WRITTEN) + 1
    assert not re.findall(r"1234|70123", said.replace("+4930123456", ""))
    assert '"+49…567" is no telephone number with its country code, such as +4930123456' in said
    shown = [each.source[each.column - 1 :].strip('"')[:3] for each in found]
    assert shown[:-1] == [each.strip('"')[:3] for each in WRITTEN]
    assert "> 10737418240 and and 2026-10-01" in said


def test_a_problem_is_shown_with_its_line_and_a_caret():
    """A person sees the file, the line, the column, the words, and the line itself with a caret under the fault."""
    (problem,) = errors_of(rule(condition='"safety_margin <"'))
    assert str(problem).splitlines()[0].startswith("policy.yaml:8:46: condition: 'safety_margin <' cannot be read")
    assert str(problem).splitlines()[1:] == [
        '          - {name: a, condition: "safety_margin <", severity: 3, channels: [email]}',
        "                                                 ^",
    ]


GOLDEN = """\
policy.yaml:8:49: severity: a severity is a number from 1 (informational) to 4 (emergency): write 3 for "high"
          - {name: a, condition: "x < 1", severity: high, channels: [emial]}
                                                    ^
policy.yaml:8:66: channels[0]: no channel is named `emial`; did you mean `email`?
          - {name: a, condition: "x < 1", severity: high, channels: [emial]}
                                                                     ^
policy.yaml:9:1: unknown section `saftey`; keys of your own begin with `x-`
    saftey: {}
    ^"""


def test_the_words_of_an_error_are_these():
    """The whole text that a person reads, to the letter: several problems, one below the other."""
    with pytest.raises(PolicyError) as caught:
        load_text(rule(severity="high", channels="[emial]") + "saftey: {}\n", "policy.yaml")
    assert str(caught.value) == GOLDEN


def test_a_long_line_is_shown_around_its_fault():
    """A fault far out in a line of 10,000 letters is shown with its surroundings only, the caret still under it."""
    filler = "x" * 5000
    (problem,) = errors_of(rule(more=f"description: {filler}, sverity: 1, runbook_url: https://{filler}"))
    head, line, caret = str(problem).splitlines()
    assert "did you mean `severity`" in head
    assert len(line) < 130
    assert line[caret.index("^") :].startswith("sverity")


def test_a_problem_never_carries_control_characters_to_the_terminal():
    """What stands in a file cannot drive the terminal of the person who reads about it."""
    (problem,) = errors_of("a: \x1b[31mred\n")
    assert "\x1b" not in str(problem)


def test_what_cannot_be_read_does_not_make_false_alarms_elsewhere():
    """If a file has no YAML, channels that it may define are not reported as unknown in the others."""
    text = "```yaml\nsafety_incident_response:\n  detection: [{name: a, condition: x < 1, severity: 3, channels: [email]}]\n```\n"
    text += "```yaml\na: [\n```\n"
    assert [problem.line for problem in errors_of(text, "policy.md")] == [7]


def test_every_wrong_recipient_of_a_list_is_told_at_once():
    """Each with its own place, also where the first of them is wrong in another way; so with matchers."""
    text = (
        "incident_response:\n  alert_channels:\n"
        "    - {name: email, type: email, recipients: [nonsense, ann@example.com, '@nobody', 'b c@d']}\n"
        "ignore:\n  - {matchers: ['a=\"b\"', '=', 'c']}\n"
    )
    found = [(problem.line, problem.message.split(":")[0]) for problem in errors_of(text, "policy.yaml")]
    for index in (0, 2, 3):
        assert (3, f"recipients[{index}]") in found
    assert [where for where in found if where[0] == 5] == [(5, "matchers[1]"), (5, "matchers[2]")]


def test_the_frameworks_alerts_lead_to_alert_channels():
    """At the top of a policy `alerts:` is the framework's word: what it is here is said; so with what stands deeper."""
    told = [each.message for each in errors_of("alerts: []\ndetection: {}\n", "policy.yaml")]
    assert any("`incident_response: {alert_channels: …}`" in each for each in told)
    assert "unknown section `detection`; it stands in `incident_response:`" in told
