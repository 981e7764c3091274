from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.alerts.check import check
from gateway.alerts.hazards import Level
from gateway.alerts.parse import parse
from gateway.audience import AreaRefused, AreaSpec, from_alert, resolve, text_of
from gateway.audience.county import synthetic_county
from gateway.audience.county_files import write_files
from gateway.audience.locate import check_text, locate
from gateway.share import share

NORTH = {f"99010100{n}000" for n in range(1, 7)}


@pytest.fixture
def rainstorm():
    return share("config/demo/rainstorm_orange.xml").read_bytes()


def test_the_demonstration_warning_has_no_finding(rainstorm):
    checked = check(rainstorm, now=datetime(2026, 7, 15, 7, tzinfo=UTC))
    assert (checked.verdict, checked.findings) == ("ok", [])


def test_its_polygon_and_its_codes_reach_the_same_townships(rainstorm, regions):
    area = from_alert(parse(rainstorm).alert)
    assert len(area.polygons) == 1, "info blocks of two languages repeat it"
    by_shape = locate(area._replace(geocodes=()), regions, 0.0)
    by_code = locate(area._replace(polygons=()), regions, 0.0)
    assert {hit.code for hit in by_shape.hits} == {hit.code for hit in by_code.hits} == NORTH
    assert by_shape.placed_in == by_code.everyone_in


def test_its_text_fits_its_area(rainstorm, regions):
    alert = parse(rainstorm).alert
    assert check_text(locate(from_alert(alert), regions, 0.0), text_of(alert), regions) == []


async def test_it_reaches_about_half_of_the_county(loaded, rainstorm):
    alert = parse(rainstorm).alert
    audience = await resolve(loaded, from_alert(alert), level=Level.ORANGE, text=text_of(alert))
    assert set(audience.per_township) == NORTH
    assert set(audience.per_channel) == {"sms", "email", "wecom", "radio"}


def test_a_polygon_that_cannot_be_read_is_lost_and_not_left_out(rainstorm, regions):
    broken = rainstorm.replace(b"<polygon>30", b"<polygon>nan", 1)
    area = from_alert(parse(broken).alert)
    assert area.lost
    with pytest.raises(AreaRefused) as refused:
        locate(area, regions, 0.0)
    assert refused.value.code == "shape_unusable"


def test_an_area_of_words_is_noted_beside_one_that_is_located(rainstorm):
    more = rainstorm.replace(b"</area>", b"</area><area><areaDesc>somewhere else</areaDesc></area>", 1)
    assert from_alert(parse(more).alert).words == ("somewhere else",)


def test_no_real_alert_of_elsewhere_reaches_anybody_here(corpus, regions):
    looked_at = 0
    for path in sorted((corpus / "cap").glob("*.xml")):
        area = from_alert(parse(path.read_bytes()).alert)
        if isinstance(area, AreaSpec):
            looked_at += 1
            with pytest.raises(AreaRefused) as refused:
                locate(area, regions, 0.0)
            assert refused.value.code in {"no_area", "outside", "shape_unusable"}, path.name
    assert looked_at > 5


def test_the_shipped_files_are_those_of_seed_1(tmp_path):
    write_files(synthetic_county(seed=1), tmp_path)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == share(f"config/demo/{path.name}").read_bytes(), path.name
