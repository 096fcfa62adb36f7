"""A policy as bytes, and its version.

The receiver's store keeps each policy version once, by its digest; incidents hold the digest and go on by the
policy they began with. The digest is of what the policy *means*: the same content loaded from other files, or
from other lines of them, is the same version.
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
"""What of a policy `rules.compile` and `rules.self_monitoring` make rules of, but for what is taken out below."""

_NOT_OF_RULES: dict[str, Any] = {
    "rules": {"__all__": {"channels", "place"}},
    "recordings": {"__all__": {"section", "place"}},
    "signals": {"__all__": {"help", "place"}},
}

DIGEST_LENGTH = 16
"""Hexadecimal digits of a rules digest: it tells policies apart, and need not withstand anybody."""


@lru_cache(maxsize=8)  # drills make thousands of engines of one policy
def dump(policy: Policy) -> bytes:
    """Canonical JSON of a policy: the same policy gives the same bytes."""
    return orjson.dumps(_POLICY.dump_python(policy, mode="json"), option=orjson.OPT_SORT_KEYS)


def parse(data: bytes) -> Policy:
    """The policy that `dump` wrote, equal in every field.

    Raises ValueError (pydantic's) when the bytes are none.
    """
    return _POLICY.validate_json(data)


def meaning(document: bytes) -> dict[str, Any]:
    """What a stored policy means, part by part, without the places where it was written; also of another Tocsin's."""
    parts: dict[str, Any] = _without_places(orjson.loads(document))
    return parts


@lru_cache(maxsize=8)
def digest(policy: Policy) -> str:
    """The policy's version: SHA-256 (hex) of its meaning, without the places where it was written."""
    meaning = _without_places(_POLICY.dump_python(policy, mode="json"))
    return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()


def rules_digest(policy: Policy) -> str:
    """Digest (hex) of what rules are made of: two policies with the same one compile to the same rules.

    Who is told, and when, is not in it; nor is where, and in which order, things are written. What has its
    default is left out, so that the digest stays the same when a later Tocsin knows more fields.
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
