"""A test message to oneself: a drill of one recipient, sent by the very engine that sends warnings.

The engine sends releases and nothing else, and a release belongs to an alert. So a test makes an alert of
its own: of hazard ``other``, in the mode drill, with the sender's own address as its one frozen target. The
drill mark is put first by the system as in every drill. Nobody approves it: the rule ``self_test`` is written
into the frozen plan, and so into the digest, as the rules of sources are (:mod:`gateway.desk.ruled`). It can
never be live. Once it has left, the alert is closed at once, so that no test stands among the warnings in
force, and its prepared Cancel is withdrawn; the release runs on until :data:`VALID` is over.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from channels.base import AddressRefused, adapter, mask
from gateway.alerts.model import Area
from gateway.desk import compose, kinds, leaving
from gateway.desk.checks import check_ready
from gateway.desk.compose import Changes, Fields
from gateway.desk.drafting import new_warning
from gateway.desk.freeze import Draft, digest_of, plan_of, render
from gateway.desk.refused import DeskRefused
from gateway.desk.register import columns_of
from gateway.desk.steps import alert_of
from gateway.dispatch.plan import new_reference
from gateway.store import desk as store
from gateway.store import self_tests

if TYPE_CHECKING:
    from gateway.alerts.model import Alert
    from gateway.desk.leaving import Released
    from gateway.desk.office import Office
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow

MOST = 5
"""Test messages that one person may send within :data:`WITHIN`."""
WITHIN = timedelta(minutes=10)
VALID = timedelta(minutes=15)
"""How long a test message is tried."""
WORDS = {
    "event": "渠道测试",
    "area_desc": "本人",
    "headline": "渠道测试",
    "description": "这是一条渠道测试消息，用于检查发送与回执",
    "instruction": "无需采取任何措施",
}


async def keep_address(step: Step, office: Office, channel: str, address: str) -> str:
    """Keep the actor's own address on a channel for tests; an empty one forgets it. Returns it masked."""
    await step.may("operate")
    route = office.routes.get(channel)
    if route is None:
        raise _no_channel(channel)
    if not address:
        if await self_tests.forget(step.connection, step.actor, channel):
            step.record("forget_own_address", f"person {step.actor}", channel=channel)
        return ""
    try:
        checked = adapter(route.kind).check_address(address)
    except AddressRefused as error:
        raise DeskRefused(
            "address", f"the address cannot be used on {channel}: {error}", channel=channel, why=str(error)
        ) from None
    await self_tests.keep(step.connection, step.actor, channel, checked, step.now)
    step.record("keep_own_address", f"person {step.actor}", channel=channel, address=mask(checked))
    return mask(checked)


async def send(step: Step, office: Office, channel: str) -> tuple[AlertRow, Released]:
    """Send one test message on a channel to the address that the actor keeps there, and to nobody else."""
    await step.may("operate")
    address = await _address(step, office, channel)
    await _check_rate(step)
    row = await _draft(step, office, channel)
    row = await _freeze(step, office, row, channel, address)
    released = await leaving.leave(step, office, row)
    await leaving.drop_cancel(step, row)
    row = await step.change(await step.read(row.id), "expire")
    step.record("self_test", row.id, channel=channel, address=mask(address), release=released.reference)
    return row, released


async def _address(step: Step, office: Office, channel: str) -> str:
    if channel not in office.routes:
        raise _no_channel(channel)
    if channel not in office.channels("drill"):
        raise DeskRefused(
            "no_drill_route",
            f"channel {channel} has no drill route, and a test never uses the live one: "
            f"set [channels.{channel}.drill]",
            channel=channel,
        )
    own = (await self_tests.own(step.connection, step.actor)).get(channel)
    if own is None:
        raise DeskRefused("no_own_address", f"keep your own address on {channel} first", channel=channel)
    return own


def _no_channel(channel: str) -> DeskRefused:
    return DeskRefused("channel", f"there is no channel {channel}", channel=channel)


async def _check_rate(step: Step) -> None:
    # Held until the step ends, so that two clicks at once are counted one after the other.
    await store.hold_name(step.connection, f"self test {step.actor}")
    if await self_tests.sent_since(step.connection, step.actor, step.now - WITHIN) >= MOST:
        minutes = int(WITHIN.total_seconds() // 60)
        said = f"no more than {MOST} test messages in {minutes} minutes: wait a moment"
        raise DeskRefused("too_many", said, most=MOST, minutes=minutes)


async def _draft(step: Step, office: Office, channel: str) -> AlertRow:
    kind = kinds.Kind(kinds.OTHER, "blue")
    words: dict[str, Any] = {name: text for name, text in WORDS.items() if name != "area_desc"}
    fields = Fields(
        hazard=kind.hazard,
        level=kind.level,
        mode="drill",
        areas=(Area(area_desc=WORDS["area_desc"]),),
        expires=step.now + VALID,
        note=f"self test of {channel}",
        **words,
    )
    info = kinds.info(office, fields, kind)
    alert = compose.write(
        fields,
        info,
        sender=office.settings.sender,
        identifier="unassigned",
        now=step.now,
        zone=office.settings.zone,
    )
    changes = Changes(channels=(channel,))
    return await new_warning(step, office, kinds.put(office, alert, kind), kind, "drill", changes)


async def _freeze(step: Step, office: Office, row: AlertRow, channel: str, address: str) -> AlertRow:
    """Bind words, the one recipient and the rule with the digest, as a submission does."""
    alert = compose.stamped(alert_of(row), (), step.now, office.settings.zone)
    check_ready(alert, row.mode, step.now)
    language = alert.infos[0].language or "zh-CN"
    list_id = await self_tests.list_of_one(step.connection, step.actor, channel, address, language)
    frozen = _frozen(step, office, row, alert, channel) | {"target_list_id": list_id}
    row = await step.change(row, "submit", **columns_of(alert), **frozen, submitted_at=step.now)
    digest = digest_of(row, await store.target_list(step.connection, list_id))
    await store.change_alert(step.connection, row.id, digest=digest)
    step.record("submit", row.id, digest=digest, version=row.version, targets=1, approvers=0)
    return await step.change(row, "approve", approved_at=step.now)


def _frozen(step: Step, office: Office, row: AlertRow, alert: Alert, channel: str) -> dict[str, Any]:
    draft = Draft(alert, row.level, row.mode, channels=[channel], reference=new_reference(), reply_to="")
    grounds = "a person of the desk tests a channel with the own address"
    plan = plan_of(draft, 0) | {
        "authors": [step.actor],
        "findings": [],
        "by_rule": {"source": self_tests.MARK, "grounds": grounds},
        self_tests.MARK: step.actor,
    }
    return {"texts": render(office, draft), "plan": plan}
