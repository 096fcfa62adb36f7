"""The settings: environment variables TOCSIN_…, read once into one frozen object.

The command line calls `Settings.read`; other modules get the object. Rules: every variable may also be given as
TOCSIN_X_FILE (mounted secrets); an empty variable counts as not set, an empty file is an error; all problems are
reported together, each with the variable, the error and the remedy; no text or repr contains a secret's value.
(pydantic-settings is not used: it reads only the process's own environment, and has no _FILE.)
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
"""Variables of the client commands of the command line."""


def variable_of(name: str, recipient: str) -> str:
    """The variable of a recipient's own setting: `pagerduty_routing_key` of ``ml-systems`` is
    TOCSIN_PAGERDUTY_ROUTING_KEY_ML_SYSTEMS.
    """
    return f"{PREFIX}{name}_{''.join(char if char.isalnum() else '_' for char in recipient)}".upper()


class Settings(BaseModel):
    """All external settings. Field x is the variable TOCSIN_X."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    listen: Annotated[str, AfterValidator(address)] = "127.0.0.1:8095"
    database: Annotated[str, AfterValidator(database_url), Field(repr=False)] = "sqlite:///tocsin.db"
    external_url: Annotated[HttpUrl | None, AfterValidator(place)] = None
    """Public base URL of the receiver, used in links. If it has a path, everything is served below that path."""
    webhook_token: SecretStr | None = None
    api_tokens: Annotated[tuple[ApiToken, ...], BeforeValidator(read_tokens)] = ()
    users: Annotated[tuple[User, ...], BeforeValidator(read_users)] = ()
    """The users of the console; a file (TOCSIN_USERS_FILE) with one ``name:role:hash`` a line."""
    oidc_issuer: Annotated[HttpUrl | None, AfterValidator(private)] = None
    """URL of the identity provider; requires `oidc_client_id`, `oidc_roles` and `external_url`."""
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    """Unset: a public client, protected by PKCE alone."""
    oidc_roles: Annotated[tuple[tuple[str, Role], ...], BeforeValidator(read_groups)] = ()
    """The roles of groups: ``group=role``."""
    oidc_scopes: str = "openid profile email"
    oidc_groups_claim: str = "groups"
    """The claim with a person's groups; a path (realm_access.roles) for a nested one."""
    oidc_name_claim: str = "preferred_username"
    """The claim with a person's name; if it is missing, the subject is used."""

    tls_cert_file: Path | None = None
    """The server's certificate with its chain; unset: plain HTTP."""
    tls_key_file: Path | None = None
    tls_client_ca_file: Path | None = None
    """Certificate authorities of clients: if set, the webhook accepts only clients with their certificates."""
    tls_clients: Literal["webhook", "all"] = "webhook"
    """Which clients need such a certificate: those of the webhook, or all."""
    secret_key: Annotated[SecretStr | None, Field(min_length=32)] = None
    """Signs sessions and links; unset: a generated key that is stored in the database."""
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(networks)] = ()
    """Networks of proxies whose X-Forwarded-For is trusted."""
    body_limit: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 << 20
    """Bytes of a request's body after decompression (Alertmanager repeats annotations: 850 kB occur in practice)."""
    evidence_limit: Annotated[int, Field(ge=1024, le=1 << 40)] = 25 << 20
    """Bytes of a file attached as evidence."""
    upgrade: Literal["additive", "all"] = "additive"
    """Migrations that a start may run: only those that the previous Tocsin version can use, or all."""
    log_format: Literal["text", "json"] = "text"

    https_proxy: Annotated[SecretStr, secret_url_of("http", "https")] | None = None
    """Proxy for HTTPS destinations; takes precedence over HTTPS_PROXY."""
    http_proxy: Annotated[SecretStr, secret_url_of("http", "https")] | None = None
    no_proxy: Annotated[tuple[str, ...], BeforeValidator(commas)] = ()
    """Hosts, domains and networks that are reached directly: as NO_PROXY."""
    ca_file: Path | None = None
    """Certificate authorities in PEM, trusted in addition to the system's for outgoing connections."""

    smtp_url: Annotated[SecretStr, secret_url_of("smtp", "smtps")] | None = None
    email_from: str | None = None
    email_reply_to: str | None = None
    """The address whose mail comes to Tocsin, also with ``+`` and a token before its @: replies and bounces."""
    email_inbound_token: SecretStr | None = None
    """Authenticates the mail server that passes that mail on."""
    slack_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_api_url: HttpUrl = "https://slack.com/api"
    pagerduty_routing_key: SecretStr | None = None
    pagerduty_api_url: HttpUrl = "https://events.pagerduty.com"
    pagerduty_webhook_secret: SecretStr | None = None
    """Verifies PagerDuty's v3 webhooks; several are separated by commas, for the time of a replacement."""
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_shared_key: SecretStr | None = None
    """Verifies Twilio's callbacks if a Webhooks Rule signs them with a SharedKey instead of the auth token."""
    twilio_from: str | None = None
    twilio_api_url: HttpUrl = "https://api.twilio.com"
    webhook_signing_secret: SecretStr | None = None
    """Signs the requests of the webhook channel."""
    of_channels: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Name (`pigeon_token`) → value of settings of channel types in rules.channel_types that have no field here."""
    of_recipients: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Variable (TOCSIN_TEAMS_URL_FLIGHT) → value of channel types' settings with a star, which are per recipient."""
    alertmanager_url: Annotated[tuple[HttpUrl, ...], BeforeValidator(commas), Field(repr=False)] = ()
    """URLs of Alertmanagers, separated by commas: their alerts are compared with those stored as firing."""
    repeat_interval: Annotated[int, BeforeValidator(duration), Field(gt=0)] = HOUR
    """Microseconds: Alertmanager's longest repeat_interval; alerts not repeated for three of them are marked stale."""
    alertmanager_peers: Annotated[int, Field(ge=1, le=100)] = 2
    """Alertmanagers in the cluster that sends webhooks; 1: no alert is held as a possible echo."""
    peer_timeout: Annotated[int, BeforeValidator(duration), Field(gt=0)] = 15 * SECOND
    """Microseconds: Alertmanager's --cluster.peer-timeout."""
    echo_window: Annotated[int, BeforeValidator(duration), Field(ge=0)] | None = None
    """Microseconds after an end in which a firing with an old start is held (level 4: 60 s at most); unset: derived."""
    silence_on_acknowledge: bool = False
    """Whether acknowledged incidents are silenced in Alertmanager while the acknowledgement lasts."""
    prometheus_url: Annotated[HttpUrl | None, Field(repr=False)] = None
    """Not shown, because it may contain a password, like the Alertmanager's."""

    traces_url: Annotated[HttpUrl | None, Field(repr=False)] = None
    """An OpenTelemetry collector that takes OTLP over HTTP: ``http://collector:4318``."""
    heartbeat_url: HttpUrl | None = None
    """Called every minute while heartbeats arrive, so that an external watchdog detects an outage."""

    warnings: tuple[str, ...] = ()
    """Warnings for the log: variables with unknown names."""

    @classmethod
    def read(cls, environ: Mapping[str, str], **overrides: Any) -> Self:
        """Read the settings from an environment; `overrides` are the command line's fields (None: not given).

        Raises SettingsError, with one problem per line.
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
        """Problems of settings that require others that are not set."""
        needed: dict[str, tuple[str, ...]] = {
            "email_reply_to": ("smtp_url", "email_from", "email_inbound_token"),
            "email_inbound_token": ("email_reply_to",),
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
        """The path of the external URL, which prefixes all paths: ``/tocsin``; empty: it has none."""
        return urlsplit(self.external_url or "").path

    @property
    def is_local(self) -> bool:
        """Whether it listens on this machine's loopback only."""
        return is_loopback(self.address[0])

    @property
    def is_open(self) -> bool:
        """Whether no accounts are configured; then every local caller has all rights."""
        return not self.api_tokens and not self.users and not self.oidc_issuer

    @property
    def account_names(self) -> frozenset[str]:
        """Names of users with a password. Empty with an identity provider, whose users are not known here."""
        return frozenset() if self.oidc_issuer else frozenset(each.name for each in self.users)

    @property
    def has_approver(self) -> bool:
        """Whether any account may approve notices and reports, and sign off incidents."""
        roles = {each.role for each in self.api_tokens} | {each.role for each in self.users}
        roles |= {role for _, role in self.oidc_roles}
        return self.is_open or any(role >= Role.APPROVER for role in roles)

    def role_of(self, names: Iterable[str]) -> Role | None:
        """The highest role of the accounts with these names; None: no such account, or one of an identity provider."""
        if self.is_open:
            return Role.ADMIN
        wanted = {each.casefold() for each in names}
        accounts: tuple[ApiToken | User, ...] = (*self.api_tokens, *self.users)
        return max((each.role for each in accounts if each.name.casefold() in wanted), default=None)

    def require_safe(self) -> None:
        """Raises SettingsError where the receiver is reachable by others without a token, or with a weak one."""
        if self.is_local:
            self._require_unproxied()
            return
        tokens = {
            "TOCSIN_WEBHOOK_TOKEN": [self.webhook_token] if self.webhook_token else [],
            "TOCSIN_API_TOKENS": [each.token for each in self.api_tokens],
        }
        if self.email_inbound_token:
            tokens["TOCSIN_EMAIL_INBOUND_TOKEN"] = [self.email_inbound_token]
        said = []
        for name, found in tokens.items():
            try:
                require_strong(found)
            except CannotError as error:
                said.append(f"{name}: {error} to listen on {self.listen}, which others can reach")
        if said:
            raise SettingsError("\n".join([*said, "TOCSIN_LISTEN: or listen on 127.0.0.1 only"]))

    def _require_unproxied(self) -> None:
        """Raises SettingsError for an open receiver behind a proxy on this machine: all callers would seem local."""
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
        """Whether Twilio can call back: the URL is known to it, and its signature can be verified."""
        return bool(self.external_url and self.twilio_account_sid and self.twilio_auth_token and self.twilio_from)

    @property
    def answered_types(self) -> frozenset[str]:
        """Channel types from which answers with a message's token reach Tocsin."""
        given = {name: facts.answer_setting for name, facts in CHANNEL_FACTS.items() if facts.answer_setting}
        return frozenset(kind for kind, name in given.items() if getattr(self, name, None) or name in self.of_channels)

    def key(self, kept: str) -> str:
        """The key that signs sessions and links: the setting, else `kept`, the database's."""
        return self.secret_key.get_secret_value() if self.secret_key else kept

    def own(self, name: str, recipient: str) -> SecretStr | None:
        """A recipient's own value of a channel type's setting, such as `teams_url`; None: it is not set."""
        return self.of_recipients.get(variable_of(name, recipient))

    def owners(self, name: str) -> Mapping[str, SecretStr]:
        """All recipients' own values of that setting, by variable."""
        begin = variable_of(name, "")
        return {variable: value for variable, value in self.of_recipients.items() if variable.startswith(begin)}


