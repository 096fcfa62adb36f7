"""The value types of a policy: durations, levels, channels, conditions, addresses.

Each type gives its form in the JSON schema, and refuses other values with a message for the policy's author. The names
that a value may refer to (channels, severity words) are in pydantic's validation context, a Vocabulary; without one (a
schema, a single section in a test) references are not checked.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from rules import condition, durations, matchers, prometheus_versions
from rules.addresses import AddressError, parse_address
from rules.alert_text import first_fault, first_template
from rules.channel_types import CHANNEL_FACTS, CHANNEL_TYPES, DIRECT, ChannelFacts
from rules.expression import is_label_name, is_metric_name
from rules.lint_catalog import DOUBTS
from rules.periods import MONTHS_FORM, Period, parse_period
from rules.placeholders import PLACEHOLDERS, TemplateError
from rules.policy import REFERENCE, SECOND, Micros, RateLimit
from rules.prometheus_template import fault as template_fault
from rules.rendering import placeholders
from rules.reserved import ALERTS, DIGEST, LABELS, MARK, NAMES, SEVERITY
from rules.self_monitoring import SELF_RULES
from rules.time_zones import zone_names
from rules.wording import camel_case

DEEPEST_EXPRESSION = 50
MOST_OPERATORS = 100
_QUOTED = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`""", re.DOTALL)
_OPERATORS = re.compile(r"[-+*/%^]|[<>=!]+(?!~)|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_BARE_MATCHER = re.compile(r"""\s*(\w+\s*(?:=~|!~|!=|=(?![=~])))\s*([^\s"'{},]*)\s*""")
"""A matcher with an unquoted value, which Alertmanager accepts."""
_BRACKETS = re.compile(r"[()\[\]{}]")
BUILT_IN = frozenset(re.findall(r"- alert: (\w+)", SELF_RULES))
"""The alerts about Tocsin that exist beside the compiled ones."""
ALERTS_OF_NAMES = frozenset(map(camel_case, NAMES))
LONGEST_MESSAGE = 400
"""The maximum length of an error message, which may quote the value, in characters."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that the values of one policy may refer to."""

    channels: frozenset[str]
    severities: dict[str, int]
    """Words for levels: the defaults, the levels' names, the policy's own aliases. Level 0: no notification."""
    people: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Person → the channel types of the person's contacts."""
    schedules: frozenset[str] = frozenset()
    prometheus: str | None = None
    """The oldest Prometheus that must support the policy (`rules.prometheus_versions`); None: any."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Channel → its type."""
    complete: bool = True
    """False: a file could not be read, so an unknown channel may be defined there."""

    @property
    def rule_severities(self) -> dict[str, int]:
        """The words that a rule may have: those with a level above 0."""
        return {word: level for word, level in self.severities.items() if level}


class Section(BaseModel):
    """A mapping in a policy: unknown keys are errors, keys that begin with ``x-`` are free."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"patternProperties": {"^x-": {}}})


def refusal(message: str, **where: Any) -> PydanticCustomError:
    """The error for a value; `find` (a text) or `offset` (characters) gives the position in it, `key` or `way` (steps)
    the entry.
    """
    shown = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]} …"
    return PydanticCustomError("policy", "{message}", {"message": shown, **where})


def refuse_all(faults: Sequence[PydanticCustomError]) -> None:
    """Raise all faults of one value's parts at once (`rules.validate` splits them)."""
    if faults:
        first, *more = (fault.context or {} for fault in faults)
        raise PydanticCustomError("policy", "{message}", {**first, "more": more})


OTHER_WORDS: Mapping[str, str] = {
    "people": "person persons user users member members responders staff team participants",
    "schedules": "rota rotas rotation rotations roster rosters shifts oncall on_call calendar calendars layers",
    "layers": "rotation rotations shifts",
    "calendar": "ical icalendar ics feed url",
    "starts": "begin begins from handoff_time",
    "every": "length each turn interval period",
    "only": "restrict restriction restrictions hours weekdays",
    "time_zone": "zone tz",
    "contacts": "email mail slack sms phone number mobile address addresses",
    "reach": "notify notifications ways rules",
    "by": "channels channel ways via with",
    "after": "delay wait",
    "from": "start starts begin begins",
    "to": "until end ends",
    "email": "mail",
    "phone": "mobile telephone cell call",
}
"""Key of the on-call sections → its names in other products."""

OVERRIDE_WORDS = frozenset({"override", "overrides", "swap", "swaps", "absence", "absences", "vacation", "vacations"})
OVERRIDES = (
    "; an override is made while Tocsin serves: by `tocsin override`, on the console's page On call, or by the API"
)
"""The hint about keys for temporary on-call changes, which a policy does not have."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word closest to another: a key by its name in other products, else by spelling; empty: none."""
    choices = sorted(known)
    other = word.casefold().replace("-", "_")
    meant = [each for each in choices if other in OTHER_WORDS.get(each, "").split()]
    return next(iter(meant or difflib.get_close_matches(word, choices, 1, 0.6)), "")


def suggest(word: str, known: Iterable[str]) -> str:
    """``; did you mean `x`?``, or the known words if none is close."""
    if word.casefold() in OVERRIDE_WORDS:
        return OVERRIDES
    choices = sorted(known)
    near = nearest(word, choices)
    if near:
        return f"; did you mean `{near}`?"
    return f"; known here: {', '.join(choices)}" if 0 < len(choices) <= 12 else ""


def _vocabulary(info: ValidationInfo) -> Vocabulary | None:
    return info.context if isinstance(info.context, Vocabulary) else None


LEVELS_TAKEN = "a severity is a number from 1 (informational) to 4 (emergency)"


def _level(value: Any, info: ValidationInfo, takes: str = LEVELS_TAKEN) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4:
        return value
    if value == 0 and not isinstance(value, bool):
        raise refusal(f"{takes}, not 0: only the words of others (`severities`) may mean that nobody is told")
    if isinstance(value, str):
        vocabulary = _vocabulary(info)
        number = vocabulary.severities.get(value.lower()) if vocabulary else None
        if value in ("1", "2", "3", "4"):
            raise refusal(f"{takes}: write {value} without quotes")
        raise refusal(f'{takes}: write {number} for "{value}"' if number else f'{takes}, not "{value}"')
    raise refusal(f"{takes}, not {value!r}")


def _level_or_none(value: Any, info: ValidationInfo) -> Any:
    if value == 0 and not isinstance(value, bool | str):
        return 0
    return _level(value, info, "a word means a level from 1 (informational) to 4 (emergency), or 0: nobody is told")


def _label_matchers(value: Any) -> tuple[matchers.Matcher, ...]:
    """One text or a list of them; unquoted values are accepted, as in Alertmanager."""
    is_list = isinstance(value, list | tuple)
    texts = value if is_list else [value]
    if not texts:
        raise refusal(f"must be matchers of labels, such as '{matchers.EXAMPLE}'")
    found: list[matchers.Matcher] = []
    faults: list[PydanticCustomError] = []
    for index, text in enumerate(texts):
        way = (index,) if is_list else ()
        if not isinstance(text, str):
            faults.append(refusal(f"must be matchers of labels, such as '{matchers.EXAMPLE}'", way=way))
            continue
        bare = _BARE_MATCHER.fullmatch(text)
        try:
            found += matchers.parse(f"{bare[1]}{matchers.quoted(bare[2])}" if bare else text)
        except matchers.MatcherError as error:
            where = {} if bare else {"offset": error.offset}
            faults.append(refusal(str(error), way=way, **where))
    refuse_all(faults)
    return tuple(found)


def _duration(value: Any) -> Micros:
    if isinstance(value, int | float):
        raise refusal(f'a duration needs a unit: write "{value}s" or "{value}m"')
    if not isinstance(value, str):
        raise refusal('must be a duration, such as "15m"')
    try:
        return durations.parse(value)
    except ValueError as error:
        raise refusal(str(error)) from error


def _duration_or_nothing(value: Any) -> Micros:
    return Micros(0) if value == 0 and not isinstance(value, bool) else _duration(value)


def _period(value: Any) -> Period:
    if isinstance(value, str):
        try:
            found = parse_period(value)
        except ValueError as error:
            raise refusal(str(error)) from error
        _positive(found.shortest)
        return found
    return Period(_duration(value))


def _positive(value: Micros) -> Micros:
    if value <= 0:
        raise refusal("must be longer than nothing")
    return value


def _interval(value: Any) -> Micros:
    if isinstance(value, bool) or not isinstance(value, int):
        return _duration(value)
    try:
        return durations.bounded(value * SECOND)
    except ValueError as error:
        raise refusal(str(error)) from error


def _rate_limit(value: Any) -> RateLimit:
    found = re.fullmatch(r"\s*([1-9]\d{0,6})\s*/\s*(\w+)\s*", value, re.ASCII) if isinstance(value, str) else None
    try:
        per = durations.parse(found[2] if found[2][0].isdigit() else f"1{found[2]}") if found else Micros(0)
    except ValueError:
        per = Micros(0)
    if found is None or not per:
        raise refusal('a rate limit is a number of messages per time, such as "20/1m"')
    return RateLimit(int(found[1]), per)


def _known_channel(value: str, info: ValidationInfo) -> str:
    vocabulary = _vocabulary(info)
    if vocabulary and vocabulary.complete and value not in vocabulary.channels:
        raise refusal(f"no channel is named `{value}`{suggest(value, vocabulary.channels)}")
    return value


def _approver(value: str, info: ValidationInfo) -> str:
    is_address = value.startswith(("#", "+")) or "@" in value
    return _recipient(value, info) if is_address else _known_channel_or_type(value, info)


def _known_channel_or_type(value: str, info: ValidationInfo) -> str:
    return value if value in CHANNEL_TYPES else _known_channel(value, info)


def _known_person(value: str, info: ValidationInfo) -> str:
    vocabulary = _vocabulary(info)
    if vocabulary and vocabulary.complete and value not in vocabulary.people:
        hint = suggest(value, vocabulary.people) if vocabulary.people else ": the policy has no `people`"
        raise refusal(f"nobody is named `{value}`{hint}")
    return value


def require_reference(value: str, types: Iterable[str], info: ValidationInfo, **where: Any) -> None:
    """Refuse an `@NAME` that is neither person nor schedule, or a person without a contact of any of these types.

    `types`: channel types; empty: any contact suffices. `where`: as for `refusal`.
    """
    vocabulary = _vocabulary(info)
    name = value.removeprefix(REFERENCE)
    if vocabulary is None or not vocabulary.complete or name in vocabulary.schedules:
        return
    contacts = vocabulary.people.get(name)
    if contacts is None:
        known = sorted({*vocabulary.people, *vocabulary.schedules})
        raise refusal(f'"{value}" is neither a person nor a schedule{suggest(name, known)}', **where)
    wanted = tuple(dict.fromkeys(types))
    if wanted and contacts.isdisjoint(wanted):
        raise refusal(f"{name} has no contact for {' or '.join(wanted)}", **where)


def meant_reference(value: str, info: ValidationInfo) -> str:
    """A hint for a recipient that is the name of a person or schedule without @; empty: it is neither."""
    vocabulary = _vocabulary(info)
    is_name = vocabulary is not None and (value in vocabulary.people or value in vocabulary.schedules)
    return f'; did you mean "{REFERENCE}{value}"?' if is_name else ""


def types_of(channels: Iterable[str], info: ValidationInfo) -> tuple[str, ...]:
    """The types of channels given by name or type."""
    vocabulary = _vocabulary(info)
    known = vocabulary.types if vocabulary else {}
    return tuple(known.get(each, each) for each in channels)


def _refuse_size(value: str) -> None:
    """Refuse excessive size: PromQL's parser recurses and deep trees are costly, so that a huge text could end the
    process.
    """
    bare = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), value)
    if len(_OPERATORS.findall(bare)) > MOST_OPERATORS:
        raise refusal(f"more than {MOST_OPERATORS} operators: make parts of it `signals`")
    depth = 0
    for found in _BRACKETS.finditer(bare):
        depth += 1 if found[0] in "([{" else -1
        if depth > DEEPEST_EXPRESSION:
            raise refusal(f"more than {DEEPEST_EXPRESSION} brackets within each other", offset=found.start())


