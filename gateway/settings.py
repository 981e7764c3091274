"""The settings: what they are called, what they mean, where they come from.

A setting is taken from the first of these that names it: an argument of :func:`load_settings`,
an environment variable (``TONGDA_WEB__PORT`` is ``web.port``), a file in the secrets folder
(``TONGDA_SECRETS_DIR`` or systemd's ``CREDENTIALS_DIRECTORY``) of that same name, the TOML file
that ``TONGDA_CONFIG`` names (else ``./tongda.toml``), the packaged ``config/default.toml``.
"""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from channels import base
from gateway.accounts.settings import ConsoleSettings
from gateway.feeds.settings import FeedsSettings, PartnerName, SourceName, SourceSettings
from gateway.ops.places import default_state_dir
from gateway.ops.sources import SettingsRefused, file_sources, load, refuse_unknown
from gateway.partners.settings import PartnerSettings
from gateway.publish.settings import PublishSettings
from gateway.sections import Count, ExistingFile, Key, Keys, Seconds, Section, begins, refuse_guessable
from gateway.share import share

__all__ = ["LANES", "ChannelSettings", "Settings", "SettingsRefused", "load_settings", "route_settings"]

LANES = ("urgent", "normal", "drill")
"""The lanes of a channel; each is a queue ``{channel}.{lane}`` with worker processes of its own."""


def _channel_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", value):
        raise ValueError("the name of a channel has small letters, digits and underscores, at most 32")
    return value


ChannelName = Annotated[str, AfterValidator(_channel_name)]


class LogSettings(Section):
    """What is logged and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that are still written."""
    format: Literal["json", "text"] = "json"
    """``json``: one object a line, for machines; ``text``: for eyes at a terminal."""


class TlsSettings(Section):
    """TLS that the web server speaks by itself, without a proxy in front of it."""

    certificate_file: ExistingFile
    """Our certificate, followed by those between it and its CA, in PEM."""
    key_file: ExistingFile
    """Its key, in PEM, without a password."""
    client_ca_file: ExistingFile | None = None
    """CAs of partners' client certificates, in PEM. A client need not show one; a wrong one is refused."""


