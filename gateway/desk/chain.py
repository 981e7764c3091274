"""What stands of a warning: the messages that a follower refers to, and whom they reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway import audience
from gateway.alerts.model import Reference
from gateway.desk.findings import said
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import alert_of
from gateway.store import audience as statements
from gateway.store import desk as store
from gateway.store.desk import TargetList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.alerts.model import Alert, Area
    from gateway.desk.findings import Said
    from gateway.desk.office import Office
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow


class Reach(NamedTuple):
    """Whom a message is frozen for, and what the approver should know of that."""

    targets: TargetList
    channels: list[str]
    findings: list[Said]


async def standing(step: Step, warning_id: int, replaced: int | None = None) -> list[AlertRow]:
    """Return the warning's messages that left the desk and have not expired, oldest first.

    The one that a follower replaces is among them even where it has expired.
    """
    return await store.sent_and_valid(step.connection, warning_id, step.now, also=replaced)


def references(rows: Sequence[AlertRow]) -> list[Reference]:
    """Return references to these messages."""
    alerts = [alert_of(row) for row in rows]
    return [Reference(sender=alert.sender, identifier=alert.identifier, sent=alert.sent) for alert in alerts]


def channels_of(rows: Sequence[AlertRow]) -> list[str]:
    """Return the channels that any of these messages was sent on."""
    return sorted({name for row in rows for name in (row.plan or {})["channels"]})


def areas_of(rows: Sequence[AlertRow], language: str | None) -> tuple[Area, ...]:
    """Return the areas that these messages name in a language, the youngest message's first."""
    infos = [info for row in reversed(rows) for info in alert_of(row).infos if info.language == language]
    return tuple({area.model_dump_json(): area for info in infos for area in info.areas}.values())


def widened(alert: Alert, rows: Sequence[AlertRow]) -> Alert:
    """Return the alert for every area that these messages were for."""
    infos = (info.model_copy(update={"areas": areas_of(rows, info.language)}) for info in alert.infos)
    return alert.model_copy(update={"infos": tuple(infos)})


async def reach_of_cancel(step: Step, office: Office, rows: Sequence[AlertRow], mode: str) -> Reach:
    """Return everybody whom these messages went to, on the channels that they went on."""
    used, offered = channels_of(rows), office.channels(mode)
    lost = [name for name in used if name not in offered]
    if len(lost) == len(used):
        raise DeskRefused(
            "channels",
            f"channel {lost[0]} has no {mode} route any more: set one and try again",
            why="lost",
            channel=lost[0],
        )
    findings = [said("channel_lost", channel=name, mode=mode) for name in lost]
    return Reach(await _union(step, rows), [name for name in used if name in offered], findings)


async def _union(step: Step, rows: Sequence[AlertRow]) -> TargetList:
    """Return one frozen list for these messages, each with the channels it was sent on."""
    sources = [(await _frozen(step, row), row) for row in rows]
    youngest, last = sources[-1]
    if all(_alike(one, row, youngest, last) for one, row in sources):
        return youngest
    for one, row in sources:
        if not await audience.verify_digest(step.connection, one.id):
            raise DeskRefused(
                "changed",
                f"the recipients of alert {row.id} are not what was released: have the database looked at",
                why="recipients",
                alert=row.id,
            )
    lists = [(one.id, channels_of([row])) for one, row in sources]
    list_id = await statements.merge(step.connection, lists)
    count, digest = await statements.digest(step.connection, list_id)
    await statements.seal(step.connection, list_id, count, digest)
    return TargetList(list_id, digest, count)


async def losses(
    step: Step, rows: Sequence[AlertRow], targets: TargetList, channels: list[str]
) -> list[Said]:
    """Return who was told by these messages and is not told by their follower."""
    found = []
    for row in rows:
        one, used = await _frozen(step, row), channels_of([row])
        unused = [name for name in used if name not in channels]
        if one.digest == targets.digest and not unused:
            continue
        if missed := await statements.missed(step.connection, (one.id, used), (targets.id, channels)):
            found.append(said("missed", count=missed, alert=row.id))
        found += [said("channel_unused", channel=name, alert=row.id) for name in unused]
    return found


async def _frozen(step: Step, row: AlertRow) -> TargetList:
    assert row.target_list_id is not None
    return await store.target_list(step.connection, row.target_list_id)


def _alike(one: TargetList, row: AlertRow, other: TargetList, last: AlertRow) -> bool:
    return one.digest == other.digest and channels_of([row]) == channels_of([last])
