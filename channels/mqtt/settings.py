"""Settings of a route to loudspeakers and radio terminals."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from channels.base import AddressRefused, RouteSettings, refuse_controls
from channels.mqtt.frames import device_key

_ADDRESS = re.compile(r"[0-9]{12}/[A-Za-z0-9_-]{1,32}")
_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,32}")
_KEY_LENGTH: Final = 32

Volume = Annotated[int, Field(ge=1, le=100)]
Repeat = Annotated[int, Field(ge=1, le=20)]


class MqttSettings(RouteSettings):
    """Settings of a route over an MQTT 3.1.1 broker."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the input holds keys

    host: str
    """The broker's name or address."""
    port: int = Field(default=8883, ge=1, le=65535)
    """Its TCP port."""
    tls: bool = True
    """Without TLS only a broker on this machine, or one that asks for no password."""
    ca_file: str = ""
    """PEM file of the authority that signed the broker's certificate; empty: those of the system."""
    client_cert: str = ""
    """PEM file of our own certificate, where the broker asks for one."""
    client_key: str = ""
    """PEM file of its key."""
    username: str = ""
    """The account's name."""
    password: SecretStr = SecretStr("")
    """The account's password."""
    client_id: str = Field(default="tongda", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    """Begins our client ids; two gateways on one broker need different ones."""
    prefix: str = "ews"
    """First level of the topics; a drill route on the same broker needs another one."""
    fleet_key: SecretStr
    """Secret of 32 characters or more from which every terminal's key and every id is derived."""
    device_keys: dict[str, SecretStr] = Field(default_factory=dict)
    """Keys of terminals that cannot take a derived one, by address; 32 characters or more."""
    keepalive: int = Field(default=30, ge=5, le=600)
    """Seconds after which a silent connection is tested."""
    connect_timeout: float = Field(default=5.0, gt=0, le=60)
    """Seconds for the broker to answer a connection."""
    counter_lead: float = Field(default=0.0, ge=0)
    """Seconds by which counters run ahead at least, where a clock ran ahead and the broker forgot it."""
    volume: dict[str, Volume] = Field(
        default_factory=lambda: {"red": 100, "orange": 90, "yellow": 80, "blue": 70}
    )
    """Loudness in percent by colour level."""
    repeat: dict[str, Repeat] = Field(default_factory=lambda: {"red": 5, "orange": 3, "yellow": 2, "blue": 1})
    """How often a text is read out by colour level."""
    window: int = Field(default=50, ge=1, le=10_000)
    timeout: float = Field(default=10.0, gt=0)

    @field_validator("fleet_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < _KEY_LENGTH:
            raise ValueError(f"fleet_key must have {_KEY_LENGTH} characters or more")
        return value

    @field_validator("device_keys")
    @classmethod
    def _usable(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for address, key in value.items():
            check_address(address)
            if len(key.get_secret_value()) < _KEY_LENGTH:
                raise ValueError(
                    f"device_keys: the key of {address} must have {_KEY_LENGTH} characters or more"
                )
        return value

    @field_validator("prefix")
    @classmethod
    def _one_level(cls, value: str) -> str:
        if not _PREFIX.fullmatch(value):
            raise ValueError("prefix must be 1 to 32 letters, digits, hyphens or underscores")
        return value

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> MqttSettings:
        if self.password.get_secret_value() and not self.tls and not _is_loopback(self.host):
            raise ValueError("tls must be true where a password is sent to another machine")
        return self

    def key_of(self, address: str) -> bytes:
        """Return the key of one terminal."""
        own = self.device_keys.get(address)
        return own.get_secret_value().encode() if own else device_key(self.master, address)

    @property
    def counter_topic(self) -> str:
        """The topic where the senders of this fleet tell one another their counters."""
        return f"{self.prefix}/gateway/counter"

    @property
    def master(self) -> bytes:
        """The fleet key as bytes."""
        return self.fleet_key.get_secret_value().encode()

    def topic(self, address: str, leaf: str) -> str:
        """Return a terminal's topic: ``ews/<area12>/<device>/cmd``, ``ack`` or ``status``."""
        return f"{self.prefix}/{address}/{leaf}"


def check_address(address: str) -> str:
    """Return the address; raise :class:`channels.base.AddressRefused` if no terminal can have it."""
    refuse_controls(address)
    if not _ADDRESS.fullmatch(address):
        raise AddressRefused(
            "a terminal's address is its 12-digit area code, a slash and its device id "
            "(1 to 32 letters, digits, hyphens, underscores)"
        )
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
