"""docs/stories: all messages and pages of a story, in order of time."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import groupby

from manual.stories.aviation import ZONE, Aviation
from manual.stories.house import Chapter, Done, Heard, Scene, Shown
from receiver.core.model import Instant
from receiver.messages.times import moment

PLACE = "docs/stories/aviation.md"
HEAD = """# An aviation incident, word for word

<!-- made by `python -m manual`; a test keeps it current and checks what it promises -->

What an airline's people got, from an exercise to the last report to the authority: every call, SMS, page, message and
mail, and the console where somebody looked. A real receiver under [this policy](../../manual/stories/airline.yaml),
with the guide's packs and the obligations of aviation beside it, sent all of it to servers of one machine. It is what
the guide's words come to, what a night sounds like to whoever is on call, and what there is for an authority to see.

Where several people got the same text it stands once, and […] stands for what stands above at the same time. Of reports
that were mailed before the last one the beginning is shown. Times are those of Berlin.
"""
FOLDED = "[…]"
REST = "[the rest of the report: as in the last one, at the end of this page]"
AFTER_THE_SUMMARY = re.compile(r"\n## (?:Occurrence 1|Executive summary)\n.*", re.DOTALL)
LEAST = 60
"""The minimum length, in characters, of a paragraph that is not repeated."""
LABELS = {"phone": "Call", "sms": "SMS", "pagerduty": "PagerDuty", "slack": "Slack", "email": "Mail"}
RANDOM = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b|(?<=\*\*Policy:\*\* )[0-9a-f]{12}")
"""Values that differ between plays, or change with the policy language."""


def page(scenes: Sequence[Scene]) -> str:
    """The whole page."""
    return HEAD + "".join(f"\n{part}\n" for part in _parts(scenes, ZONE))


def play() -> Aviation:
    """Play the story to its end."""
    house = Aviation()

    async def run() -> None:
        async with house.open():
            await house.play()

    asyncio.run(run())
    return house


def _parts(scenes: Sequence[Scene], zone: tzinfo) -> Iterator[str]:
    told: Instant | None = None
    shown: set[str] = set()
    for _, group in groupby(scenes, key=_key):
        first, *others = group
        if isinstance(first, Chapter):
            yield f"## {first.title}"
            continue
        if first.at != told:
            told, shown = first.at, set()
            yield f"### {moment(told).astimezone(zone):%a %d %b %Y, %H:%M:%S}".removesuffix(":00")
        yield _scene(first, [each for each in others if isinstance(each, Heard)], shown)


def _key(scene: Scene) -> object:
    """Equal for scenes that are shown once: the same text to several people."""
    if isinstance(scene, Heard):
        return (scene.at, scene.medium, scene.headline, scene.text)
    return (scene.at, id(scene))


def _scene(scene: Heard | Done | Shown, also: Sequence[Heard], shown: set[str]) -> str:
    """The scene in Markdown. `shown`: the paragraphs already shown at the same time; this scene's are added."""
    match scene:
        case Done():
            return f"**{scene.who}** {scene.what}"
        case Shown():
            return f"*{scene.title}:*\n\n{_block(scene.text, scene.language)}"
        case Heard():
            to = ", ".join(each.to for each in (scene, *also))
            subject = f": **{scene.headline}**" if scene.medium == "email" else ""
            text = scene.text if scene.medium == "email" else scene.words
            return f"{LABELS[scene.medium]} to {to}{subject}\n\n{_block(_folded(text, shown))}"


def _folded(text: str, shown: set[str]) -> str:
    parts = AFTER_THE_SUMMARY.sub(f"\n\n{REST}", text).split("\n\n")
    told = [FOLDED if each in shown else each for each in parts]
    shown.update(each for each in parts if len(each) > LEAST)
    return re.sub(r"\[…\](\n\n\[…\])+", FOLDED, "\n\n".join(told))


def _block(text: str, language: str = "text") -> str:
    return f"````{language}\n{RANDOM.sub('…', text).strip()}\n````"
