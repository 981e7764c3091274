"""T2: times in every spelling. An alert holds until the very instant of its stamp, or is refused."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta

import pytest

from gateway.alerts.hazards import Hazards
from gateway.alerts.parse import Refused, parse
from gateway.alerts.write import write
from gateway.feeds.place import Place
from gateway.feeds.rules import Case, judge
from gateway.feeds.settings import RuleSettings
from gateway.share import share
from tests.feeds.conftest import message

HAZARDS = Hazards.from_toml(tomllib.loads(share("config/hazards.toml").read_text(encoding="utf-8")))
SECOND = timedelta(seconds=1)

EXACT = {
    "2026-07-01T08:00:00+08:00": "2026-07-01T00:00:00",
    "2026-07-01T08:00:00+08:30": "2026-06-30T23:30:00",
    "2026-07-01T00:00:00Z": "2026-07-01T00:00:00",
    "2026-07-01T00:00:00z": "2026-07-01T00:00:00",
    "2026-07-01T00:00:00-00:00": "2026-07-01T00:00:00",
    "2026-07-01T00:00:00+00:00": "2026-07-01T00:00:00",
    "2026-06-30T19:00:00-05:00": "2026-07-01T00:00:00",
    "2026-06-30T12:00:00-12:00": "2026-07-01T00:00:00",
    "2026-07-01T14:00:00+14:00": "2026-07-01T00:00:00",
    "2026-07-01T05:45:00+05:45": "2026-07-01T00:00:00",
    "2026-06-30T20:30:00-03:30": "2026-07-01T00:00:00",
    "2026-07-01T08:00:00.0+08:00": "2026-07-01T00:00:00",
    "2026-07-01T08:00:00.999999999+08:00": "2026-07-01T00:00:00",
    "2026-06-30T24:00:00Z": "2026-07-01T00:00:00",
    "2026-07-01T24:00:00+08:00": "2026-07-01T16:00:00",
    "2028-02-29T00:00:00Z": "2028-02-29T00:00:00",
    "2026-12-31T23:59:59Z": "2026-12-31T23:59:59",
    # Local times that daylight saving skips or repeats; with an offset they are no riddle.
    "2026-03-29T02:30:00+01:00": "2026-03-29T01:30:00",
    "2026-03-29T02:30:00+02:00": "2026-03-29T00:30:00",
    "2026-10-25T02:30:00+02:00": "2026-10-25T00:30:00",
    "2026-10-25T02:30:00+01:00": "2026-10-25T01:30:00",
    "2026-03-08T02:30:00-05:00": "2026-03-08T07:30:00",
    "1986-09-14T01:30:00+09:00": "1986-09-13T16:30:00",
    "9999-12-30T00:00:00Z": "9999-12-30T00:00:00",
    "2038-01-19T03:14:08Z": "2038-01-19T03:14:08",
}
REFUSED = [
    "2026-07-01T08:00:00",
    "2026-07-01 08:00:00+08:00",
    "2026-07-01T08:00+08:00",
    "2026-07-01T08:00:00+0800",
    "2026-07-01T08:00:00+08",
    "2026-07-01T08:00:00 +08:00",
    "2026-07-01T08:00:00CST",
    "2026-07-01T23:59:60Z",
    "2016-12-31T23:59:60Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-07-01T25:00:00Z",
    "2026-07-01T08:00:00+15:00",
    "20260701T080000Z",
    "1782864000",
    "tomorrow",
]


def cap(stamp: str) -> bytes:
    """The CAP file of an alert that ends at the stamp, as somebody else would write it."""
    written = write(message()).decode()
    before, _, rest = written.partition("<expires>")
    return f"{before}<expires>{stamp}</expires>{rest.partition('</expires>')[2]}".encode()


def judged(alert, now):
    """What becomes of the alert at a time; it was sent just before."""
    alert = alert.model_copy(update={"sent": now})
    case = Case(
        alert=alert,
        rule=RuleSettings(action="draft"),
        official=True,
        now=now,
        hazards=HAZARDS,
        place=Place(("999901101000",)),
        in_force=True,
        signature="absent",
        policy="flag",
        findings=(),
        superseded=False,
        differs=False,
        refused=False,
        counts=True,
        follows_drill=False,
    )
    return judge(case)


@pytest.mark.parametrize(("stamp", "instant"), EXACT.items())
def test_an_alert_holds_until_the_very_instant_that_its_stamp_names(stamp, instant):
    end = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    alert = parse(cap(stamp)).alert
    assert alert.expires == end
    assert judged(alert, end - SECOND).todo == "draft"
    assert judged(alert, end).reason == "it has expired"


@pytest.mark.parametrize("stamp", REFUSED)
def test_a_stamp_without_an_offset_or_of_no_instant_refuses_the_message(stamp):
    with pytest.raises(Refused):
        parse(cap(stamp))


def test_there_are_forty_of_them():
    assert len(EXACT) + len(REFUSED) >= 40
