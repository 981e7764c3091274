"""What stands beside an alert and is signed with it: notes of consultations (会商) and files.

The digest that approvers sign covers them (:func:`sealed`). So a note or a file that comes after the
submission makes the alert a draft again, without signatures.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from gateway.desk import drafting
from gateway.desk.compose import NOTHING
from gateway.desk.refused import DeskRefused
from gateway.desk.render import clean, one_line
from gateway.desk.steps import authors_of, step
from gateway.store import desk as alerts
from gateway.store import notes as store
from gateway.store.audit import canonical

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.desk.service import Desk
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow
    from gateway.store.notes import Attachment, Consultation

MOST_FILES = 5
LARGEST_FILE = 5 * 2**20
"""Bytes."""
_LONGEST_NAME = 100
_MOST_WORDS = 20_000
_MAGIC = {b"%PDF-": ("application/pdf", ".pdf"), b"\x89PNG\r\n\x1a\n": ("image/png", ".png"),
          b"\xff\xd8\xff": ("image/jpeg", ".jpg")}  # fmt: skip
_BEFORE_RELEASE = frozenset({"draft", "submitted", "approved"})


async def consult(
    desk: Desk, alert_id: int, login: str, *, held_at: datetime, participants: str, minutes: str
) -> int:
    """Keep who was consulted and what was said; return the number of the note."""
    who, said = one_line(participants), clean(minutes)
    if not who or not said:
        raise DeskRefused("note", "say who took part and what was said", why="empty")
    if len(who) + len(said) > _MOST_WORDS:
        raise DeskRefused("note", "the note is too long: attach the minutes as a file", why="long")
    async with step(desk.database, login, desk.clock.now(), desk.office.policy) as one:
        row = await _open(one, desk, alert_id)
        if held_at > one.now:
            raise DeskRefused("note", "the consultation lies in the future: check its time", why="future")
        number = await store.insert_consultation(
            one.connection,
            alert_id=row.id,
            held_at=held_at,
            participants=who,
            minutes=said,
            made_by=login,
            made_at=one.now,
        )
        kept = (await store.consultations_of(one.connection, row.id))[-1]
        one.record("consultation", row.id, note=number, held_at=held_at.isoformat(), sha256=_hash(kept))
        return number


async def attach(desk: Desk, alert_id: int, login: str, *, name: str, data: bytes) -> int:
    """Keep a file beside an alert and return its number.

    Raises:
        DeskRefused: it is too large, one too many, or of a kind that is not kept.
    """
    mime, ending = kind_of(data)
    title = clean_name(name, ending)
    async with step(desk.database, login, desk.clock.now(), desk.office.policy) as one:
        row = await _open(one, desk, alert_id)
        if await store.count_attachments(one.connection, row.id) >= MOST_FILES:
            raise DeskRefused("attachment", f"an alert has at most {MOST_FILES} files", why="many")
        digest = hashlib.sha256(data).hexdigest()
        number = await store.insert_attachment(
            one.connection,
            alert_id=row.id,
            name=title,
            mime=mime,
            size=len(data),
            sha256=digest,
            data=data,
            made_by=login,
            made_at=one.now,
        )
        one.record("attach", row.id, file=number, name=title, size=len(data), sha256=digest)
        return number


async def detach(desk: Desk, number: int, login: str) -> int:
    """Take a file away and return the alert that it stood beside."""
    async with step(desk.database, login, desk.clock.now(), desk.office.policy) as one:
        found = await store.attachment(one.connection, number)
        if found is None:
            raise DeskRefused("attachment", "there is no such file (any more)", why="gone")
        row = await _open(one, desk, found.alert_id)
        await store.delete_attachment(one.connection, number)
        one.record("detach", row.id, file=number, name=found.name, sha256=found.sha256)
        return row.id


async def beside(connection: AsyncConnection, alert_id: int) -> tuple[list[Consultation], list[Attachment]]:
    """Return the notes and the files of an alert."""
    return await store.consultations_of(connection, alert_id), await store.attachments_of(
        connection, alert_id
    )


async def sealed(connection: AsyncConnection, alert_id: int) -> dict[str, Any]:
    """Return what a plan says of notes and files, so that the digest covers them; empty without any."""
    notes, files = await beside(connection, alert_id)
    said = {
        "consultations": [_hash(one) for one in notes],
        "attachments": [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in files],
    }
    return {name: values for name, values in said.items() if values}


def _hash(note: Consultation) -> str:
    return hashlib.sha256(canonical(note._asdict())).hexdigest()


async def _open(one: Step, desk: Desk, alert_id: int) -> AlertRow:
    """Hold an alert whose notes may change, as a draft by somebody who is an author of it from then on."""
    row = await one.hold(alert_id)
    await one.may("draft", row)
    if row.state not in _BEFORE_RELEASE:
        raise DeskRefused(
            "note", f"alert {row.id} is {row.state}: what stands beside it stays as it is", why="closed"
        )
    if row.state != "draft":
        return await drafting.edit(one, desk.office, row, NOTHING)
    plan = (row.plan or {}) | {"authors": sorted(authors_of(row) | {one.actor})}
    await alerts.change_alert(one.connection, row.id, plan=plan)
    return row


def kind_of(data: bytes) -> tuple[str, str]:
    """Return the type and the ending of a file by its first bytes, whatever its name says.

    Raises:
        DeskRefused: it is none of PDF, PNG, JPEG and plain UTF-8 text, or too large, or empty.
    """
    if not data:
        raise DeskRefused("attachment", "the file is empty", why="empty")
    if len(data) > LARGEST_FILE:
        raise DeskRefused("attachment", f"the file is larger than {LARGEST_FILE // 2**20} MB", why="large")
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if _is_text(data):
        return "text/plain", ".txt"
    raise DeskRefused("attachment", "only PDF, PNG, JPEG and plain text (UTF-8) are kept", why="kind")


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return not any(unicodedata.category(c) == "Cc" and c not in "\t\r\n" for c in text)


def clean_name(name: str, ending: str) -> str:
    """Return a name for a file: no folder, nothing hidden or dangerous, and the ending of its true type."""
    last = re.split(r"[/\\]", one_line(name))[-1]
    stem = re.sub(r"\.[A-Za-z0-9]{1,8}$", "", last)
    kept = "".join(c if c.isalnum() or c in " ._-()（）" else "_" for c in stem).strip(" .")
    return f"{kept[:_LONGEST_NAME] or 'file'}{ending}"
