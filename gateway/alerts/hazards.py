"""Hazards, their codes and the colours of their warnings.

The table is data (``config/hazards.toml``); this module gives it meaning. Provinces have kinds of their own
and not every kind has four colours, so a deployment may bring another table.

The colour is a legal fact of a Chinese warning, CAP's severity a judgement of its effect. A message of ours
keeps both: severity as CAP wants it, the colour in a ``parameter`` whose valueName is
:attr:`Hazards.colour_parameter`, the hazard's code (11B03 and the like) in an ``eventCode`` whose valueName
is :attr:`Hazards.event_code_list`. Where a colour has to be concluded from something else, the result says
from what.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.alerts.model import Alert, Category, Info, Severity, ValuePair

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

AWARENESS = "awareness_level"
"""MeteoAlarm's parameter: ``"2; yellow; Moderate"``."""
_AWARENESS_FIELDS = 3


class Level(StrEnum):
    """The colour of a warning, from the gravest."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"

    @property
    def rank(self) -> int:
        """1 (red, 一级) to 4 (blue, 四级)."""
        return list(Level).index(self) + 1


class HazardsRefused(ValueError):
    """The hazard table is wrong; the text names the entry and the way out."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hazard(_Entry):
    """One kind of event.

    Attributes:
        key: Our own name for it, stable.
        zh: Its Chinese name, as in 暴雨橙色预警信号.
        en: Its English name.
        code: Event type of the national system (11B03); ``aliases`` holds codes of other families by family.
        category: CAP's category.
        colours: The colours that its warnings may have, gravest first.
    """

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]
    code: Annotated[str, Field(pattern=r"^[0-9A-Z]{5}$")]
    category: Category
    colours: tuple[Level, ...]
    also: tuple[str, ...] = ()
    """Other names that messages use for it."""
    aliases: dict[str, str] = {}


class Colour(_Entry):
    """One colour: its severity in CAP and its names."""

    severity: Severity
    zh: str
    en: str


class _Cap(_Entry):
    colour_parameter: Annotated[str, Field(min_length=1)]
    event_code_list: Annotated[str, Field(min_length=1)]


class _Table(_Entry):
    cap: _Cap
    levels: dict[Level, Colour]
    hazard: tuple[Hazard, ...]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [level for level in Level if level not in self.levels]
        if missing:
            raise ValueError(f"levels.{missing[0]} is missing")
        for name in ("key", "code", "zh"):
            _refuse_twice(name, [getattr(hazard, name) for hazard in self.hazard])
        _refuse_twice("severity", [colour.severity for colour in self.levels.values()])
        return self


def _refuse_twice(name: str, values: list[str]) -> None:
    double = next((value for value in values if values.count(value) > 1), None)
    if double is not None:
        raise ValueError(f"{name} {double} stands twice")


Origin: TypeAlias = Literal["parameter", "awareness_level", "severity"]


class FoundLevel(NamedTuple):
    """A colour and where it was found.

    ``level`` is ``None`` where the message names a colour that is none of the four: green, which means that
    no warning is in force, or a word that nobody knows. Such a message must not be sent on as a warning.
    """

    level: Level | None
    origin: Origin
    text: str
    """The value that it was read from."""


class FoundHazard(NamedTuple):
    """A hazard and where it was found."""

    hazard: Hazard
    origin: Literal["eventCode", "event"]


