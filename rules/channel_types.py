"""What is true of each channel type: one row each. Everything else that depends on the type is derived from here.

A row is data: the policy's model, what views hide, the fallback order, the retry schedules, the lints and the made
pages read it, and so does the receiver's core, which may import this module because it does no I/O. How a message is
sent stands in `receiver/channels/<name>.py`. A fact that a row leaves out is an error of the type checker.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from rules.addresses import parse_address

ReachedWhen = Literal["accepted", "delivered", "answered"]
"""The provider accepted the page; its receipt says that the page arrived (accepted is enough where no receipt can
come); its receipt says that a person answered."""

Holds = Literal["addresses", "address", "url", "mention", "headers", "proxy"]
"""What a key's value is: recipients, the one recipient (as a URL), `Channel.mention`, `.headers`, `.proxy`."""

DIRECT = "none"
"""As a channel's proxy: it is reached without one, whatever the settings say."""

ADDRESSING: frozenset[Holds] = frozenset({"addresses", "address", "url"})
"""Keys that say whom the channel reaches."""

HIDDEN = "…"
"""What stands where a secret recipient would."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of `alert_channels[]` that means something for some channel types only."""

    name: str
    holds: Holds
    about: str
    """For the policy reference: what is written there."""


PROXY = Key("proxy", "proxy", f"through which proxy it is reached, instead of HTTPS_PROXY; {DIRECT}: without one")


@dataclass(frozen=True, slots=True)
class Address:
    """How a recipient looks."""

    words: str
    """What it is called in errors: e-mail address."""
    fits: Callable[[str], object]
    """Whether a text is one; false or AddressError: it is none."""
    is_personal: Callable[[str], bool] | None
    """Which recipients of a stakeholder group it reaches. None: the channel reaches its own recipients instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """One channel type. Times are in seconds."""

    name: str
    """As `type:` of a channel has it."""
    label: str
    """For titles."""
    keys: tuple[Key, ...]
    """The first is the one that is asked for where none says whom the channel reaches."""
    address: Address
    recipient_is_secret: bool = True
    """Whether views show no more of a recipient than a URL's host."""
    wakes: bool
    """Whether a page there wakes somebody."""
    reached_when: ReachedWhen
    """What proves, of a type that wakes, that a page reached somebody (`receiver.core.reached`)."""
    carries_news: bool
    """Whether who was paged there hears what becomes of the incident; else pages and the all-clear only."""
    carries_updates: bool
    """Whether who was told there gets status updates, unless the channel says otherwise: a call would wake people for
    them, and a state of its own has no place for them."""
    keeps_state: bool
    """Whether a page opens something at the provider, which an acknowledgement and the all-clear have to change."""
    bundles: bool
    """Whether several pages may leave as one message."""
    shows_link: bool
    """Whether a page carries a link that acknowledges without logging in: only where whoever sees it may, and has no
    button for it."""
    shows_pictures: bool
    """Whether a picture of the signals goes with a message."""
    carries_reports: bool
    """Whether a finished report can be sent."""
    called_by_hand: bool
    """Whether a recipient that is no address is somebody whom a person has to call."""
    from_level: int
    """Where no rule of a level names channels, this type is told of that level if it is this one or worse."""
    fallback_rank: int | None
    """Its place in the usual order of fallbacks, 1 first; None: only where a policy's `fallback` names it."""
    retry_after: tuple[int, ...]
    """Seconds until the next try, after the first, the second … failed one; the last is repeated."""
    give_up_after: int
    """Seconds after which a message is given up."""
    settings: tuple[str, ...]
    """What its module reads: `slack_token` is TOCSIN_SLACK_TOKEN. What `Settings` has no field for is kept as a secret
    text in `Settings.of_channels`. A star stands for a recipient that has its own: `teams_url_*` is
    TOCSIN_TEAMS_URL_FLIGHT for ``flight``."""

    @property
    def is_program(self) -> bool:
        """Whether its recipients are programs: nobody has one as their contact."""
        return any(key.holds == "url" for key in self.keys)

    @property
    def has_names(self) -> bool:
        """Whether a recipient is a name of the policy's own, whose address is a setting, and nobody's elsewhere."""
        return self.address.fits == NAME.fullmatch

    def quoted(self, text: str) -> str:
        """What is no recipient, as an error may show it: where a name belongs, a URL is a secret."""
        return HIDDEN if self.has_names and "://" in text else text

    @property
    def is_quiet_fallback(self) -> bool:
        """Whether it takes over at levels 1 and 2, for which nobody is woken."""
        return not self.wakes and self.fallback_rank is not None


NUMBER = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
"""A telephone number as E.164 has it."""

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEADY = (1, 2, 5, 15, 30, 60)
"""For providers that take the same message twice without harm."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""What stands in a policy for an address that is a secret, and a setting therefore."""

EXAMPLE_NUMBER = "+4930123456"
"""Nobody's: what messages show as the form of one."""
_NUMBER_WORDS = f"telephone number with its country code, such as {EXAMPLE_NUMBER}"
_TWILIO = ("twilio_account_sid", "twilio_auth_token", "twilio_shared_key", "twilio_from", "twilio_api_url")
_VONAGE = tuple(f"vonage_{name}" for name in ("api_key", "api_secret", "from", "signature_secret", "api_url"))


