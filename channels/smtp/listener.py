"""The mail server that takes delivery reports, on the gateway's own event loop.

The route's ``bounce_domain`` has its mail exchanger point here (or a relay in front of it).
Only mail to a return path that we signed is taken, and ``250`` is answered only after the
receipts are durable: until then the sending system keeps the report and sends it again.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from channels.base import ChannelDown, Listener
from channels.smtp.connection import abort
from channels.smtp.dsn import read_report

if TYPE_CHECKING:
    from channels.base import Sink
    from channels.smtp.settings import SmtpSettings
    from channels.smtp.verp import ReturnPath

DURABLE_WITHIN = 60.0
"""Seconds after which the sender is told to come again; mail systems wait 10 minutes (RFC 5321)."""
IDLE_LIMIT = 120.0
SESSIONS = 200
"""Connections at one time; more are told to come again."""
COMMAND_LINE = 2048
"""Longest command: RFC 3461 adds up to 500 octets to RCPT, RFC 5321 allows 512 without it."""

# aiosmtpd logs every peer, address and command; a log of ours holds no address.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)


class LoopSmtp(SMTP):
    """aiosmtpd's protocol with limits of its own instance and no look-up of the host's name."""

    def __init__(self, handler: Any, sessions: set[LoopSmtp], most: int = 0, **options: Any) -> None:  # noqa: ANN401
        """Join the set of sessions while the connection lasts; refuse beyond ``most`` (0: SESSIONS)."""
        super().__init__(handler, loop=asyncio.get_running_loop(), **options)
        # The library keeps this table on the class and adds to it with every EHLO.
        self.command_size_limits = collections.defaultdict(lambda: COMMAND_LINE)
        self._sessions = sessions
        self._most = most or SESSIONS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session; also called a second time when TLS begins."""
        self._sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Leave the set of sessions."""
        self._sessions.discard(self)
        super().connection_lost(error)

    async def _handle_client(self) -> None:
        try:
            if len(self._sessions) > self._most:
                await self.push("421 4.3.2 too many sessions, come again")
                self._writer.close()
            else:
                await super()._handle_client()
        except ConnectionError:
            pass  # the peer is gone; nobody is left to tell

    async def end(self) -> None:
        """Cut the connection and wait until the session's task is over."""
        task = self._handler_coroutine
        abort(self.transport)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class ReportListener(Listener):
    """Takes delivery reports for one route."""

    def __init__(self, settings: SmtpSettings, return_path: ReturnPath, sink: Sink) -> None:
        """Keep settings, the signer of return paths and the sink; nothing listens yet."""
        self._settings = settings
        self._handler = _Handler(return_path, sink)
        self._sessions: set[LoopSmtp] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is truly listened on (``listen_port = 0`` takes a free one); 0 when stopped."""
        if self._server is None:
            return 0
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen on ``listen_host`` and ``listen_port``."""
        settings = self._settings
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._session, settings.listen_host, settings.listen_port
            )
        except OSError as refused:
            raise ChannelDown(
                f"delivery reports cannot be taken on {settings.listen_host}:{settings.listen_port}"
                f" ({refused.strerror}): change listen_host or listen_port"
            ) from None

    async def stop(self) -> None:
        """Stop listening and cut open sessions; their senders come again."""
        if self._server is None:
            return
        self._server.close()
        await asyncio.gather(*(session.end() for session in list(self._sessions)))
        await self._server.wait_closed()
        self._server = None

    def _session(self) -> LoopSmtp:
        return LoopSmtp(
            self._handler,
            self._sessions,
            hostname=self._settings.helo_name,
            ident="ESMTP",
            data_size_limit=self._settings.listen_size,
            timeout=IDLE_LIMIT,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
        )


class _Handler:
    """Answers aiosmtpd's hooks; the names are the library's."""

    def __init__(self, return_path: ReturnPath, sink: Sink) -> None:
        self._return_path = return_path
        self._sink = sink

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._return_path.read(address) is None:
            return "550 5.1.1 no such return path"
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        delivery = self._return_path.read(envelope.rcpt_tos[0])
        content = envelope.content
        assert isinstance(content, bytes)
        # In a thread: reading a crafted report takes long, and the gateway's loop must not wait for it.
        receipts = await asyncio.to_thread(read_report, content, delivery, self._return_path.read_token)
        if not receipts:
            return "250 2.0.0 ok, nothing to note"
        durable = asyncio.Event()
        self._sink(receipts, durable.set)
        try:
            async with asyncio.timeout(DURABLE_WITHIN):
                await durable.wait()
        except TimeoutError:
            return "451 4.3.0 not stored yet, come again"
        return "250 2.0.0 ok"

    async def handle_exception(self, _error: Exception) -> str:
        """Answer for any fault of ours, such as a sink that fails: the report is sent again."""
        return "451 4.3.0 local error, come again"
