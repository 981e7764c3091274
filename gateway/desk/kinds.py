"""Hazard and colour of an alert: found in the message, chosen by the desk, and written into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.hazards import Level, level_of
from gateway.alerts.model import Alert, Category, Info, Severity
from gateway.desk.refused import DeskRefused

if TYPE_CHECKING:
    from gateway.desk.compose import Fields
    from gateway.desk.office import Office

OTHER = "other"
"""Key of every hazard that the table does not know; its name is the alert's ``event``."""


class Kind(NamedTuple):
    """What an alert warns of and how gravely."""

    hazard: str
    """Key in hazards.toml, or :data:`OTHER`."""
    level: str
    origin: str = "desk"
    """Where the level was found: a person's choice, or the part of the message that gave it."""


def find(office: Office, alert: Alert, hazard: str | None, level: str | None) -> Kind:
    """Return hazard and colour of a message: as the desk chose, else as the message says."""
    found = next((hit for info in alert.infos if (hit := office.hazards.hazard_of(info))), None)
    key = hazard or (found.hazard.key if found else OTHER)
    if level is not None:
        return known(office, key, level)
    _check_colours(office, alert)
    seen = level_of(alert, office.hazards)
    if seen is None or seen.level is None:
        said = f"it says {seen.text!r}" if seen else "it says nothing of it"
        raise DeskRefused(
            "level", f"the message has no warning colour that is known here ({said}): give one (--level)"
        )
    return known(office, key, seen.level)._replace(origin=seen.origin)


def _check_colours(office: Office, alert: Alert) -> None:
    """Refuse a colour that is not known, and a block that names two: a guess might be too low."""
    for info in alert.infos:
        told = {p.value for p in info.parameters if p.value_name == office.hazards.colour_parameter}
        levels = {office.hazards.level_named(value) for value in told}
        if None in levels or len(levels) > 1:
            said = ", ".join(sorted(map(repr, told)))
            raise DeskRefused(
                "level", f"the message's warning colour is not clear ({said}): give one (--level)"
            )


def known(office: Office, hazard: str, level: str) -> Kind:
    """Return the kind if the table knows the hazard and allows it this colour."""
    if level not in list(Level):
        raise DeskRefused("level", f"there is no level {level!r}: one of {', '.join(Level)}", why="unknown")
    if hazard == OTHER:
        return Kind(OTHER, Level(level).value)
    entry = office.hazards.by_key(hazard) or office.hazards.by_code(hazard) or office.hazards.by_name(hazard)
    if entry is None:
        keys = ", ".join(one.key for one in office.hazards.all())
        raise DeskRefused("hazard", f"there is no hazard {hazard!r}: one of {keys}, {OTHER}")
    if level not in entry.colours:
        raise DeskRefused(
            "colour",
            f"{entry.zh} ({entry.key}) has no {level} warning: {', '.join(entry.colours)}",
            hazard=entry.zh,
            level=level,
        )
    return Kind(entry.key, Level(level).value)


def put(office: Office, alert: Alert, kind: Kind) -> Alert:
    """Return the message with the kind in CAP's terms: severity, colour parameter and event code."""
    return alert.model_copy(update={"infos": tuple(_put_info(office, info, kind) for info in alert.infos)})


def _put_info(office: Office, info: Info, kind: Kind) -> Info:
    hazards, level = office.hazards, Level(kind.level)
    colour, code = hazards.colour_parameter, hazards.event_code_list
    entry = hazards.by_key(kind.hazard)
    return info.model_copy(
        update={
            "severity": hazards.severity_of(level),
            "parameters": (
                *(p for p in info.parameters if p.value_name != colour),
                hazards.colour_pair(level),
            ),
            "event_codes": (*(p for p in info.event_codes if p.value_name != code), hazards.code_pair(entry))
            if entry
            else info.event_codes,
        }
    )


def info(office: Office, fields: Fields, kind: Kind) -> Info:
    """Return the info block of a warning that is written at the desk."""
    entry = office.hazards.by_key(kind.hazard)
    if entry is None and not fields.event:
        raise DeskRefused(
            "hazard", "say what the warning is of (event), or name a hazard of the table", why="no_event"
        )
    chinese = fields.language.lower().startswith("zh")
    name = fields.event or (entry and (entry.zh if chinese else entry.en)) or ""
    return Info(
        language=fields.language,
        categories=(entry.category if entry else Category.OTHER,),
        event=name,
        response_types=(fields.response,),
        urgency=fields.urgency,
        severity=Severity.UNKNOWN,
        certainty=fields.certainty,
        onset=fields.onset,
        expires=fields.expires,
        sender_name=fields.sender_name or office.settings.name,
        headline=fields.headline,
        description=fields.description or None,
        instruction=fields.instruction or None,
        web=fields.web,
        contact=fields.contact,
        areas=fields.areas,
    )
