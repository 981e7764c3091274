"""One connection to the mail server, and the stages of one message on it.

aiosmtplib speaks the protocol. A connection is thrown away after any lost or late answer: the
late answer would otherwise be read as the answer to the next command.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, NamedTuple, cast

import aiosmtplib

from channels.base import ChannelDown
from channels.smtp.replies import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiosmtplib import SMTPResponse

    from channels.smtp.settings import SmtpSettings

CHECK_AFTER = 5.0
"""Seconds of idleness after which a connection is checked before use."""
CLOSE_WAIT = 5.0

_SERVICE_CLOSING = 421
_FAILURES = (aiosmtplib.SMTPException, OSError, ValueError)


class Refused(Exception):
    """The server could not be used; the text says why in one line. ``final`` if trying again is idle."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        """Keep the sentence and whether it will stay true without a person's help."""
        super().__init__(text)
        self.final = final


class Lost(Exception):
    """No answer came: the connection broke or the time ran out at this stage."""

    def __init__(self, stage: Stage, code: str) -> None:
        """Keep how far the message had come."""
        super().__init__(code)
        self.stage = stage
        self.code = code


class Held(Exception):
    """The message must not leave any more; nothing of its text was written."""


class Answer(NamedTuple):
    """The server's answer that decided about one message."""

    stage: Stage
    code: int
    text: str


class Envelope(NamedTuple):
    """One message with one recipient, ready for the wire."""

    mail: bytes
    """Argument of MAIL: ``FROM:<...>`` with its parameters."""
    rcpt: bytes
    body: bytes
    """What follows DATA, closing dot included."""


class Connection:
    """One connection, open or not; carries one message at a time."""

    def __init__(self, settings: SmtpSettings, tls: ssl.SSLContext | None) -> None:
        """Keep what is needed to connect; nothing is opened yet."""
        self._settings = settings
        self._tls = tls
        self._smtp: aiosmtplib.SMTP | None = None
        self._served = 0
        self._used_at = 0.0
        self._open_transaction = False
        self.stage = Stage.IDLE

    @property
    def live(self) -> bool:
        """Whether the connection stands, as far as we know."""
        return self._smtp is not None and self._smtp.is_connected

    def offers(self, extension: str) -> bool:
        """Tell whether the server's EHLO named the extension."""
        return self._smtp is not None and self._smtp.supports_extension(extension)

    async def usable(self) -> bool:
        """Tell whether the next message may go out here; a worn connection is closed."""
        if self.live and not await self._still_good():
            await self.close()
        return self.live

    async def transact(self, envelope: Envelope, may_leave: Callable[[], bool]) -> Answer:
        """Hand over one message and return the answer that decided.

        Raises:
            Held: ``may_leave`` said no, before the first command or before the text.
            Lost: no answer; its stage tells whether the message may have been taken.
        """
        if not may_leave():
            raise Held
        self._served += 1
        self.stage = Stage.IDLE
        try:
            return await self._steps(envelope, may_leave)
        except Held:
            self.drop()  # the server waits for the text; without its closing dot it takes nothing
            raise
        except _FAILURES as failure:
            self.drop()
            late = isinstance(failure, TimeoutError)
            raise Lost(self.stage, "timeout" if late else "lost") from failure
        except asyncio.CancelledError:
            self.drop()
            raise

    async def _steps(self, envelope: Envelope, may_leave: Callable[[], bool]) -> Answer:
        smtp = self._smtp
        if smtp is None:
            raise aiosmtplib.SMTPServerDisconnected("not connected")
        self._open_transaction = True
        for stage, words in (
            (Stage.MAIL, (b"MAIL", envelope.mail)),
            (Stage.RCPT, (b"RCPT", envelope.rcpt)),
            (Stage.DATA, (b"DATA",)),
        ):
            self.stage = stage
            response = await smtp.execute_command(*words)
            if response.code // 100 != (3 if stage is Stage.DATA else 2):
                return self._answered(response)
        return self._answered(await self._body(smtp, envelope.body, may_leave))

    async def _body(self, smtp: aiosmtplib.SMTP, body: bytes, may_leave: Callable[[], bool]) -> SMTPResponse:
        """Write the text; the library's own ``data`` cannot say on which side of it a failure fell."""
        protocol = smtp.protocol
        if protocol is None or not protocol.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("connection lost")
        if not may_leave():
            raise Held
        self.stage = Stage.BODY
        protocol.write(body)
        return await protocol.read_response(timeout=self._settings.timeout)

    def _answered(self, response: SMTPResponse) -> Answer:
        # After the text the transaction is over whatever the answer; before, RSET must clear it.
        self._open_transaction = self.stage is not Stage.BODY
        self._used_at = asyncio.get_running_loop().time()
        if response.code == _SERVICE_CLOSING:
            self.drop()
        return Answer(self.stage, response.code, response.message)

    async def _still_good(self) -> bool:
        idle = asyncio.get_running_loop().time() - self._used_at
        if self._served >= self._settings.reuse_messages or idle > self._settings.reuse_idle:
            return False
        if not self._open_transaction and idle < CHECK_AFTER:
            return True
        try:
            assert self._smtp is not None
            await self._smtp.rset()
        except _FAILURES:
            self.drop()
            return False
        except asyncio.CancelledError:
            self.drop()  # the answer is still to come and would be read as the next command's
            raise
        self._open_transaction = False
        return True

    async def open(self) -> None:
        """Connect, secure and log in.

        Raises:
            Refused: the server cannot be reached or does not want us.
        """
        settings = self._settings
        smtp = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=settings.helo_name,
            timeout=settings.command_timeout,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=self._tls,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
        )
        try:
            async with asyncio.timeout(settings.connect_timeout):
                await smtp.connect()
                if smtp.is_ehlo_or_helo_needed:
                    await _greet(smtp)
        except _FAILURES as failure:
            _abort(smtp)
            raise _refused(failure, settings) from failure
        except asyncio.CancelledError:
            _abort(smtp)
            raise
        self._smtp, self._served, self._open_transaction = smtp, 0, False
        self._used_at = asyncio.get_running_loop().time()

    def drop(self) -> None:
        """Cut the connection without a word."""
        if self._smtp is not None:
            _abort(self._smtp)
            self._smtp = None

    async def close(self) -> None:
        """End the connection politely."""
        smtp = self._smtp
        try:
            if smtp is not None and smtp.is_connected:
                with contextlib.suppress(*_FAILURES):
                    await smtp.quit(timeout=CLOSE_WAIT)
        finally:
            self.drop()