class WebSettings(Section):
    """The HTTP server: callbacks of providers, confirm links, partner API."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    public_url: Annotated[str, begins("https://", "http://")] | None = None
    """How the outside reaches this server; confirm links begin with it. Absent: made of host and port."""
    tls: TlsSettings | None = None
    """PEM files: ``web.tls.certificate_file``, ``web.tls.key_file``, and ``web.tls.client_ca_file`` with the
    CAs of partners' client certificates. Absent: plain HTTP, for a proxy on the same machine that speaks
    TLS; behind one no client certificate is seen or believed."""

    metrics: bool = False
    """Whether ``/metrics`` and ``/sources.json`` are answered to everybody who reaches the server. Absent:
    only to this machine, and not through a proxy."""

    @property
    def base_url(self) -> str:
        """What links begin with, without a final slash."""
        scheme = "https" if self.tls else "http"
        return (self.public_url or f"{scheme}://{self.host}:{self.port}").rstrip("/")


class SecretSettings(Section):
    """Keys. Give them as files in the secrets folder rather than in TOML."""

    confirm_key: Key | None = None
    """Signs confirm links. Absent: made once and kept in the state folder; must be the same on every host."""
    old_confirm_keys: list[Key] = Field(default_factory=list)
    """Earlier confirm keys: links made with them still hold."""
    partner_key: Key | None = None
    """Partners' signing secrets are made from it. Absent: made once and kept in the state folder; must be the
    same on every host."""
    old_partner_keys: list[Key] = Field(default_factory=list)
    """Earlier partner keys: signing secrets made from them still hold."""
    factor_key: Key | None = None
    """Seals the keys of second factors in the database. Absent: made once and kept in the state folder; must
    be the same on every host that serves the console. Whoever loses it resets every account."""
    old_factor_keys: list[Key] = Field(default_factory=list)
    """Earlier factor keys: what they sealed still opens, and is sealed anew at the next sign-in or by
    ``tongda account reseal``."""
    callback_keys: dict[str, Keys] = Field(default_factory=dict)
    """For each channel, the key that its provider signs callbacks with; a list of the new one and the
    old one while the provider changes over. `"sms.drill"` is the key of the provider of drills."""


class DeskSettings(Section):
    """Who issues warnings here."""

    sender: str = Field(default="desk@county.example.org", pattern=r"^[^\s,&<]+$")
    """CAP ``sender`` of our messages: unique in the world, for example an address."""
    issuer_code: str = Field(default="99990041600000", pattern=r"^\d{14}$")
    """Begins our identifiers: 6 digits area (GB/T 2260), 3 sector, 3 unit, 2 extension."""
    name: str = Field(default="示范县预警信息发布中心", min_length=1)
    """The issuing authority in words, where a message names none."""
    signature: str = Field(default="示范县预警", min_length=1, max_length=20)
    """What stands in 【】 at the start of an SMS."""
    utc_offset: str = Field(default="+08:00", pattern=r"^[+-](0\d|1[0-4]):[0-5]\d$")
    """The offset in which messages tell times and CAP writes them."""
    drill_group: str | None = Field(default=None, min_length=1)
    """Name of the contact group that drills go to, as far as it is in their area. Absent: everybody there."""
    map_note: str = Field(default="", max_length=200)
    """What stands in the corner of every map: the source of its borders and their number (审图号)."""

    @property
    def zone(self) -> timezone:
        """The offset as a time zone."""
        hours, minutes = int(self.utc_offset[1:3]), int(self.utc_offset[4:6])
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if self.utc_offset[0] == "-" else offset)


class DispatchSettings(Section):
    """The engine that hands deliveries to the channels."""

    flush_ms: int = Field(default=10, ge=1, le=50)
    """Milliseconds that attempts and receipts wait to be written together; less under load."""
    lease_seconds: Seconds = 8.0
    """How long a batch belongs to a worker that gives no sign of life."""
    reconcile_seconds: float = Field(default=2.0, gt=0, le=5.0)
    """Seconds between two looks for batches that nobody holds and deliveries that expired."""
    retry_max_seconds: Seconds = 60.0
    """Longest pause between two tries (10 in the urgent lane); they end with the warning's expiry."""

    @model_validator(mode="after")
    def _ordered(self) -> DispatchSettings:
        if self.reconcile_seconds >= self.lease_seconds:
            raise ValueError("reconcile_seconds is not shorter than lease_seconds")
        return self


