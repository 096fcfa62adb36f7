"""Settings: from an environment to one object, with every problem said at once and no secret shown."""

import os
from pathlib import Path

import pytest

from receiver.errors import SettingsError
from receiver.settings import Role, Settings

SECRET = "hunter2-do-not-show"
SECRETS = {
    "TOCSIN_WEBHOOK_TOKEN": SECRET,
    "TOCSIN_API_TOKENS": f"ann:admin:{SECRET}",
    "TOCSIN_SMTP_URL": f"smtp://user:{SECRET}@mail.example.test:587",
    "TOCSIN_SLACK_TOKEN": SECRET,
    "TOCSIN_SLACK_SIGNING_SECRET": SECRET,
    "TOCSIN_PAGERDUTY_ROUTING_KEY": SECRET,
    "TOCSIN_PAGERDUTY_ROUTING_KEY_ML_SYSTEMS": SECRET,
    "TOCSIN_TWILIO_AUTH_TOKEN": SECRET,
    "TOCSIN_WEBHOOK_SIGNING_SECRET": SECRET,
    "TOCSIN_DATABASE": f"postgresql://user:{SECRET}@db.example.test/tocsin",
    "TOCSIN_ALERTMANAGER_URL": f"http://user:{SECRET}@am.example.test",
    "TOCSIN_PROMETHEUS_URL": f"http://user:{SECRET}@prom.example.test",
}


def test_defaults() -> None:
    """Nothing set is a local receiver with a file beside it."""
    settings = Settings.read({"PATH": "/bin", "TOCSIN_SLACK_TOKEN": " "})
    assert (settings.listen, settings.database, settings.slack_token) == ("127.0.0.1:8095", "sqlite:///tocsin.db", None)
    assert (settings.is_local, settings.body_limit, settings.warnings) == (True, 16 << 20, ())


def test_nothing_secret_shows() -> None:
    """No secret stands in the object's text, whichever way it is written out."""
    settings = Settings.read(SECRETS)
    assert settings.slack_token is not None
    assert settings.slack_token.get_secret_value() == SECRET
    for text in (repr(settings), str(settings), f"{settings.api_tokens}", f"{settings.of_recipients}"):
        assert SECRET not in text


def test_frozen() -> None:
    """Settings do not change."""
    with pytest.raises(ValueError, match="frozen"):
        Settings.read({}).listen = "0.0.0.0:1"


@pytest.mark.parametrize("variable", [*SECRETS, "TOCSIN_TWILIO_FROM", "TOCSIN_LISTEN"])
def test_files(tmp_path: Path, variable: str) -> None:
    """Every variable may be given as the name of a file, whose last newline does not count."""
    value = SECRETS.get(variable, "127.0.0.1:1")
    file = tmp_path / "secret"
    file.write_text(f"{value}\n")
    assert Settings.read({f"{variable}_FILE": str(file)}) == Settings.read({variable: value})


def test_tokens() -> None:
    """Tokens have names and roles; a bare one is an admin's; a token may contain colons."""
    settings = Settings.read({"TOCSIN_API_TOKENS": "bare, ann:viewer:a:b:c ,ron:RESPONDER:x,other-bare"})
    assert [(token.name, token.role, token.token.get_secret_value()) for token in settings.api_tokens] == [
        ("admin", Role.ADMIN, "bare"),
        ("ann", Role.VIEWER, "a:b:c"),
        ("ron", Role.RESPONDER, "x"),
        ("admin-4", Role.ADMIN, "other-bare"),
    ]


def test_recipients_own_settings() -> None:
    """A recipient has its own key or URL where its variable is set, and no other setting is taken for it."""
    environ = {"TOCSIN_PAGERDUTY_ROUTING_KEY": "common", "TOCSIN_PAGERDUTY_ROUTING_KEY_ML_SYSTEMS": "own"}
    settings = Settings.read(environ)
    keys = [settings.own("pagerduty_routing_key", service) for service in ("ml-systems", "ML systems", "other")]
    assert [key and key.get_secret_value() for key in keys] == ["own", "own", None]
    assert set(settings.owners("pagerduty_routing_key")) == {"TOCSIN_PAGERDUTY_ROUTING_KEY_ML_SYSTEMS"}
    assert not settings.owners("teams_url")
    assert Settings.read({"TOCSIN_TEAMS_URL_": "x"}).warnings


