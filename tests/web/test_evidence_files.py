"""Evidence files and legal holds, as people and attackers meet them: the API, the page, the shell, the report, backups."""

import asyncio
import re
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from receiver.core.model import Instant
from receiver.jobs.retention import UPLOADED_WITHIN, delete_expired
from receiver.store import SqlStore, back_up, open_store, restore
from receiver.web.http.uploads import AT_A_TIME, PIECE
from rules.policy import MINUTE
from tests.patience import GIVES_UP
from tests.web.conftest import Running
from tests.web.test_console import BROWSER, csrf, log_in, page
from tests.web.test_console_working import PEOPLE
from tests.web.test_responding_cli import tocsin

ONE = "/api/v1/incidents/1"
EVIDENCE = f"{ONE}/evidence"
CONTENT = bytes(range(256)) * 3000
"""Of three pieces, the last one short."""
DIGEST = sha256(CONTENT).hexdigest()


@pytest.fixture
async def declared(receiver: Running) -> Running:
    """A receiver with one declared incident."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    return receiver


def form(content: bytes = CONTENT, name: str = "recorder.bin", **fields: str) -> aiohttp.FormData:
    """A form with fields and a file."""
    made = aiohttp.FormData()
    for field, value in fields.items():
        made.add_field(field, value)
    made.add_field("file", content, filename=name, content_type="text/html")
    return made


async def attach(running: Running, *parts: Any, path: str = EVIDENCE, **fields: str) -> tuple[int, Any]:
    """Attach a file; returns status and answer."""
    async with running.http.post(f"{running.url}{path}", data=form(*parts, **fields)) as response:
        return response.status, await response.json(content_type=None)


def rows(running: Running, table: str) -> int:
    """How many a table has."""
    with running.store._database.read() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


async def until_gone(running: Running) -> None:
    """Waits until no upload without an incident is left."""
    async with asyncio.timeout(GIVES_UP):
        while rows(running, "evidence_uploads"):
            await asyncio.sleep(0.02)


async def test_a_file_is_attached_listed_and_fetched_as_it_was(declared: Running) -> None:
    """Tocsin's own hash, size, who, when and note; the same bytes come back, only to be saved, and that is audited."""
    status, found = await attach(declared, note="from the ground station", by="ada")
    [file] = found["files"]
    assert status == 201
    assert (file["id"], file["name"], file["sha256"], file["size"]) == ("e1", "recorder.bin", DIGEST, len(CONTENT))
    assert (file["attached_by"], file["note"], file["redacted_by"]) == ("ada", "from the ground station", None)
    assert await declared.get(EVIDENCE) == (200, found)
    async with declared.http.get(f"{declared.url}{EVIDENCE}/e1") as response:
        assert await response.read() == CONTENT
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''recorder.bin"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Repr-Digest"] == f"sha-256=:{b64encode(sha256(CONTENT).digest()).decode()}:"
    audits = [entry for _, entry in declared.store.newest_audits(2)]
    assert [each.action for each in audits] == ["downloadfile", "attachfile"]
    assert [each.data["sha256"] for each in audits] == [DIGEST, DIGEST]
    _, timeline = await declared.get(f"{ONE}/timeline")
    assert timeline["timeline"][-1]["text"] == (
        f"evidence e1 attached: recorder.bin, {len(CONTENT)} bytes, SHA-256 {DIGEST} (from the ground station)"
    )
    assert rows(declared, "evidence_uploads") == 0


async def test_the_same_content_is_kept_once(declared: Running) -> None:
    """A second record, and the bytes of the first."""
    await attach(declared)
    status, found = await attach(declared, CONTENT, "copy.bin")
    assert (status, [each["name"] for each in found["files"]]) == (201, ["recorder.bin", "copy.bin"])
    assert (rows(declared, "evidence_files"), rows(declared, "evidence_chunks")) == (1, 3)


@pytest.fixture
async def roles(start: Callable[..., Any]) -> Running:
    """A receiver with a person of each role, and one incident."""
    running: Running = await start(
        "",
        TOCSIN_API_TOKENS=",".join(
            f"{role}:{role}:{role * 5}" for role in ("viewer", "responder", "approver", "admin")
        ),
    )
    await running.post("/api/v1/incidents", {"type": "engine_failure"}, headers=as_("responder"))
    return running