class ChannelSettings(Section):
    """One way to reach people: its adapter and the two sets of credentials."""

    kind: str
    """The adapter: ``smpp``, ``smtp``, ``wecom`` or ``mqtt``."""
    live: SerializeAsAny[base.RouteSettings] | None = None
    """The route for real warnings; what it takes depends on the kind. Absent: drills only."""
    drill: SerializeAsAny[base.RouteSettings] | None = None
    """The route for drills, with credentials of its own. Absent: no drills on this channel."""

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in base.KINDS:
            raise ValueError(f"unknown kind {kind!r}: one of {', '.join(base.KINDS)}")
        return kind

    @field_validator("live", "drill", mode="before")
    @classmethod
    def _typed(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever a file may hold
        if value is None or isinstance(value, base.RouteSettings) or "kind" not in info.data:
            return value
        model = route_settings(info.data["kind"])
        if isinstance(value, dict):
            refuse_unknown(model, value)
        made = model.model_validate(value)
        for name, secret in made:
            if name.endswith("_key") and isinstance(secret, SecretStr):
                _refuse_guessable(name, secret)
        return made


def _refuse_guessable(name: str, key: SecretStr) -> None:
    try:
        refuse_guessable(key.get_secret_value())
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def route_settings(kind: str) -> type[base.RouteSettings]:
    """Return the settings model of an adapter, importing the adapter.

    Raises:
        ValueError: the adapter cannot be imported; the text says why.
    """
    try:
        return base.adapter(kind).Settings
    except (ImportError, AttributeError) as error:
        raise ValueError(f"the adapter {kind!r} cannot be loaded: {error}") from error


class Settings(BaseSettings):
    """All settings. Made by :func:`load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="TONGDA_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_default=False,
    )

    state_dir: Path = Field(default_factory=default_state_dir)
    """Where embedded services and generated keys lie. Absent: ``/var/lib/tongda`` for root,
    else ``$XDG_STATE_HOME/tongda`` or ``~/.local/state/tongda``."""
    database_url: Annotated[str, begins("postgresql://")] | None = Field(default=None, repr=False)
    """PostgreSQL, ``postgresql://user:password@host/database``. Absent: the embedded one."""
    redis_url: Annotated[str, begins("redis://", "rediss://", "unix://")] | None = Field(
        default=None, repr=False
    )
    """Valkey or Redis, ``redis://host:6379/0`` or ``unix:///path``. Absent: the embedded one."""
    log: LogSettings = Field(default_factory=LogSettings)
    """What is logged and how."""
    web: WebSettings = Field(default_factory=WebSettings)
    """The HTTP server."""
    secrets: SecretSettings = Field(default_factory=SecretSettings)
    """Keys."""
    desk: DeskSettings = Field(default_factory=DeskSettings)
    """Who issues warnings here."""
    dispatch: DispatchSettings = Field(default_factory=DispatchSettings)
    """The engine."""
    workers: dict[str, Count] = Field(default_factory=dict)
    """Worker processes of each queue, for example ``"sms.urgent" = 2``. A queue that is not named has one."""
    channels: dict[ChannelName, ChannelSettings] = Field(default_factory=dict)
    """The channels by name, ``[channels.sms]``."""
    feeds: FeedsSettings = Field(default_factory=FeedsSettings)
    """What holds for all sources."""
    sources: dict[SourceName, SourceSettings] = Field(default_factory=dict)
    """The sources of warnings by name, ``[sources.nws]``. Absent: none is read."""
    partners: dict[PartnerName, PartnerSettings] = Field(default_factory=dict)
    """The partner agencies by name, ``[partners.water]``; their keys are made with ``tongda partner``."""
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)
    """The web console of the desk."""
    publish: PublishSettings = Field(default_factory=PublishSettings)
    """What goes out to partners."""
    hazards_file: ExistingFile | None = None
    """Hazards, colour levels and what they mean in CAP. Absent: the packaged ``config/hazards.toml``."""
    approval_file: ExistingFile | None = None
    """How many approvers each level needs. Absent: the packaged ``config/approval.toml``."""

    @property
    def hazards(self) -> Path:
        """The file of hazards in force."""
        return self.hazards_file or share("config/hazards.toml")

    @property
    def approval(self) -> Path:
        """The file of the approval policy in force."""
        return self.approval_file or share("config/approval.toml")

    def worker_counts(self) -> dict[str, int]:
        """Return the number of worker processes of every queue: those named, and one for each other.

        A queue whose route is not set has none.
        """
        return {
            queue: self.workers.get(queue, 1)
            for name, channel in self.channels.items()
            for lane in LANES
            if (channel.drill if lane == "drill" else channel.live) is not None
            for queue in (f"{name}.{lane}",)
        }

    @model_validator(mode="after")
    def _queues_exist(self) -> Settings:
        for queue in self.workers:
            channel, _, lane = queue.partition(".")
            if channel not in self.channels or lane not in LANES:
                known = ", ".join(f"{name}.{lane}" for name in self.channels for lane in LANES) or "none"
                raise ValueError(
                    f"workers names the queue {queue!r}; the queues of the channels are: {known}"
                )
        return self

    @model_validator(mode="after")
    def _certificates_are_asked_for(self) -> Settings:
        asked = self.web.tls is not None and self.web.tls.client_ca_file is not None
        for name, partner in self.partners.items():
            if partner.certificate_fingerprints and not asked:
                raise ValueError(f"partners.{name}.certificate_fingerprints needs web.tls.client_ca_file")
        return self

    @model_validator(mode="before")
    @classmethod
    def _names_known(cls, value: Any) -> Any:  # noqa: ANN401 - whatever a file may hold
        if isinstance(value, dict):
            refuse_unknown(cls, value)
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library passes it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by one that nests
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first."""
        return (init_settings, env_settings, *file_sources(settings_cls))


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - as varied as the settings
    """Read the settings from all their sources.

    Args:
        overrides: settings by name, stronger than every source; sections may be dicts.

    Raises:
        SettingsRefused: a name is unknown, a value is wrong or a file cannot be read.
    """
    return load(Settings, overrides)
