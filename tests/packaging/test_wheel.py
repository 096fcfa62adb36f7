"""The wheel, in an environment of its own and an empty folder: it holds all that Tocsin needs, and it pages."""

import asyncio
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from receiver.demo.stand_ins import start_mailbox
from receiver.demo.tools import free_port
from receiver.version import commit
from tests.end_to_end.conftest import Told, until
from tests.end_to_end.processes import POLICY, post
from tests.packaging.conftest import ROOT
from tests.patience import GIVES_UP


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as pip builds it, with the builder that is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def tocsin(wheel: Path, dependencies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from the wheel into an environment with nothing else of this checkout."""
    home = tmp_path_factory.mktemp("installed")
    python = home / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", "--no-compile", wheel], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    return home / "bin" / "tocsin"


def environment(**settings: str) -> dict[str, str]:
    """Nothing of this checkout leads into it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TOCSIN"))}
    return {**kept, **settings}


def run(tocsin: Path, folder: Path, *arguments: str) -> str:
    """What a command prints, from an empty folder; it must end well."""
    ended = subprocess.run(
        [tocsin, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=GIVES_UP,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_it_comes_from_the_wheel(tocsin: Path, tmp_path: Path) -> None:
    """What runs is what was installed, not this checkout."""
    code = "import receiver, rules, templates; print(receiver.__file__, rules.__file__, templates.__file__)"
    found = subprocess.run(
        [tocsin.parent / "python", "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(Path(each).is_relative_to(tocsin.parents[1]) for each in found.stdout.split())


def test_it_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Modules, migrations, templates, static files, packs and py.typed: the wheel has each file that the checkout has."""
    packages = ("receiver", "rules", "templates")
    files = (path for package in packages for path in (ROOT / package).rglob("*") if path.is_file())
    here = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == here | {"receiver/commit.txt"}
    assert {f"{package}/py.typed" for package in packages} <= inside


def test_it_holds_the_license_and_whom_the_packs_are_from(wheel: Path) -> None:
    """The Apache License whole, and the notice of the framework that the packs come from."""
    with zipfile.ZipFile(wheel) as archive:
        texts = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if "/licenses/" in name}
        (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
    assert "END OF TERMS AND CONDITIONS" in texts["LICENSE"]
    assert "Copyright (c) 2025 Phan Hong An" in texts["NOTICE"]
    assert "\nLicense-Expression: Apache-2.0\n" in metadata


def test_it_tells_the_commit_that_it_was_built_from(tocsin: Path, tmp_path: Path) -> None:
    """Where no git is, the wheel still knows."""
    assert run(tocsin, tmp_path, "--version") == f"tocsin 0.1.0 (commit {commit(ROOT)})\n"


def test_a_checkout_asks_git_and_what_is_neither_says_so(tmp_path: Path) -> None:
    """The commit here is git's; a copy without .git and without a build's file says unknown, and no other's commit."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        assert asked.stdout.startswith(commit(ROOT).removesuffix("-dirty"))
    assert commit(tmp_path) == "unknown"


def test_the_packs_are_inside(tocsin: Path, tmp_path: Path) -> None:
    """With no policy given it checks, compiles and drills the shipped packs, from an empty folder."""
    assert ": sound." in run(tocsin, tmp_path, "check")
    run(tocsin, tmp_path, "compile", "--out", "compiled")
    assert "alert: EngineFailure" in (tmp_path / "compiled" / "rules.yml").read_text()
    assert "paged" in run(tocsin, tmp_path, "drill", "--incident", "engine_failure", "--html", "drill.html")
    assert (tmp_path / "drill.html").stat().st_size > 1000


@asynccontextmanager
async def serving(tocsin: Path, folder: Path, settings: dict[str, str]) -> AsyncIterator[str]:
    """`tocsin serve` with the policy of the folder, ready."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        tocsin, "serve", "policy.yaml", "--listen", f"127.0.0.1:{port}", cwd=folder, env=environment(**settings),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(GIVES_UP):
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/-/ready") as response:
                        if response.status == 200:
                            break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_it_serves_and_pages(tocsin: Path, tmp_path: Path) -> None:
    """An alert becomes an incident and a mail with the templates' words; the console's pages are inside too."""
    told = Told()
    mailbox, smtp_url = await start_mailbox(told.show)
    (tmp_path / "policy.yaml").write_text(POLICY)
    settings = {"TOCSIN_SMTP_URL": smtp_url, "TOCSIN_EMAIL_FROM": "tocsin@example.test"}
    async with serving(tocsin, tmp_path, settings) as url, aiohttp.ClientSession() as session:
        assert await post(url, 1) == 200
        await until(lambda: told.on("email", "oncall@example.com"), what="the page by mail")
        async with session.get(url) as page:
            assert "margin low on unit-1" in await page.text()
            style = re.search(r'href="(/[^"]+\.css[^"]*)"', await page.text())
        assert style
        async with session.get(url + style[1]) as styled:
            assert styled.status == 200
    mailbox.close()
    await mailbox.wait_closed()
