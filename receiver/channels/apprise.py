"""Some hundred services by way of Apprise: ntfy, Telegram, Discord, Pushover … The only module that knows it.

Apprise says true or false; why stands in its log, in words of each service's own. Most name the HTTP status
(``error=503``) or say that the connection failed. What names a status that a person must mend is Rejected, and all else
is a Retry: an error that nobody can read must not cost a page. What goes into Apprise's log has tokens in it: it is
read here, and goes nowhere else.

Rules: its calls block, so each has a thread of its own; it may neither retry nor follow redirects nor wait for its own
rate limits; it may keep nothing on disk. A recipient is a name; its URL, a secret, is the setting of that name.
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
"""Seconds for all that Apprise does with a message."""

_STATUS = re.compile(r"error=\(?(\d{3})\d{0,2}\b")
"""The HTTP status in its log; ntfy's own codes (42901) begin with it."""
_PASSING = frozenset({408, 425, 429})
"""Statuses below 500 that pass."""


class AppriseSender:
    """The sender for channels of type apprise."""

    def __init__(self, urls: Mapping[str, str], *, deadline: float = DEADLINE) -> None:
        """`urls`: by the variable that each stands in. `deadline`: seconds for all of a message."""
        self._urls = urls
        self._deadline = deadline
        self._threads = DaemonThreads("apprise")

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Delivered means that the service took it."""
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
        except Exception as error:  # noqa: BLE001 - a service's module may stumble over an answer
            return Retry(f"Apprise makes no sense of the answer that {recipient} gave ({type(error).__name__})")

    def _notify(self, variable: str, outgoing: Outgoing) -> Outcome:
        """On a thread of its own, with an object of its own: Apprise's objects keep their service's limits."""
        service = make_service(variable, self._urls[variable])
        with _said.kept() as said:
            headline, body = outgoing.message.headline, _body(outgoing)
            done = service.notify(title=headline, body=body, notify_type=_kind(outgoing), body_format="text")
        return Delivered() if done else judge(str(service.service_name), said, variable)

    async def close(self) -> None:
        """Nothing is kept between calls."""


def configure(settings: Settings, _now: Callable[[], int]) -> Configured | None:
    """Where there is a URL; it serves the channels whose recipients have one. Raises SettingsError."""
    urls = {variable: url.get_secret_value() for variable, url in settings.owners(SETTING).items()}
    for variable, url in urls.items():
        make_service(variable, url)

    def serves(channel: Channel) -> bool:
        return any(each.startswith("@") or variable_of(SETTING, each) in urls for each in channel.recipients)

    # Its services' modules call requests themselves, which reads HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE.
    return Configured(lambda _egress: AppriseSender(urls), serves) if urls else None


def make_service(variable: str, url: str) -> Any:
    """Apprise's object for a URL. Raises SettingsError, which names the variable and shows nothing of the URL."""
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
    """Apprise with the modules of its services, which it loads when it makes its first object: that takes a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # one of them asks for a module that Python will lose
        library = import_module("apprise")
        library.Apprise.instantiate("json://127.0.0.1")
    return library


def judge(name: str, said: list[str], variable: str) -> Outcome:
    """What a failure means, by what Apprise logged."""
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
    """The reason and the link to acknowledge first: services cut what is too long for them at its end."""
    message = outgoing.message
    steps = "\n".join(f"{number}. {action}" for number, action in enumerate(message.actions, 1))
    facts = "\n".join(f"{name}: {value}" for name, value in message.facts)
    links = "\n".join(f"{label}: {url}" for label, url in message.links)
    acknowledge = f"Acknowledge: {message.acknowledge}" if message.acknowledge else message.command
    parts = (message.lead, acknowledge, steps and f"First do this:\n{steps}", facts, *message.paragraphs, links)
    return "\n\n".join(filter(None, parts)) or message.subject


def _kind(outgoing: Outgoing) -> str:
    """Apprise's word, by which services choose a colour or a picture."""
    if outgoing.notification.kind is Kind.RESOLVED:
        return "success"
    if not outgoing.message.live:
        return "info"
    return "failure" if outgoing.message.level >= CRITICAL else "warning"


class _LogOfThreads(logging.Filter):
    """Keeps what Apprise logs on a thread for whoever waits for that thread, and lets nothing of it go further."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()

    def attach(self) -> None:
        """Stand before Apprise's logger, once; and keep urllib3 from logging URLs, which have tokens in them."""
        logging.getLogger("apprise").addFilter(self)
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    @contextmanager
    def kept(self) -> Iterator[list[str]]:
        """What this thread logs until the block ends."""
        lines: list[str] = []
        self._local.lines = lines
        try:
            yield lines
        finally:
            del self._local.lines

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep a line that says what went wrong."""
        if record.levelno >= logging.WARNING:
            getattr(self._local, "lines", []).append(record.getMessage())
        return False


_said = _LogOfThreads()
