"""A policy as bytes, and its version.

The receiver's store keeps each policy version once, by its digest; an incident holds the digest and keeps the policy
that it began with. The digest is of the policy's *meaning*: the same content from other files, or from other lines, is
the same version.
"""

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from rules.policy import EMERGENCY, Policy
from rules.reserved import DIGEST, MARK, MARKED

_POLICY = TypeAdapter(Policy)

_RULES_OF: dict[str, Any] = {
    "levels": {"__all__": {"level", "name"}},
    "rules": True,
    "recordings": True,
    "signals": True,
    "incident_types": {"__all__": {"section", "name", "level", "description", "fires"}},
    "impact_scales": {"__all__": {"name"}},
    "severity_aliases": True,
    "severities": True,
}
"""The parts of a policy that `rules.compile` and `rules.self_monitoring` use, apart from the exclusions below."""

_NOT_OF_RULES: dict[str, Any] = {
    "rules": {"__all__": {"channels", "place"}},
    "recordings": {"__all__": {"section", "place"}},
    "signals": {"__all__": {"help", "place"}},
}

DIGEST_LENGTH = 16
"""Hexadecimal digits of a rules digest: it distinguishes policies and need not resist attacks."""


@lru_cache(maxsize=8)  # drills make thousands of engines of one policy
def dump(policy: Policy) -> bytes:
    """Canonical JSON of a policy: the same policy gives identical bytes."""
    return orjson.dumps(_POLICY.dump_python(policy, mode="json"), option=orjson.OPT_SORT_KEYS)


def parse(data: bytes) -> Policy:
    """The policy that `dump` wrote, equal in every field.

    Raises ValueError (pydantic's) for invalid bytes.
    """
    return _POLICY.validate_json(data)


def meaning(document: bytes) -> dict[str, Any]:
    """The meaning of a stored policy by part, without positions; also of one stored by another Tocsin version."""
    parts: dict[str, Any] = _without_places(orjson.loads(document))
    return parts


@lru_cache(maxsize=8)
def digest(policy: Policy) -> str:
    """The policy's version: SHA-256 (hex) of its meaning, without positions."""
    meaning = _without_places(_POLICY.dump_python(policy, mode="json"))
    return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()


def rules_digest(policy: Policy) -> str:
    """Digest (hex) of the inputs of compilation: two policies with the same one compile to the same rules.

    It excludes recipients, times, positions and order. Fields with default values are omitted, so that new fields of a
    later Tocsin leave the digest unchanged.
    """
    compiled = replace(
        policy,
        incident_types=tuple(kind for kind in policy.incident_types if kind.fires or kind.level == EMERGENCY),
        impact_scales=tuple(scale for scale in policy.impact_scales if scale.ranges),
    )
    parts = _POLICY.dump_python(compiled, mode="json", include=_RULES_OF, exclude=_NOT_OF_RULES, exclude_defaults=True)
    unordered = {name: sorted(map(_canonical, part)) for name, part in sorted(parts.items())}
    return hashlib.sha256(repr(unordered).encode()).hexdigest()[:DIGEST_LENGTH]


def stamp(policy: Policy) -> dict[str, str]:
    """The annotations that mark every alert compiled from this policy."""
    return {MARK: MARKED, DIGEST: rules_digest(policy)}


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(entry) for key, entry in value.items() if key != "place"}
    if isinstance(value, list):
        return [_without_places(item) for item in value]
    return value