def _promql(parse: Callable[[str], object]) -> AfterValidator:
    def check(value: str, info: ValidationInfo) -> str:
        _refuse_size(value)
        try:
            parse(value)
            _require_known(value, info)
        except condition.ConditionError as error:
            raise refusal(str(error), offset=error.offset) from error
        return value

    return AfterValidator(check)


def _require_known(value: str, info: ValidationInfo) -> None:
    """Raises ConditionError if the policy's Prometheus does not support the expression."""
    vocabulary = _vocabulary(info)
    if vocabulary:
        prometheus_versions.require_known(value, vocabulary.prometheus)


def _name_in_prometheus(value: str, info: ValidationInfo, *, metric: bool) -> str:
    """A metric's or a label's name; Prometheus 3 accepts any text."""
    if is_metric_name(value) if metric else is_label_name(value):
        return value
    vocabulary = _vocabulary(info)
    allowed = ALLOWED[SIGNAL_NAME if metric else LABEL_NAME]
    if vocabulary and vocabulary.prometheus in (None, prometheus_versions.OLDEST):
        cure = 'Prometheus 3 takes any: write `prometheus: "3.0"` in the policy where none is older'
        raise refusal(f'"{value}" is not {allowed} ({cure})')
    if not value.isprintable():
        raise refusal(f'"{value}" is not {allowed}, or any printable text')
    return value


