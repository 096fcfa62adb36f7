"""Everyday mistakes at the command line: a sentence that names the option and the cure, and never a traceback."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from receiver.cli import main

Run = Callable[..., tuple[int, str]]
COMMAND = [sys.executable, "-m", "receiver.cli"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a folder with a file, a folder and something that is no text; exit code and what was said."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\0")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(1 << 34)

    def command(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tocsin", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), " ".join(f"{told.out} {told.err}".split())

    return command


@pytest.fixture
def taken() -> Iterator[str]:
    """An address with a listener."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


SERVE = ("serve", "--database", "sqlite://")
PLACES: dict[str, tuple[tuple[str, ...], str]] = {
    "out is a file": (("compile", "--out", "file"), "--out: file cannot be written: a file stands where a folder"),
    "out below a file": (("compile", "--out", "file/x"), "--out: file/x cannot be written: a file stands where"),
    "out nowhere": (("compile", "--out", "/proc/x"), "--out: /proc/x cannot be written: there is no such folder"),
    "html is a folder": (
        ("drill", "--incident", "engine_failure", "--html", "folder"),
        "--html: folder cannot be written: it is a folder, and a file is needed",
    ),
    "html nowhere": (
        ("drill", "--incident", "engine_failure", "--html", "no/x.html"),
        "--html: no/x.html cannot be written: there is no such folder",
    ),
    "script": (("drill", "--script", "folder"), "folder"),
    "record": ((*SERVE, "--listen", "127.0.0.1:0", "--record", "folder"), "--record: folder cannot be written"),
    "database below a file": (
        ("serve", "--listen", "127.0.0.1:0", "--database", "sqlite:///file/x.db"),
        "TOCSIN_DATABASE (--database): the database file file/x.db cannot be opened: Not a directory; name a file",
    ),
    "database is a folder": (
        ("serve", "--listen", "127.0.0.1:0", "--database", "sqlite:///folder"),
        "TOCSIN_DATABASE (--database): sqlite:///folder: unable to open database file; name a file",
    ),
    "database is no database": (("serve", "--listen", "127.0.0.1:0", "--database", "sqlite:///bytes"), "bytes"),
    "database URL": (
        ("serve", "--listen", "127.0.0.1:0", "--database", "postgresql://u:geheim@h:port/x"),
        "the database is given as",
    ),
    "a link in a circle": ((*SERVE, "--listen", "127.0.0.1:0", "circle"), "circle: "),
    "policy": ((*SERVE, "--listen", "127.0.0.1:0", "missing.yaml"), "missing.yaml: no such file or folder"),
    "no such host": ((*SERVE, "--listen", "no.such.host.invalid:80"), "TOCSIN_"),
    "backup nowhere": (
        ("backup", "no/x", "--database", "sqlite:///bytes"),
        "tocsin: FILE: the backup no/x cannot be written: No such file or directory; name another place",
    ),
    "backup below a file": (
        ("backup", "file/x", "--database", "sqlite:///bytes"),
        "tocsin: FILE: the backup file/x cannot be written: Not a directory; name another place",
    ),
    "backup of nothing": (
        ("backup", "x", "--database", "sqlite:///none"),
        "TOCSIN_DATABASE (--database): there is no database none",
    ),
    "restore": (("restore", "missing", "--database", "sqlite:///d"), "tocsin: FILE: there is no backup missing"),
    "restore a pipe": (("restore", "pipe", "--database", "sqlite:///d"), "tocsin: FILE: there is no backup pipe"),
    "a pipe as database": ((*SERVE[:1], "--listen", "127.0.0.1:0", "--database", "sqlite:///pipe"), "pipe"),
    "a pipe as policy": ((*SERVE, "--listen", "127.0.0.1:0", "pipe"), "pipe: cannot be read: it is a pipe"),
    "check a pipe": (("check", "pipe"), "pipe: cannot be read: it is a pipe, and a file is needed"),
    "a pipe as script": (("drill", "--script", "pipe"), "pipe: it is a pipe, and a file is needed"),
    "a huge script": (("drill", "--script", "huge"), "huge: it is larger than 64 MiB"),
    "a pipe as alert": (("explain", "--alert", "pipe"), "pipe: it is a pipe, and a file is needed"),
    "a huge alert": (("explain", "--alert", "huge"), "huge: it is larger than 64 MiB"),
    "a pipe as recording": (("replay", "pipe", "--new", "missing"), "pipe: it is a pipe, and a file is needed"),
    "a huge recording": (("replay", "huge", "--new", "missing"), "huge: it is larger than 256 MiB"),
    "record into a pipe": (
        (*SERVE, "--listen", "127.0.0.1:0", "--record", "pipe"),
        "--record: pipe cannot be written: it is a pipe, and a file is needed",
    ),
    "recording": (("replay", "folder", "--new", "missing"), "folder"),
    "recording of bytes": (("replay", "bytes", "--new", "missing"), "bytes"),
    "alert": (("explain", "--alert", "bytes"), "bytes"),
    "check": (("check", "bytes"), "not UTF-8"),
}