def as_(role: str) -> dict[str, str]:
    """The header of that role's token."""
    return {"Authorization": f"Bearer {role * 5}"}


async def test_each_does_what_the_role_may(roles: Running) -> None:
    """Responders attach, viewers read, approvers hold and release, admins redact; none acts in another's name."""
    url = f"{roles.url}{EVIDENCE}"

    async def attach_as(headers: dict[str, str]) -> int:
        async with roles.http.post(url, data=form(), headers=headers) as response:
            return response.status

    assert [await attach_as(each) for each in ({}, as_("viewer"), as_("responder"))] == [401, 403, 201]
    async with roles.http.get(f"{url}/e1") as response:
        assert response.status == 401
    async with roles.http.get(f"{url}/e1", headers=as_("viewer")) as response:
        assert response.status == 200
    reason = {"reason": "names a patient"}
    for path, refused, allowed in (
        (f"{ONE}/holds", "responder", "approver"),
        (f"{ONE}/holds/h1/release", "responder", "approver"),
        (f"{EVIDENCE}/e1/redact", "approver", "admin"),
    ):
        assert (await roles.post(path, reason, headers=as_(refused)))[0] == 403
        assert (await roles.post(path, {**reason, "by": "somebody"}, headers=as_(allowed)))[0] in (
            {403} if allowed != "admin" else {200}
        )
        if allowed != "admin":
            assert (await roles.post(path, reason, headers=as_(allowed)))[0] in {200, 201}


async def test_a_redacted_file_is_gone_and_its_record_stays(declared: Running) -> None:
    """410 with who and why; no byte is left in the database; nothing is redacted under legal hold."""
    await attach(declared)
    await declared.post(f"{ONE}/holds", {"reason": "claim 17", "by": "cleo"})
    status, refused = await declared.post(f"{EVIDENCE}/e1/redact", {"reason": "names a patient", "by": "root"})
    assert (status, refused["detail"]) == (409, "the incident is under legal hold (h1): nothing of it goes")
    await declared.post(f"{ONE}/holds/h1/release", {"reason": "settled", "by": "cleo"})
    status, found = await declared.post(f"{EVIDENCE}/e1/redact", {"reason": "names a patient", "by": "root"})
    [file] = found["files"]
    assert (status, file["sha256"], file["redacted_by"], file["redacted_why"]) == (
        200, DIGEST, "root", "names a patient",
    )  # fmt: skip
    status, gone = await declared.get(f"{EVIDENCE}/e1")
    assert status == 410
    assert re.search(r"root had it removed at 2026-.*: names a patient", gone["detail"])
    assert (rows(declared, "evidence_files"), rows(declared, "evidence_chunks")) == (0, 0)
    status, again = await attach(declared)
    assert status == 409
    assert "root removed it, because: names a patient" in again["detail"]
    await until_gone(declared)


async def test_what_is_redacted_does_not_lie_in_the_file(tmp_path: Path) -> None:
    """SQLite keeps deleted pages as they are; a redacted file's are overwritten."""
    path, secret = tmp_path / "tocsin.db", b"the patient is called Nobody Nowhere" * 9000
    store = open_store(f"sqlite:///{path}")
    store.add_evidence("u", 0, secret, Instant(1))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert secret[:500] in path.read_bytes()
    store.drop_evidence("u")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Nobody Nowhere" not in path.read_bytes()
    store.close()


@pytest.fixture
async def narrow(start: Callable[..., Any]) -> Running:
    """A receiver that takes files of 300,000 bytes."""
    running: Running = await start(TOCSIN_EVIDENCE_LIMIT="300000")
    await running.post("/api/v1/incidents", {"type": "engine_failure"})
    return running


async def pieces(count: int) -> AsyncIterator[bytes]:
    """A file without a known size."""
    for _ in range(count):
        yield b"x" * 65536


