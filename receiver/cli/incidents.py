"""The API from a shell: list, acknowledge, resolve, escalate, withdraw, give back, note, update, declare."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlsplit

import typer

from receiver.cli import completion
from receiver.cli.incident_told import COLUMNS, print_incident, row
from receiver.cli.output import (
    console,
    fail,
    or_json,
    print_json,
    print_table,
    why_not,
    why_unread,
)
from receiver.cli.refusals import not_tocsin, refused, remember, why_none
from receiver.version import MARK

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The incident's number (12 or #12) or id.", autocompletion=completion.incidents),
]
Url = Annotated[str, typer.Option("--url", envvar="TOCSIN_URL", help="Where the receiver listens.", callback=remember)]
Token = Annotated[str, typer.Option("--token", envvar="TOCSIN_TOKEN", help="An API token.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
By = Annotated[
    str,
    typer.Option(
        "--by", help="Who acts; the token's name where left out.", show_default=False, autocompletion=completion.people
    ),
]
NoteText = Annotated[str, typer.Option("--note", help="A word on why.", show_default=False)]
LOCAL = completion.LOCAL

FILE_SECONDS = 900.0
"""Seconds to send or fetch a file."""


def incidents(
    state: Annotated[
        str,
        typer.Option(
            help="open, acknowledged, resolved, closed; several with commas.", autocompletion=completion.states
        ),
    ] = "",
    level: Annotated[
        int | None,
        typer.Option(min=1, max=4, help="Only this level.", show_default=False, autocompletion=completion.levels),
    ] = None,
    type: Annotated[str, typer.Option(help="Only this type.", autocompletion=completion.types)] = "",  # noqa: A002
    search: Annotated[
        str, typer.Option(help="Its number, or a part of title, labels, names, notes, or of cause, fix, lessons.")
    ] = "",
    system: Annotated[
        str, typer.Option(help="Only what is about this system.", autocompletion=completion.systems)
    ] = "",
    person: Annotated[
        str,
        typer.Option(help="Only what this person acknowledged or got handed over.", autocompletion=completion.people),
    ] = "",
    legal_hold: Annotated[bool, typer.Option("--legal-hold", help="Only those under legal hold.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """List incidents, the newest first."""
    query = {"state": state, "level": level or "", "type": type, "search": search, "limit": limit}
    query |= {"system": system, "person": person}
    query["legal_hold"] = "true" if legal_hold else ""
    found = call("GET", url, token, "/incidents", query={name: str(value) for name, value in query.items() if value})
    print_json(found) if json else print_table(COLUMNS, map(row, found["incidents"]))


def acknowledge(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID…", help="Numbers (12 or #12), or one id.", autocompletion=completion.incidents),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that are open at --level, and no others.")] = False,
    level: Annotated[
        int | None, typer.Option(min=1, max=4, help="With --all.", show_default=False, autocompletion=completion.levels)
    ] = None,
    hold: Annotated[
        str,
        typer.Option(
            "--for", help="How long it holds, such as 2h.", show_default=False, autocompletion=completion.holds
        ),
    ] = "",
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Acknowledge incidents: paging stops. For several, the answer lists which were acknowledged."""
    said = {"by": by, "note": note, "hold": hold}
    names = ids or []
    if all_ != (level is not None) or all_ == bool(names):
        fail("tocsin acknowledge: name incidents (tocsin acknowledge 12 13), or a level: --all --level 3", 2)
    if len(names) == 1:
        _act("acknowledge", names[0], said, url, token, json)
        return
    which = {"level": level} if all_ else {"incidents": [_number(each) for each in names]}
    body = which | {name: value for name, value in said.items() if value}
    found = call("POST", url, token, "/incidents/acknowledge", body=body)
    _say_taken(found, json)
    if found["not_taken"] or found["lost"]:
        raise typer.Exit(1)


def _number(name: str) -> int:
    digits = name.removeprefix("#")
    if not (digits.isascii() and digits.isdigit()):
        fail(f"tocsin acknowledge: {name!r} is no number; several incidents are named by their numbers (12 13 14)", 2)
    return int(digits)


