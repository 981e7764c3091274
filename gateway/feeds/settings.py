"""Settings of the sources: how each is reached, and what becomes of what it sends."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from gateway.alerts.model import Severity
from gateway.feeds.adapters import KINDS, adapter
from gateway.sections import ExistingFile, Seconds, Section, begins

if TYPE_CHECKING:
    from gateway.feeds.contract import Adapter

SOURCE_NAME = r"^[a-z][a-z0-9_]{0,31}$"
ACTIONS = ("inbox", "draft", "submit", "release")
"""What may become of an alert that comes in, each more than the one before."""


def _named(noun: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(SOURCE_NAME, value):
            raise ValueError(
                f"the name of {noun} has small letters, digits and underscores, at most 32, a letter first"
            )
        return value

    return AfterValidator(check)


def _has_port(url: str) -> bool:
    try:
        return urlsplit(url).port is not None
    except ValueError:
        return False


SourceName = Annotated[str, _named("a source")]
PartnerName = Annotated[str, _named("a partner")]
WebhookName = Annotated[str, _named("a webhook")]
Url = Annotated[str, begins("https://", "http://", "wss://", "ws://", "tcp://")]
Code = Annotated[str, Field(pattern=r"^\d{2,12}$")]


class RuleSettings(Section):
    """What becomes of the alerts of a source or a partner. Nothing of it widens what the desk may send."""

    action: Literal["inbox", "draft", "submit", "release"] = "inbox"
    """``inbox``: kept for the desk; ``draft``: drafted; ``submit``: also submitted for approval;
    ``release``: also sent without approval, where the rest of this rule allows it."""
    regions: list[Code] = Field(default_factory=list)
    """Beginnings of the division codes that it may warn. Absent: every region here, and no release."""
    hazards: list[str] = Field(default_factory=list)
    """Hazards of the hazard table that it may warn of, by key. Absent: all, and no release."""
    severity_floor: Severity = Severity.UNKNOWN
    """The least severity that becomes more than an entry of the inbox."""
    highest_level: Literal["red", "orange", "yellow", "blue"] = "red"
    """The gravest colour that it may warn of; a graver one is held for a person."""
    languages: list[str] = Field(default_factory=list)
    """Languages whose text is drafted, for example ``zh-CN``; others are left out. Absent: all."""
    delegates: list[str] = Field(default_factory=list)
    """CAP senders that may update and cancel the alerts of this source, besides their own sender."""
    senders: list[str] = Field(default_factory=list)
    """CAP senders that it may speak for. Absent: whatever it sends, and no release."""
    vanished: Literal["keep", "ask", "cancel"] = "keep"
    """What it means that an alert is no longer in the complete list of this source: nothing, a question to
    the desk, or that it is over."""
    max_age_minutes: float = Field(default=120, gt=0, le=10080)
    """An alert older than this is kept and never drafted."""
    future_minutes: float = Field(default=5, ge=0, le=60)
    """An alert from further ahead than this is kept and never drafted."""
    valid_hours: float = Field(default=24, gt=0, le=168)
    """How long an alert holds that does not say so, from when it was sent."""
    release_alone: bool = False
    """Whether ``release`` needs nobody else. Otherwise two independent sources must agree."""
    agrees_with: list[str] = Field(default_factory=list)
    """Names of the sources that are independent of this one and count as the second."""
    agree_minutes: float = Field(default=10, gt=0, le=120)
    """Two alerts agree where they were sent within this time of each other."""
    most_per_hour: int = Field(default=3, ge=1, le=1000)
    """More than this in an hour are held for a person."""
    retract_minutes: float = Field(default=60, gt=0, le=1440)
    """Within this time of the release the source's own Cancel takes it back without approval."""

    @property
    def max_age(self) -> timedelta:
        """As a duration."""
        return timedelta(minutes=self.max_age_minutes)

    @model_validator(mode="after")
    def _release_is_bounded(self) -> RuleSettings:
        if self.action == "release" and not (self.regions and self.hazards and self.senders):
            raise ValueError("action release needs regions, hazards and senders: name what may be sent alone")
        if self.action == "release" and not (self.release_alone or self.agrees_with):
            raise ValueError("action release needs release_alone or agrees_with")
        return self


