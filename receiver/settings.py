"""The settings: environment variables TOCSIN_…, read once into one frozen object.

The command line calls `Settings.read`; everybody else is handed the object. Rules: every variable may be
given as TOCSIN_X_FILE as well (mounted secrets); an empty variable counts as not set, an empty file is a
problem; all problems are said at once, each with the variable, what is wrong and what to do; a secret's value
stands in no text and no repr. (pydantic-settings was tried and left: it reads the process's own environment
only, and knows no _FILE.)
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from receiver.accounts import ApiToken, Role, User, read_groups, read_tokens, read_users, require_strong
from receiver.errors import CannotError, SettingsError
from receiver.setting_kinds import (
    HttpUrl,
    address,
    commas,
    database_url,
    duration,
    is_loopback,
    networks,
    place,
    private,
    secret_url_of,
    split_address,
)
from rules.channel_types import CHANNEL_FACTS
from rules.policy import HOUR, SECOND
from rules.whole_files import read_whole

__all__ = ["ApiToken", "Role", "Settings", "User", "is_loopback", "split_address", "variable_of"]

PREFIX = "TOCSIN_"
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
CLIENT_ONLY = frozenset({"TOCSIN_URL", "TOCSIN_TOKEN"})
"""Variables that the command line's client commands read."""


def variable_of(name: str, recipient: str) -> str:
    """The variable of a recipient's own setting: `pagerduty_routing_key` of ``ml-systems`` is
    TOCSIN_PAGERDUTY_ROUTING_KEY_ML_SYSTEMS.
    """
    return f"{PREFIX}{name}_{''.join(char if char.isalnum() else '_' for char in recipient)}".upper()