@or_json
def _say_taken(found: dict[str, Any]) -> None:
    """Prints the acknowledged incidents and the others."""
    console.print(f"acknowledged: {', '.join(f'#{each}' for each in found['taken']) or 'none'}", soft_wrap=True)
    for each in found["not_taken"]:
        console.print(f"not taken: #{each['number']}: {each['reason']}", markup=False, soft_wrap=True)
    if found["lost"]:
        console.print(f"could not be stored: {found['lost']}")


def resolve(
    id: Id,  # noqa: A002
    force: Annotated[bool, typer.Option("--force", help="Although alerts still fire; needs --note.")] = False,
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Resolve an incident. All people who were paged are told."""
    _act("resolve", id, {"by": by, "note": note, "force": force}, url, token, json)


def escalate(id: Id, by: By = "", note: NoteText = "", url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002
    """Call for help: take the next escalation step now. The owner stays the owner."""
    _act("escalate", id, {"by": by, "note": note}, url, token, json)


def withdraw(id: Id, by: By = "", note: NoteText = "", url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002
    """Withdraw your call for help."""
    _act("withdraw", id, {"by": by, "note": note}, url, token, json)


def give_back(
    id: Id,  # noqa: A002
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Give up ownership: the incident is open again, and pages from the first step."""
    _act("give-back", id, {"by": by, "note": note}, url, token, json)


def undo(id: Id, by: By = "", url: Url = LOCAL, token: Token = "", json: Json = False) -> None:  # noqa: A002
    """Undo your own mistaken acknowledgement, within two minutes: its deadlines run on as before."""
    _act("undo", id, {"by": by}, url, token, json)


def note(
    id: Id,  # noqa: A002
    text: Annotated[str, typer.Argument(help="What to write down.")],
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Write a note into the timeline."""
    _act("notes", id, {"by": by, "text": text}, url, token, json)


def update(
    id: Id,  # noqa: A002
    text: Annotated[str, typer.Argument(help="How it stands.")],
    by: By = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Send a status update to all people who were told; the next scheduled update is an interval later."""
    _act("updates", id, {"by": by, "text": text}, url, token, json)


def declare(
    type: Annotated[  # noqa: A002
        str,
        typer.Argument(help="An incident type or rule of the policy.", autocompletion=completion.types),
    ],
    level: Annotated[
        int | None,
        typer.Option(
            min=1, max=4, help="1 to 4; left out: the type's.", show_default=False, autocompletion=completion.levels
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="One line.", show_default=False)] = "",
    system: Annotated[
        str,
        typer.Option(
            help="The system that it concerns; every message names it.",
            show_default=False,
            autocompletion=completion.systems,
        ),
    ] = "",
    exercise: Annotated[bool, typer.Option("--exercise", help="A drill: every message says so.")] = False,
    new_type: Annotated[
        bool, typer.Option("--type-is-new", help="TYPE is none of the policy's, on purpose: it gets the default level.")
    ] = False,
    by: By = "",
    note: NoteText = "",
    url: Url = LOCAL,
    token: Token = "",
    json: Json = False,
) -> None:
    """Open an incident by hand."""
    said = {"type": type, "level": level, "title": title, "exercise": exercise, "new_type": new_type}
    body = {**said, "by": by, "note": note, "labels": {"system": system} if system else {}}
    say(call("POST", url, token, "/incidents", body={name: value for name, value in body.items() if value}), json)


def _act(action: str, id_: str, body: dict[str, Any], url: str, token: str, json: bool) -> None:
    say(
        call("POST", url, token, path_of(id_, action), body={name: value for name, value in body.items() if value}),
        json,
    )


def path_of(id_: str, *parts: str) -> str:
    """Returns the API's path of an incident, or of a part of it. Exits if a name is empty."""
    if not all(each.strip(" #") for each in (id_, *parts)):
        fail(
            "tocsin: an argument is empty: an incident is named by its number (12), its parts as the lists name them", 2
        )
    return "/".join(("/incidents", *(quote(part, safe="") for part in (id_.lstrip("#"), *parts))))


say = or_json(print_incident)
"""Prints an incident after an action."""


def call(
    method: str,
    url: str,
    token: str,
    path: str,
    query: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
    *,
    text: bool = False,
) -> Any:
    """Makes one API call and returns the answer's JSON, or its text. Exits with the receiver's message on a refusal."""
    return asyncio.run(_call(method, f"{base(url, token)}/api/v1{path}", token, query, body, text=text))


class _Answer(dict[str, Any]):
    """An answer of the API. A missing member means that another server answered."""

    def __missing__(self, _name: str) -> NoReturn:
        fail("tocsin: the answer is not Tocsin's. Is --url (TOCSIN_URL) right?")


def base(url: str, token: str) -> str:
    """Returns the receiver's URL. Exits if URL or token is unusable."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable():
        fail(f"tocsin: --url (TOCSIN_URL) is no URL: {url!r}. Write it like {LOCAL}", 2)
    if not token.isprintable():
        fail("tocsin: --token (TOCSIN_TOKEN) holds a line break or another character that no token has", 2)
    return url.rstrip("/")


async def send_file(url: str, token: str, path: str, file: Path, fields: dict[str, str]) -> Any:
    """Posts a form with a file, in pieces; returns the answer's JSON. Exits if it is refused."""
    import aiohttp

    try:
        with file.open("rb") as stream:
            form = aiohttp.FormData(fields)
            form.add_field("file", stream, filename=file.name)
            return await _call("POST", f"{base(url, token)}/api/v1{path}", token, data=form, seconds=FILE_SECONDS)
    except FileNotFoundError as error:
        fail(f"tocsin: {file} cannot be read: {why_unread(error)}", 2)


async def save_file(url: str, token: str, path: str, target: Path, sha256: str) -> None:
    """Writes an answer into a new file if it has that SHA-256. Exits if it has not, or on a refusal."""
    found = hashlib.sha256()
    partial = target.with_name(f"{target.name}.partial")
    try:
        with partial.open("xb") as stream:

            def keep(piece: bytes) -> None:
                found.update(piece)
                stream.write(piece)

            address = f"{base(url, token)}/api/v1{path}"
            await _call("GET", address, token, into=keep, seconds=FILE_SECONDS)
        if found.hexdigest() != sha256:
            fail(f"tocsin: what was sent has the SHA-256 {found.hexdigest()}, and {sha256} was recorded: not kept")
        partial.rename(target)
    except OSError as error:
        fail(f"tocsin: {target} cannot be written: {why_not(error)}; name another place with --to", 2)
    finally:
        partial.unlink(missing_ok=True)


async def _call(
    method: str,
    address: str,
    token: str,
    query: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
    *,
    text: bool = False,
    data: Any = None,
    into: Callable[[bytes], object] | None = None,
    seconds: float = 30.0,
) -> Any:
    """`into` receives the answer's bytes, unless it is a refusal."""
    import aiohttp

    from receiver.clients.egress import Egress, HttpSession

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    more = {"headers": headers, "params": query, "json": body, "data": data}
    egress = Egress.of_environment(os.environ)
    try:
        async with (
            HttpSession(aiohttp.ClientTimeout(total=seconds), egress) as session,
            session.request(method, address, **more) as response,
        ):
            if MARK not in response.headers:
                fail(not_tocsin(address, response.status))
            if text and response.status < 400:
                return await response.text()
            if into is not None and response.status < 400:
                async for piece in response.content.iter_any():
                    into(piece)
                return None
            answer = _Answer(await response.json(content_type=None))
            if response.status < 400:
                return answer
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
        why = why_none(error)
        fail(f"tocsin: no answer from {address}: {why}. Is the receiver running, and --url (TOCSIN_URL) right?")
    except (ValueError, TypeError):
        fail(not_tocsin(address, response.status))
    fail(refused(answer))
