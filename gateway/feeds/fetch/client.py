"""The one client: every answer is bounded in size and time, every hop is checked anew."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import aiohttp
from yarl import URL

from gateway.clock import SYSTEM
from gateway.feeds.document import LARGEST
from gateway.feeds.fetch.address import GuardedResolver
from gateway.feeds.fetch.body import Body
from gateway.feeds.fetch.pace import Pace, retry_after
from gateway.feeds.fetch.refused import FetchRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aiohappyeyeballs import AddrInfoType
    from aiohttp.connector import Connection

    from gateway.clock import Clock
    from gateway.feeds.fetch.address import Guard

DEADLINE = 20.0
"""Seconds for one document with all its redirects, from the name server to the last byte."""
CONNECT_WITHIN = 10.0
"""Seconds for one connection."""
MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSED_ON = frozenset({200, 204, 304, 404, 409, 410})
_ACCESS = frozenset({401, 403, 407, 511})
_THROTTLED = frozenset({429, 503})
_EXPIRED = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""
_LONGEST_VALIDATOR = 256
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header (RFC 9110, 5.6.2)."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Fetched(NamedTuple):
    """An answer.

    Attributes:
        status: 200, or 204, 304, 404, 409, 410 without data, which mean what the kind says.
        data: the body, decompressed.
        url: where it came from, after redirects.
        etag: to ask with next time; empty: none.
        last_modified: to ask with next time; empty: none.
        unchanged: the source says that nothing has changed since (304).
        retry_after: seconds that the source asks us to stay away.
        certificate_until: when the certificate of the host expires; None without TLS.
    """

    status: int
    data: bytes
    url: str
    etag: str = ""
    last_modified: str = ""
    unchanged: bool = False
    retry_after: float | None = None
    certificate_until: datetime | None = None


class Response(aiohttp.ClientResponse):
    """Remembers until when the peer's certificate holds."""

    certificate_until: datetime | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Look at the certificate while the connection is surely there."""
        transport = connection.transport
        self.certificate_until = certificate_end(
            transport.get_extra_info("ssl_object") if transport else None
        )
        return await super().start(connection)


class Websocket(aiohttp.ClientWebSocketResponse):
    """A websocket that need not be taken leave of."""

    def abort(self) -> None:
        """Close at once: a peer that reads nothing, or floods us, would hold up a closing handshake."""
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._response.close()


def certificate_end(tls: ssl.SSLObject | None) -> datetime | None:
    """Return when the verified certificate of a peer expires."""
    end = (tls.getpeercert() or {}).get("notAfter") if tls is not None else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC) if isinstance(end, str) else None


@cache
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return the TLS settings: the system's certificates, or only those of a file.

    Raises:
        FetchRefused: the file has no certificates.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:  # ssl's own errors are among them
        raise FetchRefused("tls", "the certificates in ca_file cannot be read") from None


def open_session(guard: Guard, *, user_agent: str, ca_file: Path | None = None) -> aiohttp.ClientSession:
    """Return a session that connects only where the guard allows, keeps no cookies and knows no proxy.

    The text of a URL is the caller's to check with ``guard.url``, and so is every redirect: ask with
    ``allow_redirects=False``.
    """

    def checked_socket(info: AddrInfoType) -> socket.socket:
        guard.address(str(info[4][0]))
        return socket.socket(family=info[0], type=info[1], proto=info[2])

    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(guard),
        use_dns_cache=False,
        ssl=tls_context(ca_file),
        socket_factory=checked_socket,
        limit=0,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN),
        response_class=Response,
        ws_response_class=Websocket,
        middlewares=(_no_hidden_redirect,),
        auto_decompress=False,
        trust_env=False,
    )


async def _no_hidden_redirect(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Refuse the redirect of a websocket's handshake, which the library would follow by itself."""
    response = await handler(request)
    if response.status in _REDIRECTS and "Upgrade" in request.headers:
        response.close()
        raise FetchRefused("redirects", "the stream has moved to another address")
    return response


