"""Every CAP file of the corpus does what its row asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from gateway.alerts.check import check
from gateway.alerts.findings import CODES
from gateway.alerts.model import Alert
from gateway.alerts.parse import parse
from gateway.alerts.write import write

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
NOW = datetime(2026, 3, 1, 4, 5, tzinfo=UTC)
"""Five minutes after the mutated message was sent."""

FILES = sorted(
    str(path.relative_to(CORPUS))
    for pattern in (
        "cap/*.xml",
        "cap_legacy/*.xml",
        "meteoalarm/*.xml",
        "china/synthetic_wmo_cma_geocode_only.xml",
    )
    for path in CORPUS.glob(pattern)
)
ABSENT = pytest.param("", marks=pytest.mark.skip("no corpus beside the checkout: ../shared/corpus"))

HOSTILE = {
    "00_control_valid.xml": "",
    "attr_many_namespaces.xml": "",
    "bidi_zero_width.xml": "bidi_control zero_width",
    "billion_laughs.xml": "!doctype",
    "bom_utf8.xml": "",
    "deep_nesting.xml": "!too_deep",
    "empty.xml": "!empty",
    "gb18030_declared.xml": "",
    "latin1_declared.xml": "",
    "latin1_declared_utf8.xml": "!encoding_broken",
    "many_infos_201.xml": "",
    "not_xml_html_error.xml": "!doctype",
    "ns_none.xml": "!wrong_namespace",
    "ns_prefixed_valid.xml": "",
    "nul_byte.xml": "!not_well_formed",
    "poly_exclude_geocode.xml": "geocode_exclude_polygon order_wrong",
    "poly_huge_9000_points.xml": "polygon_many_points",
    "quadratic_blowup.xml": "!doctype",
    "real_meteoalarm_broken.xml": "!not_well_formed",
    "refs_other_sender_cancel.xml": "+references_other_sender",
    "truncated.xml": "!not_well_formed",
    "utf16_bom.xml": "",
    "xxe_external_dtd.xml": "!doctype",
    "xxe_file.xml": "!doctype",
    "xxe_http.xml": "!doctype",
    "xxe_parameter_entity.xml": "!doctype",
}
"""File -> ``!code`` refused, ``+code`` an error finding, codes that must be there, or none of weight."""

CASES = {
    "ns_wrong_version_13": "!wrong_namespace",
    "ns_http_url": "!wrong_namespace",
    "missing_identifier": "!missing_element",
    "missing_sender": "!missing_element",
    "missing_sent": "!missing_element",
    "missing_status": "!missing_element",
    "missing_msgType": "!missing_element",
    "missing_scope": "!missing_element",
    "missing_info_category": "!missing_element",
    "missing_info_event": "!missing_element",
    "missing_info_urgency": "!missing_element",
    "missing_info_severity": "!missing_element",
    "missing_info_certainty": "!missing_element",
    "missing_areaDesc": "!missing_element",
    "no_info": "no_info",
    "identifier_space_comma": "!word_malformed",
    "sender_with_comma": "!word_malformed",
    "identifier_whitespace_padded": "padded_value",
    "enum_status_lowercase": "!value_unknown",
    "enum_severity_unknown_value": "!value_unknown",
    "enum_certainty_very_likely": "certainty_very_likely",
    "date_Z": "time_zulu",
    "date_no_zone": "!time_without_offset",
    "date_fraction": "time_fraction",
    "date_space": "!time_malformed",
    "date_minus00": "",
    "date_impossible": "!time_malformed",
    "date_hour24": "+sent_far_in_future time_hour_24",
    "date_offset_no_colon": "!time_malformed",
    "date_text": "!time_malformed",
    "date_year_0001": "expired time_out_of_range",
    "date_far_future": "expires_far time_out_of_range",
    "expires_before_effective": "expires_before_effective expired",
    "sent_in_future": "+sent_far_in_future",
    "poly_unclosed": "polygon_unclosed",
    "poly_three_points": "+polygon_too_few_points",
    "poly_lonlat_swapped": "+coordinates_swapped",
    "poly_degrees_minutes": "+coordinates_out_of_range",
    "poly_garbage_token": "+polygon_malformed",
    "poly_tabs_newlines": "",
    "poly_empty": "polygon_empty area_text_only",
    "poly_decimal_comma": "+polygon_no_area",
    "poly_self_intersecting": "polygon_self_crossing",
    "poly_antimeridian": "polygon_antimeridian",
    "poly_antimeridian_over180": "longitude_over_180 polygon_antimeridian",
    "poly_nan_inf": "+polygon_malformed",
    "circle_no_radius": "+circle_malformed",
    "circle_negative_radius": "+circle_radius_impossible",
    "circle_zero_radius": "circle_radius_zero",
    "circle_km_suffix": "+circle_malformed",
    "area_only_desc": "area_text_only",
    "info_without_area": "area_missing",
    "geocode_oddities": "area_code_only geocode_list_in_value geocode_name_empty",
    "refs_malformed": "references_malformed",
    "refs_two_separated_newline": "",
    "refs_self": "references_self",
    "cancel_without_refs": "+cancel_without_references",
    "update_unknown_ref": "",
    "dup_same_id_other_content": "",
    "status_test": "not_actual",
    "status_exercise": "not_actual",
    "status_system": "not_actual",
    "scope_restricted": "not_public",
    "scope_private_addresses": "not_public",
    "order_wrong": "order_wrong",
    "two_alerts_one_file": "!not_well_formed",
    "dup_elements": "!duplicate_element",
    "lang_missing": "language_default",
    "lang_dup_infos": "",
    "lang_odd_tags": "language_odd",
    "not_xml_json": "!not_xml",
    "whitespace_before_decl": "whitespace_before_declaration",
    "control_chars": "!not_well_formed",
    "html_in_text": "html_in_text",
    "crlf_in_headline": "line_break_in_line",
    "template_injection": "",
    "long_text_30k": "text_very_long",
    "xinclude": "+markup_in_text",
    "xslt_pi": "",
    "resource_internal_uri": "uri_internal",
    "resource_bad_base64": "resource_bad_base64",
    "eventcode_and_params_dup": "",
}
"""Mutation -> what is asked of it, in the same words."""


def judge(data: bytes, asked: str) -> None:
    checked = check(data, now=NOW)
    codes = {one.code for one in checked.findings}
    errors = {one.code for one in checked.findings if one.severity == "error"}
    assert codes <= set(CODES)
    if asked.startswith("!"):
        assert checked.verdict == "refused"
        assert [one.code for one in checked.findings] == [asked[1:]]
        assert checked.parsed is None
        return
    assert checked.verdict != "refused"
    assert {word.removeprefix("+") for word in asked.split()} <= codes
    assert errors == {word[1:] for word in asked.split() if word.startswith("+")}
    if not asked:
        assert not [one for one in checked.findings if one.severity == "warning"]


@pytest.fixture(scope="module")
def schema():
    if not CORPUS.is_dir():
        pytest.skip("no corpus beside the checkout: ../shared/corpus")
    return etree.XMLSchema(etree.parse(CORPUS / "schemas" / "CAP-v1.2.xsd"))


@pytest.fixture(scope="module")
def cases():
    if not CORPUS.is_dir():
        pytest.skip("no corpus beside the checkout: ../shared/corpus")
    lines = (CORPUS / "cap_bad" / "cases.jsonl").read_text("utf-8").splitlines()
    return {case["name"]: case for case in map(json.loads, lines)}


class TestRealMessages:
    @pytest.mark.parametrize("name", FILES or [ABSENT])
    def test_they_are_read(self, name):
        checked = check((CORPUS / name).read_bytes(), now=NOW)
        assert checked.verdict in ("ok", "findings")
        assert checked.parsed is not None

    @pytest.mark.parametrize("name", FILES or [ABSENT])
    def test_they_come_back_from_xml_and_json_as_they_were(self, name):
        alert = parse((CORPUS / name).read_bytes()).alert
        assert parse(write(alert)).alert == alert
        assert Alert.model_validate_json(alert.model_dump_json()) == alert

    @pytest.mark.parametrize("name", FILES or [ABSENT])
    def test_what_is_written_is_valid(self, name, schema):
        alert = parse((CORPUS / name).read_bytes()).alert
        schema.assertValid(etree.fromstring(write(alert, foreign=False)))

    @pytest.mark.parametrize("name", FILES or [ABSENT])
    def test_a_second_pass_through_the_writer_changes_no_byte(self, name):
        once = write(parse((CORPUS / name).read_bytes()).alert)
        assert write(parse(once).alert) == once

    @pytest.mark.parametrize(
        ("name", "version"),
        [
            ("oasis_v10_appendix_a1.xml", "1.0"),
            ("oasis_v11_appendix_a2.xml", "1.1"),
            ("nws_cap11_5c2cf27b.xml", "1.1"),
        ],
    )
    def test_older_versions_are_mapped_up_and_say_so(self, corpus, name, version):
        parsed = parse((corpus / "cap_legacy" / name).read_bytes())
        assert parsed.version == version
        assert f"cap_{version.replace('.', '_')}" in {one.code for one in parsed.findings}

    def test_a_test_hidden_in_an_actual_message_is_found(self, corpus):
        found = check((corpus / "cap" / "eccc_capcp_2012_update.xml").read_bytes()).findings
        assert "alert/info[1]/description" in {
            one.path for one in found if one.code == "test_words_in_actual"
        }

    def test_a_chinese_warning_with_codes_alone_says_that_it_is_not_located(self, corpus):
        checked = check((corpus / "china" / "synthetic_wmo_cma_geocode_only.xml").read_bytes())
        assert {one.path for one in checked.findings if one.code == "area_code_only"} == {
            "alert/info[1]/area[1]",
            "alert/info[2]/area[1]",
        }

    @pytest.mark.parametrize("name", ["cap_green_level1", "cap_flooding_type12_ro"])
    def test_a_green_message_is_flagged(self, corpus, name):
        checked = check((corpus / "meteoalarm" / f"{name}.xml").read_bytes())
        assert "awareness_green" in {one.code for one in checked.findings}


class TestHostileFiles:
    def test_each_of_them_is_listed_here(self, corpus):
        assert {path.name for path in (corpus / "cap_bad").glob("*.xml")} == set(HOSTILE)

    @pytest.mark.parametrize("name", HOSTILE)
    def test_they_are_refused_or_flagged(self, corpus, name):
        judge((corpus / "cap_bad" / name).read_bytes(), HOSTILE[name])

    def test_namespaces_by_the_thousand_do_no_harm(self, corpus):
        many = parse((corpus / "cap_bad" / "attr_many_namespaces.xml").read_bytes()).alert
        assert many == parse((corpus / "cap_bad" / "00_control_valid.xml").read_bytes()).alert

    @pytest.mark.parametrize("name", ["bom_utf8.xml", "utf16_bom.xml", "ns_prefixed_valid.xml"])
    def test_encoding_and_prefix_make_no_difference(self, corpus, name):
        control = parse((corpus / "cap_bad" / "00_control_valid.xml").read_bytes()).alert
        assert parse((corpus / "cap_bad" / name).read_bytes()).alert.key == control.key

    def test_chinese_in_gb18030_is_read_as_it_was_written(self, corpus):
        headline = parse((corpus / "cap_bad" / "gb18030_declared.xml").read_bytes()).alert.infos[0].headline
        assert headline
        assert any("\u4e00" <= letter <= "\u9fff" for letter in headline)


class TestMutations:
    def test_each_of_them_is_listed_here(self, cases):
        assert set(cases) == set(CASES)

    @pytest.mark.parametrize("name", CASES)
    def test_they_are_refused_or_flagged(self, cases, name):
        judge(cases[name]["xml"].encode(), CASES[name])

    @pytest.mark.parametrize("name", CASES)
    def test_the_list_here_agrees_with_what_the_case_expects(self, cases, name):
        expected, asked = cases[name]["expect"], CASES[name]
        if expected.startswith("reject") and not expected.endswith(
            ("polygon", "circle", "silently", "ignore")
        ):
            assert asked.startswith("!")
        elif expected.startswith(("reject", "quarantine")):
            assert asked.startswith("+")
        else:
            assert not asked.startswith("!")
            assert asked or "warn" not in expected

    @pytest.mark.parametrize("name", [name for name, asked in CASES.items() if not asked.startswith("!")])
    def test_what_is_kept_of_them_survives_the_writer(self, cases, name, schema):
        alert = parse(cases[name]["xml"].encode()).alert
        assert parse(write(alert)).alert == alert
        schema.assertValid(etree.fromstring(write(alert)))

    @pytest.mark.parametrize(
        "name", [name for name in CASES if "+" in CASES[name] and name.startswith(("poly", "circle"))]
    )
    def test_a_shape_that_cannot_be_used_is_set_aside_and_not_forgotten(self, cases, name):
        (area,) = parse(cases[name]["xml"].encode()).alert.infos[0].areas
        assert not area.polygons
        assert not area.circles
        assert len(area.unusable_polygons) + len(area.unusable_circles) == 1

    def test_an_open_ring_is_closed_and_its_text_kept(self, cases):
        parsed = parse(cases["poly_unclosed"]["xml"].encode())
        (ring,) = parsed.alert.infos[0].areas[0].polygons
        assert ring[0] == ring[-1]
        assert parsed.raw["alert/info[1]/area[1]/polygon[1]"] == "10.0,20.0 10.0,21.0 11.0,21.0 11.0,20.0"

    def test_addresses_with_a_space_stay_together(self, cases):
        alert = parse(cases["scope_private_addresses"]["xml"].encode()).alert
        assert alert.addresses == ("duty officer", "a@example.org")

    def test_a_template_in_a_text_stays_a_text(self, cases):
        headline = parse(cases["template_injection"]["xml"].encode()).alert.infos[0].headline
        assert headline == "{{7*7}} ${jndi:ldap://x/y} %s %n {0.__class__}"

    def test_nothing_is_included_from_elsewhere(self, cases):
        assert parse(cases["xinclude"]["xml"].encode()).alert.note is None

    def test_both_of_two_codes_with_one_name_are_kept(self, cases):
        codes = parse(cases["eventcode_and_params_dup"]["xml"].encode()).alert.infos[0].event_codes
        assert [(code.value_name, code.value) for code in codes] == [("SAME", "SVR"), ("SAME", "TOR")]

    def test_another_content_under_the_same_key_has_the_same_key(self, cases, corpus):
        other = parse(cases["dup_same_id_other_content"]["xml"].encode()).alert
        control = parse((corpus / "cap_bad" / "00_control_valid.xml").read_bytes()).alert
        assert other.key == control.key
        assert other != control
