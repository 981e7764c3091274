"""The form of the draft page: read as it was sent, compared with an alert, turned into what the desk takes.

Only what a person changed is changed: the form is compared with the same form made of the alert, so
parts of a message that the page does not show stay as they are.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from gateway.alerts.hazards import Level
from gateway.alerts.language import tag_of
from gateway.alerts.model import Area, Certainty, Circle, ResponseType, Urgency, ValuePair
from gateway.audience import codes
from gateway.desk.compose import Changes, Fields, Words
from gateway.web.console.filters import N_

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from multidict import MultiDictProxy

    from gateway.alerts.model import Alert
    from gateway.desk.office import Office
    from gateway.store.desk import AlertRow

OTHER = "other"
TEXTS = ("event", "sender_name", "headline", "description", "instruction", "contact")
OFFERED = {"zh-CN": "中文", "en": "English"}
"""Languages that a person may add, each by its own name."""

_LONGEST = 20_000
_MOST_LANGUAGES = 8
_MOST_CODES, _MOST_SHAPES, _MOST_POINTS = 5_000, 50, 2_000
_LISTS = frozenset({"channels", "said", "version", "mode"})
_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,3}")
_LOCAL = "%Y-%m-%dT%H:%M"
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffc\U000e0000-\U000e007f\ud800-\udfff]"
)
"""What hides, turns or forges text. Joiners stay: some scripts cannot be written without them."""
_RING = 4

EMPTY = N_("Fill this in.")
NO_TIME = N_("Give a day and a time.")
NO_AREA = N_("Choose at least one place or draw an area.")
BAD_AREA = N_("This area cannot be read. Choose it again.")
NO_PLACE = N_("One of these places is not known (any more). Choose again.")
NO_NAME = N_("Give the drawn area a name: people read it in the warning.")
NO_HAZARD = N_("Choose a hazard.")
NO_LEVEL = N_("Choose a level that this hazard has.")
NO_CHANNEL = N_("Choose at least one channel.")
TOO_LONG = N_("This is too long.")
HIDDEN = N_("There are hidden characters in this text (%(found)s). Take them out.")


class Said(BaseModel):
    """The texts in one language, as typed."""

    model_config = ConfigDict(extra="ignore")

    language: str
    event: str = ""
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    contact: str = ""


class Form(BaseModel):
    """Everything that stands in the form, as typed."""

    model_config = ConfigDict(extra="ignore")

    key: str = ""
    """Under which it is kept unsaved."""
    version: int = 0
    """The version of the alert that the person looked at; 0 for a new one."""
    mode: str = "live"
    hazard: str = ""
    level: str = ""
    area: str = ""
    area_name: str = ""
    onset: str = ""
    expires: str = ""
    certainty: str = Certainty.LIKELY.value
    urgency: str = Urgency.EXPECTED.value
    response: str = ResponseType.PREPARE.value
    web: str = ""
    channels: list[str] = Field(default_factory=list)
    said: list[Said] = Field(default_factory=lambda: [Said(language="zh-CN")])

    def of(self, language: str) -> Said | None:
        """Return the texts in a language."""
        return next((one for one in self.said if one.language == language), None)

    def begun(self) -> bool:
        """Return whether anything was typed that would be missed."""
        typed = any(one.headline or one.description or one.instruction for one in self.said)
        return bool(self.hazard or self.area or typed)


class Choice(NamedTuple):
    """An area as it is chosen on the page; degrees are WGS-84."""

    regions: tuple[str, ...] = ()
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Closed rings of (latitude, longitude)."""
    circles: tuple[tuple[float, float, float], ...] = ()
    """(latitude, longitude, radius in kilometres)."""

    @property
    def drawn(self) -> bool:
        """Whether it has shapes besides places."""
        return bool(self.polygons or self.circles)

    def text(self) -> str:
        """Return it as the page keeps it, empty for nothing."""
        return json.dumps(self._asdict()) if any(self) else ""


class FormRefused(Exception):
    """The form cannot be used as it is.

    Attributes:
        faults: name of a field -> (English words, what fills them in).
    """

    def __init__(self, faults: Mapping[str, tuple[str, dict[str, str]]]) -> None:
        """Keep what is wrong, field by field."""
        super().__init__(", ".join(faults))
        self.faults = dict(faults)


def read(sent: MultiDictProxy[Any]) -> Form:
    """Return the form as it was sent; whatever is no text of it is left out."""
    values = {name: _text(sent, name) for name in Form.model_fields if name not in _LISTS}
    tags = list(dict.fromkeys(tag for tag in sent.getall("language", []) if _is_tag(tag)))[:_MOST_LANGUAGES]
    gone = set(sent.getall("without", []))
    said = [
        Said(language=tag, **{name: _text(sent, f"{name}:{tag}") for name in TEXTS})
        for tag in tags
        if tag not in gone or gone.issuperset(tags)
    ]
    version = _text(sent, "version")
    return Form(
        **values,
        mode="drill" if _text(sent, "mode") == "drill" else "live",
        version=int(version) if version.isascii() and version.isdigit() and len(version) < 9 else 0,  # noqa: PLR2004
        channels=[one for one in sent.getall("channel", []) if isinstance(one, str)],
        said=said or [Said(language="zh-CN")],
    )