async def test_a_file_that_is_too_large_is_refused_in_words_and_nothing_is_kept(narrow: Running) -> None:
    """Said before it is read where its size is said; else as soon as it is over the limit."""
    status, found = await attach(narrow, b"x" * 300_000)
    assert status == 201
    status, found = await attach(narrow, b"x" * 300_001)
    assert (status, found["detail"]) == (
        413, "the file is larger than 300000 bytes, which TOCSIN_EVIDENCE_LIMIT sets. Nothing of the file is kept",
    )  # fmt: skip
    unsized = aiohttp.FormData({"note": "long"})
    unsized.add_field("file", pieces(6), filename="long.bin")
    async with narrow.http.post(f"{narrow.url}{EVIDENCE}", data=unsized) as response:
        assert response.status == 413
    await until_gone(narrow)
    assert rows(narrow, "evidence_chunks") == 2


async def test_alerts_keep_their_room(start: Callable[..., Any], tmp_path: Path) -> None:
    """A file for which the disk has no room is refused before a byte of it is read."""
    running = await start(TOCSIN_EVIDENCE_LIMIT=str(1 << 40), TOCSIN_DATABASE=f"sqlite:///{tmp_path / 'tocsin.db'}")
    await running.post("/api/v1/incidents", {"type": "engine_failure"})
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(
        f"POST {EVIDENCE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {1 << 40}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode()
    )
    answer = await reader.read(2000)
    writer.close()
    assert b" 507 " in answer
    assert b"too little room left: alerts need it" in answer