@pytest.mark.parametrize(("words", "said"), PLACES.values(), ids=PLACES.keys())
def test_places(run: Run, words: tuple[str, ...], said: str) -> None:
    """A file or folder that cannot be used is named, with its option where there is one."""
    code, told = run(*words)
    assert code in {1, 2}
    assert said in told
    assert "Traceback" not in told
    assert "geheim" not in told


OPTIONS = {
    "no path": ("--receiver-url=http://tocsin:8095", "has no path: write http://tocsin:8095/webhook/alertmanager"),
    "no URL": ("--receiver-url=foo", "receiver_url is no URL that webhooks can be posted to"),
    "no scheme": ("--receiver-url=tocsin:8095/webhook/alertmanager", "receiver_url is no URL"),
    "no port": ("--receiver-url=http://tocsin:port/x", "receiver_url is no URL"),
    "a space": ("--receiver-url=http://toc sin/x", "receiver_url is no URL"),
    "a fragment": ("--receiver-url=http://tocsin/webhook/alertmanager#x", "receiver_url is no URL"),
    "no smarthost": ("--fallback-smarthost=h", "fallback_smarthost is host:port, as in mail.example.org:587, not 'h'"),
    "a URL as smarthost": ("--fallback-smarthost=smtp://h:25", "fallback_smarthost is host:port"),
    "no address": ("--fallback-email=nonsense", "fallback_email"),
}


@pytest.mark.parametrize(("option", "said"), OPTIONS.values(), ids=OPTIONS.keys())
def test_addresses_that_lead_nowhere(run: Run, option: str, said: str) -> None:
    """What Alertmanager could not reach is refused when it is compiled, not found out in an outage."""
    code, told = run("compile", "--out", "folder", option)
    assert code == 2
    assert said in told


def test_every_outcome_of_json_is_json(run: Run, tmp_path: Path) -> None:
    """`check --json` of a policy that cannot be used prints its errors as JSON, with their places."""
    (tmp_path / "bad.yaml").write_text("incident_response: {severity_levels: 3}\n")
    code, told = run("check", "--json", "bad.yaml")
    errors = json.loads(told)["errors"]
    assert code == 1
    assert ("bad.yaml", 1, 21) in {(each["path"], each["line"], each["column"]) for each in errors}
    code, told = run("check", "--json", "--explain", "no-roles")
    assert [(each["name"], each["severity"]) for each in json.loads(told)["lints"]] == [("no-roles", "warning")]


NO_PLACE = {
    "a file as folder": ("compile", "--out", "bytes"),
    "below a file": ("compile", "--out", "bytes/below"),
    "no folder": ("compile",),
    "no URL": ("compile", "--out", "folder", "--receiver-url=foo"),
    "a policy that is there": ("adopt", "missing", "--out", "bytes"),
    "no policy's place": ("adopt", "missing"),
    "no rules": ("adopt",),
    "no number": ("check", "--days", "x"),
    "no option": ("check", "--nope"),
    "no command": ("nope",),
    "no lint": ("check", "--explain", "nope"),
    "no version": ("check", "--prometheus", "9"),
    "no configuration": ("compile", "--out", "folder", "--prometheus-config", "missing"),
    "no promtool": ("compile", "--out", "folder", "--verify", "missing"),
    "no calendar": ("check", "--calendar", "x"),
    "no URL of Prometheus": ("check", "--prometheus-url", "x"),
}


