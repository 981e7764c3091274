"""What the draft page shows while somebody types: levels, texts to begin with, audience and previews.

Each part is made of the whole form, by the functions that save and submit it, and changes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway import audience
from gateway.alerts.hazards import Level
from gateway.alerts.model import MsgType
from gateway.audience.area import AreaRefused, from_alert, text_of
from gateway.audience.resolve import all_regions
from gateway.desk import compose, drafting, kinds, unusual
from gateway.desk.freeze import Draft
from gateway.desk.phrases import Case, Phrases
from gateway.desk.preview import overlap, preview, reached
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import alert_of
from gateway.share import share
from gateway.store import desk as alerts
from gateway.store import drafts as store
from gateway.web.console import draft_form, refusals
from gateway.web.console.draft_form import OTHER, Form, FormRefused, Said
from gateway.web.console.filters import N_
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aiohttp import web

    from gateway.alerts.model import Alert
    from gateway.audience import Audience
    from gateway.desk.compose import Changes
    from gateway.desk.kinds import Kind
    from gateway.desk.preview import Preview
    from gateway.desk.unusual import Compared
    from gateway.store.desk import AlertRow
    from gateway.web.console.draft_form import Checked
    from gateway.web.console.visit import Visit

routes = Routes()

USUAL = timedelta(hours=6)
"""How long a new warning holds unless somebody says otherwise."""
_MOST_SIMILAR = 5

MISSING = N_("Still missing: hazard, level, area or end.")
FIELDS = {
    "event": N_("Kind of hazard"),
    "level": N_("Level"),
    "start": N_("Begin and end"),
    "area": N_("Area that may be affected"),
    "description": N_("What is to be expected"),
    "instruction": N_("What people should do"),
    "sender name": N_("Issuing authority"),
    "sent": N_("Time of issue"),
}
"""The eight statutory fields."""
UNITS = {"gsm": N_("GSM characters"), "ucs2": N_("UCS-2 characters"), "characters": N_("plain characters")}


class Made(NamedTuple):
    """A form as the message that it would become."""

    checked: Checked
    alert: Alert
    kind: Kind
    changes: Changes
    """Against the alert that is edited; nothing for a new one."""

    @property
    def form(self) -> Form:
        """The form that it was made of."""
        return self.checked.form


class Similar(NamedTuple):
    """A warning of the same hazard that the draft may double."""

    row: AlertRow
    area: str
    release: int | None


@cache
def phrases() -> Phrases:
    """Return the texts to begin with, read once."""
    return Phrases(share("templates/messages/phrases.toml"))


async def edited_row(visit: Visit) -> AlertRow | None:
    """Return the alert that the form edits; None for a new one."""
    number = await visit.text("alert")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and int(number)):  # noqa: PLR2004
        return None
    return (await visit.console.desk.show(int(number))).alert


async def make(visit: Visit, form: Form, row: AlertRow | None, *, whole: bool) -> Made:
    """Return the message that the form says.

    Raises:
        FormRefused: a field cannot be used.
        DeskRefused: the desk does not take the message.
    """
    office, zone = visit.console.office, visit.console.zone
    old = draft_form.of_alert(row, alert_of(row), zone, form.key) if row else None
    checked = draft_form.check(form, office, await _names(visit, form), zone, old=old, whole=whole)
    if row is None or old is None:
        kind = kinds.known(office, form.hazard, form.level)
        alert = drafting.written(office, draft_form.fields(checked, office), kind, visit.now)
        return Made(checked, _numbered(visit, alert), kind, compose.NOTHING)
    changes = draft_form.changes(checked, old, office)
    return Made(checked, *drafting.edited(office, row, changes), changes)


def _numbered(visit: Visit, alert: Alert) -> Alert:
    settings = visit.console.office.settings
    name = next(compose.identifiers(settings.issuer_code, visit.now, settings.zone))
    return alert.model_copy(update={"identifier": name})


async def _names(visit: Visit, form: Form) -> dict[str, str]:
    choice = draft_form.parse_or_none(form.area)
    if choice is None or not choice.regions:
        return {}
    async with visit.console.database.begin() as connection:
        return await store.names_of_places(connection, choice.regions)


@routes.post("/drafts/kind", "draft")
async def kind(visit: Visit) -> web.StreamResponse:
    """Show the levels that the chosen hazard has."""
    form = draft_form.read(await visit.form())
    return visit.render("draft/levels.html", form=form, levels=levels_of(visit, form), faults={})


def levels_of(visit: Visit, form: Form) -> tuple[Level, ...]:
    """Return the levels that may be chosen, gravest first."""
    entry = visit.console.office.hazards.by_key(form.hazard)
    if entry is not None:
        return entry.colours
    return tuple(Level) if form.hazard == OTHER else ()


@routes.post("/drafts/fill", "draft")
async def fill(visit: Visit) -> web.StreamResponse:
    """Show the texts of the form filled from the template of its hazard and level."""
    form = await filled(visit, draft_form.read(await visit.form()))
    return visit.render("draft/texts.html", form=form, **texts_of(visit, form))


def texts_of(visit: Visit, form: Form) -> dict[str, Any]:
    """Return what the part of the page with the texts shows besides the form."""
    names = {one.language: draft_form.OFFERED.get(one.language, one.language) for one in form.said}
    offered = {tag: name for tag, name in draft_form.OFFERED.items() if form.of(tag) is None}
    own = phrases().has(form.hazard, form.level)
    return {
        "names": names, "offered": offered, "own_phrases": own, "OTHER": OTHER, "faults": {}, "stored": {},
        "issuer": visit.console.office.settings.name,
    }  # fmt: skip


async def filled(visit: Visit, form: Form) -> Form:
    """Return the form with headline, description and instruction from the template, in each language."""
    office, names = visit.console.office, await _names(visit, form)
    entry = office.hazards.by_key(form.hazard)
    if form.level not in list(Level) or (entry is None and form.hazard != OTHER):
        return form
    choice = draft_form.parse_or_none(form.area) or draft_form.Choice()
    area = [names[code] for code in choice.regions if code in names]
    begin, end = _span(visit, form)
    said = []
    for one in form.said:
        case = Case(
            entry,
            one.event,
            form.level,
            [*area, *([form.area_name] if choice.drawn and form.area_name else [])],
            one.sender_name or office.settings.name,
            begin,
            end,
            visit.console.zone,
        )
        said.append(one.model_copy(update=phrases().say(form.hazard, one.language, case)._asdict()))
    return form.model_copy(update={"said": said})


def _span(visit: Visit, form: Form) -> tuple[datetime, datetime]:
    begin = draft_form.moment(form.onset, visit.console.zone) or visit.now
    end = draft_form.moment(form.expires, visit.console.zone) or begin + USUAL
    return begin, max(end, begin)


@routes.post("/drafts/audience", "draft", "cancel")
async def reach(visit: Visit) -> web.StreamResponse:
    """Show whom the form reaches, and which warnings it may double."""
    form, row = draft_form.read(await visit.form()), await edited_row(visit)
    return visit.render("draft/audience.html", **await look_at_audience(visit, form, row))


async def look_at_audience(visit: Visit, form: Form, row: AlertRow | None) -> dict[str, Any]:
    """Return what the part of the page about people shows."""
    try:
        made = await make(visit, form, row, whole=False)
    except FormRefused:
        return _no_audience(visit.say(MISSING))
    except DeskRefused as error:
        return _no_audience(sentence(visit, error))
    area = from_alert(made.alert)
    if area.is_empty and not area.lost:
        return _no_audience(visit.say(draft_form.NO_AREA)) | {"similar": await _similar(visit, made, row)}
    try:
        found = await audience.resolve(
            visit.console.database,
            area,
            level=made.kind.level,
            text=text_of(made.alert),
            group=visit.console.office.group(form.mode),
        )
    except AreaRefused as error:
        return _no_audience(sentence(visit, DeskRefused(f"area_{error.code}", error.sentence)))
    similar = await _similar(visit, made, row)
    compared = await _compared(visit, made, found)
    return {"reached": _counted(visit, made, found, compared), "refusal": "", "similar": similar}


def _no_audience(why: str) -> dict[str, Any]:
    return {"reached": None, "refusal": why, "similar": []}


async def _compared(visit: Visit, made: Made, found: Audience) -> Compared | None:
    """Return what the number of people would be compared with if this were submitted now."""
    if made.alert.msg_type == MsgType.CANCEL:
        return None
    case = unusual.case_of(made.kind.hazard, made.kind.level, found, found.people)
    async with visit.console.database.begin() as connection:
        return await unusual.compare(connection, visit.console.office.policy, case, visit.now)


def _counted(visit: Visit, made: Made, found: Audience, compared: Compared | None) -> dict[str, Any]:
    policy, channels = visit.console.office.policy, made.checked.channels
    base = policy.needed(made.kind.level, "Alert", 0)
    further = compared["further"] if compared else 0
    needed = policy.needed(made.kind.level, "Alert", found.people, further)
    return {
        "people": found.people,
        "unreachable": found.unreachable,
        "townships": [(found.names.get(code, code), people) for code, people in found.per_township.items()],
        "roles": found.per_role,
        "channels": {name: found.per_channel.get(name, 0) for name in channels},
        "findings": [refusals.remark(visit, one.code, one.path, one.message) for one in found.findings],
        "approvers": needed,
        "crowd": needed > base,
        "unusual": [refusals.finding(visit, one) for one in unusual.findings(compared, found.people)],
    }


async def _similar(visit: Visit, made: Made, row: AlertRow | None) -> list[Similar]:
    """Return warnings of the same hazard whose area meets that of the form; all of them before it has one."""
    database = visit.console.database
    async with database.begin() as connection:
        rows = await store.similar(
            connection, made.kind.hazard, made.form.mode, visit.now, row.id if row else None
        )
        rows = [one for one in rows if row is None or one.warning_id != row.warning_id]
        releases = {one.id: await alerts.release_of(connection, one.id) for one in rows[:_MOST_SIMILAR]}
    if not rows:
        return []
    regions = await all_regions(database)
    mine = reached(from_alert(made.alert), regions)
    found = []
    for one in rows[:_MOST_SIMILAR]:
        area = from_alert(alert_of(one))
        theirs = reached(area, regions)
        if mine is None or theirs is None or overlap(mine, theirs):
            release = releases[one.id]
            found.append(Similar(one, area.description, release.id if release else None))
    return found


@routes.post("/drafts/preview", "draft", "cancel")
async def show(visit: Visit) -> web.StreamResponse:
    """Show the eight fields, the findings, and each text exactly as it would go out."""
    form, row = draft_form.read(await visit.form()), await edited_row(visit)
    return visit.render("draft/preview.html", **await look_at_texts(visit, form, row))


async def look_at_texts(visit: Visit, form: Form, row: AlertRow | None) -> dict[str, Any]:
    """Return what the part of the page about texts shows."""
    try:
        made = await make(visit, form, row, whole=False)
        looked = previewed(visit, made)
    except FormRefused as refused:
        return {"preview": None, "faults": [visit.say(*one) for one in _told(refused)], "refusals": []}
    except DeskRefused as error:
        return {"preview": None, "faults": [], "refusals": [sentence(visit, error)]}
    return {
        "preview": looked,
        "faults": [],
        "refusals": [sentence(visit, one) for one in looked.refusals],
        "errors": _findings(visit, looked, "error"),
        "warnings": _findings(visit, looked, "warning"),
        "FIELDS": FIELDS,
        "UNITS": UNITS,
        "many": len(looked.fields) > 1,
    }


def _told(refused: FormRefused) -> Sequence[tuple[str]]:
    return sorted({(words,) for words, values in refused.faults.values() if not values})


def _findings(visit: Visit, looked: Preview, severity: str) -> list[str]:
    """Return the findings of one weight in words, each said once however many languages it is in."""
    found = (one for one in looked.findings if one.severity == severity)
    return list(dict.fromkeys(refusals.remark(visit, one.code, one.path, one.message) for one in found))


def previewed(visit: Visit, made: Made) -> Preview:
    """Return the texts of the form as they would be frozen at this moment."""
    draft = Draft(
        alert=made.alert,
        level=made.kind.level,
        mode=made.form.mode,
        channels=list(made.checked.channels),
        reference="preview",
        reply_to="",
    )
    return preview(visit.console.office, draft, visit.now)


def sentence(visit: Visit, error: DeskRefused) -> str:
    """Return a refusal in words for the person who looks."""
    return refusals.words(visit, error)


def with_language(form: Form, tag: str) -> Form:
    """Return the form with another language, or as it is where that is not offered or there already."""
    if tag not in draft_form.OFFERED or form.of(tag):
        return form
    return form.model_copy(update={"said": [*form.said, Said(language=tag)]})