def _prometheus_version(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise refusal(f'must be text: write "{value}" with quotes')
    if value not in prometheus_versions.VERSIONS:
        *others, last = prometheus_versions.VERSIONS
        raise refusal(f"must be the oldest Prometheus that runs the rules: {', '.join(others)} or {last}")
    return value


def _template(value: str) -> str:
    try:
        named = placeholders(value)
    except TemplateError as error:
        raise refusal(str(error), **({"find": error.word} if error.word else {"line": error.line})) from error
    for name in named:
        if name not in PLACEHOLDERS:
            message = f"nobody can fill the placeholder `{name}`{suggest(name, PLACEHOLDERS)}"
            raise refusal(message, find=name)
    return value


def _mail(value: str) -> str:
    try:
        parse_address(value)
    except AddressError as error:
        raise refusal(f'"{value}" is no e-mail address: {error}', offset=error.offset) from error
    return value


def _is_address(value: str, facts: ChannelFacts) -> bool:
    """Whether it is a person's address for a channel of that type."""
    address = facts.address
    try:
        return address.is_personal is not None and address.is_personal(value) and bool(address.fits(value))
    except AddressError:
        return False


def _recipient(value: str, info: ValidationInfo) -> str:
    if value.startswith(REFERENCE):
        require_reference(value, (), info)
        return value
    if re.fullmatch(r"[^#@].*@.*", value):
        return _mail(value)
    if not (re.fullmatch(r"#\S+", value) or any(map(partial(_is_address, value), CHANNEL_FACTS.values()))):
        raise refusal(
            f'"{value}" is neither an e-mail address nor a number such as "+4930123456", a "#channel" or an "@name"'
        )
    return value


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]\S*", value):
        raise refusal("must be a URL that begins with http:// or https://")
    return value