class Hazards:
    """The table of hazards and colours."""

    def __init__(self, table: _Table) -> None:
        """Made by :meth:`from_toml`."""
        self._table = table
        self._by_key = {hazard.key: hazard for hazard in table.hazard}
        self._by_code = {
            code: hazard for hazard in table.hazard for code in (hazard.code, *hazard.aliases.values())
        }
        self._by_name = {name.lower(): hazard for hazard in table.hazard for name in _names(hazard)}
        self._levels = {colour.severity: level for level, colour in table.levels.items()}

    @classmethod
    def from_toml(cls, data: Mapping[str, Any]) -> Self:
        """The table from the parsed content of a hazards.toml.

        Raises:
            HazardsRefused: The first thing that is wrong with it.
        """
        try:
            return cls(_Table.model_validate(data))
        except ValidationError as error:
            raise HazardsRefused(_first_error(error, data)) from None

    @property
    def colour_parameter(self) -> str:
        """The valueName of the parameter that holds the colour."""
        return self._table.cap.colour_parameter

    @property
    def event_code_list(self) -> str:
        """The valueName of the eventCode that holds the national event type."""
        return self._table.cap.event_code_list

    def all(self) -> tuple[Hazard, ...]:
        """Every hazard, in the order of the table."""
        return self._table.hazard

    def by_key(self, key: str) -> Hazard | None:
        """The hazard of that key."""
        return self._by_key.get(key)

    def by_code(self, code: str) -> Hazard | None:
        """The hazard of that event type, of any family in the table."""
        return self._by_code.get(code)

    def by_name(self, name: str) -> Hazard | None:
        """The hazard of that exact name, Chinese or English."""
        return self._by_name.get(name.strip().lower())

    def severity_of(self, level: Level) -> Severity:
        """CAP's severity for a colour."""
        return self._table.levels[level].severity

    def level_for(self, severity: Severity) -> Level | None:
        """The colour that goes with a severity; ``None`` for Unknown. Not the legal colour of a message."""
        return self._levels.get(severity)

    def colour(self, level: Level) -> Colour:
        """Names and severity of a colour."""
        return self._table.levels[level]

    def level_named(self, text: str) -> Level | None:
        """The level that a word names: ``red``, ``Red``, ``红``, ``红色``."""
        word = text.strip().lower()
        names = {
            level: (level.value, c.en.lower(), c.zh, c.zh.removesuffix("色")) for level, c in self._items()
        }
        return next((level for level, known in names.items() if word in known), None)

    def _items(self) -> Iterable[tuple[Level, Colour]]:
        return self._table.levels.items()

    def hazard_of(self, info: Info) -> FoundHazard | None:
        """The hazard that an info block is about: by its codes, then by the exact name in ``event``."""
        for pair in info.event_codes:
            hazard = self.by_code(pair.value)
            if hazard:
                return FoundHazard(hazard, "eventCode")
        named = self.by_name(info.event)
        return FoundHazard(named, "event") if named else None

    def colour_pair(self, level: Level) -> ValuePair:
        """The parameter that keeps the colour on a message of ours."""
        return ValuePair(value_name=self.colour_parameter, value=level.value)

    def code_pair(self, hazard: Hazard) -> ValuePair:
        """The eventCode that keeps the hazard on a message of ours."""
        return ValuePair(value_name=self.event_code_list, value=hazard.code)


def _names(hazard: Hazard) -> tuple[str, ...]:
    return (hazard.zh, hazard.en, *hazard.also)


def _first_error(error: ValidationError, data: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    rows = data.get("hazard")
    place = first["loc"][1] if len(first["loc"]) > 1 and first["loc"][0] == "hazard" else None
    if isinstance(rows, list) and isinstance(place, int) and isinstance(rows[place], dict):
        where = f"hazard {rows[place].get('key', place + 1)}: {'.'.join(map(str, first['loc'][2:]))}"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": ")


def is_green(awareness: str) -> bool:
    """Whether an awareness_level says that no warning is in force."""
    return awareness.split(";", maxsplit=1)[0].strip() == "1"


def level_of(message: Alert | Info, hazards: Hazards) -> FoundLevel | None:
    """The colour of an info block, or the gravest of a message, and where it comes from.

    The colour parameter counts first, then MeteoAlarm's awareness_level, and only then severity, which gives
    a colour for our own handling but never the legal one: ``origin`` tells them apart. ``None`` where nothing
    says how grave it is. Colour words in texts are not looked at.
    """
    if isinstance(message, Info):
        return _level_of_info(message, hazards)
    found = [one for one in (_level_of_info(info, hazards) for info in message.infos) if one]
    return min(found, key=lambda one: one.level.rank if one.level else len(Level) + 1, default=None)


def _level_of_info(info: Info, hazards: Hazards) -> FoundLevel | None:
    for pair in info.parameters:
        if pair.value_name == hazards.colour_parameter:
            return FoundLevel(hazards.level_named(pair.value), "parameter", pair.value)
    for pair in info.parameters:
        if pair.value_name == AWARENESS:
            return FoundLevel(_awareness(pair.value, hazards), "awareness_level", pair.value)
    level = hazards.level_for(info.severity)
    return FoundLevel(level, "severity", info.severity) if level else None


def _awareness(value: str, hazards: Hazards) -> Level | None:
    fields = value.split(";", maxsplit=_AWARENESS_FIELDS)[:_AWARENESS_FIELDS]
    return None if is_green(value) else next(filter(None, map(hazards.level_named, fields)), None)
