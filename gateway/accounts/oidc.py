"""Signing in by way of an OpenID Connect provider: authorisation code with PKCE (RFC 7636).

The provider vouches for who somebody is; what that person may do stands in our own table. Somebody who
does not work at the desk is not let in, and none is added. Our own second factor is asked for before what
cannot be taken back all the same: whoever has none sets one up first.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import orjson
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from yarl import URL

from gateway.accounts.signing_in import account_of, open_for
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.store import desk

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.accounts.sessions import Origin
    from gateway.accounts.settings import Limits, OidcSettings
    from gateway.accounts.signing_in import Opened
    from gateway.desk.policy import Policy
    from gateway.store.database import Database

log = structlog.get_logger(__name__)

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""What an ID token may be signed with: never nothing, and never our secret."""
_LARGEST = 256 * 1024
_WITHIN = aiohttp.ClientTimeout(total=10)
_LEEWAY = 60
_OK = 200
_HERE = {"127.0.0.1", "localhost", "::1"}


class Ticket(NamedTuple):
    """What a browser keeps while its person is at the provider."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Ticket:
        """Return a random one."""
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48))

    def __str__(self) -> str:
        """Return it as the value of a cookie."""
        return ".".join(self)

    @classmethod
    def read(cls, cookie: str) -> Ticket | None:
        """Return the ticket that a browser brings, None where it is none."""
        parts = cookie.split(".")
        return cls(*parts) if len(parts) == len(cls._fields) and all(parts) else None


class Answer(NamedTuple):
    """What the provider sends a browser back with."""

    state: str
    code: str
    issuer: str
    """Empty where the provider does not say it (RFC 9207)."""


async def leave(settings: OidcSettings, ticket: Ticket, redirect: str) -> str:
    """Return the provider's address where somebody signs in.

    Raises:
        DeskRefused: ``oidc``: the provider does not answer as it should.
    """
    about = await _about(settings)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(ticket.verifier.encode()).digest())
    asked = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect,
        "scope": "openid profile",
        "state": ticket.state,
        "nonce": ticket.nonce,
        "code_challenge": challenge.rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return str(URL(_safe(about.get("authorization_endpoint"))).update_query(asked))


async def come_back(
    database: Database,
    policy: Policy,
    settings: OidcSettings,
    ticket: Ticket | None,
    answer: Answer,
    *,
    redirect: str,
    origin: Origin,
    now: datetime,
    limits: Limits,
    token: str = "",
) -> Opened:
    """Open a session for whom the provider names; the one that this browser had, with ``token``, ends.

    Raises:
        DeskRefused: ``oidc``: the answer is not to our question, or the provider's word does not hold;
            ``oidc_nobody``: the person does not work at this desk.
    """
    if ticket is None or not _same(ticket.state, answer.state):
        raise _refused("the answer is not to a question of this browser")
    if answer.issuer and answer.issuer != settings.issuer:
        raise _refused("the answer comes from another provider")
    claims = await _claims(settings, ticket, answer.code, redirect, now)
    login = claims.get(settings.login_claim)
    account = await account_of(database, login) if isinstance(login, str) else None
    if account is None:
        raise _nobody(origin)
    async with step(database, account.login, now, policy) as one:
        person = await desk.person(one.connection, account.login)
        if person is None or not person.active:
            raise _nobody(origin)
        return await open_for(one, person.login, origin, limits, token, issuer=settings.issuer)


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(*(text.encode(errors="replace") for text in (one, other)))


async def _claims(
    settings: OidcSettings, ticket: Ticket, code: str, redirect: str, now: datetime
) -> dict[str, Any]:
    """Return what the ID token says that the provider gives for a code."""
    about = await _about(settings)
    given = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "code_verifier": ticket.verifier,
    }
    secret = settings.client_secret.get_secret_value()
    credentials = {"Authorization": aiohttp.encode_basic_auth(settings.client_id, secret)}
    answer = await _ask(_safe(about.get("token_endpoint")), given, credentials)
    keys = await _ask(_safe(about.get("jwks_uri")))
    return _checked(settings, ticket, str(answer.get("id_token", "")), keys, now)


def _checked(
    settings: OidcSettings, ticket: Ticket, token: str, keys: dict[str, Any], now: datetime
) -> dict[str, Any]:
    wanted = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=_LEEWAY,
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": ticket.nonce},
    )
    try:
        claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS).claims  # type: ignore[arg-type]
        wanted.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _refused(f"the ID token does not hold: {type(error).__name__}") from None
    if claims.get("azp", settings.client_id) != settings.client_id:
        raise _refused("the ID token is for another client")
    return claims


async def _about(settings: OidcSettings) -> dict[str, Any]:
    about = await _ask(f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")
    if about.get("issuer") != settings.issuer:
        raise _refused("the provider calls itself otherwise than console.oidc.issuer")
    return about


async def _ask(
    address: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return a JSON object of the provider."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_WITHIN) as session,
            session.request(
                "POST" if form else "GET", address, data=form, headers=headers, allow_redirects=False
            ) as answer,
        ):
            body = await _body(answer)
            found = orjson.loads(body) if answer.status == _OK else None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise _refused(f"the provider cannot be asked: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise _refused(f"the provider answers with {answer.status}, or not as it should")
    return found


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for part in answer.content.iter_any():
        body += part
        if len(body) > _LARGEST:
            raise ValueError("it is too large")
    return body


def _safe(address: object) -> str:
    """Return an address that nobody on the way can read or change."""
    text = address if isinstance(address, str) else ""
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme != "https" and not (url.scheme == "http" and url.host in _HERE):
        raise _refused("the provider names an address without TLS")
    return text


def _refused(why: str) -> DeskRefused:
    log.warning("sign-in by way of the provider failed", reason=why)
    return DeskRefused("oidc", "signing in by way of the provider did not work; it has been logged")


def _nobody(origin: Origin) -> DeskRefused:
    log.warning("the provider vouches for somebody who does not work here", address=origin.address[:64])
    return DeskRefused("oidc_nobody", "the provider knows you, but you do not work at this desk")
