"""Return paths that name the delivery and cannot be forged.

A report about a message comes back to the message's envelope sender, so each message has one
of its own (variable envelope return path). The authentication code keeps strangers from
inventing proof for deliveries whose mail they never saw. The person who got a message can read
its return path, so reports stay what a peer says, not evidence against that person.
"""

from __future__ import annotations

import hmac
import re

_PREFIX = "bounce+"
_TOKEN = re.compile(r"([1-9][0-9]{0,18}|0)\.([0-9a-f]{20})", re.ASCII)
_MAC_OCTETS = 10


class ReturnPath:
    """Signs and reads ``bounce+<delivery>.<mac>@domain``."""

    def __init__(self, key: str, domain: str) -> None:
        """Keep the route's key and the domain whose mail comes to our listener."""
        self._key = key.encode()
        self._domain = domain.lower()

    def token(self, delivery: int) -> str:
        """Return the signed delivery number; also the ENVID of RFC 3461, being plain xtext."""
        return f"{delivery}.{self._mac(delivery)}"

    def address(self, delivery: int) -> str:
        """Return the envelope sender of this delivery; at most 47 octets before the @."""
        return f"{_PREFIX}{self.token(delivery)}@{self._domain}"

    def read(self, address: str) -> int | None:
        """Return the delivery that the address names, or None where it is not one of ours."""
        # Some mail systems change the case of the local part on its way back.
        name, _, domain = address.strip().lower().rpartition("@")
        if domain != self._domain or not name.startswith(_PREFIX):
            return None
        return self.read_token(name.removeprefix(_PREFIX))

    def read_token(self, token: str) -> int | None:
        """Return the delivery number of a token whose code is right, else None."""
        found = _TOKEN.fullmatch(token.strip().lower())
        if found is None:
            return None
        delivery = int(found[1])
        return delivery if hmac.compare_digest(found[2], self._mac(delivery)) else None

    def _mac(self, delivery: int) -> str:
        return hmac.digest(self._key, b"smtp return path %d" % delivery, "sha256")[:_MAC_OCTETS].hex()
