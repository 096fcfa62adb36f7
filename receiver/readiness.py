"""Why a service is not ready, in two parts: one for everybody, one for who has a token."""

from typing import NamedTuple


class Failing(NamedTuple):
    """Something that fails."""

    part: str
    """What: told to strangers."""
    why: str = ""
    """With paths and hosts: told to callers we know."""

    def __str__(self) -> str:
        return f"{self.part}: {self.why}" if self.why else self.part
