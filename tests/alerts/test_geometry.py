from __future__ import annotations

import pytest

from gateway.alerts.geometry import (
    crosses_date_line,
    is_simple,
    read_circle,
    read_polygon,
    unwrapped,
    width,
    write_polygon,
)

FIJI = "-17,179 -17,-179 -18,-179 -18,179 -17,179"


@pytest.mark.parametrize("text", [FIJI, "-17,179 -17,181 -18,181 -18,179 -17,179"])
def test_a_ring_over_the_date_line_goes_the_short_way(text):
    ring, _ = read_polygon(text)
    flat = unwrapped(ring)
    assert width(flat) == 2
    assert crosses_date_line(flat)
    assert is_simple(flat)


@pytest.mark.parametrize(
    "text",
    [
        "1_0,2 3,4 5,6 1,2",
        "١,2 3,4 5,6 1,2",
        "1e1,2 3,4 5,6 1,2",
        "1;2 3;4",
        "1,2,3 4,5,6",
        "0x1,2 3,4 5,6 1,2",
    ],
)
def test_only_plain_decimal_numbers_are_coordinates(text):
    ring, problems = read_polygon(text)
    assert ring is None
    assert [problem.code for problem in problems] == ["polygon_malformed"]


def test_precision_is_kept():
    text = "30.123456789,110.5 30.2,111.0 31.0,111.0 30.123456789,110.5"
    ring, problems = read_polygon(text)
    assert not problems
    assert write_polygon(ring) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("30,110", "circle_malformed"),
        ("30,110 5km", "circle_malformed"),
        ("30, 110 5", "circle_malformed"),
        ("30,110 -5", "circle_radius_impossible"),
        ("30,110 20100", "circle_radius_impossible"),
        ("110,30 5", "coordinates_swapped"),
        ("91,361 5", "coordinates_out_of_range"),
    ],
)
def test_a_circle_that_cannot_be_used(text, code):
    circle, problems = read_circle(text)
    assert circle is None
    assert [problem.code for problem in problems] == [code]
