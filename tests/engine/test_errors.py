"""The one way to say that something cannot be done: a reason, and what the person can do about it."""

import pickle

import pytest

from receiver.errors import CannotError, StoreDamaged, TocsinError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CannotError("the port is taken"), "the port is taken"),
        (CannotError("the port is taken", "choose another"), "the port is taken; choose another"),
        (StoreDamaged(), "The database file is damaged. `tocsin restore BACKUP` puts a backup in its place."),
    ],
)
def test_reason_and_cure(error: TocsinError, said: str) -> None:
    """An error says its reason and its cure, also after it came from the process that writes."""
    assert str(error) == said
    there = pickle.loads(pickle.dumps(error))
    assert (type(there), str(there), there.reason, there.cure) == (type(error), said, error.reason, error.cure)