def _text(sent: MultiDictProxy[Any], name: str) -> str:
    value = sent.get(name, "")
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else ""


def _is_tag(tag: object) -> bool:
    return isinstance(tag, str) and _TAG.fullmatch(tag) is not None


def of_alert(row: AlertRow, alert: Alert, zone: tzinfo, key: str) -> Form:
    """Return the form that shows an alert."""
    first = alert.infos[0]
    spoken = {tag_of(info): info for info in reversed(alert.infos)}
    choice = chosen(alert)
    return Form(
        key=key,
        version=row.version,
        mode=row.mode,
        hazard=row.hazard,
        level=row.level,
        area=choice.text(),
        area_name="、".join(_drawn_names(alert)) if choice.drawn else "",
        onset=local(first.onset, zone),
        expires=local(alert.expires, zone),
        certainty=first.certainty,
        urgency=first.urgency,
        response=first.response_types[0] if first.response_types else "",
        web=first.web or "",
        channels=list((row.plan or {}).get("channels", ())),
        said=[
            Said(language=tag, **{name: getattr(spoken[tag], name) or "" for name in TEXTS})
            for tag in dict.fromkeys(map(tag_of, alert.infos))
        ],
    )


def local(moment: datetime | None, zone: tzinfo) -> str:
    """Return a time as the page's inputs write it, in the desk's zone."""
    return f"{moment.astimezone(zone):{_LOCAL}}" if moment else ""


def chosen(alert: Alert) -> Choice:
    """Return the part of an alert's area that the page can show and draw."""
    areas = [area for info in alert.infos for area in info.areas]
    pairs = [one for area in areas for one in area.geocodes]
    return Choice(
        tuple(dict.fromkeys(filter(None, map(_digits, pairs)))),
        tuple(dict.fromkeys(ring for area in areas for ring in area.polygons)),
        tuple(dict.fromkeys((one.lat, one.lon, one.radius_km) for area in areas for one in area.circles)),
    )


def shows_all(alert: Alert) -> bool:
    """Return whether the page shows the whole area: codes of other lists and lost shapes it does not."""
    areas = [area for info in alert.infos for area in info.areas]
    return all(
        not (area.unusable_polygons or area.unusable_circles or area.altitude)
        and all(map(_digits, area.geocodes))
        for area in areas
    )


def _digits(pair: ValuePair) -> str:
    if codes.list_key(pair.value_name) not in codes.CODE_LISTS:
        return ""
    try:
        return codes.parse_code(pair.value).digits
    except codes.CodeRefused:
        return ""


def _drawn_names(alert: Alert) -> list[str]:
    areas = (area for info in alert.infos for area in info.areas if area.polygons or area.circles)
    return list(dict.fromkeys(area.area_desc for area in areas if area.area_desc))


