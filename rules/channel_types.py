"""The properties of each channel type, one row each; all other type-dependent values are derived from them.

The policy model, views, fallback order, retry schedules, lints and generated pages read the rows; so does the
receiver's core, which may import this module because it does no I/O. `receiver/channels/<name>.py` sends the messages.
The type checker rejects a row with a missing property.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from rules.addresses import parse_address

ReachedWhen = Literal["accepted", "delivered", "answered"]
"""The proof that a page reached its recipient: the provider accepted it; its receipt says that it arrived (accepted
is enough if there are no receipts); its receipt says that a person answered."""

Holds = Literal["addresses", "address", "url", "mention", "headers", "proxy"]
"""The meaning of a key's value: recipients, the one recipient (as a URL), `Channel.mention`, `.headers`, `.proxy`."""

DIRECT = "none"
"""Value of a channel's `proxy` that overrides the settings: no proxy."""

ADDRESSING: frozenset[Holds] = frozenset({"addresses", "address", "url"})
"""Keys that hold the channel's recipients."""

HIDDEN = "…"
"""Shown in place of a secret recipient."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of `alert_channels[]` that only some channel types have."""

    name: str
    holds: Holds
    about: str
    """The key's description in the policy reference."""


PROXY = Key("proxy", "proxy", f"through which proxy it is reached, instead of HTTPS_PROXY; {DIRECT}: without one")


@dataclass(frozen=True, slots=True)
class Address:
    """The form of a recipient."""

    words: str
    """Its name in errors: e-mail address."""
    fits: Callable[[str], object]
    """Whether a text has the form; a false value or AddressError: it has not."""
    is_personal: Callable[[str], bool] | None
    """Whether a stakeholder group's recipient is reached by this type. None: the channel reaches its own recipients
    instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """The properties of one channel type. Times are in seconds."""

    name: str
    """The value of a channel's `type:`."""
    label: str
    """For titles."""
    keys: tuple[Key, ...]
    """An error about a channel without recipients asks for the first."""
    address: Address
    recipient_is_secret: bool = True
    """Whether views show only the host of a recipient's URL."""
    wakes: bool
    """Whether a page wakes its recipient."""
    reached_when: ReachedWhen
    """For a type that wakes: the proof that a page reached a person (`receiver.core.reached`)."""
    carries_news: bool
    """Whether paged recipients get later news of the incident; otherwise only pages and the all-clear."""
    carries_updates: bool
    """Whether recipients get status updates unless the channel sets `updates`. False for calls, which would wake
    people, and for providers that keep a state, which have no field for updates."""
    keeps_state: bool
    """Whether a page opens an object at the provider that an acknowledgement and the all-clear must update."""
    bundles: bool
    """Whether several pages may be sent as one message."""
    shows_link: bool
    """Whether a page has a link that acknowledges without login: only where every reader may acknowledge and there
    is no button."""
    answer_setting: str | None
    """The setting without which answers that carry the message's token (in the address of a reply, on a button) do not
    reach Tocsin; None: there are no such answers."""
    shows_pictures: bool
    """Whether messages include a picture of the signals."""
    carries_reports: bool
    """Whether a finished report can be sent."""
    has_rooms: bool = False
    """Whether an incident can get a channel of its own at the provider."""
    called_by_hand: bool
    """Whether a recipient that is not an address is a person to be called by hand."""
    from_level: int
    """The minimum level at which this type is notified if no rule of the level names channels."""
    fallback_rank: int | None
    """Its position in the default fallback order, 1 first; None: only if a policy's `fallback` names it."""
    retry_after: tuple[int, ...]
    """Seconds until the next attempt after the first, second … failure; the last is repeated."""
    give_up_after: int
    """Seconds after which delivery of a message is abandoned."""
    settings: tuple[str, ...]
    """Settings that its module reads: `slack_token` is TOCSIN_SLACK_TOKEN. Those without a field in `Settings` are
    secret texts in `Settings.of_channels`. A star stands for the recipient's name: `teams_url_*` is
    TOCSIN_TEAMS_URL_FLIGHT for ``flight``."""

    @property
    def is_program(self) -> bool:
        """Whether its recipients are programs; people have no contacts of this type."""
        return any(key.holds == "url" for key in self.keys)

    @property
    def has_names(self) -> bool:
        """Whether a recipient is a name defined in the policy, whose address is in a setting."""
        return self.address.fits == NAME.fullmatch

    def quoted(self, text: str) -> str:
        """An invalid recipient as an error may show it: for a type with names, a URL is secret."""
        return HIDDEN if self.has_names and "://" in text else text

    @property
    def is_quiet_fallback(self) -> bool:
        """Whether it is a fallback at levels 1 and 2, which wake no person."""
        return not self.wakes and self.fallback_rank is not None


