from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.alerts.barriers import barriers
from gateway.alerts.model import Alert, Area, ValuePair


def with_info(alert, **values):
    (info,) = alert.infos
    return alert.model_copy(update={"infos": (info.model_copy(update=values),)})


def other(alert, **values):
    return Alert.model_validate({**alert.model_dump(), **values})


def test_a_warning_in_force_may_leave(alert, now):
    assert barriers(alert, now=now) == []


@pytest.mark.parametrize("status", ["Exercise", "System", "Test", "Draft"])
def test_only_actual_leaves_as_live(alert, now, status):
    (sentence,) = barriers(other(alert, status=status), now=now)
    assert sentence == f"status is {status}; a live release takes Actual only"


@pytest.mark.parametrize(
    ("status", "held"), [("Actual", 1), ("Exercise", 0), ("Test", 0), ("Draft", 1), ("System", 1)]
)
def test_a_drill_takes_exercise_and_test(alert, now, status, held):
    assert len(barriers(other(alert, status=status), now=now, drill=True)) == held


@pytest.mark.parametrize("scope", ["Restricted", "Private"])
def test_only_public_enters_public_channels(alert, now, scope):
    assert "only Public" in barriers(other(alert, scope=scope), now=now)[0]


@pytest.mark.parametrize("kind", ["Ack", "Error"])
def test_answers_are_for_machines(alert, now, kind):
    assert "machines" in barriers(other(alert, msg_type=kind), now=now)[0]


def test_what_is_over_stays(alert, now):
    assert "validity is over" in barriers(with_info(alert, expires=now - timedelta(seconds=1)), now=now)[0]


def test_without_words_there_is_nothing_to_send(alert, now):
    assert "no info block" in barriers(alert.model_copy(update={"infos": ()}), now=now)[0]


def test_a_shape_that_was_lost_stops_the_release(alert, now):
    lost = Area(area_desc="x", unusable_polygons=("1;2",))
    assert "cannot be used" in barriers(with_info(alert, areas=(lost,)), now=now)[0]


def test_green_stays(alert, now):
    green = ValuePair(value_name="awareness_level", value="1; green; Minor")
    assert "green" in barriers(with_info(alert, parameters=(green,)), now=now)[0]