def _proxy(value: str) -> str:
    if value == DIRECT or (re.fullmatch(r"https?://[^\s/@]+/?", value) and "@" not in value):
        return value.rstrip("/")
    raise refusal(
        f"must be a proxy such as http://proxy.example.com:3128, without credentials (those are settings: "
        f'TOCSIN_HTTPS_PROXY), or "{DIRECT}"'
    )


def _without(fault_of: Callable[[str], tuple[str, str]]) -> AfterValidator:
    """Refuses a text in which `fault_of` finds a fault: why, and the words at which it is."""

    def check(value: str) -> str:
        fault, words = fault_of(value)
        if fault:
            raise refusal(fault, find=words)
        return value

    return AfterValidator(check)


def _naming(found: tuple[matchers.Matcher, ...]) -> tuple[matchers.Matcher, ...]:
    if not any(operator == "=" and asked for _, operator, asked in found):
        raise refusal('at least one matcher must name a value, as in alertname="Watchdog": the others match too much')
    return found


def _lint_name(value: str) -> str:
    if value not in DOUBTS:
        raise refusal(f"no lint is named `{value}`{suggest(value, DOUBTS)}")
    if not DOUBTS[value].may_be_allowed:
        raise refusal(f"`{value}` cannot be allowed: it must be mended")
    return value


