"""Each public release becomes one signed CAP message, made once and kept as it is.

The database is asked what was released and is not published yet, so that nothing is forgotten whoever
died; several copies do no harm, since only one of them can write the row. The bytes, the deliveries to
webhooks and the moment are written in one transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Self

import orjson
import structlog

from gateway.alerts.certificates import KeyRefused, load_certificates, load_key, name_of
from gateway.alerts.parse import parse
from gateway.alerts.signature import sign
from gateway.alerts.write import write
from gateway.audience.codes import CodeRefused, parse_code
from gateway.audience.resolve import all_regions
from gateway.clock import SYSTEM
from gateway.publish.area import Interest, load_shape, touches
from gateway.publish.summary import summary_of
from gateway.store import alarms
from gateway.store import publish as store
from gateway.store.database import heed
from gateway.store.faults import DATABASE_FAULTS
from gateway.store.releases import Heard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cryptography import x509

    from gateway.alerts.certificates import SigningKey
    from gateway.alerts.model import Alert
    from gateway.clock import Clock
    from gateway.publish.settings import PublishSettings, WebhookSettings
    from gateway.store.database import Database
    from gateway.store.publish import Due

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two looks where the database's signal was missed."""
LOOK_BACK = timedelta(hours=24)
"""What was released within this time is published even if it has expired."""
ENDS_SOON = timedelta(days=30)
"""An alarm is raised so long before the signing certificate ends."""
_AT_ONCE = 50
_CERTIFICATE_EVERY = 3600.0
_LONGEST_PAUSE = 60.0
_DOUBLINGS = 10
_CERTIFICATE = ("publish", "certificate_ends")


class Signer(NamedTuple):
    """What publications are signed with."""

    key: SigningKey
    certificates: Sequence[x509.Certificate]

    @classmethod
    def load(cls, settings: PublishSettings) -> Self | None:
        """Return the signer that the settings name, if any.

        Raises:
            KeyRefused: a file cannot be used, or the two do not fit.
        """
        if settings.key_file is None or settings.certificate_file is None:
            return None
        password = settings.key_password.get_secret_value() if settings.key_password else None
        key = _load_key(settings.key_file, password)
        signer = cls(key, load_certificates([settings.certificate_file]))
        if signer.certificates[0].public_key() != signer.key.public_key():
            raise KeyRefused(
                "publish.key_file does not fit the first certificate of publish.certificate_file"
            )
        return signer


def _load_key(path: Path, password: str | None) -> SigningKey:
    """Return the private key; a refusal that may be due to its password names the setting."""
    try:
        return load_key(path, password)
    except KeyRefused as error:
        setting = " (publish.key_password)" if "password" in str(error) else ""
        raise KeyRefused(f"{error}{setting}") from None


class Subscriber(NamedTuple):
    """What a webhook target wants to hear of."""

    levels: frozenset[str]
    """Empty: all."""
    interest: Interest

    @classmethod
    def load(cls, settings: WebhookSettings) -> Self:
        """Return what the settings say; raises AreaFileRefused."""
        shape = load_shape(settings.area_file) if settings.area_file else None
        prefixes = tuple(map(beginning, settings.regions))
        return cls(frozenset(settings.levels), Interest(prefixes, shape))


def beginning(code: str) -> str:
    """Return the digits that a division and all below it begin with: ``330604`` of ``330604000000``."""
    try:
        return parse_code(code).prefix
    except CodeRefused:
        return code


def prepare(xml: bytes, signer: Signer | None) -> bytes:
    """Return a released message as it goes out: with our signature alone.

    Embedded content stays here, and so do elements foreign to CAP: nobody at the desk sees them, they may be
    private, and a signature among them would spoil ours.
    """
    alert = parse(xml).alert.model_copy(update={"signatures": ()})
    bare = write(alert, content=False, foreign=False)
    return sign(bare, *signer) if signer else bare


class _Failures(NamedTuple):
    """How often an alert could not be published, and until when it rests."""

    times: int = 0
    until: float = 0.0


