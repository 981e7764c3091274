"""Settings of what goes out to partners."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from gateway.feeds.settings import Code, WebhookName
from gateway.sections import ExistingFile, Section, begins
from gateway.webhook_signature import PREFIX

_LEAST_BYTES = 24
_LEAST_DIFFERENT = 8
_WAY_OUT = "make one: printf 'whsec_%s' \"$(openssl rand -base64 32)\""


def _webhook_secret(value: SecretStr) -> SecretStr:
    """Refuse what a library of Standard Webhooks could not read, and what can be guessed."""
    text = value.get_secret_value()
    if not text.startswith(PREFIX):
        raise ValueError(f"a webhook secret begins with {PREFIX}; {_WAY_OUT}")
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise ValueError(f"what follows {PREFIX} is not base64 with its = at the end; {_WAY_OUT}") from None
    if len(secret) < _LEAST_BYTES:
        raise ValueError(f"a webhook secret has at least {_LEAST_BYTES} bytes; {_WAY_OUT}")
    if len(set(secret)) < _LEAST_DIFFERENT:
        raise ValueError(f"this webhook secret can be guessed; {_WAY_OUT}")
    return value


def _listed(value: Any) -> Any:  # noqa: ANN401 - whatever a file may hold
    return value if isinstance(value, list) else [value]


WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
WebhookSecrets = Annotated[list[WebhookSecret], BeforeValidator(_listed), Field(min_length=1)]


class WebhookSettings(Section):
    """One address that is told of each public release."""

    url: Annotated[str, begins("https://", "http://")] = Field(repr=False)
    """Where the message is posted. Redirects are not followed."""
    secrets: WebhookSecrets
    """What the messages are signed with, as in Standard Webhooks: ``whsec_`` and base64 of 24 bytes or more;
    a list of the new one and the old one while the receiver changes over."""
    enabled: bool = True
    """Whether it is told. What is released meanwhile is not sent later."""
    levels: list[Literal["red", "orange", "yellow", "blue"]] = Field(default_factory=list)
    """The colours that it is told of. Absent: all."""
    regions: list[Code] = Field(default_factory=list)
    """Beginnings of the division codes that it cares for. Absent, with no area_file: everything."""
    area_file: ExistingFile | None = None
    """GeoJSON of the area that it cares for, WGS-84; together with ``regions``: either is enough."""
    allow_http: bool = False
    """Whether it may be told without TLS."""
    allow_private: bool = False
    """Whether its host may have a loopback, private or link-local address."""

    @model_validator(mode="after")
    def _encrypted(self) -> WebhookSettings:
        if self.url.startswith("http://") and not self.allow_http:
            raise ValueError("an address without TLS needs allow_http")
        return self


class PublishSettings(Section):
    """Signed CAP of public releases, its index, and webhooks."""

    enabled: bool = False
    """Whether public releases are served as CAP at ``/cap/``; webhooks do so as well."""
    key_file: ExistingFile | None = None
    """The private key that signs them, PEM, RSA of 2048 bits or more or P-256, P-384, P-521. Absent: they
    are not signed."""
    key_password: SecretStr | None = None
    """The password of the key, if it has one."""
    certificate_file: ExistingFile | None = None
    """Its certificate, then what leads from it to an authority, PEM."""
    title: str = Field(default="预警信息", min_length=1)
    """The title of the index."""
    base_url: Annotated[str, begins("https://", "http://")] | None = None
    """How the outside reaches ``/cap/``. Absent: ``web.public_url``, or made of host and port."""
    most: int = Field(default=200, ge=1, le=1000)
    """How many alerts the index has at most, the newest first."""
    webhooks: dict[WebhookName, WebhookSettings] = Field(default_factory=dict)
    """Who is told of each public release, by name, ``[publish.webhooks.NAME]``."""

    @property
    def active(self) -> bool:
        """Whether anything is published."""
        return self.enabled or bool(self.webhooks)

    @model_validator(mode="after")
    def _whole(self) -> PublishSettings:
        if (self.key_file is None) != (self.certificate_file is None):
            raise ValueError("key_file and certificate_file belong together: set both or neither")
        return self
