"""What the page of one alert shows, put together for whoever looks at it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.base import HOLE, ContentRefused
from gateway.alerts.language import tag_of
from gateway.audience import codes
from gateway.audience.area import from_alert
from gateway.desk import emergency, notes, signing, unusual
from gateway.desk.differences import Change, Version, differences
from gateway.desk.freeze import facts_of, languages_of
from gateway.desk.preview import SAMPLE_LINK
from gateway.desk.steps import alert_of, authors_of
from gateway.dispatch.contents import CONFIRM, thaw
from gateway.store import alert_page as store
from gateway.store import audit, submissions, summons
from gateway.store import desk as desk_store
from gateway.web.console import proof, refusals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.alerts.model import Alert
    from gateway.desk.office import Office
    from gateway.desk.service import Sheet
    from gateway.store.alert_page import Part, Turnover
    from gateway.store.desk import AlertRow, Approval
    from gateway.store.notes import Attachment, Consultation
    from gateway.store.summons import Waiting
    from gateway.web.console.visit import Visit

_MOST_PLACES = 3
"""So many names of places are typed whole; of more the first one and their number."""
_LONGEST_KEPT = 256
_counted: dict[str, list[Part]] = {}
_turned: dict[tuple[str, str], Turnover] = {}


class Text(NamedTuple):
    """One frozen message, as a person will read it."""

    language: str
    personal: bool
    """Whether it goes to responsible persons, with a confirm link (a sample here)."""
    subject: str
    text: str
    parts: int | None
    """What it counts for at the provider; None where the channel has no route any more."""


class Recipients(NamedTuple):
    """Whom the alert goes to."""

    total: int
    townships: list[tuple[str, int, int]]
    """(name, people, those of them without an address on a channel of the plan)."""
    roles: dict[str, int]
    channels: dict[str, int]


class Compared(NamedTuple):
    """What differs from something that was shown or sent before."""

    kind: str
    """``submission`` (of this alert) or ``alert`` (that this one follows)."""
    number: int
    """Version or number of the alert."""
    changes: list[Change]
    turnover: Turnover | None


class Signer(NamedTuple):
    """One signature or rejection."""

    name: str
    given: Approval
    counts: bool
    """Whether its giver may still sign; where rights end at a border, that is looked at when it is sent."""


class May(NamedTuple):
    """What the person who looks may do."""

    approve: bool
    reject: bool
    release: bool
    send_at_once: bool
    """Whether this signature is the last one, and the person may release."""
    alone: bool
    cosign: bool
    edit: bool
    submit: bool
    withdraw: bool


class Asked(NamedTuple):
    """What must be given with a signature or a release."""

    code: bool
    typed: bool
    place: str
    people: int

    @property
    def any(self) -> bool:
        """Whether anything must be given."""
        return self.code or self.typed


class View(NamedTuple):
    """Everything on the page."""

    sheet: Sheet
    alert: Alert
    people: Mapping[str, str]
    may: May
    asked: Asked
    waits: Waiting | None
    signers: list[Signer]
    need: int | None
    next_at: Any
    recipients: Recipients | None
    texts: list[tuple[str, list[Text]]]
    compared: list[Compared]
    consultations: list[Consultation]
    attachments: list[Attachment]
    records: Sequence[Row[Any]]
    others: Sequence[tuple[int, str, str]]
    findings: list[str]

    @property
    def row(self) -> AlertRow:
        """The alert."""
        return self.sheet.alert

    @property
    def have(self) -> int:
        """Signatures that count."""
        return sum(one.counts for one in self.signers)


async def look(visit: Visit, *, whole: bool = True) -> View:
    """Return what the page shows; without ``whole`` only how far the approval is."""
    sheet = await visit.console.desk.show(visit.number())
    row, alert = sheet.alert, alert_of(sheet.alert)
    async with visit.console.database.begin() as connection:
        people = await desk_store.names_of(connection, _everybody(sheet))
        waits = await _waiting(connection, visit, row)
        beside = await notes.beside(connection, row.id) if whole else ([], [])
        recipients = await _recipients(connection, row) if whole else None
        compared = await _compared(connection, row) if whole else []
        records = await audit.show(connection, f"alert {row.id}") if whole else []
        others = await store.others(connection, row.warning_id) if whole else []
        people |= await desk_store.names_of(connection, _named_in(records))
    signers = _signers(visit, sheet, people)
    need = _need(visit.console.office, sheet)
    return View(
        sheet=sheet,
        alert=alert,
        people=people,
        may=_may(visit, sheet, signers, need),
        asked=asked(visit, sheet),
        waits=waits,
        signers=signers,
        need=need,
        next_at=_next_at(visit, waits),
        recipients=recipients,
        texts=texts(visit.console.office, row) if whole else [],
        compared=compared,
        consultations=beside[0],
        attachments=beside[1],
        records=records,
        others=others,
        findings=[
            refusals.finding(visit, one) for one in [*(row.plan or {}).get("findings", ()), *sheet.alike]
        ],
    )


def _everybody(sheet: Sheet) -> set[str]:
    found = {*authors_of(sheet.alert), *(one.person for one in sheet.signatures)}
    if sheet.emergency:
        found |= {sheet.emergency.person, sheet.emergency.cosigned_by or sheet.emergency.person}
    return found | ({sheet.release.released_by} if sheet.release else set())


def _named_in(records: Sequence[Row[Any]]) -> set[str]:
    found = {one.actor for one in records}
    for one in records:
        said = json.loads(one.detail)
        asked_now = said.get("asked") or []
        found |= {*(asked_now if isinstance(asked_now, list) else [asked_now]), *said.get("silent", ())}
    return found


def _signers(visit: Visit, sheet: Sheet, people: Mapping[str, str]) -> list[Signer]:
    policy, authors = visit.console.office.policy, authors_of(sheet.alert)
    return [
        Signer(
            people.get(one.person, one.person),
            one,
            one.decision == "approve"
            and one.active
            and one.person not in authors
            and policy.allows("approve", one.roles),
        )
        for one in sheet.signatures
    ]


def _need(office: Office, sheet: Sheet) -> int | None:
    """Return how many must sign, as :func:`gateway.desk.signing.needed` counts them."""
    if sheet.need is None or "by_rule" in (sheet.alert.plan or {}):
        return sheet.need
    return signing.at_least(office.policy, sheet.alert, sheet.recipients or 0)


async def _waiting(connection: AsyncConnection, visit: Visit, row: AlertRow) -> Waiting | None:
    if row.state not in {"submitted", "approved"}:
        return None
    found = await summons.waiting(connection, visit.login, visit.now)
    return next((one for one in found if one.alert_id == row.id), None)


def _next_at(visit: Visit, waits: Waiting | None) -> Any:  # noqa: ANN401 - a time or None
    """Return when the next approver is asked unless somebody signs."""
    seconds = visit.console.office.policy.escalation.seconds()
    if waits is None or waits.state != "submitted" or not seconds[waits.level]:
        return None
    return waits.quiet_since + timedelta(seconds=seconds[waits.level])


def _may(visit: Visit, sheet: Sheet, signers: list[Signer], need: int | None) -> May:
    row, state = sheet.alert, sheet.alert.state
    mine = visit.login in authors_of(row)
    signed = any(one.given.person == visit.login and one.given.decision == "approve" for one in signers)
    have = sum(one.counts for one in signers)
    other = visit.may("approve") and not mine
    # Signatures of an approved alert may count no longer: then another one is needed before it is sent.
    missing = state == "submitted" or (state == "approved" and need is not None and have < need)
    approve = other and missing and not signed
    right = visit.may("cancel") if row.msg_type == "Cancel" else visit.may("draft")
    alone = other and visit.may("release") and emergency.offered(visit.console.office.policy, row)
    last = need is not None and have + 1 >= need
    return May(
        approve=approve,
        reject=other and state in {"submitted", "approved"},
        release=visit.may("release") and state == "approved",
        send_at_once=approve and last and visit.may("release"),
        alone=alone and need is not None and have + (not signed) < need,
        cosign=other and not signed and sheet.emergency is not None and sheet.emergency.cosigned_by is None,
        edit=right and state in {"draft", "submitted", "approved"},
        submit=right and state == "draft",
        withdraw=right and state in {"draft", "submitted", "approved"} and row.msg_type != "Cancel",
    )


def asked(visit: Visit, sheet: Sheet) -> Asked:
    """Return what the policy asks for before a signature or a release of this alert."""
    confirm, row = visit.console.office.policy.confirm, sheet.alert
    count, is_cancel = sheet.recipients or 0, row.msg_type == "Cancel"
    many = count > confirm.above or unusual.further(row.plan) > 0
    return Asked(
        code=row.level in confirm.code and not (is_cancel and _proved_just_now(visit)),
        typed=not is_cancel and (row.level in confirm.typed or many),
        place=place_of(alert_of(row)),
        people=count,
    )


def _proved_just_now(visit: Visit) -> bool:
    # Taking back must be quick: a code of the last minutes counts there.
    return visit.session is not None and visit.now - visit.session.proved_at <= proof.WITHIN


def place_of(alert: Alert) -> str:
    """Return the name of the place that is warned, as it is typed: of many, the first one and how many."""
    language = languages_of(alert)[0]
    areas = [area.area_desc for info in alert.infos if tag_of(info) == language for area in info.areas]
    names = list(dict.fromkeys(areas))
    if len(names) <= _MOST_PLACES:
        return "、".join(names)
    return f"{names[0]} +{len(names) - 1}"


def area_json(alert: Alert) -> str:
    """Return the area as ``map.js`` takes it."""
    area = from_alert(alert)
    regions = []
    for code_list, value in area.geocodes:
        if codes.list_key(code_list) in codes.CODE_LISTS:
            regions += [one.ljust(12, "0")[:12] for one in value.replace("，", ",").split(",") if one]
    return json.dumps({"regions": regions, "polygons": area.polygons, "circles": area.circles})


async def _recipients(connection: AsyncConnection, row: AlertRow) -> Recipients | None:
    if row.target_list_id is None or row.digest is None:
        return None
    targets = await desk_store.target_list(connection, row.target_list_id)
    if (parts := _counted.get(targets.digest)) is None:
        parts = await store.parts(connection, targets.id)
        _keep(_counted, targets.digest, parts)
    names = await store.region_names(connection, {one.township for one in parts})
    return _summed(parts, names, (row.plan or {}).get("channels", ()))


def _summed(parts: list[Part], names: Mapping[str, str], used: Sequence[str]) -> Recipients:
    places: Counter[str] = Counter()
    without: Counter[str] = Counter()
    roles: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    for one in parts:
        places[one.township] += one.people
        roles[one.role] += one.people
        here = [channel for channel in one.channels if channel in used]
        without[one.township] += 0 if here else one.people
        for channel in here:
            reached[channel] += one.people
    townships = [(names.get(code, code), count, without[code]) for code, count in sorted(places.items())]
    return Recipients(places.total(), townships, dict(roles.most_common()), dict(sorted(reached.items())))


def _keep(kept: dict[Any, Any], key: object, value: object) -> None:
    """Keep what is known of sealed lists, which never change; the oldest is dropped."""
    if len(kept) >= _LONGEST_KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = value


def texts(office: Office, row: AlertRow) -> list[tuple[str, list[Text]]]:
    """Return every frozen message by channel, in the words and parts in which it goes out."""
    order = languages_of(alert_of(row))
    found = []
    for channel, said in sorted((row.texts or {}).items()):
        keys = [key for tag in order for key in (tag, tag + CONFIRM) if key in said]
        found.append((channel, [_text(office, row.mode, channel, key, said[key]) for key in keys]))
    return found


def _text(office: Office, mode: str, channel: str, key: str, frozen: dict[str, Any]) -> Text:
    content = thaw(frozen)
    filled = content.text.replace(HOLE, SAMPLE_LINK)
    parts = None
    if channel in office.channels(mode):
        try:
            prepared = office.routes[channel].adapter(mode).prepare(content)
            filled = prepared.preview(SAMPLE_LINK if HOLE in content.text else "")
            parts = prepared.parts
        except ContentRefused:  # the settings were changed since; the release will say so
            parts = None
    return Text(content.language, key.endswith(CONFIRM), content.subject, filled, parts)


async def _compared(connection: AsyncConnection, row: AlertRow) -> list[Compared]:
    mine, found = Version(row.level, row.content, row.texts, row.plan), []
    if last := await submissions.before(connection, row):
        old = Version(last.level, last.content, last.texts, last.plan)
        turned = await _turnover(connection, last.target_list_id, row)
        found.append(Compared("submission", last.version, differences(old, mine), turned))
    if row.supersedes is not None and row.msg_type != "Cancel":
        before = await desk_store.alert(connection, row.supersedes)
        assert before is not None
        old = Version(before.level, before.content, before.texts, before.plan)
        turned = await _turnover(connection, before.target_list_id, row)
        found.append(Compared("alert", before.id, differences(old, mine), turned))
    return found


async def _turnover(connection: AsyncConnection, old: int | None, row: AlertRow) -> Turnover | None:
    if old is None or row.target_list_id is None or row.digest is None:
        return None
    one = await desk_store.target_list(connection, old)
    other = await desk_store.target_list(connection, row.target_list_id)
    if (known := _turned.get((one.digest, other.digest))) is None:
        known = await store.turnover(connection, one.id, other.id)
        _keep(_turned, (one.digest, other.digest), known)
    return known


def blocks(alert: Alert, level: str) -> list[Any]:
    """Return what the alert says, once for each language."""
    return [facts_of(alert, level, language) for language in languages_of(alert)]