def test_overrides() -> None:
    """The command line wins over the environment; what it does not say is left alone."""
    settings = Settings.read(
        {"TOCSIN_LISTEN": "127.0.0.1:1", "TOCSIN_DATABASE": "sqlite://"}, listen="127.0.0.1:2", database=None
    )
    assert (settings.listen, settings.address, settings.database) == ("127.0.0.1:2", ("127.0.0.1", 2), "sqlite://")


PROBLEMS: dict[str, tuple[dict[str, str], str]] = {
    "no port": ({"TOCSIN_LISTEN": "localhost"}, "TOCSIN_LISTEN: write host:port"),
    "a port beyond all ports": ({"TOCSIN_LISTEN": "localhost:70000"}, "TOCSIN_LISTEN: write host:port"),
    "no database": ({"TOCSIN_DATABASE": f"mysql://{SECRET}"}, "TOCSIN_DATABASE: write sqlite:///"),
    "no role": ({"TOCSIN_API_TOKENS": f"ann:{SECRET}"}, "TOCSIN_API_TOKENS: entry 1 must be name:role:token"),
    "an unknown role": ({"TOCSIN_API_TOKENS": f"x,ann:boss:{SECRET}"}, "TOCSIN_API_TOKENS: entry 2 must be"),
    "an empty token": ({"TOCSIN_API_TOKENS": "ann:viewer:"}, "TOCSIN_API_TOKENS: entry 1 must be"),
    "one name twice": ({"TOCSIN_API_TOKENS": f"a:viewer:{SECRET},a:admin:y"}, "two of the tokens have the same name"),
    "one token twice": ({"TOCSIN_API_TOKENS": f"a:viewer:{SECRET},b:admin:{SECRET}"}, "have the same token"),
    "no URL": ({"TOCSIN_SLACK_API_URL": "slack.com"}, "TOCSIN_SLACK_API_URL: must be a URL"),
    "an SMTP URL that is none": ({"TOCSIN_SMTP_URL": f"http://{SECRET}@x"}, "TOCSIN_SMTP_URL: must be a URL"),
    "a URL that breaks the parser": ({"TOCSIN_SMTP_URL": f"smtp://[{SECRET}"}, "TOCSIN_SMTP_URL"),
    "no number": ({"TOCSIN_BODY_LIMIT": "much"}, "TOCSIN_BODY_LIMIT: "),
    "a log format nobody knows": ({"TOCSIN_LOG_FORMAT": "xml"}, "TOCSIN_LOG_FORMAT: "),
    "a file that is not there": (
        {"TOCSIN_SLACK_TOKEN_FILE": "/nowhere/x"},
        "TOCSIN_SLACK_TOKEN_FILE: cannot read /nowhere/x",
    ),
    "both ways": ({"TOCSIN_SLACK_TOKEN": SECRET, "TOCSIN_SLACK_TOKEN_FILE": "/x"}, "TOCSIN_SLACK_TOKEN: is set, and"),
}


@pytest.mark.parametrize(("environ", "words"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_problems(environ: dict[str, str], words: str) -> None:
    """A problem names the variable and what to do, and shows no value."""
    with pytest.raises(SettingsError) as caught:
        Settings.read(environ)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


def test_all_problems_at_once() -> None:
    """Every problem is said, each on its line; an option of the command line by its own name."""
    environ = {"TOCSIN_API_TOKENS": "a:b", "TOCSIN_SLACK_API_URL": "x", "TOCSIN_SMTP_URL_FILE": "/nowhere"}
    with pytest.raises(SettingsError) as caught:
        Settings.read(environ, listen="nowhere")
    said = {line.partition(":")[0] for line in str(caught.value).splitlines()}
    assert said == {"TOCSIN_API_TOKENS", "TOCSIN_SLACK_API_URL", "TOCSIN_SMTP_URL_FILE", "--listen"}


def test_unknown_variables() -> None:
    """An unknown variable is a warning that suggests the nearest; the client's own are known."""
    settings = Settings.read({"TOCSIN_WEBHOK_TOKEN": "x", "TOCSIN_URL": "x", "TOCSIN_TOKEN": "x"})
    assert settings.warnings == ("TOCSIN_WEBHOK_TOKEN: no setting has this name; did you mean TOCSIN_WEBHOOK_TOKEN?",)


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        *((listen, True) for listen in ("127.0.0.1:1", "localhost:1", "[::1]:1", "127.8.8.8:1")),
        *((listen, False) for listen in ("0.0.0.0:1", ":1", "[::]:1", "192.0.2.1:1", "host:1")),
    ],
)
def test_strangers(listen: str, local: bool) -> None:
    """Off loopback a webhook token and an API token are needed, long ones; what is missing or weak is said."""
    settings = Settings.read({"TOCSIN_LISTEN": listen})
    assert settings.is_local is local
    if local:
        settings.require_safe()
        return
    with pytest.raises(SettingsError, match=r"(?s)TOCSIN_WEBHOOK_TOKEN.*TOCSIN_API_TOKENS"):
        settings.require_safe()
    long, short = "sixteen-letters-", "fifteen-letters"
    for api, webhook, weak in ((long, short, "WEBHOOK_TOKEN"), (f"{long},a:viewer:{short}", long, "API_TOKENS")):
        with pytest.raises(SettingsError, match=f"TOCSIN_{weak}: needs tokens of 16 characters"):
            Settings.read(_strangers(listen, api, webhook)).require_safe()
    Settings.read(_strangers(listen, long, long)).require_safe()


