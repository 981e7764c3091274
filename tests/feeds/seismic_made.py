"""Solutions of invented earthquakes, around the invented county."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.alerts.model import Status
from gateway.audience.county import CENTRE
from gateway.desk.office import load_hazards
from gateway.feeds.contract import Solution
from gateway.feeds.seismic.case import Setup
from gateway.feeds.seismic.intensity import Township
from gateway.feeds.seismic.settings import SeismicSettings, load_seismic
from gateway.feeds.seismic.versions import Known, known
from gateway.settings import DeskSettings
from gateway.share import share

ORIGIN = datetime(2026, 7, 1, 2, 0, 5, tzinfo=UTC)
KM = 1 / 111.195
"""Degrees of latitude."""
TOWNS = (
    Township("990101001000", "青禾镇", CENTRE[0], CENTRE[1]),
    Township("990101002000", "白石镇", CENTRE[0] + 20 * KM, CENTRE[1]),
    Township("990101003000", "柳溪镇", CENTRE[0] + 60 * KM, CENTRE[1]),
    Township("990101004000", "云台镇", CENTRE[0] + 250 * KM, CENTRE[1]),
)


def solution(name: str = "us1", **changes: object) -> Solution:
    """An automatic solution of M 5.5 under the county; ``seconds`` and ``km`` (north) move it, ``minute`` is
    when its version was made.
    """
    seconds, km = float(changes.pop("seconds", 0)), float(changes.pop("km", 0))
    minute = changes.pop("minute", 1)
    given = {
        "agency": name[:2],
        "ids": (name,),
        "original": f"{name} at minute {minute}".encode(),
        "time": ORIGIN + timedelta(seconds=seconds),
        "lat": CENTRE[0] + km * KM,
        "lon": CENTRE[1],
        "depth_km": 10.0,
        "magnitude": 5.5,
        "magnitude_type": "mb",
        "place": "虚构县",
        "review": "automatic",
        "status": Status.ACTUAL,
        "updated": None if minute is None else ORIGIN + timedelta(minutes=float(minute)),
    }
    return Solution(**given | changes)


def version(source: str = "usgs", name: str = "us1", **changes: object) -> Known:
    """The same as it is known here, received when it was made."""
    came = solution(name, **changes)
    official = source != "wolfx"
    one = known(source, came, came.updated or ORIGIN + timedelta(minutes=1), official=official)
    assert one is not None
    return one


def rules() -> SeismicSettings:
    return load_seismic(share("config/seismic.toml"))


def setup() -> Setup:
    return Setup(rules(), load_hazards(share("config/hazards.toml")), DeskSettings())