def _time_zone(value: str) -> str:
    if value not in zone_names():
        # By the whole name or by the city alone: `berlin` suggests Europe/Berlin.
        known = {name.rpartition("/")[2].lower(): name for name in sorted(zone_names())}
        known |= {name.lower(): name for name in zone_names()}
        near = difflib.get_close_matches(value.lower().replace(" ", "_"), known, 5, 0.75)
        near.sort(key=lambda name: name[0] != value[0].lower())  # CEST is closer to CET than to EST
        hint = f"did you mean `{known[near[0]]}`?" if near else "write an IANA name, such as `Europe/Berlin`"
        raise refusal(f'"{value}" is no time zone; {hint}')
    return value


def _rule_name(value: str) -> str:
    alert = camel_case(value)
    if alert in ALERTS:
        said = f"its alert would be called {alert}, be taken for Tocsin's own of that name, and tell nobody"
        raise refusal(f'"{value}" is taken: {said}. Choose another name')
    if alert in BUILT_IN:
        raise refusal(f'"{value}" is taken: Tocsin has an alert of its own that is called {alert}. Choose another name')
    if alert in ALERTS_OF_NAMES:
        said = "Tocsin calls incidents or alerts of its own so"
        raise refusal(f'"{value}" is taken: {said}. Choose another name')
    return value


def _alert_name(value: str) -> str:
    if value in ALERTS | BUILT_IN:
        raise refusal(f'"{value}" is taken: Tocsin knows its own alerts and heartbeats by it. Choose another name')
    return value


def _annotation_name(value: str) -> str:
    if value in {MARK, DIGEST}:
        raise refusal("Tocsin marks its alerts with this annotation. Choose another name")
    return value


def _further_label(value: str) -> str:
    if value in LABELS - {SEVERITY}:
        raise refusal("Tocsin gives its alerts this label, and decides by it. Leave it out, or choose another name")
    if value.startswith("__"):
        raise refusal("labels that begin with __ are Prometheus's own. Choose another name")
    return value


SIGNAL_NAME = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"
LABEL_NAME = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
ONE_LINE = r"^([^\s{}\x00-\x1f\x7f]([^{}\x00-\x1f\x7f]*[^\s{}\x00-\x1f\x7f])?)?$"
PLAIN_NAME = r"^[^\s/][^/\x00-\x1f\x7f]*$"
ALLOWED = {
    SIGNAL_NAME: "a metric's name: letters, digits and _, no digit first",
    LABEL_NAME: "a label's name: letters, digits and _, no digit first",
    ONE_LINE: "a name: one line without braces",
    PLAIN_NAME: "a name: it may not be empty nor contain a slash",
}
"""Pattern of names → its description."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, pattern=PLAIN_NAME, max_length=200)]
SignalName = Annotated[str, StringConstraints(pattern=SIGNAL_NAME, max_length=200)]
MetricName = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(partial(_name_in_prometheus, metric=True))
]
"""A metric's name that the policy's Prometheus accepts."""
UnitLabel = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(partial(_name_in_prometheus, metric=False))
]
"""A label's name that the policy's Prometheus accepts."""
PrometheusVersion = Annotated[
    str,
    BeforeValidator(_prometheus_version),
    WithJsonSchema({"type": "string", "enum": list(prometheus_versions.VERSIONS)}),
]
LabelName = Annotated[str, StringConstraints(pattern=LABEL_NAME, max_length=200)]

RuleName = Annotated[Name, AfterValidator(_rule_name), _without(first_template)]
TypeName = Annotated[SignalName, AfterValidator(_rule_name)]
"""The name of a rule, or of an incident type, which is also a metric's; Tocsin's reserved names are refused."""
FurtherLabel = Annotated[LabelName, AfterValidator(_further_label)]
"""A label that a policy adds to a rule's alerts."""

