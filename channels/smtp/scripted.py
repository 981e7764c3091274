"""One session of the simulated mail server."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, AnyStr

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from channels.smtp.connection import abort
from channels.smtp.listener import LoopSmtp

if TYPE_CHECKING:
    import ssl

    from channels.smtp.simulator import SmtpSimulator

_DSN_MAIL = re.compile(r"\s(?:RET|ENVID)=\S+", re.IGNORECASE)
_DSN_RCPT = re.compile(r"\s(?:NOTIFY|ORCPT)=\S+", re.IGNORECASE)
_ENVID = re.compile(r"\sENVID=(\S+)", re.IGNORECASE)


class ScriptedSmtp(LoopSmtp):
    """aiosmtpd's protocol that knows DSN parameters (RFC 3461) and asks the script for answers."""

    def __init__(self, simulator: SmtpSimulator, sessions: set[LoopSmtp], tls: ssl.SSLContext | None) -> None:
        """Begin a session for the simulator."""
        login: dict[str, Any] = (
            {"auth_required": True, "authenticator": self._check_login} if simulator.username and tls else {}
        )
        super().__init__(
            self,
            sessions,
            simulator.most_sessions or 10_000,
            hostname="mx.example.org",
            ident="ESMTP",
            tls_context=tls,
            require_starttls=bool(login),
            **login,
        )
        self._script = simulator
        self.envid = ""
        self.notify = False

    @property
    def encrypted(self) -> bool:
        """Whether this session runs over TLS."""
        transport = self.transport
        return transport is not None and transport.get_extra_info("sslcontext") is not None

    async def push(self, status: AnyStr) -> None:
        """Answer, unless the script says that this server hangs."""
        if self._script.hang:
            await asyncio.Event().wait()
        await super().push(status)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - the library's name
        """Note ENVID; the library refuses parameters it does not know."""
        self.envid, self.notify = "", False
        if arg and self._script.dsn:
            found = _ENVID.search(arg)
            self.envid = found[1] if found else ""
            arg = _DSN_MAIL.sub("", arg)
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        """Note that reports are wanted."""
        if arg and self._script.dsn:
            self.notify = "NOTIFY=SUCCESS" in arg.upper()
            arg = _DSN_RCPT.sub("", arg)
        await super().smtp_RCPT(arg)

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        """Offer what the script says."""
        session.host_name = hostname
        script = self._script
        hidden = {
            name
            for name, is_hidden in (
                ("8BITMIME", not script.eight_bit),
                ("STARTTLS", script.strip_starttls),
            )
            if is_hidden
        }
        offered = [line for line in lines if line[4:] not in hidden]
        return [*offered[:-1], *(["250-DSN"] if script.dsn else []), offered[-1]]

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer as the script says; take the recipient on 250."""
        if self._script.chance(self._script.disconnect):
            await self.cut()
        answer = self._script.answer_to_recipient(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the message as the script says."""
        assert isinstance(envelope.content, bytes)
        if not self._script.eight_bit and not envelope.content.isascii():
            return "554 5.6.3 eight-bit text was not offered"
        return await self._script.take(self, envelope)

    async def cut(self) -> None:
        """Cut the connection; this session's task ends with it."""
        abort(self.transport)
        await asyncio.Event().wait()

    def _check_login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: object
    ) -> AuthResult:
        known = (self._script.username.encode(), self._script.password.encode())
        return AuthResult(success=isinstance(login, LoginPassword) and tuple(login) == known, handled=False)