async def raw(
    running: Running, body: bytes, headers: str = "", content_type: str = "multipart/form-data; boundary=b"
) -> bytes:
    """Send a body of our own making and hang up; returns the answer's head, or nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    head = f"POST {EVIDENCE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n{headers}"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read(2000)
    writer.close()
    return answer.split(b"\r\n")[0]


def part(headers: str, content: bytes = b"x", end: bytes = b"\r\n--b--\r\n") -> bytes:
    """A form of one part."""
    return f"--b\r\n{headers}\r\n\r\n".encode() + content + end


FILE = 'Content-Disposition: form-data; name="file"; filename="a.txt"'
ATTACKS = {
    "no form": (b"{}", "", "application/json", 415),
    "packed": (part(FILE), "Content-Encoding: gzip\r\n", "multipart/form-data; boundary=b", 415),
    "a packed part": (part(f"{FILE}\r\nContent-Encoding: gzip"), "", "multipart/form-data; boundary=b", 415),
    "base64": (part(f"{FILE}\r\nContent-Transfer-Encoding: base64"), "", "multipart/form-data; boundary=b", 415),
    "no boundary": (part(FILE), "", "multipart/form-data", 400),
    "another boundary": (part(FILE), "", "multipart/form-data; boundary=c", 400),
    "no end": (part(FILE, end=b""), "", "multipart/form-data; boundary=b", 400),
    "nothing at all": (b"", "", "multipart/form-data; boundary=b", 400),
    "a form within a form": (part("Content-Type: multipart/mixed; boundary=c"), "", "multipart/form-data; boundary=b", 400),
    "a part without a name": (part("X: y"), "", "multipart/form-data; boundary=b", 400),
    "no file": (part('Content-Disposition: form-data; name="note"'), "", "multipart/form-data; boundary=b", 400),
    "an empty file": (part(FILE, b""), "", "multipart/form-data; boundary=b", 400),
    "two files": (part(FILE, end=b"\r\n") + part(FILE), "", "multipart/form-data; boundary=b", 400),
    "an unknown field": (part('Content-Disposition: form-data; name="id"', end=b"\r\n") + part(FILE), "", "multipart/form-data; boundary=b", 400),
    "no text": (part('Content-Disposition: form-data; name="note"', b"\xff", b"\r\n") + part(FILE), "", "multipart/form-data; boundary=b", 400),
    "a huge field": (part('Content-Disposition: form-data; name="note"', b"x" * 1_100_000), "", "multipart/form-data; boundary=b", 413),
    "many fields": (part('Content-Disposition: form-data; name="note"', end=b"\r\n") * 300, "", "multipart/form-data; boundary=b", 400),
    "many headers": (b"--b\r\n" + b"X: y\r\n" * 5000 + b"\r\n", "", "multipart/form-data; boundary=b", 400),
    "a long header": (b"--b\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", "", "multipart/form-data; boundary=b", 400),
    "an odd charset": (part('Content-Disposition: form-data; name="_charset_"', b"x" * 40, b"\r\n") + part(FILE), "", "multipart/form-data; boundary=b", 400),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_is_no_proper_form_is_refused_and_leaves_nothing(declared: Running, attack: str) -> None:
    """With the status that fits; no record, no bytes."""
    body, headers, content_type, status = ATTACKS[attack]
    assert f" {status} ".encode() in await raw(declared, body, headers, content_type)
    await until_gone(declared)
    assert (await declared.get(EVIDENCE))[1]["files"] == []
    assert rows(declared, "evidence_chunks") == 0


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/cron.d/x", "x"),
        ("..\\..\\windows\\x.dll", "x.dll"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("%2e%2e%2fx", "%2e%2e%2fx"),
        ("x" * 500 + ".pdf", "x" * 116 + ".pdf"),
    ],
)
async def test_a_name_leads_nowhere(declared: Running, name: str, kept: str) -> None:
    """Nothing is stored under it anyway; what is shown and offered for saving is harmless."""
    made = aiohttp.FormData(quote_fields=False)
    made.add_field("file", b"x", filename=name)
    async with declared.http.post(f"{declared.url}{EVIDENCE}", data=made) as response:
        [file] = (await response.json())["files"]
    assert file["name"] == kept
    async with declared.http.get(f"{declared.url}{EVIDENCE}/e1") as response:
        assert "/" not in response.headers["Content-Disposition"]


@pytest.mark.parametrize("path", ["e2", "..%2fe1", "e1%00", "E1", "%2e%2e"])
async def test_only_what_is_attached_is_served(declared: Running, path: str) -> None:
    """Any other path is 404 or 405."""
    await attach(declared)
    assert (await declared.get(f"{EVIDENCE}/{path}"))[0] in {404, 405}


async def test_a_file_that_breaks_off_leaves_nothing(declared: Running) -> None:
    """Neither a record nor a byte, although most of it was stored already."""
    _, writer = await asyncio.open_connection("127.0.0.1", declared.port)
    head = f"POST {EVIDENCE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    writer.write(f"{head}Content-Length: 9000000\r\n\r\n".encode() + part(FILE, b"x" * 4 * PIECE, b""))
    async with asyncio.timeout(GIVES_UP):
        while rows(declared, "evidence_chunks") < 2:
            await asyncio.sleep(0.02)
    writer.transport.abort()
    await until_gone(declared)
    assert rows(declared, "evidence_chunks") == 0
    assert (await declared.get(EVIDENCE))[1]["files"] == []


def set_room(running: Running, pages: int) -> None:
    """SQLite has room for so many pages, or for those that it has: beyond them it says that the disk is full."""
    with running.store._database.write() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


async def test_a_disk_that_fills_up_in_mid_upload_is_said_and_leaves_nothing(declared: Running) -> None:
    """Refused in words; what was stored by then goes, and the same file is taken when there is room."""
    reader, writer = await asyncio.open_connection("127.0.0.1", declared.port)
    head = f"POST {EVIDENCE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    writer.write(f"{head}Content-Length: 9000000\r\n\r\n".encode() + part(FILE, b"x" * 4 * PIECE, b""))
    async with asyncio.timeout(GIVES_UP):
        while rows(declared, "evidence_chunks") < 2:
            await asyncio.sleep(0.02)
    set_room(declared, 1)
    writer.write(b"x" * 4 * PIECE)
    answer = await asyncio.wait_for(reader.read(4000), GIVES_UP)
    set_room(declared, 1_000_000)
    writer.close()
    assert b" 503 " in answer
    assert b"no room, perhaps; the log says why. Nothing of the file is kept" in answer
    assert (await declared.get(EVIDENCE))[1]["files"] == []
    await until_gone(declared)
    assert rows(declared, "evidence_chunks") == 0
    assert (await attach(declared))[0] == 201


async def test_strangers_files_are_not_read(roles: Running) -> None:
    """Who gives no token is refused at once: none of what they send is stored, or unpacked, or waited for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", roles.port)
    head = f"POST {EVIDENCE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    body = part(FILE, b"x" * 2 * PIECE)
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert b" 401 " in await reader.readline()
    writer.transport.abort()
    assert (rows(roles, "evidence_uploads"), rows(roles, "evidence_chunks")) == (0, 0)


