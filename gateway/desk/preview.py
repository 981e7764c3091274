"""What a warning would say on each channel, and what still stands in its way, while it is written.

The texts are rendered and encoded by the very functions that freeze them at submission, so what the
author sees is what the approver signs and what goes out.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import shapely

from channels.base import HOLE
from channels.smpp import text as sms
from gateway.alerts.language import tag_of
from gateway.alerts.lint import lint
from gateway.alerts.title import other_colours
from gateway.audience import codes
from gateway.audience.area import AreaRefused
from gateway.audience.locate import SHARES, locate
from gateway.desk import checks, compose
from gateway.desk.freeze import Draft, facts_of, render
from gateway.desk.refused import DeskRefused
from gateway.desk.render import one_line
from gateway.desk.submission import SETTLED
from gateway.dispatch.contents import CONFIRM, thaw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from channels.base import Channel, Content, Prepared
    from gateway.alerts.findings import Finding
    from gateway.alerts.model import Alert, Info
    from gateway.audience.area import AreaSpec
    from gateway.audience.locate import Region
    from gateway.desk.office import Office

_TOLD = {"drill_words": "test_words_in_actual", "live_words": "actual_words_in_test"}
"""Refusal of the desk -> what the lint says of the same words: once is enough."""
_WITH_SUBJECT = frozenset({"smtp"})
"""Kinds of channel that show a subject beside the text."""
SAMPLE_LINK = "https://warning.example.org/c/0123456789abcdef0123456789abcdef"
"""As long as a confirm link gets."""
STATUTORY = ("event", "level", "start", "area", "description", "instruction", "sender name", "sent")
"""The eight fields of 突发事件应对法 (2024), art. 64, by the names of :func:`checks.missing_fields`."""


class Text(NamedTuple):
    """One text as a person will read it."""

    language: str
    personal: bool
    """Whether it goes to responsible persons, with a confirm link (a sample here)."""
    subject: str
    """Empty on a channel that shows none."""
    text: str
    parts: int
    size: int
    """In ``unit``."""
    unit: str
    """``gsm`` (septets), ``ucs2`` (UTF-16 units) or ``characters``."""
    price: float | None
    """Of one message, in the desk's currency; None where the route has no price."""


class OnChannel(NamedTuple):
    """What goes out on one channel."""

    channel: str
    texts: list[Text]
    brief: bool = False
    """Whether the headline stands for the description, because the whole text is too long."""
    refusal: DeskRefused | None = None


class Field(NamedTuple):
    """One of the eight statutory fields, in one language."""

    name: str
    there: bool


class Preview(NamedTuple):
    """What the author should see."""

    channels: list[OnChannel]
    fields: dict[str, list[Field]]
    """Language -> the eight fields."""
    refusals: list[DeskRefused]
    """Why it could not be submitted at this moment."""
    findings: list[Finding]
    """What people should look at."""

    @property
    def ready(self) -> bool:
        """Whether nothing that can be known here stands in the way of a submission."""
        return not self.refusals and not any(one.severity == "error" for one in self.findings)


def preview(office: Office, draft: Draft, now: datetime) -> Preview:
    """Return texts, checklist and findings of a message as it would be submitted now."""
    stamped = compose.stamped(draft.alert, draft.alert.references, now, office.settings.zone)
    draft = draft._replace(alert=stamped)
    channels = [_on_channel(office, draft, name) for name in draft.channels]
    refused = [*_refusals(stamped, draft.mode, now), *(one.refusal for one in channels if one.refusal)]
    told = [(_TOLD[one.code], f"alert/{one.values['path']}") for one in refused if one.code in _TOLD]
    found = [
        one
        for one in lint(stamped, now=now, hazards=office.hazards)
        if one.code not in SETTLED and (one.code, one.path) not in told
    ]
    return Preview(channels, _fields(stamped), refused, [*found, *other_colours(stamped, draft.level)])


def _fields(alert: Alert) -> dict[str, list[Field]]:
    """Return the eight fields of each language; what one of its blocks lacks is missing."""
    found: dict[str, list[Field]] = {}
    for info in alert.infos:
        told, before = statutory(info), found.get(tag_of(info))
        found[tag_of(info)] = [
            Field(one.name, one.there and (before is None or before[place].there))
            for place, one in enumerate(told)
        ]
    return found


def statutory(info: Info) -> list[Field]:
    """Return which of the eight fields a language has; level, start and time of issue always stand."""
    missing = " ".join(checks.missing_fields(info))
    return [Field(name, f"({name})" not in missing) for name in STATUTORY]


def _refusals(alert: Alert, mode: str, now: datetime) -> Iterator[DeskRefused]:
    """Yield what each check of a submission says, not only the first one."""
    for check in (
        partial(checks.check_status, alert, mode),
        partial(checks.check_in_force, alert),
        partial(checks.check_fields, alert),
        partial(checks.check_validity, alert, now),
        partial(checks.check_words, alert, mode),
    ):
        try:
            check()
        except DeskRefused as error:
            yield error


def _on_channel(office: Office, draft: Draft, name: str) -> OnChannel:
    try:
        frozen = render(office, draft._replace(channels=[name]))[name]
    except DeskRefused as error:
        return OnChannel(name, [], refusal=error)
    adapter = office.routes[name].adapter(draft.mode)
    texts = [_text(adapter, key, thaw(content)) for key, content in frozen.items()]
    return OnChannel(name, texts, brief=_is_brief(office, draft, name, texts))


def _text(adapter: Channel, key: str, content: Content) -> Text:
    prepared = adapter.prepare(content)
    said = prepared.preview(SAMPLE_LINK if HOLE in content.text else "")
    size, unit, parts = _measured(adapter, prepared, said)
    price = getattr(adapter.settings, "price", None)
    return Text(
        content.language,
        key.endswith(CONFIRM),
        content.subject if adapter.kind in _WITH_SUBJECT else "",
        said,
        parts,
        size,
        unit,
        None if price is None else price * parts,
    )


def _measured(adapter: Channel, prepared: Prepared, said: str) -> tuple[int, str, int]:
    if adapter.kind != "smpp":
        return len(said), "characters", prepared.parts
    coding = sms.coding_of(said)
    return sms.size(said, coding), "gsm" if coding is sms.GSM else "ucs2", sms.count_parts(said)


def _is_brief(office: Office, draft: Draft, name: str, texts: Sequence[Text]) -> bool:
    """Return whether a description that the template has a place for is not in the text."""
    for one in texts:
        stem = office.routes[name].template(name, office.templates, one.language)
        template = office.templates.find(stem, one.language)
        whole = one_line(facts_of(draft.alert, draft.level, one.language).description)
        if template and "{description}" in template.body and whole not in one_line(one.text):
            return True
    return False


class Reached(NamedTuple):
    """Where an area lies, for comparing it with another one."""

    regions: frozenset[str]
    shape: shapely.Geometry | None


def reached(area: AreaSpec, regions: Sequence[Region]) -> Reached | None:
    """Return the regions and the shape of an area; None where it reaches none."""
    try:
        found = locate(area, regions, SHARES["red"], codes.CODE_LISTS)
    except AreaRefused:
        return None
    return Reached(found.everyone_in | found.placed_in, found.shape)


def overlap(one: Reached, other: Reached) -> bool:
    """Return whether two areas have a region in common, or shapes that meet."""
    if one.regions & other.regions:
        return True
    if one.shape is None or other.shape is None:
        return False
    return bool(shapely.intersects(one.shape, other.shape))