LevelNumber = Annotated[int, BeforeValidator(_level), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 4})]
LevelOrNone = Annotated[
    int, BeforeValidator(_level_or_none), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 4})
]
"""A level, or 0: stored without notification."""
_DURATION_SCHEMA = {"type": "string", "pattern": f"^({durations.PATTERN}|0)$", "examples": ["15m", "24h"]}
Duration = Annotated[Micros, BeforeValidator(_duration), AfterValidator(_positive), WithJsonSchema(_DURATION_SCHEMA)]
PeriodText = Annotated[
    Period,
    BeforeValidator(_period),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({durations.PATTERN}|{MONTHS_FORM})$",
            "examples": ["72h", "30d", "1month"],
        }
    ),
]
"""A duration, or whole calendar months."""
DurationOrNone = Annotated[Micros, BeforeValidator(_duration_or_nothing), WithJsonSchema(_DURATION_SCHEMA)]
"""A duration that may be zero: ``0``."""
Interval = Annotated[
    Micros,
    BeforeValidator(_interval),
    AfterValidator(_positive),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _DURATION_SCHEMA]}),
]
"""A duration, or whole seconds as the guide writes check_interval."""
Rate = Annotated[RateLimit, BeforeValidator(_rate_limit), WithJsonSchema({"type": "string", "examples": ["20/1m"]})]
PersonName = Annotated[Name, AfterValidator(_known_person)]
ChannelName = Annotated[str, AfterValidator(_known_channel)]
ChannelNameOrType = Annotated[str, AfterValidator(_known_channel_or_type)]
Promql = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Condition = Annotated[Promql, _promql(condition.parse)]
Expression = Annotated[Promql, _promql(condition.sources)]
TemplateText = Annotated[str, Field(min_length=1, max_length=100_000), AfterValidator(_template)]
AlertText = Annotated[str, Field(max_length=20_000), _without(first_fault)]
"""A text in an alert, which may use its value and labels."""
AlertTemplate = Annotated[str, Field(max_length=20_000), _without(template_fault)]
"""An annotation in Prometheus's template language."""
AlertName = Annotated[str, StringConstraints(pattern=ONE_LINE, max_length=200), AfterValidator(_alert_name)]
"""An alert's name: any text, as in Prometheus."""
AnnotationName = Annotated[LabelName, AfterValidator(_annotation_name)]
FixedText = Annotated[str, Field(max_length=20_000), _without(first_template)]
"""A text that is equal on every alert of a rule, such as a label's value."""
Recipient = Annotated[str, AfterValidator(_recipient)]
Approver = Annotated[str, AfterValidator(_approver)]
"""A person's address, or a channel's name or type for its recipients."""
LabelMatchers = Annotated[
    tuple[matchers.Matcher, ...],
    BeforeValidator(_label_matchers),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
            "examples": [matchers.EXAMPLE],
        }
    ),
]
"""Label matchers in Alertmanager's form: one text, or a list."""
NamingMatchers = Annotated[LabelMatchers, AfterValidator(_naming)]
"""Matchers of which at least one is an equality with a value."""
Url = Annotated[str, AfterValidator(_url)]
AlertUrl = Annotated[Url, _without(first_template)]
"""A URL that is equal on every alert of a rule."""
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
"""A proxy without credentials, or ``none``."""
TimeZone = Annotated[str, AfterValidator(_time_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})]
LintName = Annotated[str, AfterValidator(_lint_name), WithJsonSchema({"type": "string", "enum": sorted(DOUBTS)})]