def _strangers(listen: str, api: str, webhook: str) -> dict[str, str]:
    return {"TOCSIN_LISTEN": listen, "TOCSIN_API_TOKENS": api, "TOCSIN_WEBHOOK_TOKEN": webhook}


def test_an_empty_secret_file_is_a_problem(tmp_path: Path) -> None:
    """A mounted secret that is empty is no secret: it is said, never taken as an empty token."""
    empty = tmp_path / "token"
    empty.write_text(" \n")
    with pytest.raises(SettingsError, match=r"TOCSIN_WEBHOOK_TOKEN_FILE: .* is empty"):
        Settings.read({"TOCSIN_WEBHOOK_TOKEN_FILE": str(empty)})


def test_several_alertmanagers() -> None:
    """Alertmanagers are given with commas; one that is no URL is named as the problem."""
    settings = Settings.read({"TOCSIN_ALERTMANAGER_URL": "http://a:9093/, https://b/am"})
    assert settings.alertmanager_url == ("http://a:9093", "https://b/am")
    with pytest.raises(SettingsError, match="TOCSIN_ALERTMANAGER_URL: must be a URL"):
        Settings.read({"TOCSIN_ALERTMANAGER_URL": "http://a:9093,b:9093"})


def test_a_secret_that_has_no_end(tmp_path: Path) -> None:
    """A device in place of a secret's file is refused in words, before it fills the memory; so is a huge file."""
    with pytest.raises(SettingsError, match="TOCSIN_WEBHOOK_TOKEN_FILE: cannot read /dev/zero: it is a device"):
        Settings.read({"TOCSIN_WEBHOOK_TOKEN_FILE": "/dev/zero"})
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 32)
    with pytest.raises(SettingsError, match=r"TOCSIN_API_TOKENS_FILE: cannot read .*huge: it is larger than 1 MiB"):
        Settings.read({"TOCSIN_API_TOKENS_FILE": str(huge)})


@pytest.mark.parametrize("variable", ["TOCSIN_WEBHOOK_TOKEN_FILE", "TOCSIN_USERS_FILE", "TOCSIN_SMTP_URL_FILE"])
def test_a_pipe_in_place_of_a_secret(tmp_path: Path, variable: str) -> None:
    """It is not waited for: the variable is named, with what is needed there."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match=f"{variable}: cannot read .*pipe: it is a pipe, and a file is needed"):
        Settings.read({variable: str(tmp_path / "pipe")})


@pytest.mark.parametrize(
    ("environ", "has_one"),
    [
        ({}, True),
        ({"TOCSIN_API_TOKENS": "rita:responder:rrr"}, False),
        ({"TOCSIN_API_TOKENS": "rita:responder:rrr,cleo:approver:ccc"}, True),
        ({"TOCSIN_API_TOKENS": "a-token-of-an-admin"}, True),
    ],
)
def test_whether_anybody_may_approve(environ: dict[str, str], has_one: bool) -> None:
    """Where tokens are set and none is an approver's, no notice goes out and no emergency is signed off: that is said."""
    assert Settings.read(environ).has_approver is has_one