class Settings(BaseModel):
    """Everything that is set from outside. Field x is the variable TOCSIN_X."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    listen: Annotated[str, AfterValidator(address)] = "127.0.0.1:8095"
    database: Annotated[str, AfterValidator(database_url), Field(repr=False)] = "sqlite:///tocsin.db"
    external_url: Annotated[HttpUrl | None, AfterValidator(place)] = None
    """Where people reach this receiver: links begin with it. It may have a path, below which all is served then."""
    webhook_token: SecretStr | None = None
    api_tokens: Annotated[tuple[ApiToken, ...], BeforeValidator(read_tokens)] = ()
    users: Annotated[tuple[User, ...], BeforeValidator(read_users)] = ()
    """Who may log in at the console; a file (TOCSIN_USERS_FILE) with one ``name:role:hash`` a line."""
    oidc_issuer: Annotated[HttpUrl | None, AfterValidator(private)] = None
    """The identity provider where people may log in; with it the three that follow, and `external_url`."""
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    """Unset: a public client, which PKCE alone protects."""
    oidc_roles: Annotated[tuple[tuple[str, Role], ...], BeforeValidator(read_groups)] = ()
    """Which group has which role: ``group=role``."""
    oidc_scopes: str = "openid profile email"
    oidc_groups_claim: str = "groups"
    """The claim with a person's groups; a path (realm_access.roles) where it lies deeper."""
    oidc_name_claim: str = "preferred_username"
    """The claim with the name that people know them by; without it, the subject."""

    tls_cert_file: Path | None = None
    """Certificate (with its chain) that we serve with; unset: plain HTTP."""
    tls_key_file: Path | None = None
    tls_client_ca_file: Path | None = None
    """Who signs our clients' certificates: with it the webhook takes only clients that have one."""
    tls_clients: Literal["webhook", "all"] = "webhook"
    """Who needs a certificate of that CA: whoever posts to the webhook, or every client."""
    secret_key: Annotated[SecretStr | None, Field(min_length=32)] = None
    """Signs sessions and links; unset, a key is made once and kept in the database."""
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(networks)] = ()
    """Networks of proxies whose X-Forwarded-For is believed."""
    body_limit: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 << 20
    """Bytes a request's body may have, unpacked (Alertmanager repeats annotations: 850 kB were seen)."""
    evidence_limit: Annotated[int, Field(ge=1024, le=1 << 40)] = 25 << 20
    """Bytes of one file that is attached as evidence."""
    upgrade: Literal["additive", "all"] = "additive"
    """Which migrations a start may run: those after which the Tocsin before could go on, or all."""
    log_format: Literal["text", "json"] = "text"

    https_proxy: Annotated[SecretStr, secret_url_of("http", "https")] | None = None
    """Through which everything that speaks HTTPS is reached; also HTTPS_PROXY, which counts less."""
    http_proxy: Annotated[SecretStr, secret_url_of("http", "https")] | None = None
    no_proxy: Annotated[tuple[str, ...], BeforeValidator(commas)] = ()
    """Hosts, domains and networks that are reached without: as NO_PROXY."""
    ca_file: Path | None = None
    """Authorities in PEM that are believed beside the system's, wherever we are the client."""

    smtp_url: Annotated[SecretStr, secret_url_of("smtp", "smtps")] | None = None
    email_from: str | None = None
    slack_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_api_url: HttpUrl = "https://slack.com/api"
    pagerduty_routing_key: SecretStr | None = None
    pagerduty_api_url: HttpUrl = "https://events.pagerduty.com"
    pagerduty_webhook_secret: SecretStr | None = None
    """Proves that a v3 webhook is PagerDuty's; several, while one is replaced, with commas."""
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_shared_key: SecretStr | None = None
    """Proves that a callback is Twilio's where a Webhooks Rule has it signed by a SharedKey, not by the auth token."""
    twilio_from: str | None = None
    twilio_api_url: HttpUrl = "https://api.twilio.com"
    webhook_signing_secret: SecretStr | None = None
    """Signs what the webhook channel sends."""
    of_channels: Mapping[str, SecretStr] = Field(default_factory=dict)
    """By name (`pigeon_token`): what a channel type's row in rules.channel_types names and has no field here."""
    of_recipients: Mapping[str, SecretStr] = Field(default_factory=dict)
    """By variable (TOCSIN_TEAMS_URL_FLIGHT): what such a row names with a star, which each recipient has of its own."""
    alertmanager_url: Annotated[tuple[HttpUrl, ...], BeforeValidator(commas), Field(repr=False)] = ()
    """One or several, with commas: what they list is compared with what is held as firing (reconciliation)."""
    repeat_interval: Annotated[int, BeforeValidator(duration), Field(gt=0)] = HOUR
    """Microseconds: the longest of Alertmanager's repeat_interval; alerts silent for three of them are marked."""
    alertmanager_peers: Annotated[int, Field(ge=1, le=100)] = 2
    """Alertmanagers of the cluster that sends here; 1: there is no slower peer, and nothing is held as an echo."""
    peer_timeout: Annotated[int, BeforeValidator(duration), Field(gt=0)] = 15 * SECOND
    """Microseconds: Alertmanager's --cluster.peer-timeout."""
    echo_window: Annotated[int, BeforeValidator(duration), Field(ge=0)] | None = None
    """Microseconds that a firing with an old start is held after an end (level 4: 60 s at most); unset: derived."""
    silence_on_acknowledge: bool = False
    """Whether what somebody acknowledged is silenced in Alertmanager for as long as that holds."""
    prometheus_url: Annotated[HttpUrl | None, Field(repr=False)] = None
    """Like the Alertmanager's, it may carry a password, so it is not shown."""

    traces_url: Annotated[HttpUrl | None, Field(repr=False)] = None
    """An OpenTelemetry collector that takes OTLP over HTTP: ``http://collector:4318``."""
    heartbeat_url: HttpUrl | None = None
    """Called every minute while the heartbeat arrives: whoever watches us from outside misses it otherwise."""

    warnings: tuple[str, ...] = ()
    """What was odd but not wrong, in words for the log: variables nobody knows."""

    @classmethod
    def read(cls, environ: Mapping[str, str], **overrides: Any) -> Self:
        """The settings in an environment; `overrides` are fields from the command line (None: not given).

        Raises SettingsError, with every problem on a line of its own.
        """
        problems: list[str] = []
        values = _gather(environ, problems)
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            settings = cls(**{**values, **given})
        except ValidationError as error:
            problems += [_say(each, given) for each in error.errors(include_url=False, include_input=False)]
        else:
            problems += settings.contradictions()
        if problems:
            raise SettingsError("\n".join(problems))
        return settings

    def contradictions(self) -> list[str]:
        """What needs another setting that is not there."""
        needed = {
            "oidc_issuer": ("oidc_client_id", "oidc_roles", "external_url"),
            "tls_cert_file": ("tls_key_file",),
            "tls_key_file": ("tls_cert_file",),
            "tls_client_ca_file": ("tls_cert_file",),
        }
        return [
            f"{PREFIX}{other.upper()}: is needed where {PREFIX}{name.upper()} is set"
            for name, others in needed.items()
            if getattr(self, name)
            for other in others
            if not getattr(self, other)
        ]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return split_address(self.listen)

    @property
    def path(self) -> str:
        """The path of the external URL, below which browsers find everything: ``/tocsin``; empty: it has none."""
        return urlsplit(self.external_url or "").path

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach what it listens on."""
        return is_loopback(self.address[0])

    @property
    def is_open(self) -> bool:
        """Whether nobody is configured who may do anything: then everybody on this machine may do everything."""
        return not self.api_tokens and not self.users and not self.oidc_issuer

    @property
    def account_names(self) -> frozenset[str]:
        """Who logs in with a password. Empty where an identity provider lets in others, whose names are not known."""
        return frozenset() if self.oidc_issuer else frozenset(each.name for each in self.users)

    @property
    def has_approver(self) -> bool:
        """Whether anybody may approve notices and reports, and sign incidents off."""
        roles = {each.role for each in self.api_tokens} | {each.role for each in self.users}
        roles |= {role for _, role in self.oidc_roles}
        return self.is_open or any(role >= Role.APPROVER for role in roles)

    def role_of(self, names: Iterable[str]) -> Role | None:
        """The highest role of the accounts of these names; None: there is none. Of somebody whom an identity provider
        knows it is not known here.
        """
        if self.is_open:
            return Role.ADMIN
        wanted = {each.casefold() for each in names}
        accounts: tuple[ApiToken | User, ...] = (*self.api_tokens, *self.users)
        return max((each.role for each in accounts if each.name.casefold() in wanted), default=None)

    def require_safe(self) -> None:
        """Raises SettingsError where strangers could reach the receiver and would need no token, or could guess it."""
        if self.is_local:
            self._require_unproxied()
            return
        tokens = {
            "TOCSIN_WEBHOOK_TOKEN": [self.webhook_token] if self.webhook_token else [],
            "TOCSIN_API_TOKENS": [each.token for each in self.api_tokens],
        }
        said = []
        for name, found in tokens.items():
            try:
                require_strong(found)
            except CannotError as error:
                said.append(f"{name}: {error} to listen on {self.listen}, which others can reach")
        if said:
            raise SettingsError("\n".join([*said, "TOCSIN_LISTEN: or listen on 127.0.0.1 only"]))

    def _require_unproxied(self) -> None:
        """Whoever comes through a proxy on this machine seems to be on this machine."""
        if not self.is_open:
            return
        elsewhere = self.external_url and not is_loopback(urlsplit(self.external_url).hostname or "")
        proxied = {"TOCSIN_EXTERNAL_URL": elsewhere, "TOCSIN_TRUSTED_PROXIES": self.trusted_proxies}
        said = [
            f"{name}: others come through a proxy, and without tokens each of them could do everything; set"
            " TOCSIN_API_TOKENS and TOCSIN_WEBHOOK_TOKEN, or take this setting away"
            for name, value in proxied.items()
            if value
        ]
        if said:
            raise SettingsError("\n".join(said))

    @property
    def hears_twilio(self) -> bool:
        """Whether Twilio can call back: it knows where, and we can tell that it is Twilio."""
        return bool(self.external_url and self.twilio_account_sid and self.twilio_auth_token and self.twilio_from)

    def key(self, kept: str) -> str:
        """What signs sessions and links: the setting, else the key that the database keeps."""
        return self.secret_key.get_secret_value() if self.secret_key else kept

    def own(self, name: str, recipient: str) -> SecretStr | None:
        """What a recipient has of its own of a channel type's setting, such as `teams_url`; None: it is not set."""
        return self.of_recipients.get(variable_of(name, recipient))

    def owners(self, name: str) -> Mapping[str, SecretStr]:
        """What all recipients have of their own of that setting, by variable."""
        begin = variable_of(name, "")
        return {variable: value for variable, value in self.of_recipients.items() if variable.startswith(begin)}


