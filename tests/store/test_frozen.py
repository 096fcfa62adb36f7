"""No name that is data has changed since the release that wrote `release/names.txt`."""

import os
from pathlib import Path

from tests.store.frozen import names

FROZEN = Path(__file__).with_name("release") / "names.txt"


def test_names_that_are_data_stay() -> None:
    """Stored fields, values, words, keys, signatures, settings and promises are what they were; new ones are added.

    REWRITE_GOLDEN=1 adds lines and never removes one: a deliberate break of stored data edits the file by hand.
    """
    frozen, now = FROZEN.read_text("utf-8").splitlines(), names()
    lost = sorted(set(frozen) - set(now))
    assert not lost, "what is stored or promised under these names would be lost:\n" + "\n".join(lost)
    if os.environ.get("REWRITE_GOLDEN"):
        FROZEN.write_text("".join(f"{line}\n" for line in now), "utf-8")
    added = sorted(set(now) - set(FROZEN.read_text("utf-8").splitlines()))
    assert not added, "new names are data from now on; REWRITE_GOLDEN=1 notes them:\n" + "\n".join(added)
