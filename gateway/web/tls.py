"""TLS that the server speaks by itself."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.settings import TlsSettings


class TlsRefused(ValueError):
    """A certificate or key cannot be used; the text names the setting."""


def context(settings: TlsSettings | None) -> ssl.SSLContext | None:
    """Return the context for the server, or None for plain HTTP.

    A client may show a certificate and need not; one that no named CA has signed ends the connection.

    Raises:
        TlsRefused: a file is no certificate or key, or they do not belong together.
    """
    if settings is None:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(settings.certificate_file, settings.key_file, password=_no_password)
    except (OSError, ssl.SSLError, _Locked) as error:
        raise TlsRefused(
            f"web.tls.certificate_file and web.tls.key_file cannot be used: {_why(error)}"
        ) from None
    if settings.client_ca_file:
        try:
            made.load_verify_locations(settings.client_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise TlsRefused(f"web.tls.client_ca_file cannot be used: {_why(error)}") from None
        made.verify_mode = ssl.CERT_OPTIONAL
    return made


class _Locked(Exception):
    """The key wants a password."""


def _no_password() -> str:
    # Without this the library would ask at the terminal, and a service has none.
    raise _Locked("the key has a password; give one without")


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM certificate or key").lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