_FIELDS = tuple(name for name in Settings.model_fields if name not in {"warnings", "of_channels", "of_recipients"})
_NAMED = frozenset(name for facts in CHANNEL_FACTS.values() for name in facts.settings)
_OF_CHANNELS = frozenset(name for name in _NAMED.difference(_FIELDS) if not name.endswith("*"))
VARIABLES = {f"{PREFIX}{name.upper()}": name for name in (*_FIELDS, *sorted(_OF_CHANNELS))}
"""Variable → setting, those of channel types included."""
OF_RECIPIENTS = tuple(sorted(f"{PREFIX}{name.removesuffix('*').upper()}" for name in _NAMED if name.endswith("*")))
"""Prefixes of the variables that are set per recipient."""


def _gather(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """Values by field, from variables and the files that they name; appends to `problems`."""
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
    """HTTPS_PROXY and the like as TOCSIN_ variables, except where those are set by a file."""
    found = {name: environ.get(name.lower(), "") or environ.get(name, "") for name in PROXIES}
    ours = {f"{PREFIX}{name}": text for name, text in found.items()}
    return {name: text for name, text in ours.items() if text.strip() and not environ.get(f"{name}_FILE", "").strip()}


SECRET_LIMIT = 1 << 20
"""Bytes of a file named by a variable: enough for a thousand users."""


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
    """The text of a problem, without the invalid value."""
    field = str(error["loc"][0])
    where = f"--{field.replace('_', '-')}" if field in given else f"{PREFIX}{field.upper()}"
    what = error["msg"].removeprefix("Value error, ")
    return f"{where}: {what[:1].lower()}{what[1:]}"
