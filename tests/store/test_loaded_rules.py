"""Which rules were heard of is kept for every replica, and no replica's words overwrite another's."""

from receiver.core.loaded_rules import LoadedRules, update
from receiver.core.model import Instant
from receiver.store import SqlStore
from tests.core.alerts import START


def test_whoever_was_quicker_is_not_overwritten(store: SqlStore) -> None:
    """Only a replica that read a record's latest version replaces it; another reads again and adds what it heard."""
    first = update(LoadedRules(), {"": {"aa": START}}, "a", "aa", START)
    second = update(LoadedRules(), {"eu": {"bb": START}}, "b", "aa", START)
    assert store.loaded_rules() is None
    assert store.keep_loaded_rules(None, first)
    assert not store.keep_loaded_rules(None, second), "another replica had read nothing either"
    assert store.loaded_rules() == first
    both = update(first, {"eu": {"bb": START}}, "b", "aa", Instant(START + 1))
    assert store.keep_loaded_rules(first, both)
    assert not store.keep_loaded_rules(first, second)
    assert store.loaded_rules() == both
    assert set(both.heard) == {"", "eu"}