async def _greet(smtp: aiosmtplib.SMTP) -> None:
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError:
        await smtp.helo()


def abort(transport: asyncio.BaseTransport | None) -> None:
    """Cut a connection at once, dropping what was not written."""
    # uvloop's transports share no base class with asyncio's.
    if transport is not None:
        cast("asyncio.WriteTransport", transport).abort()


def _abort(smtp: aiosmtplib.SMTP) -> None:
    abort(smtp.transport)
    smtp.close()


def tls_context(settings: SmtpSettings) -> ssl.SSLContext | None:
    """Return the context that verifies the server; None where the route uses no TLS.

    Raises:
        ChannelDown: ``ca_file`` cannot be read.
    """
    if settings.tls == "none":
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError):
        raise ChannelDown(f"ca_file {settings.ca_file!r} cannot be read as PEM certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _refused(failure: Exception, settings: SmtpSettings) -> Refused:
    """Return the failure as a sentence with the setting to mend; no word of the server in it."""
    server = f"mail server {settings.host}:{settings.port}"
    code = getattr(failure, "code", 0)
    if isinstance(failure, aiosmtplib.SMTPAuthenticationError):
        return Refused(f"{server} refused the login ({code}): check username and password", final=code >= 500)  # noqa: PLR2004
    if code:
        return Refused(f"{server} refused the session with {code}", final=code // 100 == 5)  # noqa: PLR2004
    if isinstance(failure, TimeoutError):
        return Refused(f"{server} does not answer: check host, port and tls")
    return _refused_tls(failure, settings, server) or Refused(
        f"{server} cannot be reached: check host and port"
    )


def _refused_tls(failure: Exception, settings: SmtpSettings, server: str) -> Refused | None:
    cause = next((error for error in (failure, failure.__cause__) if isinstance(error, ssl.SSLError)), None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Refused(
            f"{server} has a certificate that is not trusted: check host or set ca_file", final=True
        )
    if cause is not None:
        return Refused(f"{server} does not speak TLS as tls = {settings.tls} demands", final=True)
    if type(failure) is aiosmtplib.SMTPException:
        # Raised by the library before anything is sent: no STARTTLS, or no login method we can use.
        return Refused(f"{server} does not offer what tls = {settings.tls} or the login needs", final=True)
    return None