def _is_number_or_name(text: str) -> bool:
    """A name is somebody to be called by hand; what begins like a number must be one."""
    return bool(NUMBER.fullmatch(text)) or not text.startswith(tuple("+0123456789"))


_ROWS = (
    ChannelFacts(
        name="email",
        label="E-mail",
        keys=(Key("recipients", "addresses", "addresses"),),
        address=Address("e-mail address", parse_address, lambda text: "@" in text),
        recipient_is_secret=False,
        wakes=False,
        reached_when="accepted",
        carries_news=True,
        carries_updates=True,
        keeps_state=False,
        bundles=True,
        shows_link=True,
        shows_pictures=True,
        carries_reports=True,
        called_by_hand=False,
        from_level=1,
        fallback_rank=5,
        retry_after=(5, 30, MINUTE, 5 * MINUTE, 15 * MINUTE),
        give_up_after=DAY,
        settings=("smtp_url", "email_from"),
    ),
    ChannelFacts(
        name="slack",
        label="Slack",
        keys=(
            Key("channel", "address", 'the channel, such as "#incident-response" or its id'),
            Key("mention", "mention", "who is mentioned on a page, such as <!here>"),
            PROXY,
        ),
        address=Address("Slack channel", bool, None),
        recipient_is_secret=False,
        wakes=False,
        reached_when="accepted",
        carries_news=True,
        carries_updates=True,
        keeps_state=False,
        bundles=True,
        shows_link=False,
        shows_pictures=True,
        carries_reports=False,
        called_by_hand=False,
        from_level=2,
        fallback_rank=4,
        retry_after=STEADY,
        give_up_after=HOUR,
        settings=("slack_token", "slack_signing_secret", "slack_app_token", "slack_api_url"),
    ),
    ChannelFacts(
        name="pagerduty",
        label="PagerDuty",
        keys=(Key("service", "address", "the service; its routing key is a setting"), PROXY),
        address=Address("PagerDuty service", bool, None),
        recipient_is_secret=False,
        wakes=True,
        reached_when="accepted",
        carries_news=False,
        carries_updates=False,
        keeps_state=True,
        bundles=False,  # each page has a key of its own to be closed by
        shows_link=False,
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=3,
        fallback_rank=3,
        retry_after=STEADY,
        give_up_after=DAY,
        settings=("pagerduty_routing_key", "pagerduty_routing_key_*", "pagerduty_api_url", "pagerduty_webhook_secret"),
    ),
    ChannelFacts(
        name="sms",
        label="SMS",
        keys=(
            Key("recipients", "addresses", "numbers such as +4930123456"),
            Key("number", "address", "one number, instead of recipients"),
            PROXY,
        ),
        address=Address(_NUMBER_WORDS, NUMBER.fullmatch, lambda text: text.startswith("+")),
        recipient_is_secret=False,
        wakes=True,
        reached_when="delivered",
        carries_news=False,
        carries_updates=True,
        keeps_state=False,
        bundles=True,
        shows_link=True,
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=3,
        fallback_rank=2,
        retry_after=(2, 5, 15, MINUTE),
        give_up_after=15 * MINUTE,
        settings=(*_TWILIO, *_VONAGE),
    ),
    ChannelFacts(
        name="phone",
        label="Phone",
        keys=(
            Key("recipients", "addresses", "numbers or names"),
            Key("number", "address", "one number, instead of recipients"),
            PROXY,
        ),
        address=Address(_NUMBER_WORDS, _is_number_or_name, lambda text: text.startswith("+")),
        recipient_is_secret=False,
        wakes=True,
        reached_when="answered",
        carries_news=False,
        carries_updates=False,
        keeps_state=False,
        bundles=True,
        shows_link=False,
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=True,
        from_level=3,
        fallback_rank=1,
        retry_after=(2, 10, 30, MINUTE),
        give_up_after=15 * MINUTE,
        settings=_TWILIO,
    ),
    ChannelFacts(
        name="webhook",
        label="Webhook",
        keys=(Key("url", "url", "where to post"), Key("headers", "headers", "further headers"), PROXY),
        address=Address("URL", bool, None),
        recipient_is_secret=True,
        wakes=False,
        reached_when="accepted",
        carries_news=True,
        carries_updates=True,
        keeps_state=False,
        bundles=False,  # programs read single events
        shows_link=False,
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=3,
        fallback_rank=None,
        retry_after=STEADY,
        give_up_after=DAY,
        settings=("webhook_signing_secret",),
    ),
    ChannelFacts(
        name="teams",
        label="Microsoft Teams",
        keys=(
            Key("channel", "address", "a name of yours for it; its workflow's URL is the setting of that name"),
            PROXY,
        ),
        address=Address("name for a Teams channel, such as flight (its URL is a setting)", NAME.fullmatch, None),
        recipient_is_secret=False,
        wakes=False,
        reached_when="accepted",
        carries_news=True,
        carries_updates=True,
        keeps_state=False,
        bundles=True,
        shows_link=True,
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=2,
        fallback_rank=None,
        retry_after=STEADY,
        give_up_after=HOUR,
        settings=("teams_url_*",),
    ),
    ChannelFacts(
        name="apprise",
        label="Apprise",
        keys=(Key("recipients", "addresses", "names of yours; the Apprise URL of each is the setting of that name"),),
        address=Address("name for an Apprise service, such as ntfy (its URL is a setting)", NAME.fullmatch, None),
        recipient_is_secret=False,
        wakes=False,
        reached_when="accepted",
        carries_news=True,
        carries_updates=True,
        keeps_state=False,
        bundles=True,
        shows_link=True,
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=2,
        fallback_rank=None,
        retry_after=STEADY,
        give_up_after=HOUR,
        settings=("apprise_url_*",),
    ),
    ChannelFacts(
        name="webpush",
        label="Web Push",
        keys=(Key("recipients", "addresses", "names of people; each turns it on in their own browser"),),
        address=Address("name of a person, who turns it on in their own browser", NAME.fullmatch, None),
        recipient_is_secret=False,
        wakes=False,  # that a push service has it is no proof that a phone rang
        reached_when="accepted",
        carries_news=True,
        carries_updates=True,
        keeps_state=False,
        bundles=True,
        shows_link=True,
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=2,
        fallback_rank=None,
        retry_after=STEADY,
        give_up_after=HOUR,
        settings=(),
    ),
)

