"""The parser beyond the corpus: limits, versions, foreign elements."""

from __future__ import annotations

import pytest

from gateway.alerts.parse import Limits, Refused, parse
from gateway.alerts.write import NAMESPACE, write


def document(alert, **changes):
    text = write(alert).decode()
    for old, new in changes.get("swap", {}).items():
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def refusal(data, **limits):
    with pytest.raises(Refused) as caught:
        parse(data, limits=Limits(**limits))
    return caught.value.code


class TestLimits:
    def test_a_file_beyond_one_mebibyte_is_refused(self, alert):
        padded = write(alert) + b" " * Limits().bytes
        assert refusal(padded) == "too_large"

    def test_too_many_elements_are_refused(self, alert):
        codes = "<code>x</code>" * 30_000
        assert refusal(document(alert, swap={"<info>": f"{codes}<info>"})) == "too_many_elements"

    def test_nesting_beyond_the_limit_is_refused(self, alert):
        nest = "<n>" * 40 + "</n>" * 40
        assert refusal(document(alert, swap={"<info>": f"{nest}<info>"})) == "too_deep"

    def test_too_many_attributes_are_refused(self, alert):
        attributes = " ".join(f'a{n}="1"' for n in range(65))
        assert refusal(document(alert, swap={"<info>": f"<info {attributes}>"})) == "too_many_attributes"

    def test_too_many_points_are_refused(self, alert):
        ring = "1,1 " * 20_001
        assert refusal(document(alert, swap={"<polygon>": f"<polygon>{ring}"})) == "too_many_points"

    @pytest.mark.parametrize("name", ["references", "addresses", "incidents"])
    def test_too_long_lists_are_refused(self, alert, name):
        listed = f"<{name}>{'x ' * 1_001}</{name}><info>"
        assert refusal(document(alert, swap={"<info>": listed})) == "too_many_items"

    def test_too_many_namespaces_are_refused(self, alert):
        spaces = "".join(f' xmlns:n{n}="urn:{n}"' for n in range(4_000))
        assert refusal(document(alert, swap={"<alert": f"<alert{spaces}"})) == "too_many_namespaces"

    def test_too_many_foreign_elements_are_refused(self, alert):
        strange = '<x xmlns="urn:x"/>' * 2001
        assert refusal(document(alert, swap={"</alert>": f"{strange}</alert>"})) == "too_many_foreign"

    def test_a_hundred_thousand_comments_before_the_root_are_read_in_one_go(self, alert):
        head, _, body = write(alert).partition(b"\n")
        assert parse(head + b"<!---->" * 100_000 + body).alert == alert

    def test_a_doctype_behind_comments_and_instructions_is_found(self, alert):
        body = write(alert).partition(b"\n")[2]
        assert refusal(b"<!-- a --><?x y?> \n<!DOCTYPE alert []>" + body) == "doctype"

    def test_a_finding_that_repeats_is_counted_and_not_listed(self, alert):
        data = document(alert, swap={"<info>": '<x xmlns="urn:x"/>' * 100 + "<info>"})
        found = [one for one in parse(data).findings if one.code == "foreign_element"]
        assert len(found) == 21
        assert found[-1].message == "80 more of this kind"


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["GBK", "gb2312", "GB18030", "UTF-8", "utf-16"])
    def test_declared_encodings_are_read(self, alert, encoding):
        data = write(alert).decode().replace("UTF-8", encoding).encode(encoding)
        assert parse(data).alert == alert

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf_16_without_a_mark_is_recognised(self, alert, encoding):
        assert parse(write(alert).decode().encode(encoding)).alert == alert

    def test_gbk_bytes_labelled_utf_8_are_refused(self, alert):
        assert refusal(write(alert).decode().encode("gbk")) == "encoding_broken"

    @pytest.mark.parametrize("name", ["UTF-7", "EBCDIC-CP-US", "x"])
    def test_an_unusual_encoding_is_refused(self, alert, name):
        assert refusal(write(alert).replace(b"UTF-8", name.encode())) == "encoding_unknown"

    def test_the_mark_is_believed_against_the_declaration(self, alert):
        data = b"\xef\xbb\xbf" + write(alert).replace(b"UTF-8", b"GBK")
        parsed = parse(data)
        assert parsed.alert == alert
        assert [one.code for one in parsed.findings] == ["encoding_conflict"]

    @pytest.mark.parametrize("space", [b" ", b"\n", b"\r\n\t"])
    def test_white_space_comes_first_only_where_no_declaration_does(self, alert, space):
        body = write(alert).partition(b"\n")[2]
        assert parse(space + body).findings == []
        assert [one.code for one in parse(space + write(alert)).findings] == ["whitespace_before_declaration"]

    def test_white_space_that_is_none_in_xml_is_reported(self, alert):
        body = write(alert).partition(b"\n")[2]
        assert [one.code for one in parse("\u3000".encode() + body).findings] == [
            "whitespace_before_declaration"
        ]


