"""A policy as bytes, and its version.

The receiver's store keeps each policy version once, by its digest; incidents hold the digest and go on by the
policy they began with. The digest is of what the policy *means*: the same content loaded from other files, or
from other lines of them, is the same version.
"""

import hashlib
from typing import Any

import orjson
from pydantic import TypeAdapter

from rules.policy import Policy

_POLICY = TypeAdapter(Policy)


def dump(policy: Policy) -> bytes:
    """Canonical JSON of a policy: the same policy gives the same bytes."""
    return orjson.dumps(_POLICY.dump_python(policy, mode="json"), option=orjson.OPT_SORT_KEYS)


def parse(data: bytes) -> Policy:
    """The policy that `dump` wrote, equal in every field.

    Raises ValueError (pydantic's) when the bytes are none.
    """
    return _POLICY.validate_json(data)


def digest(policy: Policy) -> str:
    """The policy's version: SHA-256 (hex) of its meaning, without the places where it was written."""
    meaning = _without_places(_POLICY.dump_python(policy, mode="json"))
    return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(entry) for key, entry in value.items() if key != "place"}
    if isinstance(value, list):
        return [_without_places(item) for item in value]
    return value
