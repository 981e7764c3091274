"""A mail server that keeps a ledger, follows a script and sends real delivery reports back."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import socket
import ssl
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import TYPE_CHECKING, Any, NamedTuple

import aiosmtplib

from channels.base import LedgerEntry, Simulator
from channels.smtp.pool import end_tasks
from channels.smtp.reports import Report, forged, write_report
from channels.smtp.scripted import ScriptedSmtp

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from aiosmtpd.smtp import Envelope

    from channels.smtp.listener import LoopSmtp

VERP_KEY = "invented-key-of-the-mail-simulator"
DOMAIN = "gateway.example.org"
REPORT_SENDERS = 8
REPORT_TRIES_EVERY = 0.2


class _Taken(NamedTuple):
    address: str
    content: bytes
    at: float


@dataclasses.dataclass
class Script:
    """What the server does; every attribute may be set at any time, before or after its start.

    Shares are between 0 and 1 and drawn with ``seed``; addresses in ``replies`` come first.
    Reports are sent only for mail that asked for them (NOTIFY), as a real server does.
    """

    seed: int = 1
    latency: float = 0.0
    """Seconds before the answer to the text."""
    replies: dict[str, str] = dataclasses.field(default_factory=dict)
    """Address -> answer to RCPT, such as ``550 5.1.1 no such user``."""
    data_replies: dict[str, str] = dataclasses.field(default_factory=dict)
    """Address -> answer to the text; the message is not taken."""
    reject: float = 0.0
    """Share of recipients refused for good."""
    throttle: float = 0.0
    """Share of recipients refused as too fast."""
    greylist: float = 0.0
    """Seconds during which an address not seen before is put off."""
    drop_answer: float = 0.0
    """Share of messages taken, after which the connection is cut without an answer."""
    disconnect: float = 0.0
    """Share of recipients at which the connection is cut; the message is not taken."""
    silent: float = 0.0
    """Share of messages taken and never answered; the connection stays open."""
    hang: bool = False
    """Whether commands are read and never answered."""
    most_sessions: int = 0
    """Connections served at one time, more are refused with 421; 0 for no limit."""
    dsn: bool = True
    eight_bit: bool = True
    certificate: str = ""
    """PEM file with certificate and key: STARTTLS is offered."""
    implicit_tls: bool = False
    """Whether the certificate is used from the first octet instead of after STARTTLS; no login then."""
    strip_starttls: bool = False
    """Whether somebody in between takes STARTTLS out of the EHLO answer."""
    username: str = ""
    password: str = ""
    """Login demanded (over TLS) where set."""
    report_to: tuple[str, int] | None = None
    """Where reports go. If None, ``start`` reserves a port and ``settings`` gives it to the adapter."""
    report_delay: float = 0.0
    report_spread: float = 0.0
    """Seconds over which reports are strewn by chance, so that they come in another order."""
    report_failed: float = 0.0
    """Share of reports that tell a failure (5.1.1); the rest tells delivery."""
    report_delayed: float = 0.0
    """Share of messages whose report is preceded by one of delay."""
    report_missing: float = 0.0
    report_duplicate: float = 0.0
    report_forged: float = 0.0
    """Share of messages for which a stranger sends a forged report beside the true one."""
    peak: int = 0
    """Most messages held unanswered at one time."""
    sessions: int = 0
    """Connections taken so far."""
    encrypted: int = 0
    """Messages that came over TLS."""
    acknowledged: int = 0
    """Reports that the listener answered with 250."""
    refused_reports: int = 0
    """Reports that the listener refused for good (the forged ones)."""


class SmtpSimulator(Script, Simulator):
    """Plays a provider's mail server; its script is :class:`Script`."""

    def __init__(self) -> None:
        """Nothing listens before :meth:`start`."""
        super().__init__()
        self._taken: list[_Taken] = []
        self._entries: list[LedgerEntry] = []
        self._open = 0
        self._seen: dict[str, float] = {}
        self._sessions: set[LoopSmtp] = set()
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._outgoing: asyncio.Queue[Report] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None
        self._random = random.Random(self.seed)  # noqa: S311 - a script, no secret
        self._port = 0

    async def start(self) -> None:
        """Listen on a free loopback port and begin to send reports."""
        self._random = random.Random(self.seed)  # noqa: S311
        if self.certificate:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(self.certificate)
        loop = asyncio.get_running_loop()
        wrap = self._tls if self.implicit_tls else None
        self._server = await loop.create_server(self._session, "127.0.0.1", 0, ssl=wrap)
        self._port = self._server.sockets[0].getsockname()[1]
        if self.report_to is None:
            self.report_to = self._reserve()
        for _ in range(REPORT_SENDERS):
            self._spawn(self._send_reports())

    async def stop(self) -> None:
        """Close every socket; reports not yet sent are lost, as with a server switched off."""
        await end_tasks(self._tasks)
        if self._server is not None:
            self._server.close()
            await asyncio.gather(*(session.end() for session in list(self._sessions)))
            await self._server.wait_closed()
            self._server = None
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        await asyncio.sleep(0)

    def settings(self) -> dict[str, Any]:
        """Return route settings for this server, with the listener where reports are sent."""
        host, port = self.report_to or ("127.0.0.1", None)
        return {
            "host": "127.0.0.1",
            "port": self._port,
            "tls": "none" if not self.certificate else "tls" if self.implicit_tls else "starttls",
            "ca_file": self.certificate,
            "username": self.username,
            "password": self.password,
            "from_address": f"warning@{DOMAIN}",
            "verp_key": VERP_KEY,
            "listen_host": host,
            "listen_port": port,
        }

    @property
    def ledger(self) -> Sequence[LedgerEntry]:
        """Every message taken: subject, an empty line and the text part, and its Message-ID."""
        for taken in self._taken[len(self._entries) :]:
            self._entries.append(_read(taken))
        return self._entries

    def stats(self) -> dict[str, int]:
        """Return the counts, for a test or a user in another process."""
        return {
            "ledger": len(self._taken),
            "peak": self.peak,
            "sessions": self.sessions,
            "encrypted": self.encrypted,
            "acknowledged": self.acknowledged,
            "refused_reports": self.refused_reports,
            "unsent_reports": self._outgoing.qsize(),
        }

    @property
    def mails(self) -> Sequence[bytes]:
        """The same messages as they came over the wire."""
        return [taken.content for taken in self._taken]

    def chance(self, share: float) -> bool:
        """Draw: true with this probability."""
        return share > 0 and self._random.random() < share

    # What the protocol asks ----------------------------------------------------------------

    def answer_to_recipient(self, address: str) -> str:
        """Return the answer to RCPT, 250 or a refusal."""
        scripted = self.replies.get(address)
        if scripted:
            return scripted
        if self.chance(self.reject):
            return "550 5.1.1 no such user here"
        if self.chance(self.throttle):
            return "450 4.7.1 too much mail from you, slow down"
        first = self._seen.setdefault(address, time.monotonic())
        if self.greylist and time.monotonic() - first < self.greylist:
            return f"451 4.7.1 greylisted, come again in {max(1, round(self.greylist))} seconds"
        return "250 2.1.5 ok"

    async def take(self, session: ScriptedSmtp, envelope: Envelope) -> str:
        """Take the message, or not, as the script says, and return the answer to the text."""
        address = envelope.rcpt_tos[0]
        if address in self.data_replies:
            return self.data_replies[address]
        assert isinstance(envelope.content, bytes)
        self._open += 1
        self.peak = max(self.peak, self._open)
        try:
            self.encrypted += session.encrypted
            self._taken.append(_Taken(address, envelope.content, time.monotonic()))
            self._plan_reports(session, envelope)
            await self._answer_late(session)
        finally:
            self._open -= 1
        return "250 2.0.0 taken"

    async def _answer_late(self, session: ScriptedSmtp) -> None:
        if self.chance(self.silent):
            await asyncio.Event().wait()
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.chance(self.drop_answer):
            await session.cut()

    # Reports -------------------------------------------------------------------------------

    def _plan_reports(self, session: ScriptedSmtp, envelope: Envelope) -> None:
        if not session.notify or not envelope.mail_from:
            return
        assert isinstance(envelope.content, bytes)
        report = Report(
            "delivered", envelope.mail_from, envelope.rcpt_tos[0], session.envid, envelope.content
        )
        if self.chance(self.report_forged):
            self._later(forged(report), 0.0)
        if self.chance(self.report_missing):
            return
        if self.chance(self.report_delayed):
            self._later(report._replace(action="delayed"), 0.0)
        if self.chance(self.report_failed):
            report = report._replace(action="failed")
        for _ in range(1 + self.chance(self.report_duplicate)):
            self._later(report, self.report_delay)

    def _later(self, report: Report, delay: float) -> None:
        delay += self.report_spread * self._random.random() if self.report_spread else 0.0
        if delay:
            asyncio.get_running_loop().call_later(delay, self._outgoing.put_nowait, report)
        else:
            self._outgoing.put_nowait(report)

    async def _send_reports(self) -> None:
        """Send what is queued over one connection, again and again until the listener takes it."""
        client: aiosmtplib.SMTP | None = None
        try:
            while True:
                report = await self._outgoing.get()
                while not await self._send_report(client := client or _client(self.report_to), report):
                    client.close()
                    client = None
                    await asyncio.sleep(REPORT_TRIES_EVERY)
        finally:
            if client is not None:
                client.close()

    async def _send_report(self, client: aiosmtplib.SMTP, report: Report) -> bool:
        """Return whether the report is done with: taken, or refused for good."""
        try:
            if not client.is_connected:
                await client.connect()
            await client.mail("")
            await client.rcpt(report.return_path)
            await client.data(write_report(report))
        except aiosmtplib.SMTPResponseException as refused:
            if refused.code // 100 != 5:  # noqa: PLR2004 - the class of the code
                return False
            self.refused_reports += 1
            await client.rset()
        except (aiosmtplib.SMTPException, OSError):
            return False
        else:
            self.acknowledged += 1
        return True

    def _session(self) -> ScriptedSmtp:
        self.sessions += 1
        return ScriptedSmtp(self, self._sessions, None if self.implicit_tls else self._tls)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(work))

    def _reserve(self) -> tuple[str, int]:
        """Keep a free port for the listener: bound, not listening, so that it can be bound again."""
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        host, port = self._reserved.getsockname()
        return host, port


def _client(where: tuple[str, int] | None) -> aiosmtplib.SMTP:
    host, port = where or ("127.0.0.1", 25)
    return aiosmtplib.SMTP(hostname=host, port=port, local_hostname="mx.example.org", start_tls=False)


def _read(taken: _Taken) -> LedgerEntry:
    mail = message_from_bytes(taken.content, policy=SMTP_POLICY)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    shown = f"{mail['Subject']}\n\n{text}".replace("\r\n", "\n")
    return LedgerEntry(taken.address, shown, str(mail["Message-ID"]).strip("<> "), taken.at)


SIMULATOR = SmtpSimulator