async def test_so_many_files_arrive_at_a_time(declared: Running) -> None:
    """The next is asked to wait; when one of them has ended there is a place again."""
    writers = []
    head = f"POST {EVIDENCE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    for number in range(AT_A_TIME):
        _, writer = await asyncio.open_connection("127.0.0.1", declared.port)
        writer.write(f"{head}Content-Length: 9000000\r\n\r\n".encode() + part(FILE, b"x" * 2 * PIECE, b""))
        writers.append(writer)
        async with asyncio.timeout(GIVES_UP):
            while rows(declared, "evidence_uploads") <= number:
                await asyncio.sleep(0.02)
    assert (await attach(declared))[0] == 503
    for writer in writers:
        writer.transport.abort()
    await until_gone(declared)
    assert (await attach(declared))[0] == 201


async def test_what_a_dead_process_left_goes_after_an_hour(declared: Running) -> None:
    """An upload that belongs to no incident is removed by the retention; one that does stays."""
    await attach(declared)
    declared.store.add_evidence("left", 0, b"x", declared.clock())
    parts = declared.queue, declared.engine, declared.store
    await delete_expired(*parts)
    assert rows(declared, "evidence_chunks") == 4
    declared.clock.now = Instant(declared.clock.now + UPLOADED_WITHIN + 1)
    await delete_expired(*parts)
    assert rows(declared, "evidence_chunks") == 3


def spoil(running: Running, statement: str) -> None:
    """Change the database behind Tocsin's back."""
    with running.store._database.write() as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE evidence_chunks SET content = x'00' WHERE position = 1", "was changed: its SHA-256 is not"),
        ("DELETE FROM evidence_chunks WHERE position = 2", "was changed"),
        ("DELETE FROM evidence_files", "is missing"),
        ("UPDATE incidents SET doc = replace(doc, 'recorder.bin', 'other.bin')", ""),
        (f"UPDATE incidents SET doc = replace(doc, '{DIGEST}', '{'0' * 64}')", "not those that the audit log says"),
    ],
)
async def test_what_was_changed_behind_our_back_is_said_and_not_served(
    declared: Running, statement: str, said: str
) -> None:
    """The check against the audit log and the request for the file both report it."""
    await attach(declared)
    assert declared.store.verify_evidence() == (1, [])
    spoil(declared, statement)
    count, wrong = declared.store.verify_evidence()
    assert count == 1
    assert bool(wrong) is bool(said)
    assert said in "".join(wrong)
    if said.startswith(("was", "is")):
        status, problem = await declared.get(f"{EVIDENCE}/e1")
        assert status == 500
        assert "missing or was changed" in problem["detail"]


async def test_a_removal_that_nobody_ordered_is_found(declared: Running) -> None:
    """A record that says "redacted", without an entry in the audit log."""
    await attach(declared)
    spoil(
        declared,
        """UPDATE incidents SET doc = replace(doc, '"redacted_by":""', '"redacted_by":"x","redacted_at":1')""",
    )
    spoil(declared, """UPDATE incidents SET doc = replace(doc, '"redacted_at":null', '"redacted_at":2')""")
    spoil(declared, "DELETE FROM evidence_files")
    _, wrong = declared.store.verify_evidence()
    assert wrong == [
        "incident #1: the content of e1 (recorder.bin) is marked as removed, and the audit log knows nothing of that"
    ]


async def test_a_backup_has_the_files(start: Callable[..., Any], tmp_path: Path) -> None:
    """`tocsin backup` and `tocsin restore` need to know nothing of them: they are in the database."""
    url = f"sqlite:///{tmp_path / 'tocsin.db'}"
    running: Running = await start(TOCSIN_DATABASE=url)
    await running.post("/api/v1/incidents", {"type": "engine_failure"})
    await attach(running)
    back_up(url, tmp_path / "backup")
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    restore(elsewhere, tmp_path / "backup")
    store = open_store(elsewhere)
    assert store.verify_evidence() == (1, [])
    store.close()