def parse_area(text: str) -> Choice:
    """Return the area that the page sent.

    Raises:
        ValueError: it is no such area, or too large.
    """
    if not text:
        return Choice()
    if len(text) > 40 * _LONGEST:
        raise ValueError("too long")
    try:
        read = json.loads(text)
        made = Choice(
            tuple(dict.fromkeys(str(code) for code in read.get("regions", ()))),
            tuple(_ring(ring) for ring in read.get("polygons", ())),
            tuple(_circle(*map(float, one)) for one in read.get("circles", ())),
        )
    except (AttributeError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(str(error)) from None
    shapes = len(made.polygons) + len(made.circles)
    points = sum(map(len, made.polygons))
    if len(made.regions) > _MOST_CODES or shapes > _MOST_SHAPES or points > _MOST_POINTS:
        raise ValueError("too many")
    if not all(re.fullmatch(r"\d{12}", code) for code in made.regions):
        raise ValueError("a code is no region's")
    return made._replace(regions=_topmost(made.regions))


def _topmost(regions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the regions without those that lie in another one of them."""
    heads = {code: codes.parse_code(code).prefix for code in regions}
    return tuple(
        code
        for code in regions
        if not any(code != other and code.startswith(heads[other]) for other in regions)
    )


def _ring(points: Any) -> tuple[tuple[float, float], ...]:  # noqa: ANN401 - JSON
    ring = tuple(_point(float(lat), float(lon)) for lat, lon in points)
    closed = ring if ring and ring[0] == ring[-1] else (*ring, *ring[:1])
    if len(closed) < _RING:
        raise ValueError("a polygon has three points or more")
    return closed


def _point(lat: float, lon: float) -> tuple[float, float]:
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):  # noqa: PLR2004 - the Earth; also refuses NaN
        raise ValueError("no point of the Earth")
    return lat, lon


def _circle(lat: float, lon: float, radius: float) -> tuple[float, float, float]:
    if not (0 < radius <= 1000 and math.isfinite(radius)):  # noqa: PLR2004 - kilometres
        raise ValueError("no radius")
    return (*_point(lat, lon), radius)


def areas_of(choice: Choice, names: Mapping[str, str], name: str) -> tuple[Area, ...]:
    """Return CAP's areas: one for each place, and one for all shapes under the name that was given."""
    places = [
        Area(area_desc=names[code], geocodes=(ValuePair(value_name="GB/T 2260", value=code),))
        for code in choice.regions
    ]
    circles = tuple(Circle(lat=lat, lon=lon, radius_km=radius) for lat, lon, radius in choice.circles)
    drawn = [Area(area_desc=name, polygons=choice.polygons, circles=circles)] if choice.drawn else []
    return (*places, *drawn)


class Checked(NamedTuple):
    """A form whose values can be used."""

    form: Form
    areas: tuple[Area, ...]
    onset: datetime | None
    expires: datetime
    channels: tuple[str, ...]


def check(
    form: Form,
    office: Office,
    names: Mapping[str, str],
    zone: tzinfo,
    *,
    old: Form | None = None,
    whole: bool = True,
) -> Checked:
    """Return the form with its times and areas read.

    Args:
        form: As typed.
        office: Hazards and channels.
        names: Names of the places that are chosen, by code.
        zone: In which times are typed.
        old: The form of the alert that is changed; an area that is the same there stays as it is.
        whole: Whether what a draft must have is asked for; a preview does without.

    Raises:
        FormRefused: what is wrong, field by field.
    """
    faults = dict(_faults(form, office, whole=whole))
    areas: tuple[Area, ...] = ()
    if old is None or same_area(form, old) is False:
        try:
            areas = _areas(form, names, whole=whole)
        except FormRefused as refused:
            faults |= refused.faults
    onset, expires = moment(form.onset, zone), moment(form.expires, zone)
    if form.onset and onset is None:
        faults["onset"] = NO_TIME, {}
    if faults or expires is None:
        raise FormRefused(faults | ({"expires": (NO_TIME, {})} if expires is None else {}))
    offered = office.channels(form.mode)
    return Checked(form, areas, onset, expires, tuple(one for one in offered if one in form.channels))


def same_area(one: Form, other: Form) -> bool:
    """Return whether two forms have the same area under the same name."""
    chosen_alike = parse_or_none(one.area) == parse_or_none(other.area) is not None
    return chosen_alike and one.area_name == other.area_name


def _areas(form: Form, names: Mapping[str, str], *, whole: bool) -> tuple[Area, ...]:
    try:
        choice = parse_area(form.area)
        areas = areas_of(choice, names, form.area_name or "—")
    except KeyError:
        raise FormRefused({"area": (NO_PLACE, {})}) from None
    except ValueError:
        raise FormRefused({"area": (BAD_AREA, {})}) from None
    if whole and not areas:
        raise FormRefused({"area": (NO_AREA, {})})
    if whole and choice.drawn and not form.area_name:
        raise FormRefused({"area_name": (NO_NAME, {})})
    return areas


def moment(text: str, zone: tzinfo) -> datetime | None:
    """Return a time as the page's inputs write it; None where it is none."""
    try:
        return datetime.strptime(text[:16], _LOCAL).replace(tzinfo=zone)
    except ValueError:
        return None


Fault = tuple[str, tuple[str, dict[str, str]]]


def _faults(form: Form, office: Office, *, whole: bool) -> Iterator[Fault]:
    entry = office.hazards.by_key(form.hazard)
    if entry is None and form.hazard != OTHER:
        yield "hazard", (NO_HAZARD, {})
    elif form.level not in (entry.colours if entry else tuple(Level)):
        yield "level", (NO_LEVEL, {})
    if not set(form.channels) & set(office.channels(form.mode)):
        yield "channels", (NO_CHANNEL, {})
    for name, values in (("certainty", Certainty), ("urgency", Urgency), ("response", ResponseType)):
        if getattr(form, name) not in set(values) and not (name == "response" and not form.response):
            yield name, (EMPTY, {})
    yield from _faults_of_texts(form, whole=whole)


def _faults_of_texts(form: Form, *, whole: bool) -> Iterator[Fault]:
    needed = {"description", "instruction"} | ({"event"} if form.hazard == OTHER else set())
    for one in form.said:
        for name in TEXTS:
            text = getattr(one, name)
            if whole and name in needed and not text:
                yield f"{name}:{one.language}", (EMPTY, {})
            yield from _fault_of_text(f"{name}:{one.language}", text)
    for name in ("area_name", "web"):
        yield from _fault_of_text(name, getattr(form, name))


def _fault_of_text(name: str, text: str) -> Iterator[Fault]:
    if len(text) > _LONGEST:
        yield name, (TOO_LONG, {})
    if found := list(dict.fromkeys(_HIDDEN.findall(text))):
        yield name, (HIDDEN, {"found": ", ".join(f"U+{ord(one):04X}" for one in found[:5])})


def cleaned(form: Form) -> Form:
    """Return the form without hidden characters."""
    said = [one.model_copy(update={name: _plain(getattr(one, name)) for name in TEXTS}) for one in form.said]
    return form.model_copy(
        update={"said": said, "area_name": _plain(form.area_name), "web": _plain(form.web)}
    )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", _HIDDEN.sub("", text)).strip()


def fields(checked: Checked, office: Office) -> Fields:
    """Return the warning that a form of a new one says; texts may be missing where only a preview is made."""
    form = checked.form
    first, *more = form.said
    words = _words(first, form, office)
    return Fields.model_construct(
        hazard=form.hazard,
        level=form.level,
        mode=form.mode,
        areas=checked.areas,
        description=first.description,
        instruction=first.instruction,
        expires=checked.expires,
        onset=checked.onset,
        event=words.event or None,
        headline=first.headline or None,
        language=first.language,
        sender_name=first.sender_name or office.settings.name,
        certainty=Certainty(form.certainty),
        urgency=Urgency(form.urgency),
        response=ResponseType(form.response or ResponseType.PREPARE),
        note=None,
        contact=first.contact or None,
        web=form.web or None,
        also=tuple(_words(one, form, office) for one in more),
    )


def _words(one: Said, form: Form, office: Office) -> Words:
    texts = {name: getattr(one, name) for name in TEXTS if name != "event"}
    texts["sender_name"] = one.sender_name or office.settings.name
    return Words(language=one.language, event=event_of(one, form, office), **texts)


def event_of(one: Said, form: Form, office: Office) -> str:
    """Return the hazard in words: as typed for another kind, else by the name in the table."""
    entry = office.hazards.by_key(form.hazard)
    if entry is None:
        return one.event
    return entry.zh if one.language.lower().startswith("zh") else entry.en


def changes(checked: Checked, old: Form, office: Office) -> Changes:
    """Return what a person changed against the form that the alert makes."""
    new = checked.form
    kind = (new.hazard, new.level) != (old.hazard, old.level)
    return Changes(
        hazard=new.hazard if kind else None,
        level=new.level if kind else None,
        areas=None if same_area(new, old) else checked.areas,
        onset=checked.onset if new.onset and new.onset != old.onset else None,
        at_once=bool(old.onset and not new.onset),
        expires=checked.expires if new.expires != old.expires else None,
        certainty=Certainty(new.certainty) if new.certainty != old.certainty else None,
        urgency=Urgency(new.urgency) if new.urgency != old.urgency else None,
        response=ResponseType(new.response) if new.response and new.response != old.response else None,
        web=new.web if new.web != old.web else None,
        channels=checked.channels if set(checked.channels) != set(old.channels) else None,
        words=tuple(_changed_words(new, old, office)),
        without=tuple(one.language for one in old.said if new.of(one.language) is None),
    )


def _changed_words(new: Form, old: Form, office: Office) -> Iterator[Words]:
    for one in new.said:
        before = old.of(one.language)
        if before is None:
            yield _words(one, new, office)
            continue
        told = {name: getattr(one, name) for name in TEXTS if getattr(one, name) != getattr(before, name)}
        told.pop("event", None)
        if new.hazard != old.hazard or (new.hazard == OTHER and one.event != before.event):
            told["event"] = event_of(one, new, office)
        if told:
            yield Words(language=one.language, **told)


def differing(mine: Form, theirs: Form) -> list[str]:
    """Return the names of fields in which two forms differ, as they stand in the page."""
    plain = ("hazard", "level", "area_name", "onset", "expires", "certainty", "urgency", "response", "web")
    names = [name for name in plain if getattr(mine, name) != getattr(theirs, name)]
    if parse_or_none(mine.area) != parse_or_none(theirs.area):
        names.append("area")
    if set(mine.channels) != set(theirs.channels):
        names.append("channels")
    for tag in dict.fromkeys([one.language for one in (*mine.said, *theirs.said)]):
        one, other = mine.of(tag) or Said(language=tag), theirs.of(tag) or Said(language=tag)
        names += [f"{name}:{tag}" for name in TEXTS if getattr(one, name) != getattr(other, name)]
    return names


def parse_or_none(text: str) -> Choice | None:
    """Return the area of a form, None where it cannot be read."""
    try:
        return parse_area(text)
    except ValueError:
        return None
