"""Policies made by hand, for tests of what comes after loading."""

from pathlib import Path

from rules.outputs import Options, render
from rules.policy import (
    HOUR,
    MINUTE,
    Channel,
    IncidentType,
    Level,
    Micros,
    Policy,
    Recording,
    Rule,
    Signal,
    Template,
    Templates,
)

LEVELS = (
    Level(1, "informational", Micros(24 * HOUR), Micros(12 * HOUR)),
    Level(2, "warning", Micros(4 * HOUR), Micros(2 * HOUR)),
    Level(3, "critical", Micros(HOUR), Micros(30 * MINUTE)),
    Level(4, "emergency", Micros(15 * MINUTE), Micros(5 * MINUTE)),
)


def rule(name: str, condition: str, level: int = 3, section: str = "incident_response", **more) -> Rule:
    """A detection rule that alerts after three failures, as the guide's do."""
    return Rule(section, name, condition, level, ("email",), **({"threshold": 3} | more))


def policy(
    *rules: Rule,
    signals: tuple[Signal, ...] = (),
    types: tuple[IncidentType, ...] = (),
    recordings: tuple[Recording, ...] = (),
) -> Policy:
    """A policy of these rules, with the guide's levels."""
    template = Template("subject", "body", "opened")
    return Policy(
        LEVELS,
        (Channel("email", "email", recipients=("oncall@example.org",)),),
        rules,
        Templates(template, template, template),
        signals=signals,
        incident_types=types,
        recordings=recordings,
    )


def write(made: Policy, folder: Path, **options) -> tuple[str, ...]:
    """Every output of the policy in the folder; the answer is what the unit tests do not prove."""
    outputs = render(made, Options(**options))
    for name, content in outputs.files.items():
        (folder / name).write_bytes(content)
    return tuple(map(str, outputs.unproved))