class Publisher:
    """Publishes what is released; :meth:`run` lives until it is cancelled."""

    def __init__(
        self,
        database: Database,
        signer: Signer | None,
        subscribers: Mapping[str, Subscriber],
        *,
        every: float = EVERY,
        clock: Clock = SYSTEM,
    ) -> None:
        """Look every so many seconds, and at once where the database says that there is something.

        Args:
            database: open.
            signer: None: the messages go out without a signature.
            subscribers: the webhook targets by name.
            every: seconds.
            clock: for validity and the time of publication.
        """
        self._database = database
        self._signer = signer
        self._subscribers = subscribers
        self._every = every
        self._clock = clock
        self._heard = Heard(database, self._every)
        self._looked: float | None = None
        self._failed: dict[int, _Failures] = {}
        self.published = asyncio.Event()
        """Set whenever something was published."""

    async def run(self) -> None:
        """Publish until cancelled; outlives the database."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._heard.run())
            group.create_task(self._forever())

    async def _forever(self) -> None:
        while True:
            heed()
            self._heard.event.clear()
            try:
                await self.publish_due()
                await self.check_certificate()
            except DATABASE_FAULTS as error:
                log.warning("publishing waits for the database", error=type(error).__name__)
            except Exception:
                log.exception("publishing failed", alarm=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._heard.event.wait(), self._every)

    async def publish_due(self) -> int:
        """Publish everything that is due and return how many.

        One that fails raises an alarm, keeps no other, and is tried again after a pause that doubles up to
        a minute.
        """
        total = 0
        while rows := await self._due():
            for row in rows:
                total += await self._try(row)
        return total

    async def _due(self) -> list[Due]:
        now, passed = self._clock.now(), self._clock.monotonic()
        resting = [alert for alert, failures in self._failed.items() if failures.until > passed]
        async with self._database.begin() as connection:
            return await store.due(connection, now, now - LOOK_BACK, resting, _AT_ONCE)

    async def _try(self, row: Due) -> bool:
        try:
            await self._publish(row)
        except Exception as error:  # noqa: BLE001 - one alert that cannot be published must not keep the others
            await self._complain(row, error)
            return False
        self._failed.pop(row.alert_id, None)
        return True

    async def _complain(self, row: Due, error: Exception) -> None:
        times = self._failed.get(row.alert_id, _Failures()).times + 1
        pause = min(2.0 ** min(times, _DOUBLINGS), _LONGEST_PAUSE)
        self._failed[row.alert_id] = _Failures(times, self._clock.monotonic() + pause)
        name = type(error).__name__
        log.error("alert not published", alert=row.alert_id, error=name, alarm=True)
        words = (
            f"alert {row.alert_id} was released but cannot be published ({name}): "
            f"see the log of tongda publish"
        )
        async with self._database.begin() as connection:
            await alarms.sound(connection, f"alert {row.alert_id}", "not_published", words, self._clock.now())

    async def _publish(self, row: Due) -> None:
        now = self._clock.now()
        xml = prepare(row.xml, self._signer)
        alert = parse(xml).alert
        notes = await self._notes(alert, row.level)
        summary = orjson.dumps(summary_of(alert)).decode()
        async with self._database.begin() as connection:
            digest = hashlib.sha256(xml).hexdigest()
            number = await store.publish(connection, row.alert_id, xml, digest, summary, now)
            if number is None:  # another copy was quicker
                return
            before = await store.told_before(connection, row.warning_id)
            notes = {name: "" for name in before if name in self._subscribers} | notes
            if await store.is_replaced(connection, number):  # it failed, and what followed it went out
                notes = {}
            ids = [f"msg_{secrets.token_hex(16)}" for _ in notes]
            await store.enqueue(connection, number, notes, ids, now)
            await alarms.clear(connection, f"alert {row.alert_id}", "not_published", now)
        self.published.set()
        log.info("alert published", alert=row.alert_id, identifier=row.identifier, webhooks=len(notes))

    async def _notes(self, alert: Alert, level: str) -> dict[str, str]:
        """Return the targets that want this alert, each with its note."""
        wanting = {
            name: one.interest
            for name, one in self._subscribers.items()
            if not one.levels or level in one.levels
        }
        narrow = any(not interest.is_everything for interest in wanting.values())
        regions = await all_regions(self._database) if narrow else []
        answers = {name: touches(alert, interest, regions) for name, interest in wanting.items()}
        return {name: touch.note for name, touch in answers.items() if touch.sends}

    def _is_time(self) -> bool:
        passed = self._clock.monotonic()
        if self._looked is not None and passed - self._looked < _CERTIFICATE_EVERY:
            return False
        self._looked = passed
        return True

    async def check_certificate(self) -> None:
        """Raise an alarm where the signing certificate has ended or is about to."""
        if self._signer is None or not self._is_time():
            return
        now = self._clock.now()
        certificate = self._signer.certificates[0]
        end = certificate.not_valid_after_utc
        until = end.isoformat(" ", "minutes")
        words = (
            f"the signing certificate {name_of(certificate)} ends on {until}: get a new one, "
            f"give it to your partners, and set publish.key_file and publish.certificate_file"
        )
        async with self._database.begin() as connection:
            if now > end - ENDS_SOON:
                await alarms.sound(connection, *_CERTIFICATE, words, now)
            else:
                await alarms.clear(connection, *_CERTIFICATE, now)