NUMBER = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
"""An E.164 telephone number."""

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEADY = (1, 2, 5, 15, 30, 60)
"""Retry delays (seconds) for providers that tolerate duplicate messages."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""The name that a policy uses for an address that is secret and therefore in a setting."""

CHAT = re.compile(r"-?[1-9]\d{4,15}", re.ASCII)
"""The id of a Telegram chat: positive of a person, negative of a group."""

MATTERMOST_ID = re.compile(r"[a-z0-9]{26}", re.ASCII)
"""The id of a channel or a user."""

EXAMPLE_NUMBER = "+4930123456"
"""An unassigned number, the example in messages."""
_NUMBER_WORDS = f"telephone number with its country code, such as {EXAMPLE_NUMBER}"
_TWILIO = ("twilio_account_sid", "twilio_auth_token", "twilio_shared_key", "twilio_from", "twilio_api_url")
_VONAGE = tuple(f"vonage_{name}" for name in ("api_key", "api_secret", "from", "signature_secret", "api_url"))


def _is_number_or_name(text: str) -> bool:
    """A name is a person to be called by hand; a text that begins like a number must be one."""
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
        answer_setting="email_reply_to",
        shows_pictures=True,
        carries_reports=True,
        called_by_hand=False,
        from_level=1,
        fallback_rank=5,
        retry_after=(5, 30, MINUTE, 5 * MINUTE, 15 * MINUTE),
        give_up_after=DAY,
        settings=("smtp_url", "email_from", "email_reply_to", "email_inbound_token"),
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
        answer_setting=None,
        shows_pictures=True,
        carries_reports=False,
        has_rooms=True,
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
        bundles=False,  # each page has its own key, with which it is closed
        shows_link=False,
        answer_setting=None,
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
        answer_setting=None,
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=3,
        fallback_rank=2,
        retry_after=(2, 5, 15, MINUTE),
        give_up_after=15 * MINUTE,
        settings=(*_TWILIO, *_VONAGE, "sms_providers"),
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
        answer_setting=None,
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
        answer_setting=None,
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
        answer_setting=None,
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
        answer_setting=None,
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
        wakes=False,  # acceptance by a push service does not prove that a phone rang
        reached_when="accepted",
        carries_news=True,
        carries_updates=True,
        keeps_state=False,
        bundles=True,
        shows_link=True,
        answer_setting=None,
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=2,
        fallback_rank=None,
        retry_after=STEADY,
        give_up_after=HOUR,
        settings=(),
    ),
    ChannelFacts(
        name="telegram",
        label="Telegram",
        keys=(Key("recipients", "addresses", 'ids of chats, such as "123456789" (a person), "-1001234567890"'), PROXY),
        address=Address("id of a Telegram chat, such as 123456789 (a person) or -1001234567890", CHAT.fullmatch, None),
        recipient_is_secret=False,
        wakes=False,
        reached_when="accepted",
        carries_news=True,
        carries_updates=True,
        keeps_state=False,
        bundles=True,
        shows_link=False,
        answer_setting="telegram_token",
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=2,
        fallback_rank=None,
        retry_after=STEADY,
        give_up_after=HOUR,
        settings=("telegram_token", "telegram_webhook_secret", "telegram_api_url"),
    ),
    ChannelFacts(
        name="mattermost",
        label="Mattermost",
        keys=(
            Key("channel", "address", "the channel's id, 26 letters and digits"),
            Key("mention", "mention", "who is mentioned on a page, such as @channel"),
            PROXY,
        ),
        address=Address(
            "Mattermost id, 26 letters and digits (of a channel: View Info)", MATTERMOST_ID.fullmatch, None
        ),
        recipient_is_secret=False,
        wakes=False,
        reached_when="accepted",
        carries_news=True,
        carries_updates=True,
        keeps_state=False,
        bundles=True,
        shows_link=False,
        answer_setting="external_url",
        shows_pictures=False,
        carries_reports=False,
        called_by_hand=False,
        from_level=2,
        fallback_rank=None,
        retry_after=STEADY,
        give_up_after=HOUR,
        settings=("mattermost_token", "mattermost_api_url"),
    ),
)