class Client:
    """Fetches the documents of one source; use as an async context manager.

    Args:
        guard: what may be reached.
        own: the URL of the source; ``headers`` go to its host only.
        headers: for example a token.
        user_agent: how we introduce ourselves.
        ca_file: certificates to trust instead of the system's.
        pace: turns at the hosts, shared with other clients.
        clock: for dates in ``Retry-After``.
        deadline: seconds for one document.
    """

    def __init__(
        self,
        guard: Guard,
        own: str,
        *,
        user_agent: str,
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        pace: Pace | None = None,
        clock: Clock = SYSTEM,
        deadline: float = DEADLINE,
    ) -> None:
        """Keep what the requests need; raises FetchRefused for headers that would break a request."""
        self.guard = guard
        self._own = URL(own)
        self._headers = _checked(dict(headers or {}))
        self._user_agent = _checked({"User-Agent": user_agent})["User-Agent"]
        self._ca_file = ca_file
        self._pace = pace or Pace()
        self._clock = clock
        self._deadline = deadline

    async def __aenter__(self) -> Self:
        """Open the session."""
        self.session = open_session(self.guard, user_agent=self._user_agent, ca_file=self._ca_file)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.session.close()

    async def fetch(self, url: str, *, etag: str = "", last_modified: str = "") -> Fetched:
        """Return what is at a URL.

        Args:
            url: absolute.
            etag: of the document that is known already.
            last_modified: of the document that is known already.

        Raises:
            FetchRefused: it was not fetched; the sentence tells why and what to do.
        """
        target = self._document_url(url)
        asked = {"Accept-Encoding": "gzip, deflate"}
        asked |= {"If-None-Match": etag} if etag else {}
        asked |= {"If-Modified-Since": last_modified} if last_modified else {}
        async with self._pace.turn(target.raw_host or ""):
            try:
                async with asyncio.timeout(self._deadline):
                    return await self._follow(target, asked)
            except (aiohttp.ClientError, OSError) as error:
                raise refusal(error) from None

    async def _follow(self, target: URL, asked: dict[str, str]) -> Fetched:
        for _ in range(MOST_REDIRECTS + 1):
            headers = asked | self.headers_for(target)
            async with self.session.get(target, headers=headers, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._read(response, conditional=len(asked) > 1)
                target = self._document_url(_location(target, response))
        raise FetchRefused("redirects", f"the source redirects more than {MOST_REDIRECTS} times")

    def _document_url(self, url: str) -> URL:
        target = self.guard.url(url)
        if target.scheme not in {"http", "https"}:
            raise FetchRefused("scheme", "a document is not fetched from a stream's address")
        return target

    def headers_for(self, target: URL) -> dict[str, str]:
        """Return the secret headers where the request goes to the source's own host, else none."""
        own = self._own
        stronger = own.raw_host == target.raw_host and (own.scheme, target.scheme) in {
            ("http", "https"),
            ("ws", "wss"),
        }
        family = {own.scheme, target.scheme} <= {"https", "wss"} or {own.scheme, target.scheme} <= {
            "http",
            "ws",
        }
        same = own.raw_host == target.raw_host and own.port == target.port and family
        return self._headers if same or stronger else {}

    async def _read(self, response: aiohttp.ClientResponse, *, conditional: bool) -> Fetched:
        asked_to_wait = retry_after(response.headers.get("Retry-After"), self._clock.now())
        _check_status(response.status, asked_to_wait, conditional=conditional)
        data = await _body(response) if response.status == HTTPStatus.OK else b""
        return Fetched(
            response.status,
            data,
            str(response.url),
            _validator(response, "ETag"),
            _validator(response, "Last-Modified"),
            response.status == HTTPStatus.NOT_MODIFIED,
            asked_to_wait,
            response.certificate_until if isinstance(response, Response) else None,
        )


def _checked(headers: dict[str, str]) -> dict[str, str]:
    """Return headers of the settings; refuses what would end a header and begin another."""
    if all(_TOKEN.fullmatch(name) and not _CONTROL.search(value) for name, value in headers.items()):
        return headers
    raise FetchRefused("headers", "a header of the settings has characters that no header may have")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = Body(",".join(response.headers.getall("Content-Encoding", [])), LARGEST)
    async for chunk in response.content.iter_any():
        body.take(chunk)
    return body.end()


def _location(target: URL, response: aiohttp.ClientResponse) -> str:
    try:
        return str(target.join(URL(response.headers["Location"])))
    except (KeyError, ValueError):
        raise FetchRefused("redirects", "the source redirects to nowhere") from None


def _check_status(status: int, asked_to_wait: float | None, *, conditional: bool) -> None:
    if status in _PASSED_ON and (conditional or status != HTTPStatus.NOT_MODIFIED):
        return
    how: dict[str, Any] = {"status": status, "retry_after": asked_to_wait}
    if status in _THROTTLED:
        raise FetchRefused("throttled", f"the source asks us to wait (HTTP {status})", **how)
    if status in _ACCESS:
        raise FetchRefused("access", f"the source does not let us in (HTTP {status})", **how)
    raise FetchRefused("status", f"the source answered with HTTP {status}", **how)


def _validator(response: aiohttp.ClientResponse, name: str) -> str:
    text = response.headers.get(name, "")
    return text if text.isascii() and text.isprintable() and len(text) <= _LONGEST_VALIDATOR else ""


_MEANINGS: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((TimeoutError,), "too_slow", "the source took too long"),
    ((aiohttp.ClientSSLError, ssl.SSLError), "tls", "TLS with the source fails"),
    ((aiohttp.ClientPayloadError,), "truncated", "the answer ends in the middle"),
    ((aiohttp.InvalidURL,), "url", "the address is no URL"),
    ((aiohttp.ClientResponseError, aiohttp.http.HttpProcessingError), "not_http",
     "what answers there does not speak HTTP as it should"),
    ((aiohttp.ServerDisconnectedError,), "connection", "the source closed the connection"),
)  # fmt: skip


def refusal(error: Exception) -> FetchRefused:
    """Return what an error of the network means for people."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return FetchRefused("tls", _certificate_words(error.certificate_error))
    for kinds, code, sentence in _MEANINGS:
        if isinstance(error, kinds):
            return FetchRefused(code, sentence)
    number = getattr(error, "errno", None)
    why = os.strerror(number).lower() if isinstance(number, int) and number > 0 else "the connection broke"
    return FetchRefused("connection", f"the source cannot be reached: {why}")


def _certificate_words(error: Exception) -> str:
    expired = isinstance(error, ssl.SSLCertVerificationError) and error.verify_code == _EXPIRED
    return f"the certificate of the source {'has expired' if expired else 'is not valid'}"