@pytest.mark.parametrize("words", NO_PLACE.values(), ids=NO_PLACE.keys())
def test_what_cannot_be_written_is_json_too(run: Run, words: tuple[str, ...]) -> None:
    """With `--json` a refused place or option is an error in the document on standard output, as a policy's faults;
    an option that is none, too.
    """
    code, told = run(*words, "--json")
    (error,) = json.loads(told)["errors"]
    assert code in {1, 2}
    assert error["message"].startswith("tocsin")


def test_a_policy_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads the policy from standard input, and places its faults there."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"incident_response: {severity_levels: 3}\n")))
    code, told = run("check", "-")
    assert code == 1
    assert "<stdin>:1:21: " in told


def test_port_taken(run: Run, taken: str) -> None:
    """A port that another program has is named with its option, and what to do."""
    code, told = run(*SERVE, "--listen", taken)
    assert code == 1
    assert f"TOCSIN_LISTEN (--listen): cannot listen on {taken}: another program has this port" in told
    assert "choose another port" in told


URLS = {
    "no scheme": ("localhost:8095", "--url (TOCSIN_URL) is no URL"),
    "other scheme": ("ftp://x", "--url (TOCSIN_URL) is no URL"),
    "empty": ("", "--url (TOCSIN_URL) is no URL"),
    "no host": ("http://", "--url (TOCSIN_URL) is no URL"),
    "bad port": ("http://x:99999", "--url (TOCSIN_URL) is no URL"),
    "half an address": ("http://[::1", "--url (TOCSIN_URL) is no URL"),
    "a line break": ("http://x\ny", "--url (TOCSIN_URL) is no URL"),
    "no such host": ("http://no.such.host.invalid", "--url (TOCSIN_URL) right?"),
    "empty label": ("http://a..b", "--url (TOCSIN_URL) right?"),
    "nobody there": ("http://127.0.0.1:1", "Is the receiver running"),
}
CLIENTS = (
    ("incidents",),
    ("show", "1"),
    ("acknowledge", "1"),
    ("report", "1"),
    ("drill", "--live", "--incident", "x"),
)


@pytest.mark.parametrize(("url", "said"), URLS.values(), ids=URLS.keys())
def test_urls(run: Run, url: str, said: str) -> None:
    """Every command that asks a receiver says what is wrong with its URL."""
    for words in CLIENTS:
        code, told = run(*words, "--url", url)
        assert code in {1, 2}
        assert said in told, words


ASKING = (
    *CLIENTS,
    ("resolve", "1"),
    ("escalate", "1"),
    ("note", "1", "words"),
    ("declare", "engine_failure"),
    ("report", "--period", "30d"),
    ("report", "--drills"),
    ("report", "1", "--format", "html"),
    ("report", "1", "--as-test", "out"),
    ("show", "1", "--json"),
    ("incidents", "--json"),
    ("acknowledge", "--all", "--level", "3"),
    ("heartbeats",),
    ("heartbeats", "--json"),
    ("watch",),
)
FOREIGN = "what another server says"
ANSWERS: dict[str, tuple[int, str, bytes]] = {
    "a page": (200, "text/html", f"<html>{FOREIGN}</html>".encode()),
    "Markdown": (200, "text/markdown", f"# {FOREIGN}".encode()),
    "JSON": (200, "application/json", f'{{"incidents": [], "detail": "{FOREIGN}"}}'.encode()),
    "a list": (200, "application/json", f'["{FOREIGN}"]'.encode()),
    "JSON that is missing": (404, "application/json", f'{{"title": "{FOREIGN}", "detail": "{FOREIGN}"}}'.encode()),
    "a redirect": (302, "text/html", FOREIGN.encode()),
    "a login": (401, "text/html", FOREIGN.encode()),
    "nothing": (200, "text/plain", b""),
    "no content": (204, "text/plain", b""),
    "bytes": (200, "application/octet-stream", b"\xff\xfe\x00" + FOREIGN.encode()),
}


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Iterator[str]:
    """Another web server, which answers everything so."""
    status, kind, body = ANSWERS[request.param]

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("other", ANSWERS, indirect=True)
def test_another_server_at_the_url(run: Run, other: str) -> None:
    """A web server other than Tocsin gives exit code 1 and a sentence with the option, nothing of its answer."""
    for words in ASKING:
        code, told = run(*words, "--url", other)
        assert code == 1, words
        assert "--url (TOCSIN_URL)" in told, words
        assert FOREIGN not in told, words
        assert "Traceback" not in told, words


