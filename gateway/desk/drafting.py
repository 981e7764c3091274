"""Draft and change alerts; used by :mod:`gateway.desk.service` inside its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gateway.alerts.model import Alert, Area, MsgType, ValuePair
from gateway.audience.area import of_region
from gateway.desk import chain, compose, kinds
from gateway.desk.checks import check_end
from gateway.desk.refused import DeskRefused
from gateway.desk.register import identifiers, insert, rewrite
from gateway.desk.steps import alert_of, move
from gateway.store import desk as store

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.desk.compose import Changes, Fields
    from gateway.desk.kinds import Kind
    from gateway.desk.office import Office
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow


async def new_warning(
    step: Step,
    office: Office,
    alert: Alert,
    kind: Kind,
    mode: str,
    changes: Changes,
    **origin: Any,  # noqa: ANN401
) -> AlertRow:
    """Open a warning and draft its first alert."""
    number = await insert(
        step,
        identifiers(office, step),
        lambda name: alert.model_copy(update={"identifier": name}),
        warning_id=await store.insert_warning(step.connection, kind.hazard, step.actor, step.now),
        hazard=kind.hazard,
        level=kind.level,
        mode=mode,
        author=step.actor,
        plan={"channels": channels(office, mode, changes.channels), "authors": [step.actor]},
        **origin,
    )
    step.record(
        "draft",
        number,
        mode=mode,
        level=kind.level,
        level_from=kind.origin,
        hazard=kind.hazard,
        origin=origin.get("original_key", ""),
    )
    return await step.read(number)


async def from_fields(step: Step, office: Office, fields: Fields, changes: Changes) -> AlertRow:
    """Draft a warning that is written at the desk."""
    kind = kinds.known(office, fields.hazard, fields.level)
    areas = (await region_area(step, changes.region),) if changes.region else fields.areas
    if not areas:
        raise DeskRefused("area", "the warning has no area: name a region (--region)")
    alert = written(office, fields.model_copy(update={"areas": areas}), kind, step.now)
    check_end(alert, step.now)
    return await new_warning(step, office, alert, kind, fields.mode, changes)


def written(office: Office, fields: Fields, kind: Kind, now: datetime) -> Alert:
    """Return the message of a warning that is written at the desk, before it has an identifier."""
    zone, sender = office.settings.zone, office.settings.sender
    try:
        info = kinds.info(office, fields, kind)
        alert = compose.write(fields, info, sender=sender, identifier="unassigned", now=now, zone=zone)
        return kinds.put(office, compose.translated(alert, fields.also), kind)
    except ValidationError as error:
        raise DeskRefused("fields", _at_fault(error)) from None


async def edit(step: Step, office: Office, row: AlertRow, changes: Changes) -> AlertRow:
    """Change an alert; it becomes a draft of the next version, and every signature is void."""
    move(row, "edit")
    if row.msg_type == MsgType.CANCEL and changes.beyond_words():
        raise DeskRefused(
            "cancel_fixed", "only the words of a Cancel change: it goes to whom the warning went"
        )
    if changes.region is not None:
        changes = changes.model_copy(update={"areas": (await region_area(step, changes.region),)})
    alert, kind = edited(office, row, changes)
    plan = {"channels": channels(office, row.mode, changes.channels)} if changes.channels is not None else {}
    return await rewrite(step, row, alert, hazard=kind.hazard, level=kind.level, plan=plan)


def edited(office: Office, row: AlertRow, changes: Changes) -> tuple[Alert, Kind]:
    """Return what an alert says and warns of with the changes made; a region must be an area by then."""
    kind = kinds.known(office, changes.hazard or row.hazard, changes.level or row.level)
    alert = kinds.put(office, _with(alert_of(row), changes), kind)
    entry = office.hazards.by_key(kind.hazard)
    if entry is None or kind.hazard == row.hazard:
        return alert, kind
    infos = tuple(info.model_copy(update={"categories": (entry.category,)}) for info in alert.infos)
    return alert.model_copy(update={"infos": infos}), kind


async def open_update(step: Step, office: Office, row: AlertRow) -> AlertRow:
    """Draft an Update that says what the released alert says, or return the one in work."""
    return await follow(step, office, row, alert_of(row), kinds.Kind(row.hazard, row.level), compose.NOTHING)


async def follow(
    step: Step,
    office: Office,
    old: AlertRow,
    alert: Alert,
    kind: Kind,
    changes: Changes,
    **origin: Any,  # noqa: ANN401
) -> AlertRow:
    """Draft an Update of an alert in force, or of one that has just expired; one is in work at a time."""
    if (begun := await store.update_in_work(step.connection, old.id)) is not None and not origin:
        return begun
    if begun is not None:
        raise DeskRefused(
            "update_begun",
            f"alert {begun.id} is an Update of alert {old.id} in work already",
            alert=begun.id,
            old=old.id,
        )
    move(old, "update")
    if old.msg_type == MsgType.CANCEL:
        raise DeskRefused(
            "state", f"alert {old.id} is a Cancel: draft a new warning instead", why="is_cancel", alert=old.id
        )
    references = chain.references(await chain.standing(step, old.warning_id, old.id))
    zone = office.settings.zone
    number = await insert(
        step,
        identifiers(office, step),
        lambda name: compose.follow(
            alert, MsgType.UPDATE, references, identifier=name, now=step.now, zone=zone
        ),
        warning_id=old.warning_id,
        hazard=kind.hazard,
        level=kind.level,
        mode=old.mode,
        author=step.actor,
        supersedes=old.id,
        plan={"channels": channels(office, old.mode, changes.channels), "authors": [step.actor]},
        **origin,
    )
    step.record("draft", number, update_of=old.id, origin=origin.get("original_key", ""))
    return await step.read(number)


def channels(office: Office, mode: str, wanted: tuple[str, ...] | None) -> list[str]:
    """Return the channels to send on, all that have a route for the mode unless some are wanted."""
    offered = office.channels(mode)
    if not offered:
        raise DeskRefused(
            "channels", f"no channel has a {mode} route: set one in [channels.NAME.{mode}]", why="no_route"
        )
    if wanted is None:
        return offered
    if unknown := sorted(set(wanted) - set(offered)):
        raise DeskRefused(
            "channels",
            f"channel {unknown[0]} has no {mode} route: one of {', '.join(offered)}",
            why="unknown",
            channel=unknown[0],
        )
    if not wanted:
        raise DeskRefused("channels", "name at least one channel", why="none")
    return sorted(set(wanted))


async def region_area(step: Step, code: str) -> Area:
    """Return the area of a region that the desk chooses by its code."""
    padded = code.ljust(12, "0")
    name = await store.region_name(step.connection, padded)
    if name is None:
        raise DeskRefused("region", f"there is no region {code}", region=code)
    ((value_name, value),) = of_region(padded).geocodes
    return Area(area_desc=name, geocodes=(ValuePair(value_name=value_name, value=value),))


async def with_changes(step: Step, alert: Alert, changes: Changes) -> Alert:
    """Return the alert with what the author decides otherwise, or refuse what cannot be said."""
    if changes.region is not None:
        changes = changes.model_copy(update={"areas": (await region_area(step, changes.region),)})
    return _with(alert, changes)


def _with(alert: Alert, changes: Changes) -> Alert:
    try:
        return compose.changed(alert, changes)
    except LookupError:
        raise DeskRefused(
            "language",
            f"the alert has no text in language {changes.language}",
            why="no_text",
            language=changes.language,
        ) from None
    except ValidationError as error:
        raise DeskRefused("fields", _at_fault(error)) from None


def _at_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    # The only pattern of free text in the model is what XML can write.
    patterned = first["type"] == "string_pattern_mismatch"
    if patterned and first["loc"][-1] == "language":
        return "language: is no language tag, e.g. zh-CN or en"
    said = "has a control character, which XML cannot write: take it out" if patterned else first["msg"]
    return f"{'.'.join(map(str, first['loc']))}: {said}"
