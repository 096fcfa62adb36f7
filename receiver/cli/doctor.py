"""`tocsin doctor`: finds what would prevent a page from arriving. Run it where the receiver runs, with its settings.

It has no rules of its own: the service's own code checks settings, schema, certificates, digest and heartbeats. It
sends no messages and changes nothing.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import typer

from receiver.cli.incidents import LOCAL, Json, Token, Url, base
from receiver.cli.output import console, print_json
from receiver.cli.policy_options import Paths
from receiver.cli.refusals import why_none
from receiver.clock import wall_clock
from receiver.errors import CannotError, SettingsError, TocsinError
from receiver.settings import Settings
from rules.channel_types import CHANNEL_FACTS
from rules.load import load
from rules.policy import SECOND, Policy
from rules.problems import PolicyError
from rules.reserved import WATCH
from rules.stored import digest, rules_digest

PATIENCE = 10.0
"""Seconds to wait for each answer."""

MOST_APART = 5.0
"""Seconds that this clock and Prometheus's may differ."""

LEAST_FREE = 1 << 30
"""Bytes that must be free beside a SQLite database."""


NO_FALLBACK = (
    "TocsinDown is told to nobody but Tocsin itself, so nobody hears that it is down: give `tocsin compile` a "
    "--fallback-email or --fallback-pagerduty-key-file, or route that alert to people in Alertmanager"
)


OPEN = "open the way (firewall, NetworkPolicy, the proxy, NO_PROXY), or correct its URL"


class Finding(NamedTuple):
    """One line of the result."""

    part: str
    """The checked part: ``settings``, ``Alertmanager HOST``."""
    problem: str = ""
    """The problem and its solution; empty: none."""
    said: str = "ok"
    """The observation, if there is no problem."""


def doctor(paths: Paths = None, url: Url = LOCAL, token: Token = "", json: Json = False) -> None:
    """Find what would prevent a page from arriving. Sends no messages. Exit code 1: a problem was found."""
    base(url, token)
    found = asyncio.run(_all(paths or [], url, token))
    if json:
        print_json({"checks": [{"part": each.part, "ok": not each.problem, **_told(each)} for each in found]})
    else:
        for each in found:
            line = f"PROBLEM  {each.part}: {each.problem}" if each.problem else f"ok       {each.part}: {each.said}"
            console.print(line, markup=False, soft_wrap=True)
    if any(each.problem for each in found):
        raise typer.Exit(1)


def _told(found: Finding) -> dict[str, str]:
    return {"problem": found.problem} if found.problem else {"said": found.said}


async def _all(paths: Sequence[Path], url: str, token: str) -> list[Finding]:
    return [each async for each in examine(os.environ, paths, url, token)]


async def examine(environ: Any, paths: Sequence[Path], url: str, token: str) -> AsyncIterator[Finding]:
    """Yields every finding; checks that need unusable settings, policy or authorities are left out."""
    try:
        settings = Settings.read(environ)
        settings.require_safe()
        policy = load(paths)
    except SettingsError as error:
        for line in str(error).splitlines():
            yield Finding("settings", line)
        return
    except PolicyError as error:
        for problem in error.problems:
            yield Finding("policy", str(problem).partition("\n")[0])
        return
    yield Finding("settings", "; ".join(settings.warnings))
    for look in (_authorities, _certificates, _database, _disk):
        yield _guarded(look, settings)
    if _authorities(settings).problem:
        return
    for look_at in (_channels, _providers, _alertmanagers, _prometheus):
        async for each in look_at(settings, policy):
            yield each
    async for each in _receiver(settings, policy, url, token):
        yield each


