"""The draft page (录入): write a warning, look at what it would do, save it, and submit it for approval."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gateway.alerts.hazards import Level
from gateway.alerts.model import Certainty, ResponseType, Urgency
from gateway.desk import drills, notes
from gateway.desk.compose import NOTHING, Changes
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import alert_of
from gateway.store import desk as alerts
from gateway.store import drafts as store
from gateway.store.faults import DATABASE_FAULTS, took_back
from gateway.web.console import draft_form, draft_preview
from gateway.web.console.draft_form import Form, FormRefused
from gateway.web.console.draft_preview import USUAL, make, sentence
from gateway.web.console.filters import N_
from gateway.web.console.once import number
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.store.desk import AlertRow
    from gateway.store.drafts import Place, Unsaved
    from gateway.web.console.visit import Visit

routes = Routes()

CERTAINTIES = {
    "Observed": N_("Observed (has happened)"),
    "Likely": N_("Likely (more than half)"),
    "Possible": N_("Possible (less than half)"),
    "Unlikely": N_("Unlikely"),
    "Unknown": N_("Not known"),
}
URGENCIES = {
    "Immediate": N_("Act at once"),
    "Expected": N_("Act soon (within the hour)"),
    "Future": N_("Act in time (later)"),
    "Past": N_("No action is needed any more"),
    "Unknown": N_("Not known"),
}
RESPONSES = {
    "Shelter": N_("Take shelter"),
    "Evacuate": N_("Leave the area"),
    "Prepare": N_("Get prepared"),
    "Execute": N_("Follow the plan"),
    "Avoid": N_("Avoid the danger"),
    "Monitor": N_("Watch for news"),
    "Assess": N_("Assess"),
    "AllClear": N_("All clear"),
    "None": N_("No action"),
}
"""CAP's words and what the page calls them."""
WORDS = (
    (CERTAINTIES, "certainty", Certainty),
    (URGENCIES, "urgency", Urgency),
    (RESPONSES, "response", ResponseType),
)
_KEY = re.compile(r"[0-9A-Za-z_-]{16,64}")
_LARGEST_KEPT = 300_000
_OPEN = frozenset({"draft", "submitted", "approved"})


@routes.get("/alerts/new", "draft")
async def new(visit: Visit) -> web.StreamResponse:
    """Show an empty form, one that was left unsaved, or a copy of an alert."""
    mode = "drill" if visit.request.query.get("mode") == "drill" else "live"
    await _check_drill(visit, mode)
    copied = visit.request.query.get("from", "")
    if copied.isascii() and copied.isdigit():
        return await _page(visit, await _copy(visit, int(copied[:18]), mode), None)
    async with visit.console.database.begin() as connection:
        left = await store.latest_kept(connection, visit.login, mode)
    form = _restored(left) if left else None
    return await _page(visit, form or _empty(visit, mode), None, left=left if form else None)


async def _check_drill(visit: Visit, mode: str) -> None:
    if mode == "drill":
        await drills.need_running(visit.console.database)


def _empty(visit: Visit, mode: str) -> Form:
    office = visit.console.office
    name = office.settings.name
    return Form(
        key=number(),
        mode=mode,
        expires=draft_form.local(visit.now + USUAL, visit.console.zone),
        channels=office.channels(mode),
        said=[draft_form.Said(language="zh-CN", sender_name=name)],
    )


async def _copy(visit: Visit, alert_id: int, mode: str) -> Form:
    row = (await visit.console.desk.show(alert_id)).alert
    empty = _empty(visit, mode)
    copy = draft_form.of_alert(row, alert_of(row), visit.console.zone, empty.key)
    fresh = {"version": 0, "mode": mode, "onset": "", "expires": empty.expires, "channels": empty.channels}
    return copy.model_copy(update=fresh)


def _restored(left: Unsaved) -> Form | None:
    try:
        return Form.model_validate(left.form | {"key": left.key, "mode": left.mode})
    except ValueError:  # kept by another version of this page
        return None


@routes.get(r"/alerts/{id:\d{1,18}}/edit", "draft", "cancel")
async def edit(visit: Visit) -> web.StreamResponse:
    """Show an alert in its form, with what the person typed and did not save."""
    row = await _editable(visit)
    async with visit.console.database.begin() as connection:
        left = await store.kept(connection, visit.login, _key(row, visit.login))
    stands = draft_form.of_alert(row, alert_of(row), visit.console.zone, _key(row, visit.login))
    form = _restored(left) if left else None
    if form is not None and not draft_form.differing(form, stands):
        form = None
    refused = "refused" in visit.request.query
    return await _page(visit, form or stands, row, left=left if form else None, look=refused, unsent=refused)


