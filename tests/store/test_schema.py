"""The schema: brought up to date at the start, once, and the same as the tables in the code."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from receiver.errors import SchemaTooNew
from receiver.store import SqlStore, open_store, schema, statements
from receiver.store.database import Database
from receiver.store.session import Session
from tests.store.samples import NOW, incident, save

Open = Callable[[str], SqlStore]


SHAPE = {
    "sqlite": """
        SELECT sql FROM sqlite_master
        WHERE sql IS NOT NULL AND name <> 'alembic_version' AND name NOT LIKE 'incident_titles%'
        AND name NOT GLOB 'closed_words_[ioc]*'
    """,
    "postgresql": """
        SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default)
        FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'alembic_version'
        UNION ALL
        SELECT replace(indexdef, current_schema(), '')
        FROM pg_indexes WHERE schemaname = current_schema() AND tablename <> 'alembic_version'
        AND indexname NOT IN ('incidents_by_words', 'closed_words_by_words')
    """,
}


@pytest.mark.parametrize("kind", ["memory", "postgresql"])
def test_migrations_lead_to_the_tables_in_the_code(kind: str, postgresql: Callable[[], str], open_stores: Open) -> None:
    """What the migrations make is what `schema.py` says: no table, column, type, constraint or index differs."""
    migrated = open_stores("sqlite://" if kind == "memory" else postgresql())._database
    created = Database("sqlite://" if kind == "memory" else postgresql())
    with created.write() as connection:
        schema.metadata.create_all(connection)
    shapes = []
    for database in (migrated, created):
        with database.read() as connection:
            rows = connection.exec_driver_sql(SHAPE[connection.dialect.name])
            shapes.append(sorted(" ".join(row[0].split()) for row in rows))
    created.close()
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) > 10


@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_opening_again_changes_nothing(
    kind: str, tmp_path: object, postgresql: Callable[[], str], open_stores: Open
) -> None:
    """A database whose schema is up to date is opened as it is."""
    url = f"sqlite:///{tmp_path}/tocsin.db" if kind == "file" else postgresql()
    first = open_stores(url)
    (kept,) = save(first, opened=[incident("a")])
    second = open_stores(url)
    assert second.reads().incident("id-a") == kept
    assert second.installation == first.installation


def test_replicas_may_start_at_once(postgresql: Callable[[], str], open_stores: Open) -> None:
    """Several replicas that find an empty database make one schema and one name for the installation."""
    url = postgresql()
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(open_stores, [url] * 4))
    assert len({store.installation for store in stores}) == 1


@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_a_newer_schema_is_refused(
    kind: str, tmp_path: object, postgresql: Callable[[], str], open_stores: Open
) -> None:
    """A database that a newer version wrote is left alone."""
    url = f"sqlite:///{tmp_path}/tocsin.db" if kind == "file" else postgresql()
    store = open_stores(url)
    with store._database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("UPDATE meta SET value = '9999' WHERE name = 'schema_readable_from'")
    with pytest.raises(SchemaTooNew, match="newer Tocsin"):
        open_store(url)
    with store._database.read() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "9999"


OFTEN = {
    "LOCK": {"keys": ["a"], "ids": ["b"]},
    "DUE_INCIDENTS": {"now": NOW, "limit": 5},
    "SENDABLE": {"now": NOW, "limit": 5, "busy": [], "levels": [4]},
    "HEADS": {"ids": ["a"], "busy": []},
    "NOTIFICATIONS": {"ids": ["a"]},
    "THREADS": {"ids": ["a"]},
    "BUNDLE": {"name": "a"},
    "ALERTS": {"wanted": "[]"},
    "BUCKETS": {"names": ["a"]},
    "SUPERSEDE": {"incident_id": "a", "before": 1, "kinds": ["page"]},
    "POSTPONE_NOTIFICATIONS": {"id": "a", "until": NOW},
    "NEXT_DUE": {},
    "RELATED_NOW": {"system": "a", "number": 1, "limit": 5},
    "RELATED_CLOSED": {"system": "a", "number": 1, "limit": 5, "since": NOW},
}


@pytest.mark.parametrize("name", OFTEN)
def test_what_is_asked_often_walks_an_index(name: str, open_stores: Open) -> None:
    """No statement of a transaction reads a whole table, however many incidents there are."""
    store = open_stores("sqlite://")
    with store._database.read() as connection:
        plan = [
            row.detail
            for row in Session(connection).rows(f"EXPLAIN QUERY PLAN {getattr(statements, name)}", **OFTEN[name])
        ]
    tables = ("incidents", "notifications", "alerts", "entries", "buckets", "bundles", "n", "f", "earlier")
    tables += ("open_systems", "closed_words")
    scans = [step for step in plan if step.startswith("SCAN") and step.split()[1] in tables and "INDEX" not in step]
    assert scans == []
    assert any("INDEX" in step for step in plan)