class TestForeignElements:
    def test_they_are_kept_and_come_back(self, alert):
        strange = '<e:a xmlns:e="urn:e" e:k="1">x<b/><c xmlns="urn:c">&lt;</c></e:a><d xmlns=""><f/></d>'
        parsed = parse(document(alert, swap={"</info>": f"{strange}</info>"}))
        (info,) = parsed.alert.infos
        assert len(info.extensions) == 2
        assert parse(write(parsed.alert)).alert == parsed.alert
        assert parse(write(parsed.alert, foreign=False)).alert == alert
        assert [one.path for one in parsed.findings if one.code == "foreign_element"] == ["alert/info[1]"] * 2

    def test_a_cap_element_in_no_namespace_is_not_taken_for_caps(self, alert):
        parsed = parse(document(alert, swap={"<info>": '<note xmlns="">hidden</note><info>'}))
        assert parsed.alert.note is None
        again = parse(write(parsed.alert))
        assert again.alert == parsed.alert
        assert again.alert.note is None

    def test_signatures_are_kept_apart(self, alert):
        signature = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature>'
        parsed = parse(document(alert, swap={"</alert>": f"{signature * 2}</alert>"}))
        assert len(parsed.alert.signatures) == 2
        assert not parsed.findings
        assert parse(write(parsed.alert)).alert == parsed.alert

    def test_attributes_and_stray_words_are_reported(self, alert):
        codes = {one.code for one in parse(document(alert, swap={"<info>": '<info id="1">word'})).findings}
        assert codes == {"attribute_ignored", "stray_text"}

    def test_a_value_with_elements_inside_is_refused(self, alert):
        data = document(alert, swap={"<status>Actual": "<status>Ac<!-- --><b>tu</b>al"})
        assert refusal(data) == "markup_in_value"

    def test_a_comment_inside_a_value_does_not_cut_it(self, alert):
        data = document(alert, swap={"<status>Actual": "<status>Ac<!-- Test -->tual"})
        assert parse(data).alert == alert


class TestVersions:
    OLD = (
        '<alert xmlns="http://www.incident.com/cap/1.0"><identifier>i</identifier><sender>s</sender>'
        "<password>secret</password><sent>2003-04-02T14:39:01-05:00</sent><status>Actual</status>"
        "<msgType>Alert</msgType><scope>Public</scope><info><event>e</event><urgency>Past</urgency>"
        "<severity>Minor</severity><certainty>Very Likely</certainty><eventCode>SAME=CAE</eventCode>"
        "<parameter>HSAS=a=b</parameter><area><areaDesc>x</areaDesc><geocode>FIPS6=006109</geocode></area>"
        "</info></alert>"
    )

    def test_cap_1_0_is_mapped_up(self):
        parsed = parse(self.OLD.encode())
        (info,) = parsed.alert.infos
        pairs = [*info.event_codes, *info.parameters, *info.areas[0].geocodes]
        assert [(p.value_name, p.value) for p in pairs] == [
            ("SAME", "CAE"),
            ("HSAS", "a=b"),
            ("FIPS6", "006109"),
        ]
        assert info.certainty == "Likely"
        assert [one.code for one in parsed.findings] == [
            "cap_1_0",
            "password_dropped",
            "category_default",
            "certainty_very_likely",
        ]

    def test_the_password_is_nowhere(self):
        parsed = parse(self.OLD.encode())
        assert "secret" not in repr(parsed)

    def test_a_missing_scope_is_never_taken_for_public(self):
        assert refusal(self.OLD.replace("<scope>Public</scope>", "").encode()) == "missing_element"

    def test_cap_1_1_has_pairs_already(self, alert):
        data = write(alert).replace(NAMESPACE.encode(), b"urn:oasis:names:tc:emergency:cap:1.1")
        parsed = parse(data)
        assert parsed.version == "1.1"
        assert parsed.alert == alert

    @pytest.mark.parametrize(
        "root", ["<alerts/>", "<EDXLDistribution/>", "<feed xmlns='http://www.w3.org/2005/Atom'/>"]
    )
    def test_other_documents_are_refused(self, root):
        assert refusal(root.encode()) == "wrong_root"