CHANNEL_FACTS: Mapping[str, ChannelFacts] = MappingProxyType({row.name: row for row in _ROWS})
"""Channel type → what is true of it, in the order in which pages list them."""

CHANNEL_TYPES: tuple[str, ...] = tuple(CHANNEL_FACTS)

if TYPE_CHECKING:
    ChannelType = str
else:
    ChannelType = Literal[CHANNEL_TYPES]
"""The name of a channel type. Models and schemas see the table's names; the type checker cannot, and sees a text."""


def fallback_order() -> tuple[str, ...]:
    """The types that are tried when a page reaches nobody, where a policy has no `fallback`."""
    ranks = {row.name: row.fallback_rank for row in _ROWS if row.fallback_rank is not None}
    return tuple(sorted(ranks, key=ranks.__getitem__))


def types_where(holds: Callable[[ChannelFacts], bool]) -> tuple[str, ...]:
    """The types of which that is true: those of the fallback order first, in that order."""
    return tuple(name for name in dict.fromkeys((*fallback_order(), *CHANNEL_TYPES)) if holds(CHANNEL_FACTS[name]))


def _is_open_address(recipient: str) -> bool:
    """Whether it is the address of a person, of a type whose recipients are no secret."""
    people = [row for row in _ROWS if row.address.is_personal is not None and row.address.is_personal(recipient)]
    return bool(people) and "://" not in recipient and not any(row.recipient_is_secret for row in people)


def ends_of(address: str) -> str:
    """So much of a person's address that they know it again, and nobody else can use it: ``+49…567``,
    ``d…@example.com``. What is cut already stays as it is.
    """
    if HIDDEN in address:
        return address
    name, at, host = address.rpartition("@")
    if at:
        return f"{name[:1]}…@{host}"
    return f"{address[:3]}…{address[-3:]}" if len(address) > 8 else f"…{address[-2:]}"


_WRITTEN_NUMBER = re.compile(r"(?<![\w.])(?<!\d-)(?:\+\d|\(?0)[\d ()/-]{5,}\d")
"""What is meant as a telephone number, however it is written: with a plus or a zero at its beginning; what follows the
year of a date (``2027-01-11 15:00``) is none."""
_BARE_NUMBER = re.compile(rf"{_WRITTEN_NUMBER.pattern}|(?<![\w.+-])[1-9]\d{{8,14}}(?![\w.])")
"""The same, where numbers are to be expected."""
_NUMBERS_NEAR = re.compile(r"sms|phone|number\W?:|recipients|contacts")


def numbers_cut(text: str, *, same_length: bool = False) -> str:
    """A text of an error without whole telephone numbers: of each its ends. `same_length`: what follows stays at its
    column.
    """
    pattern = _BARE_NUMBER if _NUMBERS_NEAR.search(text) else _WRITTEN_NUMBER

    def cut(found: re.Match[str]) -> str:
        number = found[0]
        if number == EXAMPLE_NUMBER:
            return number
        return f"{number[:3]}{HIDDEN * (len(number) - 6)}{number[-3:]}" if same_length else ends_of(number)

    return pattern.sub(cut, text)


def as_shown(recipient: str, facts: ChannelFacts | None) -> str:
    """A recipient as everybody may see it. `facts` None: the channel is gone, and its type not known any more.

    Of a secret one that is a URL the scheme and host are left, of any other nothing; of a telephone number its ends.
    """
    scheme, there, rest = recipient.partition("://")
    if _is_open_address(recipient) if facts is None else not facts.recipient_is_secret:
        return ends_of(recipient) if recipient.startswith("+") else recipient
    if not there:
        return HIDDEN if recipient else ""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    return recipient if rest.rstrip("/") == host else f"{scheme}://{host}/{HIDDEN}"
