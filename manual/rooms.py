"""docs/images/rooms.svg: the packages ("rooms") of the code, each above what it imports; generated from the imports."""

from collections.abc import Mapping
from html import escape

from manual.code import Module, imports, modules

LOOSE = "receiver"
"""The package whose own files are small rooms: the composition root and the modules that all may import."""
WIDTH, BOX, HIGH, GAP = 1000, 112, 34, 74
STYLE = """
  text { font: 13px sans-serif; fill: #37474f; text-anchor: middle }
  rect { fill: #eceff1; stroke: #546e7a; stroke-width: 1.5 }
  line { stroke: #90a4ae; stroke-width: 1.2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #cfd8dc } rect { fill: #37474f; stroke: #b0bec5 } line { stroke: #78909c }
  }
"""


def room(name: str) -> str:
    """The room of a module: ``receiver.core.plan`` → ``core``, ``rules.load`` → ``rules``."""
    package, *rest = name.split(".")
    return rest[0] if package == LOOSE and rest else package


def arrows(found: Mapping[str, Module]) -> Mapping[str, frozenset[str]]:
    """Room → the rooms that it imports."""
    drawn: dict[str, set[str]] = {}
    for module in found.values():
        if module.name != LOOSE:
            drawn.setdefault(room(module.name), set()).update(
                room(each) for each in imports(module, found) if each != LOOSE
            )
    return {name: frozenset(others - {name}) for name, others in drawn.items()}


def floors(drawn: Mapping[str, frozenset[str]]) -> Mapping[str, int]:
    """Room → floor: 0 imports none, any other is above all that it imports. Raises ValueError for a cycle."""
    placed: dict[str, int] = {}
    while len(placed) < len(drawn):
        ready = [name for name, others in drawn.items() if name not in placed and others <= placed.keys()]
        if not ready:
            raise ValueError(f"rooms import each other in a circle: {sorted(drawn.keys() - placed.keys())}")
        placed |= {name: 1 + max((placed[each] for each in drawn[name]), default=-1) for name in ready}
    return placed


def _needed(drawn: Mapping[str, frozenset[str]]) -> list[tuple[str, str]]:
    """The arrows without those implied by others."""

    def below(name: str) -> frozenset[str]:
        return drawn[name].union(*(below(each) for each in drawn[name]))

    return [
        (name, other)
        for name, others in sorted(drawn.items())
        for other in sorted(others)
        if not any(other in below(each) for each in others - {other})
    ]


def drawing() -> str:
    """The picture, as SVG."""
    drawn = arrows(modules())
    floor = floors(drawn)
    top = max(floor.values())
    places: dict[str, tuple[float, float]] = {}
    for level in range(top + 1):
        names = sorted(name for name in drawn if floor[name] == level)
        for position, name in enumerate(names):
            places[name] = (WIDTH * (position + 0.5) / len(names), GAP * (top - level) + HIGH)
    lines = "".join(_line(places[start], places[end]) for start, end in _needed(drawn))
    boxes = "".join(_box(name, place) for name, place in places.items())
    title = "<title>The rooms of the code; each line leads down to what a room imports</title>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {GAP * top + 2 * HIGH}" role="img">'
    return f"{head}\n{title}\n<style>{STYLE}</style>\n{lines}{boxes}</svg>\n"


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1:.0f}" y1="{y1 + HIGH / 2:.0f}" x2="{x2:.0f}" y2="{y2 - HIGH / 2:.0f}"/>\n'


def _box(name: str, place: tuple[float, float]) -> str:
    x, y = place
    box = f'<rect x="{x - BOX / 2:.0f}" y="{y - HIGH / 2:.0f}" width="{BOX}" height="{HIGH}" rx="6"/>'
    return f'{box}<text x="{x:.0f}" y="{y + 4:.0f}">{escape(name)}</text>\n'