def test_watch_with_a_wrong_url(run: Run) -> None:
    """So does the one that keeps asking."""
    assert "--url (TOCSIN_URL) is no URL" in run("watch", "--url", "localhost:8095")[1]


def test_token_with_a_break(run: Run) -> None:
    """A token that no header can carry is refused by its option, and not shown."""
    code, told = run("incidents", "--token", "geheim\nx")
    assert code == 2
    assert "--token (TOCSIN_TOKEN)" in told
    assert "geheim" not in told


def test_reader_that_leaves() -> None:
    """`tocsin schema | head` ends quietly: no traceback, and nothing of ignored exceptions."""
    environ = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen([*COMMAND, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_interrupted(taken: str) -> None:
    """Ctrl-C ends a command that waits, without a traceback."""
    with subprocess.Popen(
        [*COMMAND, "incidents", "--url", f"http://{taken}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        _until_it_asks(process.pid, taken)
        process.send_signal(signal.SIGINT)
        assert b"Traceback" not in process.stdout.read()
        assert process.wait(20) != 0


def _until_it_asks(pid: int, address: str) -> None:
    """Wait until the process has a connection to that address."""
    port = f"{int(address.rpartition(':')[2]):04X}"
    while not any(
        line.split()[2].endswith(f":{port}") and line.split()[3] == "01"
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    ):
        os.sched_yield()


POLICY = """
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [ann@example.com]}
  detection:
    rules:
      - {name: margin_low, condition: "safety_margin < 0.95", severity: 3, channels: [email]}
      - {name: failing, condition: "rate(failures_total[5m]) > 1", severity: 3, channels: [email]}
"""


def test_compile_tells_programs_what_became_of_the_policy(run: Run, tmp_path: Path) -> None:
    """With --json: the files, how many rules are proved, what is not and why; of a bad policy its errors."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    code, said = run("compile", "policy.yaml", "--out", "out", "--json")
    told = json.loads(said)
    assert (code, told["rules"], told["proved"]) == (0, 2, 1)
    assert [(each["kind"], each["name"]) for each in told["unproved"]] == [("rule", "incident_response/failing")]
    assert "out/rules.yml" in told["written"]
    (tmp_path / "policy.yaml").write_text(POLICY.replace("channels: [email]", "channels: [emial]"))
    code, said = run("compile", "policy.yaml", "--out", "out", "--json")
    assert (code, len(json.loads(said)["errors"])) == (1, 2)


def test_what_is_proved_is_said(run: Run, tmp_path: Path) -> None:
    """By compile and by check -v: how many of how many, and each other by name with the reason."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    for words in (("compile", "policy.yaml", "--out", "out"), ("check", "-v", "policy.yaml")):
        code, said = run(*words)
        assert code == 0
        assert (
            "1 of 2 rules proved. not proved: rule incident_response/failing (rate(failures_total[5m]) > 1): " in said
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prometheus", "3.1"), "--prometheus is 2.42, 3.0, 3.5 or latest, not '3.1'"),
        (("--fallback-smarthost", "mail:25"), "mean nothing without fallback_email"),
        (("--fallback-smarthost", "mail:99999", "--fallback-email", "a@b.c", "--fallback-from", "a@b.c"), "host:port"),
        (("--fallback-email", "nonsense", "--fallback-smarthost", "m:25", "--fallback-from", "a@b.c"), "no e-mail"),
    ],
)
def test_compile_refuses_options_that_lead_nowhere(run: Run, options: tuple[str, ...], said: str) -> None:
    """Before it reads or writes anything."""
    code, told = run("compile", "--out", "out", *options)
    assert code == 2
    assert said in told
    assert not Path("out").exists()
