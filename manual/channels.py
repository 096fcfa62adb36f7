"""docs/channel-types.md: the abilities of each channel type, from the receiver's own table."""

from rules.channel_types import CHANNEL_FACTS, ChannelFacts
from rules.durations import format_duration
from rules.policy import SECOND, Micros

HEAD = """# What each channel type can do

Made from the table that Tocsin itself reads (`python -m manual`; a test keeps it so). Each type's own page says how it
is set up; [the policy reference](policy-reference.md#alert-channel) has the keys that all channels share.

"""
COLUMNS = (
    "type",
    "own keys",
    "a recipient is",
    "hidden from viewers",
    "wakes people",
    "news",
    "pages in one message",
    "link to acknowledge",
    "pictures",
    "reports",
    "told by itself from level",
    "place among fallbacks",
    "tried again after",
    "given up after",
    "settings",
)
FOOT = """
*News*: people who were paged there hear what becomes of the incident. *Told by itself*: where no rule of a level names
channels. *Place among fallbacks*: where the policy has no `fallback`; at levels 1 and 2 only types that wake nobody
take over. The last time of *tried again* is repeated. *Settings*: `TOCSIN_…`, each as `…_FILE` too.
"""


def page() -> str:
    """The whole page."""
    rows = (COLUMNS, ("---",) * len(COLUMNS), *(_cells(facts) for facts in CHANNEL_FACTS.values()))
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows) + FOOT


def _cells(facts: ChannelFacts) -> tuple[str, ...]:
    abilities = (
        facts.recipient_is_secret,
        facts.wakes,
        facts.carries_news,
        facts.bundles,
        facts.shows_link,
        facts.shows_pictures,
        facts.carries_reports,
    )
    return (
        f"[`{facts.name}`](channels/{facts.name}.md)",
        ", ".join(f"`{key.name}`" for key in facts.keys),
        facts.address.words + (", or a name to be called by hand" if facts.called_by_hand else ""),
        *("yes" if able else "" for able in abilities),
        str(facts.from_level),
        str(facts.fallback_rank or ""),
        ", ".join(map(_time, facts.retry_after)),
        _time(facts.give_up_after),
        ", ".join(f"`TOCSIN_{name.upper()}`" for name in facts.settings),
    )


def _time(seconds: int) -> str:
    return format_duration(Micros(seconds * SECOND))
