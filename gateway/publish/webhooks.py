"""Telling webhook targets of each publication, signed as in Standard Webhooks 1.0, at least once.

Each target has a loop of its own, so that one which is slow or away holds up no other. A delivery is
held by a lease while it is tried: whoever dies in the middle leaves it to be tried again, with the same
``webhook-id``, by which the receiver knows it. Any answer 2xx ends it; 410 stops the target; everything
else is tried again, ever more rarely, for :data:`TRIED_FOR`.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import aiohttp
import orjson
import structlog

from gateway.clock import SYSTEM
from gateway.feeds.fetch.address import Guard
from gateway.feeds.fetch.client import open_session
from gateway.feeds.fetch.pace import retry_after
from gateway.feeds.fetch.refused import FetchRefused
from gateway.store import alarms
from gateway.store import publish as store
from gateway.store.database import heed
from gateway.store.faults import DATABASE_FAULTS
from gateway.store.publish import Result
from gateway.webhook_signature import ID, SIGNATURE, TIMESTAMP, secret_bytes, sign, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.clock import Clock
    from gateway.publish.settings import WebhookSettings
    from gateway.store.database import Database
    from gateway.store.publish import Claim

log = structlog.get_logger(__name__)

TRIED_FOR = timedelta(hours=24)
"""How long a delivery is tried, from its publication."""
FIRST_PAUSE = 2.0
"""Seconds to the second try; each further pause is twice as long, give or take a quarter."""
LONGEST_PAUSE = 3600.0
"""Seconds; also the longest ``Retry-After`` that is heeded."""
ANSWER_WITHIN = 10.0
"""Seconds for one try, from the name server to the status."""
LEASE = 30.0
"""Seconds that a try may be under way before another process takes over."""
ALARM_AFTER = 5
"""Tries that failed before somebody is told."""
EVENT = "alert.released"
"""The ``type`` of the message."""
USER_AGENT = "Tongda (webhooks)"
_EVERY = 1.0
_GONE = HTTPStatus.GONE
_DOUBLINGS = 20


class Target(NamedTuple):
    """Where one webhook goes."""

    name: str
    url: str
    secrets: tuple[bytes, ...]
    """The newest first; the message bears a signature by each."""
    guard: Guard

    @classmethod
    def of(cls, name: str, settings: WebhookSettings) -> Target:
        """Return the target that the settings say."""
        schemes = frozenset({"https", "http"} if settings.allow_http else {"https"})
        secrets = tuple(secret_bytes(one.get_secret_value()) for one in settings.secrets)
        return cls(name, settings.url, secrets, Guard(schemes=schemes, allow_private=settings.allow_private))


class Answer(NamedTuple):
    """What a target said; no status where it said nothing."""

    status: int | None
    sentence: str
    retry_after: float | None = None


def message(held: Claim, base_url: str) -> bytes:
    """Return the body of a message; the same bytes for each try.

    Args:
        held: the publication and its note for this target.
        base_url: what the address of the CAP document begins with.
    """
    told = held.summary
    data = {name: told.get(name) for name in ("identifier", "sender", "sent", "msgType", "references")}
    data |= {name: told.get(name) for name in ("event", "headline", "severity", "areas", "expires")}
    data |= {
        "level": held.level,
        "note": held.note or None,
        "cap_url": cap_url(base_url, held.identifier),
        "sha256": held.sha256,
        "cap": held.xml.decode(),
    }
    return orjson.dumps({"type": EVENT, "timestamp": held.published_at.isoformat(), "data": data})


def cap_url(base_url: str, identifier: str) -> str:
    """Return the address of a publication."""
    return f"{base_url.rstrip('/')}/cap/{quote(identifier, safe='')}.xml"


def headers(target: Target, message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a try."""
    signatures = [sign(secret, message_id, now, body) for secret in target.secrets]
    return {
        ID: message_id,
        TIMESTAMP: stamp(now),
        SIGNATURE: " ".join(signatures),
        "Content-Type": "application/json",
    }


def pause(tries: int, asked: float | None, spread: float) -> float:
    """Return the seconds until the next try.

    Args:
        tries: that have failed.
        asked: the target's ``Retry-After`` in seconds, if any; taken where it is longer.
        spread: 0 to 1, so that targets of many are not tried in step.
    """
    usual = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(tries - 1, _DOUBLINGS))
    return max(usual * (0.75 + 0.5 * spread), min(asked or 0.0, LONGEST_PAUSE))


def judge(answer: Answer, held: Claim, now: datetime, spread: float) -> Result:
    """Return what becomes of a delivery after a try."""
    if answer.status is not None and HTTPStatus(200) <= answer.status < HTTPStatus(300):
        return Result("delivered", now, answer.status, answer.sentence)
    if answer.status == _GONE:
        return Result("stopped", now, answer.status, answer.sentence)
    again = now + timedelta(seconds=pause(held.tries, answer.retry_after, spread))
    if again > held.published_at + TRIED_FOR:
        return Result("given_up", now, answer.status, f"{answer.sentence}; given up after {held.tries} tries")
    return Result("waiting", again, answer.status, answer.sentence)


