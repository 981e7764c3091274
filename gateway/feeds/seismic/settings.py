"""What decides between a solution and a warning: ``config/seismic.toml``."""

from __future__ import annotations

import string
import tomllib
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    ValidationError,
    model_validator,
)

from gateway.alerts.hazards import Level
from gateway.share import share

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings import Settings

NAMES = frozenset(
    {
        *("time", "place", "lat", "lon", "magnitude", "depth", "near", "agencies", "review", "unofficial"),
        *("issuer", "colour", "report", "number", "strongest", "townships", "reason"),
    }
)
"""What stands in braces in a text."""

_LEAST_RING = 3


class SeismicRefused(ValueError):
    """The file cannot be used; the text names it and the entry to mend."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_names(text: str) -> str:
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is not None and (name not in NAMES or form or conversion):
            raise ValueError(f"{{{name}}} is none of: {', '.join(sorted(NAMES))}")
    return text


Template = Annotated[str, Field(min_length=1), AfterValidator(_known_names)]
Axis = tuple[float, float, float, PositiveFloat]
"""A, B, C and R0 (km) of ``I = A + B M + C lg(R + R0)``."""


class Relation(_Strict):
    """How intensity falls with distance in one region, along and across the fault."""

    long: Axis
    short: Axis

    @model_validator(mode="after")
    def _falls(self) -> Relation:
        if not (self.long[2] < 0 < self.long[1] and self.short[2] < 0 < self.short[1]):
            raise ValueError("B must be positive and C negative: intensity grows with M and falls with R")
        return self


class Zone(_Strict):
    """A region on the map: the relation for epicentres inside."""

    relation: str
    polygon: tuple[tuple[float, float], ...] = Field(min_length=_LEAST_RING)
    """Corners (latitude, longitude) in degrees."""


class Model(_Strict):
    """The relations and how far they are trusted."""

    relation: str
    relations: dict[str, Relation]
    zones: tuple[Zone, ...] = ()
    deepest_km: PositiveFloat = 70
    reach_km: PositiveFloat = 300

    @model_validator(mode="after")
    def _named(self) -> Model:
        for name in (self.relation, *(zone.relation for zone in self.zones)):
            if name not in self.relations:
                raise ValueError(f"there is no relation {name!r}: one of {', '.join(self.relations)}")
        return self


class Levels(_Strict):
    """From which intensity on a township has which colour."""

    thresholds: dict[Level, float] = Field(min_length=1)
    margin: float = Field(default=0.3, ge=0, le=2)

    @model_validator(mode="after")
    def _descending(self) -> Levels:
        values = [self.thresholds[level] for level in Level if level in self.thresholds]
        if values != sorted(set(values), reverse=True):
            raise ValueError("the thresholds must fall from red to blue")
        return self


class Association(_Strict):
    """When two solutions may be one event."""

    seconds: PositiveFloat = 30
    km: PositiveFloat = 100
    wide_km: PositiveFloat = 200
    wide_depth_km: PositiveFloat = 100
    wide_magnitude: float = 7.0
    magnitude: PositiveFloat = 1.0


class Local(_Strict):
    """Where an agency knows best; degrees."""

    agency: str
    west: float
    south: float
    east: float
    north: float

    def holds(self, lat: float, lon: float) -> bool:
        """Whether a point lies inside; a box may cross the date line."""
        across = self.west <= lon <= self.east
        if self.west > self.east:
            across = lon >= self.west or lon <= self.east
        return across and self.south <= lat <= self.north


class Preference(_Strict):
    """Whose solution counts."""

    agencies: tuple[str, ...] = ()
    local: tuple[Local, ...] = ()
    event_types: frozenset[str] = frozenset({"earthquake"})


class Plausible(_Strict):
    """Beyond these a person must look."""

    largest: float = 8.5
    jump: PositiveFloat = 1.0
    oldest_seconds: PositiveFloat = 600
    ahead_seconds: PositiveFloat = 60
    shallowest_km: float = -5
    deep_alarm_magnitude: float = 5.0

    @property
    def oldest(self) -> timedelta:
        """As a duration."""
        return timedelta(seconds=self.oldest_seconds)


class Reports(_Strict):
    """When there is something more to say, and how long it holds."""

    magnitude: PositiveFloat = 0.3
    on_agreement: bool = True
    valid_hours: float = Field(default=24, gt=0, le=168)

    @property
    def valid(self) -> timedelta:
        """As a duration."""
        return timedelta(hours=self.valid_hours)


class Texts(_Strict):
    """The words, with ``{names}``; those of :data:`NAMES` are known."""

    event: str = Field(min_length=1)
    headline: Template
    description: Template
    instruction: dict[Level, Template]
    cancel_headline: Template
    cancel_description: Template
    cancel_instruction: Template
    township_line: Template
    unofficial: str
    automatic: str
    reviewed: str
    depth_unknown: str
    withdrawn: str
    """Why a warning is taken back: nobody says any more that there was an event."""
    weaker: str
    """... no township reaches a level any more."""
    merged: str
    """... it is the same earthquake as another one that was warned of."""
    no_earthquake: str
    """... it was something else."""
    agencies: dict[str, str] = {}
    """Names of agencies by their code."""


class SeismicSettings(_Strict):
    """The whole file."""

    model: Model
    levels: Levels
    association: Association = Association()
    preference: Preference = Preference()
    plausible: Plausible = Plausible()
    reports: Reports = Reports()
    text: Texts

    @model_validator(mode="after")
    def _instructed(self) -> SeismicSettings:
        missing = [level.value for level in self.levels.thresholds if level not in self.text.instruction]
        if missing:
            raise ValueError(f"text.instruction.{missing[0]} is missing")
        return self


def load_seismic(path: Path) -> SeismicSettings:
    """Read the file.

    Raises:
        SeismicRefused: with the file and the entry to mend.
    """
    try:
        return SeismicSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SeismicRefused(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SeismicRefused(f"{path}: {error}") from None
    except ValidationError as error:
        raise SeismicRefused(f"{path}: {_first(error.errors()[0])}") from None


def _first(error: Any) -> str:  # noqa: ANN401 - pydantic's own
    place = ".".join(map(str, error["loc"])) or "the file"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"


def open_seismic(settings: Settings) -> SeismicSettings:
    """Read the file that the settings name, else the packaged one; raises SeismicRefused."""
    return load_seismic(settings.feeds.seismic_file or share("config/seismic.toml"))
