"""Seals the keys of second factors, so that whoever reads the database or a backup cannot sign.

A sealed text is ``s1.KEY.BYTES``: the version, which key sealed it (eight hex digits that tell nothing of
the key), and nonce, ciphertext and tag of AES-256-GCM in hex. Version, key and owner are authenticated
with it: a text that was changed, or copied to another person or column, does not open.

The key is ``secrets.factor_key``, else one that is made once and kept in the state folder. Those in
``secrets.old_factor_keys`` open what they sealed and seal nothing (:mod:`gateway.accounts.resealing`).
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Literal, NamedTuple

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.ops.keys import kept_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.settings import Settings

log = structlog.get_logger(__name__)

WAY_OUT = (
    "give the key that sealed it by secrets.factor_key or secrets.old_factor_keys, the same on every host;"
    " if it is lost: tongda account reset LOGIN"
)
"""What an operator does where a text does not open."""
_VERSION = "s1"
_SEALED = re.compile(_VERSION + r"\.([0-9a-f]{8})\.((?:[0-9a-f]{2})+)", re.ASCII)
_PURPOSE = b"tongda keys of second factors 1"
_KEY, _NAME, _NONCE = 32, 4, 12
"""Bytes of AES-256, of a key's name, and of a nonce (NIST SP 800-38D)."""


class Owner(NamedTuple):
    """Whose secret it is, and where it stands."""

    place: Literal["account", "offer", "invitation"]
    """``offer`` is the key of another phone that no code has confirmed yet."""
    name: str
    """The login; of an invitation the SHA-256 of its code."""


class SealBroken(ValueError):
    """A text does not open; the sentence has nothing of what is in it."""


class Sealing:
    """Seals with one key, and opens what this key or an earlier one sealed."""

    def __init__(self, key: bytes, earlier: Iterable[bytes] = ()) -> None:
        """Take keys of any length that cannot be guessed; those that are used are derived from them."""
        self._name, newest = _derived(key)
        self._ciphers = dict(map(_derived, earlier)) | {self._name: newest}
        self._nobody = Owner("account", "")
        self._nobodys = self.seal("nobody's", self._nobody)

    def seal(self, secret: str, owner: Owner) -> str:
        """Return the text to store; it is another one each time."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._ciphers[self._name].encrypt(nonce, secret.encode(), _bound(self._name, owner))
        return f"{_VERSION}.{self._name}.{(nonce + sealed).hex()}"

    def open(self, text: str, owner: Owner) -> str:
        """Return what was sealed for this owner.

        Raises:
            SealBroken: no key that is given opens it.
        """
        found = _SEALED.fullmatch(text)
        if found is None:
            raise SealBroken("it is not sealed at all, or was cut")
        name, data = found[1], bytes.fromhex(found[2])
        if name not in self._ciphers:
            raise SealBroken(f"it was sealed with the key {name}, which is not given")
        try:
            return self._ciphers[name].decrypt(data[:_NONCE], data[_NONCE:], _bound(name, owner)).decode()
        except (InvalidTag, ValueError):
            raise SealBroken("it was changed, or sealed for somebody or something else") from None

    def opened(self, text: str, owner: Owner) -> str | None:
        """Return what was sealed; None, with an error in the log, where it does not open."""
        try:
            return self.open(text, owner)
        except SealBroken as error:
            whose = {} if owner.place == "invitation" else {"login": owner.name}
            told = whose | {"place": owner.place, "reason": str(error), "way_out": WAY_OUT}
            log.error("a second factor does not open", **told)  # noqa: TRY400 - a traceback tells nothing
            return None

    def open_nobodys(self) -> None:
        """Take as long as for somebody's: a login that there is not shall not be told by the time."""
        self.open(self._nobodys, self._nobody)

    def is_newest(self, text: str) -> bool:
        """Return whether a text was sealed with the key that seals."""
        return text.startswith(f"{_VERSION}.{self._name}.")

    def anew(self, text: str, owner: Owner) -> str:
        """Return a text that the newest key sealed: the same one where it did.

        Raises:
            SealBroken: no key that is given opens it.
        """
        return text if self.is_newest(text) else self.seal(self.open(text, owner), owner)


def sealing_of(settings: Settings) -> Sealing:
    """Return what seals here; the key is made if there is none yet.

    Raises:
        ServiceRefused: the kept key can be read by others or the folder cannot be written.
    """
    given = settings.secrets.factor_key
    own = given.get_secret_value().encode() if given else kept_key(settings.state_dir, "factor_key")
    return Sealing(own, (key.get_secret_value().encode() for key in settings.secrets.old_factor_keys))


def _derived(key: bytes) -> tuple[str, AESGCM]:
    """Return a key's name and its cipher (RFC 5869: neither part tells of the other)."""
    made = HKDF(SHA256(), length=_KEY + _NAME, salt=None, info=_PURPOSE).derive(key)
    return made[_KEY:].hex(), AESGCM(made[:_KEY])


def _bound(key: str, owner: Owner) -> bytes:
    return " ".join((_VERSION, key, *owner)).encode()