class TestLists:
    @pytest.mark.parametrize(
        ("text", "items"),
        [
            ("a b", ("a", "b")),
            ('"fire department" x', ("fire department", "x")),
            ('""', ("",)),
            (" ", ()),
            ('lone" quote', ("lone", "quote")),
        ],
    )
    def test_incidents_are_split_at_spaces_outside_of_quotes(self, alert, text, items):
        parsed = parse(document(alert, swap={"<info>": f"<incidents>{text}</incidents><info>"}))
        assert parsed.alert.incidents == items
        assert parse(write(parsed.alert)).alert == parsed.alert

    def test_empty_references_are_absent(self, alert):
        parsed = parse(document(alert, swap={"<info>": "<references/><info>"}))
        assert parsed.alert == alert
        assert [one.code for one in parsed.findings] == ["empty_element"]

    def test_references_are_instants(self, alert):
        one = "<references>s,i,2026-07-01T08:00:00+08:00\n s,i,2026-07-01T00:00:00Z broken</references><info>"
        parsed = parse(document(alert, swap={"<info>": one})).alert
        assert parsed.references[0].key == parsed.references[1].key
        assert parsed.malformed_references == ("broken",)


class TestRemarks:
    RESOURCE = "<resource><resourceDesc>d</resourceDesc><mimeType>m</mimeType>{}<uri>https://example.org</uri></resource>"

    @pytest.mark.parametrize(
        ("swap", "code"),
        [
            ({"<event>暴雨": "<event>"}, "event_empty"),
            ({"<headline>": "<headline> "}, "whitespace_trimmed"),
            ({"<category>": "<category> "}, "padded_value"),
            ({"zh-CN": "zh_CN"}, "language_underscore"),
            ({"zh-CN": "中文"}, "language_malformed"),
            ({"zh-CN": "zh" + "-a" * 100}, "language_malformed"),
            ({"<polygon>": "<polygon/><polygon>"}, "polygon_empty"),
            ({"</polygon>": "</polygon><circle/>"}, "circle_empty"),
            ({"</area>": "<altitude>1e3</altitude></area>"}, "altitude_malformed"),
            ({"<area>": RESOURCE.format("<size>5 kB</size>") + "<area>"}, "size_malformed"),
            ({"<area>": RESOURCE.replace("<mimeType>m</mimeType>", "") + "<area>"}, "mime_type_missing"),
            ({"<area>": "<resource><mimeType>m</mimeType></resource><area>"}, "resource_incomplete"),
            ({"<info>": '<incidents>a"b</incidents><info>'}, "value_list_item_odd"),
        ],
    )
    def test_each_oddity_has_its_code_and_the_message_is_kept(self, alert, swap, code):
        parsed = parse(document(alert, swap={k: v.replace("{}", "") for k, v in swap.items()}))
        assert code in {one.code for one in parsed.findings}
        assert parse(write(parsed.alert)).alert == parsed.alert

    def test_a_language_that_is_none_is_undetermined_and_not_english(self, alert):
        parsed = parse(document(alert, swap={"zh-CN": "中文"}))
        assert parsed.alert.infos[0].language == "und"
        assert parsed.raw["alert/info[1]/language"] == "中文"

    def test_a_refusal_names_the_place_and_not_the_text(self, alert):
        with pytest.raises(Refused) as caught:
            parse(document(alert, swap={"<severity>Severe": "<severity>13900000001"}))
        assert caught.value.path == "alert/info[1]/severity"
        assert "13900000001" not in str(caught.value)
