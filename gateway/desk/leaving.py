"""The moment an alert leaves the desk: everything is compared once more, then the engine takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway import audience
from gateway.alerts.language import tag_of
from gateway.alerts.model import Alert, MsgType, ResponseType, Urgency
from gateway.alerts.write import write as write_xml
from gateway.desk import chain, compose
from gateway.desk.freeze import digest_of, facts_of, languages_of
from gateway.desk.refused import DeskRefused
from gateway.desk.register import identifiers, insert
from gateway.desk.signing import check_signed
from gateway.desk.steps import alert_of, move
from gateway.dispatch.contents import CONFIRM
from gateway.dispatch.plan import NothingToSendError, Opening, open_release
from gateway.store import desk as store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.desk.office import Office
    from gateway.desk.steps import Step
    from gateway.dispatch.contents import Texts
    from gateway.store.desk import AlertRow

ENDS = {MsgType.UPDATE: "update", MsgType.CANCEL: "cancel"}
"""What a follower does to the alert that it supersedes."""


class Released(NamedTuple):
    """A release as the desk reports it."""

    id: int
    reference: str
    deliveries: dict[str, int]
    """Planned deliveries by channel; empty where the release was there already."""


async def leave(step: Step, office: Office, row: AlertRow) -> Released:
    """Release an approved alert inside the step; the caller has checked who asks for it."""
    await _check_state(step, office, row)
    await check_unchanged(step, row)
    check_routes(office, row)
    await check_signed(step, office, row)
    alert = alert_of(row)
    if row.supersedes is not None:
        await supersede(step, row)
    opened = await _open(step, office, row)
    await step.change(row, "release", xml=write_xml(alert))
    step.record("release", row.id, digest=row.digest, release=opened.reference, deliveries=opened.deliveries)
    if alert.msg_type != MsgType.CANCEL:
        await prepare_cancel(step, office, row)
    return opened


async def check(step: Step, office: Office, row: AlertRow) -> None:
    """Refuse what :func:`leave` would refuse, without comparing the recipients one by one."""
    await _check_state(step, office, row)
    _check_not_ended(step, row)
    check_routes(office, row)
    await check_signed(step, office, row)


async def _check_state(step: Step, office: Office, row: AlertRow) -> None:
    if row.state in {"withdrawn", "expired"}:
        raise DeskRefused(
            "state",
            f"not sent: alert {row.id} is {row.state}",
            why="not_sent",
            alert=row.id,
            state=row.state,
        )
    if row.state == "submitted":  # say what is missing rather than that it cannot be done
        await check_signed(step, office, row)
    move(row, "release")


def _check_not_ended(step: Step, row: AlertRow) -> None:
    if row.expires <= step.now:
        raise DeskRefused(
            "expired",
            f"alert {row.id} ended at {row.expires.isoformat()}: edit it (--expires TIME) and have it "
            f"approved again, or withdraw it",
            why="to_release",
            alert=row.id,
            ended=row.expires,
        )


async def check_unchanged(step: Step, row: AlertRow) -> None:
    """Refuse unless what lies in the database is what was signed, target by target, and still valid."""
    assert row.target_list_id is not None
    _check_not_ended(step, row)
    targets = await store.target_list(step.connection, row.target_list_id)
    alert = alert_of(row)
    same = (
        await audience.verify_digest(step.connection, row.target_list_id)
        and digest_of(row, targets) == row.digest
        and (alert.identifier, alert.sent, alert.expires) == (row.identifier, row.sent, row.expires)
    )
    if not same:
        raise DeskRefused(
            "changed",
            f"alert {row.id} is not what was approved: edit and submit it again",
            why="tampered",
            alert=row.id,
        )


def check_routes(office: Office, row: AlertRow) -> None:
    """Refuse where a channel of the signed plan has lost its route: fewer people would be reached."""
    assert row.plan is not None
    if lost := sorted(set(row.plan["channels"]) - set(office.channels(row.mode))):
        raise DeskRefused(
            "route",
            f"channel {lost[0]} has no {row.mode} route any more: edit and submit again",
            channel=lost[0],
        )


async def _open(step: Step, office: Office, row: AlertRow) -> Released:
    assert row.plan is not None
    assert row.texts is not None
    assert row.digest is not None
    assert row.target_list_id is not None
    opening = Opening(
        alert_id=row.id,
        warning_id=row.warning_id,
        mode=row.mode,
        lane=row.plan["lane"],
        digest=row.digest,
        target_list_id=row.target_list_id,
        texts=in_order(row.texts, languages_of(alert_of(row))),
        resend_unknown=row.plan["resend_unknown"],
        expires=row.expires,
        released_by=step.actor,
        channels=row.plan["channels"],
        rates=office.rates(row.mode),
        first=row.msg_type == MsgType.CANCEL,
        reference=row.plan["reference"],
    )
    try:
        return Released(*await open_release(step.connection, opening))
    except NothingToSendError as error:
        raise DeskRefused("nobody", str(error)) from None


def in_order(texts: Texts, languages: list[str]) -> Texts:
    """Return the texts in the order of the alert's languages, which the database does not keep.

    Who wants a language that the alert does not speak gets the first one.
    """
    return {
        channel: {key: spoken[key] for tag in languages for key in (tag, tag + CONFIRM) if key in spoken}
        for channel, spoken in texts.items()
    }


async def supersede(step: Step, row: AlertRow) -> None:
    """End the alert that this one replaces: its state, its release, and its prepared Cancel."""
    assert row.supersedes is not None
    old = await step.read(row.supersedes)
    action = ENDS[MsgType(row.msg_type)]
    await step.change(old, action)
    await store.stop_release(step.connection, old.id)
    step.record(action, old.id, by=row.id)
    if action == "update":
        await drop_cancel(step, old)


async def halt(step: Step, cancel: AlertRow) -> None:
    """Stop sending the warning that a Cancel takes back, in a step before the Cancel leaves.

    Planning the Cancel takes seconds for many people, and until that is committed no worker would know
    that it must stop. Where the Cancel then cannot leave, its warning stays stopped, and an alarm says so
    (:func:`gateway.desk.calling.call_canceller`).
    """
    assert cancel.supersedes is not None
    if await store.stop_release(step.connection, cancel.supersedes):
        step.record("stop", cancel.supersedes, by=cancel.id)


async def drop_cancel(step: Step, old: AlertRow) -> None:
    """Withdraw the prepared Cancel of an alert that is no longer in force."""
    cancel = await store.prepared_cancel(step.connection, old.id)
    if cancel is not None and cancel.state in {"draft", "submitted", "approved"}:
        await step.change(cancel, "withdraw")
        step.record("withdraw", cancel.id, reason=f"alert {old.id} is no longer in force")


async def prepare_cancel(step: Step, office: Office, row: AlertRow) -> int:
    """Write the Cancel of a released alert, ready to be submitted: same people, same channels.

    Where an Update narrowed the warning, that is everybody who was told before it as well; their
    list is put together when the Cancel is submitted.
    """
    zone = office.settings.zone
    told = await chain.standing(step, row.warning_id)

    def made(identifier: str) -> Alert:
        follower = compose.follow(
            alert_of(row),
            MsgType.CANCEL,
            chain.references(told),
            identifier=identifier,
            now=step.now,
            zone=zone,
        )
        return cancel_words(chain.widened(follower, told), office, told)

    number = await insert(
        step,
        identifiers(office, step),
        made,
        warning_id=row.warning_id,
        hazard=row.hazard,
        level=row.level,
        mode=row.mode,
        author=row.author,
        supersedes=row.id,
        target_list_id=row.target_list_id if len(told) == 1 else None,
        plan={"channels": chain.channels_of(told), "authors": []},
    )
    step.record("prepare_cancel", number, of=row.id)
    return number


def cancel_words(alert: Alert, office: Office, told: Sequence[AlertRow]) -> Alert:
    """Return the alert with the words that take these messages back, in each of its languages."""
    infos = []
    for language in languages_of(alert):
        words = _cancel_text(office, told, language)
        over = {"response_types": (ResponseType.ALL_CLEAR,), "urgency": Urgency.PAST, "resources": ()}
        infos += [info.model_copy(update=words | over) for info in alert.infos if tag_of(info) == language]
    return alert.model_copy(update={"infos": tuple(infos)})


def _cancel_text(office: Office, told: Sequence[AlertRow], language: str) -> dict[str, str]:
    """Return the words for the youngest message; each other kind of warning is named with it.

    Whom a milder Update no longer reached knows only the warning that came before it.
    """
    said: dict[tuple[str, str], dict[str, str]] = {}
    for row in reversed(told):
        alert = alert_of(row)
        if language in languages_of(alert):
            facts = facts_of(alert, row.level, language)
            words = office.templates.cancel_text(facts, office.settings.zone)
            said.setdefault((row.level, facts.event), words)
    youngest, *_ = said.values()
    return youngest | {"description": "\n".join(words["description"] for words in said.values())}
