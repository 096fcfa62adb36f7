"""Some hundred services through Apprise: ntfy, Telegram, Discord, Pushover … No other module imports Apprise.

Apprise returns true or false and logs the reason in each service's own words. Most log the HTTP status (``error=503``)
or a failed connection. A status that a person must correct is Rejected; all else is a Retry, because an unknown error
must not lose a page. Apprise's log contains tokens: it is read here and not passed on.

Rules: Apprise's calls block, so each runs on its own thread; Apprise may not retry, follow redirects, wait for its own
rate limits, or write to disk. A recipient is a name; the setting of that name holds its URL, which is secret.
"""

import asyncio
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from receiver.channels import Configured, Outgoing
from receiver.channels.threads import DaemonThreads, ThreadsExhausted
from receiver.core.events import Delivered, Outcome, Rejected, Retry
from receiver.core.model import Kind
from receiver.errors import SettingsError
from receiver.settings import Settings, variable_of
from rules.policy import CRITICAL, Channel

SETTING = "apprise_url"
DEADLINE = 20.0
"""Seconds for all calls of Apprise for a message."""

_STATUS = re.compile(r"error=\(?(\d{3})\d{0,2}\b")
"""The HTTP status in Apprise's log; ntfy's own codes (42901) begin with it."""
_PASSING = frozenset({408, 425, 429})
"""Temporary statuses below 500."""


class AppriseSender:
    """The sender for channels of type apprise."""

    def __init__(self, urls: Mapping[str, str], *, deadline: float = DEADLINE) -> None:
        """`urls`: variable → URL. `deadline`: seconds for a message."""
        self._urls = urls
        self._deadline = deadline
        self._threads = DaemonThreads("apprise")

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Delivered: the service accepted the message."""
        recipient = outgoing.notification.recipient
        variable = variable_of(SETTING, recipient)
        if variable not in self._urls:
            return Rejected(f"the Apprise URL of {recipient} is not known: set {variable}")
        try:
            async with asyncio.timeout(self._deadline):
                return await self._threads.run(lambda _: self._notify(variable, outgoing))
        except TimeoutError:
            return Retry(f"{recipient} gave no answer by way of Apprise within {self._deadline:g} s")
        except ThreadsExhausted:
            return Retry("Apprise does not finish its calls; too many are still under way")
        except Exception as error:  # noqa: BLE001 - a service's module may fail to parse an answer
            return Retry(f"Apprise makes no sense of the answer that {recipient} gave ({type(error).__name__})")

    def _notify(self, variable: str, outgoing: Outgoing) -> Outcome:
        """Runs on its own thread with its own object: Apprise's objects keep their service's rate limits."""
        service = make_service(variable, self._urls[variable])
        with _said.kept() as said:
            headline, body = outgoing.message.headline, _body(outgoing)
            done = service.notify(title=headline, body=body, notify_type=_kind(outgoing), body_format="text")
        return Delivered() if done else judge(str(service.service_name), said, variable)

    async def close(self) -> None:
        """Does nothing: no state between calls."""


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Configured if there is a URL; serves the channels with a recipient that has one. Raises SettingsError."""
    urls = {variable: url.get_secret_value() for variable, url in settings.owners(SETTING).items()}
    for variable, url in urls.items():
        make_service(variable, url)

    def serves(channel: Channel) -> bool:
        return any(each.startswith("@") or variable_of(SETTING, each) in urls for each in channel.recipients)

    # Its modules call requests directly, which reads HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE.
    return Configured(lambda _egress: AppriseSender(urls), serves) if urls else None


def make_service(variable: str, url: str) -> Any:
    """Returns Apprise's object for a URL. Raises SettingsError with the variable's name and no part of the URL."""
    _said.attach()
    try:
        library = _library()
    except ModuleNotFoundError:
        raise SettingsError(f"{variable}: needs Apprise: pip install 'tocsin[apprise]'") from None
    asset = library.AppriseAsset(async_mode=False, storage_mode="memory", default_service_retry=0)
    asset.http_redirects = asset.pgp_autogen = asset.pem_autogen = False
    service = library.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise SettingsError(f"{variable}: is no URL of a service that Apprise knows, such as ntfys://topic")
    service.retry, service.request_rate_per_sec = 0, 0.0
    if "overflow=" not in url:
        service.overflow_mode = "truncate"
    return service


@cache
def _library() -> ModuleType:
    """Imports Apprise and its services' modules, which its first object loads; that takes a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # one of them imports a module that a later Python removes
        library = import_module("apprise")
        library.Apprise.instantiate("json://127.0.0.1")
    return library


def judge(name: str, said: list[str], variable: str) -> Outcome:
    """Returns the outcome of a failure, from Apprise's log lines."""
    statuses = [int(found[1]) for each in said if (found := _STATUS.search(each))]
    status = next((each for each in statuses if not _lasts(each)), statuses[0] if statuses else 0)
    if status in {401, 403}:
        return Rejected(f"{name} refuses the credentials ({status}): mend {variable}")
    if _lasts(status):
        return Rejected(f"{name} refuses it ({status}): mend {variable}, or look into the service's own log")
    if status:
        return Retry(f"{name} is not ready ({status})")
    is_network = any("onnection error" in each for each in said)
    return Retry(
        f"{name} cannot be reached, or hung up" if is_network else f"{name} did not take it, and Apprise says no more"
    )


def _lasts(status: int) -> bool:
    return 300 <= status < 500 and status not in _PASSING


def _body(outgoing: Outgoing) -> str:
    """Returns the text with the reason and the acknowledge link first: services cut long texts at the end."""
    message = outgoing.message
    steps = "\n".join(f"{number}. {action}" for number, action in enumerate(message.actions, 1))
    facts = "\n".join(f"{name}: {value}" for name, value in message.facts)
    links = "\n".join(f"{label}: {url}" for label, url in message.links)
    acknowledge = f"Acknowledge: {message.acknowledge}" if message.acknowledge else message.command
    parts = (message.lead, acknowledge, steps and f"First do this:\n{steps}", facts, *message.paragraphs, links)
    return "\n\n".join(filter(None, parts)) or message.subject


def _kind(outgoing: Outgoing) -> str:
    """Returns Apprise's notify type; services choose a colour or an icon by it."""
    if outgoing.notification.kind is Kind.RESOLVED:
        return "success"
    if not outgoing.message.live:
        return "info"
    return "failure" if outgoing.message.level >= CRITICAL else "warning"


class _LogOfThreads(logging.Filter):
    """Keeps Apprise's log lines per thread for the caller on that thread, and drops them from all other logs."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()

    def attach(self) -> None:
        """Filters Apprise's logger (idempotent), and keeps urllib3 from logging URLs, which contain tokens."""
        logging.getLogger("apprise").addFilter(self)
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    @contextmanager
    def kept(self) -> Iterator[list[str]]:
        """Yields the list of this thread's log lines, filled until the block ends."""
        lines: list[str] = []
        self._local.lines = lines
        try:
            yield lines
        finally:
            del self._local.lines

    def filter(self, record: logging.LogRecord) -> bool:
        """Keeps warnings and errors for the caller. Returns False, so that no other handler gets a record."""
        if record.levelno >= logging.WARNING:
            getattr(self._local, "lines", []).append(record.getMessage())
        return False


_said = _LogOfThreads()