class Webhooks:
    """Serves the targets; :meth:`run` lives until it is cancelled."""

    def __init__(
        self,
        database: Database,
        targets: Mapping[str, WebhookSettings],
        base_url: str,
        *,
        published: asyncio.Event | None = None,
        lease: float = LEASE,
        clock: Clock = SYSTEM,
    ) -> None:
        """Serve the targets that are enabled.

        Args:
            database: open.
            targets: by name.
            base_url: what the address of a CAP document begins with.
            published: set by the publisher whenever there is something.
            lease: seconds.
            clock: for timestamps and pauses.
        """
        self._database = database
        self._targets = {name: Target.of(name, one) for name, one in targets.items() if one.enabled}
        self._base_url = base_url
        self._published = published or asyncio.Event()
        self._lease = lease
        self._clock = clock
        self._rung = {name: asyncio.Event() for name in self._targets}

    async def run(self) -> None:
        """Serve every target until cancelled; outlives the database and the targets."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pass_on())
            for target in self._targets.values():
                group.create_task(self._forever(target), name=f"webhook {target.name}")

    async def _pass_on(self) -> None:
        while True:
            await self._published.wait()
            self._published.clear()
            for rung in self._rung.values():
                rung.set()

    async def _forever(self, target: Target) -> None:
        rung = self._rung[target.name]
        async with open_session(target.guard, user_agent=USER_AGENT) as session:
            while True:
                heed()
                rung.clear()
                try:
                    while await self.serve_one(target.name, session):
                        heed()
                except DATABASE_FAULTS as error:
                    log.warning("webhooks wait for the database", error=type(error).__name__)
                except Exception:
                    log.exception("webhook failed", target=target.name, alarm=True)
                with suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), _EVERY)

    async def serve_one(self, name: str, session: aiohttp.ClientSession | None = None) -> bool:
        """Try the next delivery of a target; return whether there was one."""
        target = self._targets[name]
        if session is None:
            async with open_session(target.guard, user_agent=USER_AGENT) as own:
                return await self.serve_one(name, own)
        async with self._database.begin() as connection:
            held = await store.claim(connection, name, self._clock.now(), self._lease)
        if held is None:
            return False
        if held.published_at + TRIED_FOR < self._clock.now():  # nobody served the target meanwhile
            answer = Answer(None, f"not sent: it is older than {TRIED_FOR.total_seconds() / 3600:g} hours")
        else:
            answer = await self._post(target, session, held)
        result = judge(answer, held, self._clock.now(), random.random())  # noqa: S311 - jitter is no secret
        await self._record(target, held, result)
        return True

    async def _post(self, target: Target, session: aiohttp.ClientSession, held: Claim) -> Answer:
        body = message(held, self._base_url)
        now = self._clock.now()
        try:
            url = target.guard.url(target.url)
            with_headers = headers(target, held.message_id, now, body)
            async with (
                asyncio.timeout(ANSWER_WITHIN),
                session.post(url, data=body, headers=with_headers, allow_redirects=False) as response,
            ):
                return _answer(response.status, retry_after(response.headers.get("Retry-After"), now))
        except FetchRefused as refused:
            return Answer(None, refused.sentence)
        except TimeoutError:
            return Answer(None, f"no answer within {ANSWER_WITHIN:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, FetchRefused) else None
            return Answer(None, cause.sentence if cause else f"no answer ({type(error).__name__})")

    async def _record(self, target: Target, held: Claim, result: Result) -> None:
        now = self._clock.now()
        subject = f"webhook {target.name}"
        async with self._database.begin() as connection:
            await store.record(connection, held, result, now)
            if result.state == "stopped":
                await store.stop(connection, target.name, result.sentence, now)
            for code in ("failing", "given_up") if result.state == "delivered" else ():
                await alarms.clear(connection, subject, code, now)
            if words := _alarm(target.name, held, result):
                await alarms.sound(connection, subject, *words, now)
        failed = {} if result.state == "delivered" else {"reason": result.sentence, "state": result.state}
        log.info("webhook tried", target=target.name, delivery=held.id, tries=held.tries, **failed)


def _alarm(name: str, held: Claim, result: Result) -> tuple[str, str] | None:
    """Return the code and the sentence of the alarm that a result is worth."""
    if result.state == "stopped":
        way_out = f"ask the partner, then: tongda publish --resume {name}"
        return "stopped", f"webhook {name} says that it is gone for good and is told nothing more: {way_out}"
    if result.state == "given_up":
        return (
            "given_up",
            f"webhook {name} was not told of {held.identifier}: {result.sentence}; tell it by phone",
        )
    if result.state == "waiting" and held.tries >= ALARM_AFTER:
        return (
            "failing",
            f"webhook {name} has not taken {held.identifier} in {held.tries} tries: {result.sentence}",
        )
    return None


def _answer(status: int, asked: float | None) -> Answer:
    if HTTPStatus(300) <= status < HTTPStatus(400):
        return Answer(status, f"it answers {status}: redirects are not followed, set the final address")
    return Answer(status, f"it answers {status}", asked)