class FeedsSettings(Section):
    """What holds for all sources."""

    user_agent: str = Field(default="Tongda/0.1 (warning gateway)", min_length=1, max_length=200)
    """How we introduce ourselves to sources. Name your office and a contact: some sources refuse others."""
    lease_seconds: float = Field(default=15.0, ge=5, le=25)
    """How long the process that reads the sources may be silent before another takes over."""
    alarm_intervals: int = Field(default=3, ge=1, le=100)
    """After so many missed intervals a source raises an alarm."""
    seismic_file: ExistingFile | None = None
    """Intensity relations, thresholds and colours. Absent: the packaged ``config/seismic.toml``."""
    seismic_rule: RuleSettings = Field(default_factory=lambda: RuleSettings(action="draft"))
    """What becomes of a warning that is made from a seismic event; as ``[sources.NAME.rule]``."""


class SourceSettings(Section):
    """One source of warnings."""

    kind: str
    """The format: a kind of docs/feeds.md, for example ``atom``, ``nws`` or ``usgs``."""
    url: Url
    """Where it is read. ``wss://`` and ``tcp://`` are streams."""
    more_urls: list[Url] = Field(default_factory=list)
    """Further hosts of the same stream, read at the same time."""
    archive_url: Annotated[str, begins("https://", "http://")] | None = None
    """Where missed messages are fetched from: a folder (naad) or a query (emsc); for usgs the query that is
    asked about an earthquake that the list has forgotten while its warning stands."""
    enabled: bool = True
    """Whether it is read."""
    accept_unofficial: bool = False
    """Must be set for kinds that are republished or undocumented. They never release by themselves."""
    interval_seconds: float = Field(default=60.0, ge=1, le=86400)
    """Seconds between two polls; for a stream, how often a sign of life is due."""
    idle_seconds: Seconds = 90.0
    """A stream that says nothing for so long is opened anew."""
    frozen_minutes: float | None = Field(default=None, ge=0, le=10080)
    """After so many minutes in which its document or its stamp did not move a source counts as frozen; 0:
    never. Absent: as its kind promises, see docs/feeds.md."""
    allow_http: bool = False
    """Whether it may be read without TLS."""
    allow_private: bool = False
    """Whether its hosts may have loopback, private and link-local addresses."""
    allow_hosts: list[str] = Field(default_factory=list)
    """Hosts that its index may lead to, besides its own."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Headers to send, for example a token. They go to the host of ``url`` only."""
    ca_file: ExistingFile | None = None
    """Certificates to trust for its TLS, in PEM. Absent: those of the system."""
    agency: str = ""
    """For seismic sources: whose solutions these are, where the format does not say."""
    signature: Literal["ignore", "flag", "require"] = "flag"
    """A CAP signature that is absent, not trusted or wrong: not looked at, told to the desk, or held for a
    person. One that is wrong is always held unless it is ignored."""
    signers: list[ExistingFile] = Field(default_factory=list)
    """Certificates, or CAs of certificates, that sign its alerts, in PEM."""
    rule: RuleSettings = Field(default_factory=RuleSettings)
    """What becomes of its alerts."""

    @property
    def adapter(self) -> Adapter:
        """The adapter of its kind."""
        return adapter(self.kind)

    @property
    def interval(self) -> timedelta:
        """As a duration."""
        return timedelta(seconds=self.interval_seconds)

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}: one of {', '.join(KINDS)}")
        return kind

    @model_validator(mode="after")
    def _fitting(self) -> SourceSettings:
        for url in (self.url, *self.more_urls):
            if url.startswith(("http://", "ws://", "tcp://")) and not self.allow_http:
                raise ValueError("an address without TLS needs allow_http")
            if url.startswith("tcp://") and not (_has_port(url) and self.adapter.transport == "tcp"):
                raise ValueError("a tcp:// address needs a port, and a kind that reads streams (naad)")
        if self.signature == "require" and not self.signers:
            raise ValueError("signature require needs signers: the certificates that may sign")
        if self.adapter.official:
            return self
        if not self.accept_unofficial:
            raise ValueError(f"kind {self.kind} is no official source: set accept_unofficial to use it")
        if self.rule.action == "release":
            raise ValueError(f"kind {self.kind} is no official source: it may not release by itself")
        return self