async def _editable(visit: Visit) -> AlertRow:
    row = (await visit.console.desk.show(visit.number())).alert
    if row.state not in _OPEN:
        raise DeskRefused(
            "state",
            f"alert {row.id} is {row.state}: it is not changed any more",
            why="not_now",
            alert=row.id,
            state=row.state,
        )
    return row


def _key(row: AlertRow | None, login: str, own: str = "") -> str:
    return f"alert {row.id} {login}" if row else own


@routes.post("/alerts/new", "draft")
async def create(visit: Visit) -> web.StreamResponse:
    """Save a new draft, and submit it where that was asked for."""
    form = draft_form.read(await visit.form())
    form = form.model_copy(update={"version": 0})
    if not _KEY.fullmatch(form.key):
        form = form.model_copy(update={"key": number()})
    await _check_drill(visit, form.mode)
    return await _posted(visit, form, None)


@routes.post(r"/alerts/{id:\d{1,18}}/edit", "draft", "cancel")
async def save(visit: Visit) -> web.StreamResponse:
    """Save what was changed in an alert, and submit it where that was asked for."""
    row = await _editable(visit)
    form = draft_form.read(await visit.form())
    fixed = {"mode": row.mode, "key": _key(row, visit.login)}
    return await _posted(visit, form.model_copy(update=fixed), row)


async def _posted(visit: Visit, form: Form, row: AlertRow | None) -> web.StreamResponse:
    do = await visit.text("do")
    if do in {"save", "submit"}:
        return await _save(visit, form, row, submit=do == "submit")
    if do == "fill":
        form = await draft_preview.filled(visit, form)
    elif do == "clean":
        form = draft_form.cleaned(form)
    elif do.startswith("add "):
        form = draft_preview.with_language(form, do.removeprefix("add "))
    return await _page(visit, form, row, look=True)


async def _save(visit: Visit, form: Form, row: AlertRow | None, *, submit: bool) -> web.StreamResponse:
    try:
        saved = await _saved(visit, form, row)
    except FormRefused as refused:
        return await _page(visit, form, row, faults=refused.faults, status=422)
    except DeskRefused as error:
        if error.code == "changed" and row is not None:
            return await _conflict(visit, form)
        return await _page(visit, form, row, refusal=sentence(visit, error), status=422)
    if not submit:
        return visit.go(f"/alerts/{saved.id}/edit")
    return visit.go(await _submitted(visit, saved))


async def _submitted(visit: Visit, saved: AlertRow) -> str:
    """Ask for approval; return the page of the alert, or of its draft where it stays one."""
    try:
        await visit.console.desk.submit(saved.id, visit.login, saved.version)
    except DeskRefused:
        return f"/alerts/{saved.id}/edit?refused=1"
    except DATABASE_FAULTS as error:
        if not took_back(error):
            raise
        return f"/alerts/{saved.id}/edit"  # the draft is kept: the form must not write it a second time
    return f"/alerts/{saved.id}"


async def _saved(visit: Visit, form: Form, row: AlertRow | None) -> AlertRow:
    desk, made = visit.console.desk, await make(visit, form, row, whole=True)
    if row is None:
        fields = draft_form.fields(made.checked, visit.console.office)
        saved = await desk.draft(fields, visit.login, Changes(channels=made.checked.channels))
    elif made.changes == NOTHING and form.version == row.version:
        saved = row
    else:
        saved = await desk.edit(row.id, visit.login, made.changes, version=form.version)
    async with visit.console.database.begin() as connection:
        if row is None:
            await store.close(connection, visit.login, form.key, form.mode, visit.now)
        else:
            await store.drop(connection, visit.login, form.key)
    return saved


async def _conflict(visit: Visit, form: Form) -> web.StreamResponse:
    """Show the person's own text beside what somebody else saved meanwhile; saving again takes the own."""
    row = await _editable(visit)
    theirs = draft_form.of_alert(row, alert_of(row), visit.console.zone, form.key)
    mine = form.model_copy(update={"version": row.version})
    return await _page(visit, mine, row, theirs=theirs, status=409)


