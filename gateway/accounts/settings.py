"""Settings of the console: how long a session lasts, and who vouches for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, NamedTuple

from pydantic import Field, SecretStr, model_validator

from gateway.sections import Section, begins


class Limits(NamedTuple):
    """When a session ends by itself."""

    idle: timedelta = timedelta(hours=2)
    """It was not used for so long."""
    longest: timedelta = timedelta(hours=13)
    """It was opened so long ago, whatever happened since."""


class OidcSettings(Section):
    """Signing in by way of an OpenID Connect provider."""

    issuer: Annotated[str, begins("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")]
    """The provider's issuer address; what it is made of is read from ``/.well-known/openid-configuration``
    below it."""
    client_id: str = Field(min_length=1)
    """Our name there."""
    client_secret: SecretStr = Field(min_length=1)
    """Our secret there; in the secrets folder the file ``TONGDA_CONSOLE__OIDC__CLIENT_SECRET``."""
    login_claim: str = Field(default="preferred_username", min_length=1)
    """The claim of the ID token that is the login here. The person must work at the desk already."""
    name: str = Field(default="OpenID Connect", min_length=1, max_length=40)
    """What the button on the sign-in page calls it."""


class ConsoleSettings(Section):
    """The web console of the desk, below ``/desk``."""

    idle_minutes: int = Field(default=120, ge=5, le=720)
    """Minutes after which a session that nobody uses is over. Two hours, because a night on duty has long
    quiet spells, and signing in anew costs time when they end."""
    longest_hours: int = Field(default=13, ge=1, le=25)
    """Hours after which a session is over whatever happens: a duty shift of 12 hours with its handover. A
    desk whose shifts last 24 hours writes down why when it sets 25."""
    plain_http: bool = False
    """Whether the console may be used without TLS from other machines. Absent: only from this one. Passwords
    and sessions can then be read on the way: never but for trying things out."""
    behind_proxy: bool = False
    """Whether a proxy on this machine adds who asks to ``X-Forwarded-For``: the last address there then
    counts. Absent: the address that the connection comes from."""
    oidc: OidcSettings | None = None
    """``[console.oidc]``: sign in by way of a provider as well. Absent: with password and code only."""

    @property
    def limits(self) -> Limits:
        """When a session ends by itself."""
        return Limits(timedelta(minutes=self.idle_minutes), timedelta(hours=self.longest_hours))

    @model_validator(mode="after")
    def _ordered(self) -> ConsoleSettings:
        if self.idle_minutes > self.longest_hours * 60:
            raise ValueError("idle_minutes is longer than longest_hours")
        return self