_FIELDS = tuple(name for name in Settings.model_fields if name not in {"warnings", "of_channels", "of_recipients"})
_NAMED = frozenset(name for facts in CHANNEL_FACTS.values() for name in facts.settings)
_OF_CHANNELS = frozenset(name for name in _NAMED.difference(_FIELDS) if not name.endswith("*"))
VARIABLES = {f"{PREFIX}{name.upper()}": name for name in (*_FIELDS, *sorted(_OF_CHANNELS))}
"""Variable → setting, those of channel types included."""
OF_RECIPIENTS = tuple(sorted(f"{PREFIX}{name.removesuffix('*').upper()}" for name in _NAMED if name.endswith("*")))
"""How the variables begin that recipients have of their own."""


def _gather(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """Values by field, from variables and the files that they name."""
    values: dict[str, Any] = {}
    own: dict[str, str] = {}
    warnings: list[str] = []
    environ = _proxies(environ) | dict(environ)
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in CLIENT_ONLY or not text.strip():
            continue
        name = variable if variable in VARIABLES else variable.removesuffix("_FILE")
        if name not in VARIABLES and (not name.startswith(OF_RECIPIENTS) or name in OF_RECIPIENTS):
            warnings.append(_unknown(variable))
            continue
        if name != variable and environ.get(name, "").strip():
            problems.append(f"{name}: is set, and {variable} as well; keep one of them")
            continue
        value = text if name == variable else _read_file(variable, text, problems)
        if value is None:
            continue
        if name in VARIABLES:
            values[VARIABLES[name]] = value
        else:
            own[name] = value
    of_channels = {name: values.pop(name) for name in _OF_CHANNELS.intersection(values)}
    return {**values, "of_channels": of_channels, "of_recipients": own, "warnings": tuple(warnings)}


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """What other programs call HTTPS_PROXY is our TOCSIN_HTTPS_PROXY, where that is not set, by a file or otherwise."""
    found = {name: environ.get(name.lower(), "") or environ.get(name, "") for name in PROXIES}
    ours = {f"{PREFIX}{name}": text for name, text in found.items()}
    return {name: text for name, text in ours.items() if text.strip() and not environ.get(f"{name}_FILE", "").strip()}


SECRET_LIMIT = 1 << 20
"""Bytes of a file that a variable names: a thousand users have room."""


def _read_file(variable: str, path: str, problems: list[str]) -> str | None:
    try:
        value = read_whole(Path(path), SECRET_LIMIT).decode().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a text file"
        problems.append(f"{variable}: cannot read {path}: {why}; mount the secret there, or name another file")
        return None
    if not value:
        problems.append(f"{variable}: {path} is empty; write the value into it, or take the variable away")
    return value or None


def _unknown(variable: str) -> str:
    near = get_close_matches(variable.removesuffix("_FILE"), VARIABLES, 1)
    return f"{variable}: no setting has this name{f'; did you mean {near[0]}?' if near else ''}"


def _say(error: Any, given: Mapping[str, Any]) -> str:
    """One problem, without the value that was wrong."""
    field = str(error["loc"][0])
    where = f"--{field.replace('_', '-')}" if field in given else f"{PREFIX}{field.upper()}"
    what = error["msg"].removeprefix("Value error, ")
    return f"{where}: {what[:1].lower()}{what[1:]}"