@routes.post("/drafts/keep", "draft", "cancel")
async def keep(visit: Visit) -> web.StreamResponse:
    """Keep what stands in the form, unsaved; answers with the time."""
    form, row = draft_form.read(await visit.form()), await draft_preview.edited_row(visit)
    key = _key(row, visit.login, form.key)
    text = form.model_dump_json()
    worth = row is not None or (_KEY.fullmatch(key) and form.begun())
    if not worth or len(text) > _LARGEST_KEPT:
        return visit.render("draft/kept.html", at=None)
    unsaved = store.Unsaved(key, visit.login, row.mode if row else form.mode, form.model_dump(), visit.now)
    async with visit.console.database.begin() as connection:
        await store.keep(connection, unsaved)
    return visit.render("draft/kept.html", at=visit.now)


@routes.post("/drafts/discard", "draft", "cancel")
async def discard(visit: Visit) -> web.StreamResponse:
    """Forget what was kept unsaved, and show the form without it."""
    row = await draft_preview.edited_row(visit)
    key = _key(row, visit.login, await visit.text("key"))
    async with visit.console.database.begin() as connection:
        await store.drop(connection, visit.login, key)
    if row is not None:
        return visit.go(f"/alerts/{row.id}/edit")
    return visit.go("/alerts/new?mode=drill" if await visit.text("mode") == "drill" else "/alerts/new")


async def _page(
    visit: Visit,
    form: Form,
    row: AlertRow | None,
    *,
    faults: dict[str, tuple[str, dict[str, str]]] | None = None,
    refusal: str = "",
    theirs: Form | None = None,
    left: Unsaved | None = None,
    look: bool = False,
    unsent: bool = False,
    status: int = 200,
) -> web.StreamResponse:
    said = {name: visit.say(words, **values) for name, (words, values) in (faults or {}).items()}
    looked: dict[str, Any] = {"audience": None, "texts": None}
    if look:
        looked["audience"] = await draft_preview.look_at_audience(visit, form, row)
        looked["texts"] = await draft_preview.look_at_texts(visit, form, row)
    context = draft_preview.texts_of(visit, form) | await _beside(visit, row)
    context |= {"faults": said, "stored": _stored(visit, form, theirs) if theirs else {}}
    return visit.render(
        "draft/form.html",
        status,
        form=form,
        row=row,
        mode=form.mode,
        hidden=any(words == draft_form.HIDDEN for words, _ in (faults or {}).values()),
        refusal=refusal,
        conflict=theirs is not None,
        channels=visit.console.office.channels(form.mode),
        left=left,
        unsent=unsent,
        looked=looked,
        levels=draft_preview.levels_of(visit, form),
        WORDS=WORDS,
        **context,
    )


def _stored(visit: Visit, mine: Form, theirs: Form) -> dict[str, str]:
    """Return what stands in the database now, for each field in which the person's form differs."""
    values = theirs.model_dump() | {
        f"{name}:{one.language}": getattr(one, name) for one in theirs.said for name in draft_form.TEXTS
    }
    values |= {"area": visit.say(N_("another area")), "channels": ", ".join(theirs.channels)}
    return {name: str(values.get(name, "")) or "–" for name in draft_form.differing(mine, theirs)}


async def _beside(visit: Visit, row: AlertRow | None) -> dict[str, Any]:
    """Return what the page shows besides the form: places, hazards, languages, notes and files."""
    office = visit.console.office
    async with visit.console.database.begin() as connection:
        places = await store.places(connection)
        kept, files = await notes.beside(connection, row.id) if row else ([], [])
        writers = {one.made_by for one in kept} | {one.made_by for one in files}
        people = await alerts.names_of(connection, writers)
    return {
        "tree": _tree(places),
        "hazards": office.hazards.all(),
        "consultations": kept,
        "now_local": draft_form.local(visit.now, visit.console.zone),
        "files": files,
        "people": people,
        "whole_area": row is None or draft_form.shows_all(alert_of(row)),
        "is_cancel": row is not None and row.msg_type == "Cancel",
        "colours": tuple(Level),
    }


def _tree(places: list[Place]) -> list[tuple[Place, list[Place]]]:
    """Return what lies above villages, each with its villages."""
    villages: dict[str, list[Place]] = {}
    for one in places:
        if one.level == "village":
            villages.setdefault(one.code[:9], []).append(one)
    return [(one, villages.get(one.code[:9], [])) for one in places if one.level != "village"]