async def test_replicas_share_the_files(
    start: Callable[..., Any], postgresql: Callable[[], str], open_stores: Callable[[str], SqlStore]
) -> None:
    """On PostgreSQL what one replica took the other one serves, and checks."""
    url = postgresql()
    one: Running = await start(TOCSIN_DATABASE=url)
    two: Running = await start(TOCSIN_DATABASE=url)
    await one.post("/api/v1/incidents", {"type": "engine_failure"})
    assert (await attach(one))[0] == 201
    async with two.http.get(f"{two.url}{EVIDENCE}/e1") as response:
        assert await response.read() == CONTENT
    assert open_stores(url).verify_evidence() == (1, [])
    assert (await two.post(f"{EVIDENCE}/e1/redact", {"reason": "a name"}))[0] == 200
    assert (await one.get(f"{EVIDENCE}/e1"))[0] == 410


@pytest.fixture
async def console(start: Callable[..., Any]) -> Running:
    """A receiver with people who log in, and one incident."""
    running: Running = await start(**PEOPLE, TOCSIN_EVIDENCE_LIMIT="300000")
    await running.post("/api/v1/incidents", {"type": "engine_failure"}, headers=ANN)
    return running


ANN = {"Authorization": "Bearer annes-token"}


async def upload(running: Running, action: str, cookie: dict[str, str], *parts: Any, **fields: str) -> tuple[int, str]:
    """Post a form of the incident's page, with a file; status, and where to or what was answered."""
    mark = fields.get("csrf") or csrf(await page(running, "/incidents/1", headers=cookie))
    url, data = f"{running.url}/incidents/1/{action}", form(*parts, **({"csrf": mark} | fields))
    async with running.http.post(url, data=data, headers=BROWSER | cookie, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


async def test_the_page_attaches_and_offers_files(console: Running) -> None:
    """Without a script: a form with a file; then it stands there to be saved, with all that is known of it."""
    ron = await log_in(console, "ron", "ron")
    text = await page(console, "/incidents/1", headers=ron)
    assert 'enctype="multipart/form-data"' in text
    assert "300000 bytes at most" in text
    assert "Place the hold" not in text
    status, where = await upload(console, "evidence", ron, b"<script>alert(1)</script>", "x.html", note="<b>seen</b>")
    assert (status, where) == (303, "/incidents/1?done=evidence#evidence")
    text = await page(console, "/incidents/1", headers=ron)
    assert '<a href="/incidents/1/evidence/e1">x.html</a>' in text
    assert "&lt;b&gt;seen&lt;/b&gt;" in text
    assert "Remove its content" not in text
    vic = await log_in(console, "vic", "vic")
    async with console.http.get(f"{console.url}/incidents/1/evidence/e1", headers=BROWSER | vic) as response:
        assert await response.read() == b"<script>alert(1)</script>"
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in response.headers["Content-Security-Policy"]
    async with console.http.get(
        f"{console.url}/incidents/1/evidence/e1", headers=BROWSER, allow_redirects=False
    ) as response:
        assert response.headers["Location"].startswith("/login")
    assert "x.html,25,69cb" in (await page(console, "/incidents/1/evidence.csv", headers=vic)).replace(
        sha256(b"<script>alert(1)</script>").hexdigest(), "69cb"
    )


async def test_the_page_says_what_is_wrong_with_a_file(console: Running) -> None:
    """Too large, none chosen, a viewer's, one from another page: in words, and nothing is kept."""
    ron, vic = await log_in(console, "ron", "ron"), await log_in(console, "vic", "vic")
    status, text = await upload(console, "evidence", ron, b"x" * 300_001)
    assert status == 413
    assert "the file is larger than 300000 bytes" in text
    status, text = await upload(console, "evidence", ron, b"", "", note="kept words")
    assert status == 400
    assert "choose a file" in text
    assert "kept words" in text
    assert (await upload(console, "evidence", vic, csrf="none"))[0] == 403
    assert (await upload(console, "evidence", ron, csrf="of another page"))[0] == 403
    assert rows(console, "evidence_chunks") == 0


async def test_the_page_takes_holds_and_redactions(console: Running) -> None:
    """Placed and released with a reason, shown in the lists; an admin removes content."""
    ann = await log_in(console, "", "annes-token")
    await upload(console, "evidence", ann, b"a name is in it")
    assert (await press(console, "hold", ann, reason="claim 17"))[0] == 303
    text = await page(console, "/incidents/1", headers=ann)
    assert "Under legal hold: nothing of the incident is deleted." in text
    assert "Remove its content" not in text
    assert "legal hold" in await page(console, "/", headers=ann)
    assert 'href="/incidents/1"' in await page(console, "/history?legal_hold=true", headers=ann)
    assert 'href="/incidents/1"' not in await page(console, "/history?legal_hold=false", headers=ann)
    listed = "/api/v1/incidents?legal_hold="
    for held, numbers in (("true", [1]), ("false", [])):
        found = (await console.get(listed + held, headers={"Authorization": "Bearer annes-token"}))[1]["incidents"]
        assert [each["number"] for each in found] == numbers
    assert (await console.scrape())["tocsin_legal_holds"] == 1
    status, text = await press(console, "redact", ann, part="e1", reason="a name")
    assert status == 409
    assert "under legal hold (h1): nothing of it goes" in text
    assert (await press(console, "release-hold", ann, part="h1", reason="settled"))[0] == 303
    assert 'href="/incidents/1"' not in await page(console, "/history?legal_hold=true", headers=ann)
    assert (await press(console, "redact", ann, part="e1", reason="a name"))[0] == 303
    text = await page(console, "/incidents/1", headers=ann)
    assert "Content removed by ann" in text
    assert 'href="/incidents/1/evidence/e1"' not in text
    await console.pass_time(MINUTE)
    assert (await console.scrape())["tocsin_legal_holds"] == 0


async def press(running: Running, action: str, cookie: dict[str, str], **fields: str) -> tuple[int, str]:
    """Post a form of the incident's page; status and answer."""
    fields["csrf"] = csrf(await page(running, "/incidents/1", headers=cookie))
    url = f"{running.url}/incidents/1/{action}"
    async with running.http.post(url, data=fields, headers=BROWSER | cookie, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_the_report_tells_all_of_it(declared: Running) -> None:
    """As a regulator reads it: which files, of which hash, by whom, what became of them, and under which holds."""
    await attach(declared, note="from the ground station", by="ada")
    await attach(declared, b"patient list", "list.csv")
    await declared.post(f"{EVIDENCE}/e2/redact", {"reason": "names patients", "by": "root"})
    await declared.post(f"{ONE}/holds", {"reason": "claim 17", "by": "cleo"})
    await declared.post(f"{ONE}/holds", {"reason": "inquiry", "by": "cleo"})
    await declared.post(f"{ONE}/holds/h1/release", {"reason": "settled", "by": "cleo"})
    _, report = await declared.get(f"{ONE}/report?format=md")
    when = r"2026-11-23 02:13 UTC"
    assert re.search(
        rf"e1 \| recorder\.bin \| 768,000 bytes \| {DIGEST} \| {when} by ada \| from the ground station \| kept", report
    )
    assert re.search(
        rf"e2 \| list\.csv \| 12 bytes \| \w{{64}} \| .* \| removed {when} by root: names patients", report
    )
    assert re.search(rf"h1 \| {when} by cleo \| claim 17 \| {when} by cleo: settled", report)
    assert "| inquiry | in force: nothing of the incident is deleted |" in report
    assert f"e1: recorder.bin, SHA-256 {DIGEST}" in report


async def test_from_a_shell(declared: Running, tmp_path: Path) -> None:
    """Add, get, hold, redact: what comes back is compared with its hash, and overwrites nothing."""
    file, back = tmp_path / "recorder.bin", tmp_path / "back.bin"
    file.write_bytes(CONTENT)
    code, said = await tocsin(declared, "evidence", "add", "1", str(file), "--note", "from the ground station")
    assert (code, f"SHA-256 {DIGEST}" in said, "from the ground station" in said) == (0, True, True), said
    code, said = await tocsin(declared, "evidence", "get", "1", "e1", "--to", str(back))
    assert (code, back.read_bytes() == CONTENT) == (0, True), said
    code, said = await tocsin(declared, "evidence", "get", "1", "e1", "--to", str(back))
    assert (code, "is there already; name another place" in said) == (2, True)
    code, said = await tocsin(declared, "hold", "place", "1", "--reason", "claim 17")
    assert "legal hold h1, in force; placed" in said
    code, said = await tocsin(declared, "evidence", "redact", "1", "e1", "--reason", "a name")
    assert (code, "under legal hold" in said) == (1, True)