def _guarded(look: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return look(settings)
    except TocsinError as error:
        return Finding(look.__name__.strip("_"), str(error))


def _authorities(settings: Settings) -> Finding:
    from receiver.clients.egress import Egress

    try:
        _ = Egress.of(settings).tls
    except SettingsError as error:
        return Finding("authorities", str(error))
    return Finding("authorities")


def _certificates(settings: Settings) -> Finding:
    from receiver.web.http.tls import problem_of

    return Finding("certificates", problem_of(settings) if settings.tls_cert_file else "")


def _database(settings: Settings) -> Finding:
    from receiver.store.database import Database, file_of, parse_url
    from receiver.store.upgrade import CURE

    file = file_of(parse_url(settings.database))
    if file is not None and not file.exists():
        return Finding("database", f"there is no {file}: set TOCSIN_DATABASE as the receiver has it, or start it once")
    with closing(Database(settings.database)) as opened:
        schema = opened.schema()
    if not schema.can_be_read:
        return Finding("database", f"a newer Tocsin made schema {schema.found}: install that one, or restore a backup")
    named = ", ".join(each.revision for each in schema.breaking)
    problem = f"a start refuses the migrations {named}: {CURE}" if named else ""
    return Finding("database", problem, f"schema {schema.found}")


def _disk(settings: Settings) -> Finding:
    from receiver.store.database import file_of, parse_url

    file = file_of(parse_url(settings.database))
    if file is None or not file.parent.exists():
        return Finding("disk", said="no file of ours")
    free = shutil.disk_usage(file.absolute().parent).free
    problem = f"{free >> 20} MB are free beside {file}: make room" if free < LEAST_FREE else ""
    return Finding("disk", problem, f"{free >> 20} MB free")


async def _channels(settings: Settings, policy: Policy) -> AsyncIterator[Finding]:
    from receiver.channels.configured import configured_channels

    known = configured_channels(policy, settings)
    for each in policy.channels:
        if each.enabled:
            missing = f"{each.type} is not configured, it tells nobody: docs/channels/{each.type}.md says how"
            yield Finding(f"channel {each.name}", "" if each.name in known else missing)


async def _providers(settings: Settings, policy: Policy) -> AsyncIterator[Finding]:
    from receiver.channels.configured import configured_channels
    from receiver.clients.egress import Egress

    known = configured_channels(policy, settings)
    used = [each for each in policy.channels if each.enabled and each.name in known]
    places = {(place, each.proxy) for each in used for place in _places(settings, each.type, each.recipients)}
    egress = Egress.of(settings)
    if any(each.type == "email" for each in used):
        yield await _mail_server(settings, egress)
    for place, proxy in sorted(places):
        yield await _reached(place, egress.through(proxy))


def _places(settings: Settings, kind: Any, recipients: Sequence[str]) -> Iterator[str]:
    """Yields the addresses of a channel's provider: scheme, host and port, no secrets."""
    from receiver.channels import twilio, vonage

    if kind == "sms":  # of the two providers, those with an account
        yield from (_place(each.api_url) for each in (twilio.account_of(settings), vonage.account_of(settings)) if each)
        return
    usual = getattr(import_module(f"receiver.channels.{kind}"), "API_URL", "")
    for name in CHANNEL_FACTS[kind].settings:
        own = settings.of_channels.get(name)
        if name.endswith("_api_url") and (address := own.get_secret_value() if own else getattr(settings, name, usual)):
            yield _place(address)
    yield from (_place(each) for each in recipients if each.startswith(("http://", "https://")))


def _place(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


async def _reached(place: str, egress: Any) -> Finding:
    """Whether the address itself answers, and no proxy in its place."""
    import aiohttp

    from receiver.clients.egress import HttpSession

    timeout, why = aiohttp.ClientTimeout(total=PATIENCE), ""
    try:
        async with HttpSession(timeout, egress) as session, session.request("GET", f"{place}/") as answer:
            if session.is_of_proxy(answer):
                why = f"the proxy answers {answer.status} in its place"
    except (aiohttp.ClientError, TimeoutError, OSError, SettingsError) as error:
        why = why_none(error)
    return Finding(f"provider {place}", f"it cannot be reached: {why}; {OPEN}" if why else "", "answers")


async def _mail_server(settings: Settings, egress: Any) -> Finding:
    """Whether it accepts a connection, its certificate holds, and the login too; no mail is sent."""
    from receiver.channels.email import EmailSender

    assert settings.smtp_url is not None
    assert settings.email_from is not None
    url = settings.smtp_url.get_secret_value()
    why = await EmailSender(url, settings.email_from, PATIENCE, egress.tls).why_refused()
    return Finding(f"provider {_place(url)}", f"{why}; {OPEN}" if why else "", "takes mail")


async def _alertmanagers(settings: Settings, policy: Policy) -> AsyncIterator[Finding]:
    from receiver.clients.alertmanager import Alertmanager
    from receiver.clients.egress import Egress

    if not settings.alertmanager_url:
        yield Finding("Alertmanager", "TOCSIN_ALERTMANAGER_URL is not set: whether its routes lead here is not known")
    for url in settings.alertmanager_url:
        client = Alertmanager(url, egress=Egress.of(settings))
        try:
            listing, routes = await client.list(), await client.routes()
            beats = [each for each in listing.alerts if each.received.labels.get("alertname") == WATCH[0]]
            problem = _judge_routes(beats, routes.webhooks())
            yield Finding(f"Alertmanager {client.name}", problem, "the heartbeat is routed")
            if beats:
                told = sorted({name for each in beats for name in routes.around_tocsin(each.received.labels, policy)})
                yield Finding(f"fallback {client.name}", "" if told else NO_FALLBACK, ", ".join(told))
        except CannotError as error:
            yield Finding(f"Alertmanager {client.name}", f"{error}: is TOCSIN_ALERTMANAGER_URL right?")
        finally:
            await client.close()


def _judge_routes(beats: Sequence[Any], hooks: dict[str, bool]) -> str:
    """`hooks`: name of each webhook receiver → whether it sends resolved alerts."""
    if not beats:
        return f"it has no {WATCH[0]}: load compiled/rules.yml into Prometheus, and name this Alertmanager there"
    if any(not each.active for each in beats):
        return f"{WATCH[0]} is silenced or inhibited, so it never arrives: end that silence"
    led = {name for each in beats for name in each.receivers}
    if not led & hooks.keys():
        named = ", ".join(sorted(led))
        return f"its route leads {WATCH[0]} to {named}, which is no webhook: take the compiled routes into its file"
    quiet = sorted(name for name in led & hooks.keys() if not hooks[name])
    return (
        f"its receiver {quiet[0]} has send_resolved: false, so no end of an alert arrives: set it to true"
        if quiet
        else ""
    )


async def _prometheus(settings: Settings, policy: Policy) -> AsyncIterator[Finding]:
    from receiver.clients.egress import Egress
    from receiver.clients.prometheus import Prometheus, QueryFailed

    if settings.prometheus_url is None:
        yield Finding("Prometheus", "TOCSIN_PROMETHEUS_URL is not set: whether it runs these rules is not known")
        return
    client = Prometheus(settings.prometheus_url, egress=Egress.of(settings))
    try:
        digests, (clock,) = await client.rules_digests(), await client.query("vector(time())")
        yield Finding("Prometheus rules", _judge_rules(digests, rules_digest(policy)), f"digest {rules_digest(policy)}")
        apart = abs(clock.points[0][1] - wall_clock() / SECOND)
        problem = f"ours and Prometheus's are {apart:.0f} s apart: have both follow one time server (NTP)"
        yield Finding("clock", problem if apart > MOST_APART else "")
        up = await client.query('up{job="tocsin"} == 1')
        yield Finding("scrapes", "" if up else 'no target of the job "tocsin" is up: docs/alertmanager.md, part 3')
    except QueryFailed as error:
        yield Finding("Prometheus", f"{error}: is TOCSIN_PROMETHEUS_URL right?")
    finally:
        await client.close()


def _judge_rules(found: frozenset[str], ours: str) -> str:
    if not found:
        return "it has no rules of Tocsin's: load what `tocsin compile` wrote (rules.yml)"
    others = ", ".join(sorted(found - {ours}))
    return f"it runs rules of another policy ({others}): compile this one and load its rules.yml" if others else ""


async def _receiver(settings: Settings, policy: Policy, url: str, token: str) -> AsyncIterator[Finding]:
    import aiohttp

    from receiver.clients.egress import Egress, HttpSession

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with HttpSession(aiohttp.ClientTimeout(total=PATIENCE), Egress.of(settings)) as session:
            async with session.request("GET", f"{url}/-/ready", headers=headers) as answer:
                said = (await answer.text()).strip()
                if answer.status not in {200, 503}:
                    yield _no_tocsin(url, answer.status)
                    return
                yield Finding("receiver", "" if answer.status == 200 else said, "ready")
            async with session.request("GET", f"{url}/api/v1/policy", headers=headers) as answer:
                if answer.status not in {200, 401, 403}:
                    yield _no_tocsin(url, answer.status)
                    return
                if answer.status != 200:
                    cure = "give one of TOCSIN_API_TOKENS with --token, or TOCSIN_TOKEN"
                    yield Finding("token", f"{url} refuses it ({answer.status}): {cure}")
                    return
                used = (await answer.json())["digest"]
            other = "it uses another policy than these files: reload it, and look in its log whether it refused them"
            yield Finding("policy in use", "" if used == digest(policy) else other)
            async with session.request("GET", f"{url}/api/v1/heartbeats", headers=headers) as answer:
                yield _judge_beats((await answer.json())["heartbeats"])
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        yield Finding("receiver", f"no answer from {url}: {why_none(error)}; is it running, and --url right?")


def _no_tocsin(url: str, status: int) -> Finding:
    return Finding("receiver", f"{url} answers {status}, as no Tocsin does: is --url right?")


def _judge_beats(beats: Sequence[dict[str, Any]]) -> Finding:
    dead = [each for each in beats if each["state"] != "beats"]
    problem = ""
    if not beats or dead:
        where = ", ".join(each["name"] or each["source"] or "the one without a ?source=" for each in dead)
        problem = (
            f"none arrives{f' from {where}' if where else ''}: is the webhook's URL, and its token, the right one?"
        )
    return Finding("heartbeat", problem, ", ".join(f"{each['age']:.0f} s old" for each in beats))