CHANNEL_FACTS: Mapping[str, ChannelFacts] = MappingProxyType({row.name: row for row in _ROWS})
"""Channel type → properties, in the order of the pages."""

CHANNEL_TYPES: tuple[str, ...] = tuple(CHANNEL_FACTS)

if TYPE_CHECKING:
    ChannelType = str
else:
    ChannelType = Literal[CHANNEL_TYPES]
"""The name of a channel type. Models and schemas use the table's names; the type checker uses `str`."""


def fallback_order() -> tuple[str, ...]:
    """The default order of types for a page that reaches no person, used by policies without `fallback`."""
    ranks = {row.name: row.fallback_rank for row in _ROWS if row.fallback_rank is not None}
    return tuple(sorted(ranks, key=ranks.__getitem__))


def types_where(holds: Callable[[ChannelFacts], bool]) -> tuple[str, ...]:
    """The types for which `holds` is true: those of the fallback order first, in that order."""
    return tuple(name for name in dict.fromkeys((*fallback_order(), *CHANNEL_TYPES)) if holds(CHANNEL_FACTS[name]))


def _is_open_address(recipient: str) -> bool:
    """Whether a recipient is a person's address of a type whose recipients are not secret."""
    people = [row for row in _ROWS if row.address.is_personal is not None and row.address.is_personal(recipient)]
    return bool(people) and "://" not in recipient and not any(row.recipient_is_secret for row in people)


def ends_of(address: str) -> str:
    """A shortened personal address that its owner recognises and others cannot use: ``+49…567``, ``d…@example.com``.
    Idempotent.
    """
    if HIDDEN in address:
        return address
    name, at, host = address.rpartition("@")
    if at:
        return f"{name[:1]}…@{host}"
    return f"{address[:3]}…{address[-3:]}" if len(address) > 8 else f"…{address[-2:]}"


_WRITTEN_NUMBER = re.compile(r"(?<![\w.])(?<!\d-)(?:\+\d|\(?0)[\d ()/-]{5,}\d")
"""A telephone number in any notation that begins with a plus or a zero; text after the year of a date (``2027-01-11
15:00``) does not match."""
_BARE_NUMBER = re.compile(rf"{_WRITTEN_NUMBER.pattern}|(?<![\w.+-])[1-9]\d{{8,14}}(?![\w.])")
"""The same, or 9 to 15 bare digits, for texts in which numbers are expected."""
_NUMBERS_NEAR = re.compile(r"sms|phone|number\W?:|recipients|contacts")


def numbers_cut(text: str, *, same_length: bool = False) -> str:
    """An error text with its telephone numbers shortened. `same_length`: padded, so that later text stays at its
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
    """A recipient for display. `facts` None: the channel no longer exists and its type is unknown.

    A secret URL keeps its scheme and host, any other secret nothing; a telephone number keeps its ends.
    """
    scheme, there, rest = recipient.partition("://")
    if _is_open_address(recipient) if facts is None else not facts.recipient_is_secret:
        return ends_of(recipient) if recipient.startswith("+") else recipient
    if not there:
        return HIDDEN if recipient else ""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    return recipient if rest.rstrip("/") == host else f"{scheme}://{host}/{HIDDEN}"
