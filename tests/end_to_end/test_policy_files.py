"""The policy's files change under a running receiver, as an editor or the kubelet changes them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import structlog

from receiver.demo.tools import free_port
from receiver.service import Service
from receiver.settings import Settings
from tests.end_to_end.conftest import until
from tests.end_to_end.processes import POLICY
from tests.end_to_end.processes import serving as running
from tests.mounting import mount, swap
from tests.patience import GIVES_UP

WIDER = POLICY + '      - {name: drift_high, condition: "drift > 3", severity: 3, channels: [email]}\n'
BROKEN = POLICY.replace("safety_margin < 0.95", "safety_margin <")
HOOK = POLICY.replace(
    "email, type: email, recipients:", "email, type: webhook, url: https://secret.example.com/k3y, to:"
)


@asynccontextmanager
async def serving(folder: Path, environment: dict[str, str]) -> AsyncIterator[tuple[Service, aiohttp.ClientSession]]:
    async with Service(Settings.read(environment), [folder]) as service, aiohttp.ClientSession(service.address) as http:
        yield service, http


def rules(service: Service) -> set[str]:
    return {rule.name for rule in service.engine.current.policy.rules}


async def text(http: aiohttp.ClientSession, path: str) -> str:
    async with http.get(path) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_a_mounted_policy_is_read_again_by_itself(environment: dict[str, str], tmp_path: Path) -> None:
    """When the kubelet swaps the mounted folder, new incidents run under the new policy, without a restart."""
    folder = mount(tmp_path / "policy", {"policy.yaml": POLICY})
    async with serving(folder, environment) as (service, _):
        before = service.engine.current.digest
        swap(folder, {"policy.yaml": WIDER})
        await until(lambda: "drift_high" in rules(service), what="the new rule is in use")
        assert service.engine.current.digest != before


async def test_a_broken_policy_is_told_and_never_used(environment: dict[str, str], tmp_path: Path) -> None:
    """A policy with problems leaves the one before it in use and the receiver ready, and is told by the metric, the
    log and the console, without the file's lines; once mended it is read by itself."""
    folder = mount(tmp_path / "policy", {"policy.yaml": POLICY})
    async with serving(folder, environment) as (service, http):
        digest = service.engine.current.digest
        assert "tocsin_policy_last_reload_successful 1.0" in await text(http, "/metrics")
        with structlog.testing.capture_logs() as logged:
            swap(folder, {"policy.yaml": BROKEN, "other.yaml": HOOK})
            await until(lambda: service.state.policy_problems, what="the broken policy is refused")
        (event,) = [each for each in logged if "not reloaded" in each["event"]]
        assert event["log_level"] == "error"
        assert "/other.yaml:10:" in event["first"]
        assert service.engine.current.digest == digest
        assert "tocsin_policy_last_reload_successful 0.0" in await text(http, "/metrics")
        assert "policy before them is in use" in await text(http, "/")
        page = await text(http, "/policy")
        assert str(folder / "policy.yaml") in page
        assert "k3y" not in page + str(logged)
        assert await text(http, "/-/ready")

        swap(folder, {"policy.yaml": WIDER})
        await until(lambda: "drift_high" in rules(service), what="the mended policy is in use")
        assert "tocsin_policy_last_reload_successful 1.0" in await text(http, "/metrics")
        assert "follow the policy before them" not in await text(http, "/policy")


@pytest.mark.parametrize("half", ["", POLICY[: len(POLICY) // 2]], ids=["emptied", "half written"])
async def test_a_file_that_is_being_written_is_left_alone(
    environment: dict[str, str], tmp_path: Path, half: str
) -> None:
    """What only one look saw is not judged: an editor may be writing. What rests is."""
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    async with serving(file, environment) as (service, _):
        files = service._files
        await service._tasks.stop()  # we look ourselves
        file.write_text(half)
        await files.look()
        file.write_text(WIDER)
        await files.look()
        assert (service.state.policy_problems, "drift_high" in rules(service)) == ((), False)
        os.utime(file, (0, 0))
        await files.look()
        assert (service.state.policy_problems, "drift_high" in rules(service)) == ((), True)


async def test_sighup_reads_the_files_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    """A running receiver that is sent SIGHUP has read its policy again, changed or not."""
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    port = free_port()
    async with running(file, environment, port) as process, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        before = await read_at(http)
        process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(GIVES_UP):
            while await read_at(http) == before:
                await asyncio.sleep(0.05)


async def read_at(http: aiohttp.ClientSession) -> str:
    """When the policy was last read, as the metric has it."""
    name = "tocsin_policy_last_reload_success_timestamp_seconds "
    (line,) = [line for line in (await text(http, "/metrics")).splitlines() if line.startswith(name)]
    return line
