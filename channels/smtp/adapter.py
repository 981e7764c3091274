"""The e-mail channel: settings, one message for each recipient, one outcome for each message."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, ClassVar

from channels.base import (
    Capabilities,
    Channel,
    ChannelDown,
    Content,
    Listener,
    Message,
    Outcome,
    Prepared,
    Proof,
    Retry,
    Unknown,
    always,
    unfit_fill,
)
from channels.errand import Errand
from channels.smtp.connection import Answer, Connection, Envelope, Held, Lost
from channels.smtp.listener import ReportListener
from channels.smtp.message import PreparedMail
from channels.smtp.pool import Pool, end_tasks
from channels.smtp.replies import Stage, outcome, short_code
from channels.smtp.settings import SmtpSettings, check_address
from channels.smtp.verp import ReturnPath

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from channels.base import Reporter, Sink

DOWN_AFTER = 5.0
"""Seconds to wait when the server could not be reached."""
LOST_AFTER = 2.0
"""Seconds to wait when the connection broke before the text was handed over."""

# What check_address lets through: no blank, quote or angle bracket that would end the command's argument.
_ON_THE_WIRE = re.compile(r"[!#-;=?-~]+@[A-Za-z0-9.-]+", re.ASCII)
_XTEXT = re.compile(r"[^!-*,-<>-~]")


class SmtpChannel(Channel):
    """Hands messages to one mail server over a pool of connections."""

    kind = "smtp"
    capabilities = Capabilities(
        addresses="e-mail address in ASCII (international domains in their ASCII form)",
        highest=Proof.DELIVERED,
        receipts=True,
        links=True,
        retry_safe=False,
        text_limit=0,
        text_unit="characters",
    )
    Settings: ClassVar[type[SmtpSettings]] = SmtpSettings

    def __init__(self, settings: SmtpSettings, sink: Sink) -> None:
        """Keep settings and sink; no I/O happens before :meth:`open`."""
        super().__init__(settings, sink)
        self.settings: SmtpSettings = settings
        self._return_path = return_path(settings)
        self._pool: Pool | None = None

    @staticmethod
    def check_address(address: str) -> str:
        """Return the address as it goes on the wire; see :func:`channels.smtp.settings.check_address`."""
        return check_address(address)

    def prepare(self, content: Content) -> PreparedMail:
        """Build the MIME message once; raises :class:`channels.base.ContentRefused`."""
        return PreparedMail(content, self.settings.from_address, self.settings.bounce_domain)

    async def open(self) -> None:
        """Open a first connection, so that a wrong setting is told at once."""
        pool = Pool(self.settings)
        try:
            async with pool.connection():
                self._pool = pool
        except BaseException:
            await pool.close()
            raise

    async def close(self) -> None:
        """End all connections; open answers are awaited for some seconds."""
        if self._pool is not None:
            await self._pool.close()

    async def send(
        self,
        prepared: Prepared,
        messages: Sequence[Message],
        report: Reporter,
        may_leave: Callable[[], bool] = always,
    ) -> None:
        """Hand over the messages over as many connections as the window allows."""
        assert isinstance(prepared, PreparedMail)
        if not messages:
            return
        if self._pool is None:
            report([(message.delivery, Retry(DOWN_AFTER, "closed")) for message in messages])
            return
        errand = Errand(prepared, messages, report, may_leave, unfit)
        workers = [
            asyncio.create_task(self._work(self._pool, errand))
            for _ in range(min(self.settings.window, len(messages)))
        ]
        try:
            await errand.over(workers)
        except asyncio.CancelledError:
            errand.waiting.clear()
            await end_tasks(workers)
            raise

    @classmethod
    def listener(cls, settings: Any, sink: Sink) -> Listener | None:  # noqa: ANN401 - as the base says
        """Return the server that takes delivery reports, where ``listen_port`` is set."""
        return None if settings.listen_port is None else ReportListener(settings, return_path(settings), sink)

    async def _work(self, pool: Pool, errand: Errand[PreparedMail]) -> None:
        """Take a connection first and a message then: what has no connection can still be held."""
        while errand.waiting:
            try:
                async with pool.connection() as connection:
                    with errand.busy():
                        await self._next(connection, errand)
            except ChannelDown:
                errand.tell(errand.take(), Retry(DOWN_AFTER, "connect"))

    async def _next(self, connection: Connection, errand: Errand[PreparedMail]) -> None:
        message = errand.take()
        if message is None:
            return
        envelope = self._envelope(connection, errand.prepared, message)
        try:
            answer = await connection.transact(envelope, errand.may_leave)
        except Held:
            errand.hold(message)
        except Lost as lost:
            told = Unknown(lost.code) if lost.stage is Stage.BODY else Retry(LOST_AFTER, lost.code)
            errand.tell(message, told)
        except asyncio.CancelledError:
            if connection.stage is Stage.BODY:
                errand.tell(message, Unknown("cancelled"))
            raise
        else:
            errand.tell(message, self._judge(answer, errand.prepared.message_id(message.delivery)))

    @staticmethod
    def _judge(answer: Answer, message_id: str) -> Outcome:
        if answer.stage is Stage.BODY and answer.code // 100 not in (2, 4, 5):
            return Unknown(short_code(answer.code, answer.text))
        return outcome(answer.stage, answer.code, answer.text, message_id)

    def _envelope(self, connection: Connection, prepared: PreparedMail, message: Message) -> Envelope:
        template = prepared.template(eight_bit=connection.offers("8bitmime"))
        body = prepared.render(template, message.delivery, message.address, message.fill)
        mail = f"FROM:<{self._return_path.address(message.delivery)}>"
        rcpt = f"TO:<{message.address}>"
        if template.eight_bit:
            mail += " BODY=8BITMIME"
        if connection.offers("size"):
            mail += f" SIZE={len(body)}"
        if connection.offers("dsn"):
            # RFC 3461: tell of every fate, name the delivery, send back the headers only.
            mail += f" RET=HDRS ENVID={self._return_path.token(message.delivery)}"
            rcpt += f" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{xtext(message.address)}"
        return Envelope(mail.encode("ascii"), rcpt.encode("ascii"), body)


def return_path(settings: SmtpSettings) -> ReturnPath:
    """Return the signer of the route's return paths."""
    return ReturnPath(settings.verp_key.get_secret_value(), settings.bounce_domain)


def unfit(message: Message) -> str:
    """Return why a message cannot go on the wire; empty where it can."""
    return "address" if not _ON_THE_WIRE.fullmatch(message.address) else unfit_fill(message.fill)


def xtext(text: str) -> str:
    """Return ASCII text as xtext: ``+`` and ``=`` escaped (RFC 3461 section 4)."""
    return _XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)
