"""Elements foreign to CAP: kept as they are, and never taken for CAP's own when they are written."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.alerts.check import check
from gateway.alerts.foreign import foreign_xml
from gateway.alerts.node import NAMESPACES
from gateway.alerts.parse import Refused, parse
from gateway.alerts.write import NAMESPACE, write

FORGED = (
    "<category>Met</category><event>FORGED</event><urgency>Immediate</urgency><severity>Extreme</severity>"
    "<certainty>Observed</certainty><area><areaDesc>all</areaDesc><circle>30,110 5000</circle></area></info>"
)
SIGNATURE = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>x</ds:SignedInfo></ds:Signature>'


def prefixed(alert, inside=""):
    """The message with the prefix ``c:`` before each of its names, and something before its end."""
    text = write(alert).decode().replace("</", "</c:").replace("<", "<c:").replace("<c:/c:", "</c:")
    text = text.replace("<c:?xml", "<?xml").replace(" xmlns=", " xmlns:c=")
    return text.replace("</c:alert>", f"{inside}</c:alert>").encode()


def with_inside(alert, before, inside):
    text = write(alert).decode()
    assert before in text
    return text.replace(before, f"{inside}{before}", 1).encode()


def assert_lossless(alert):
    data = write(alert)
    assert parse(data).alert == alert
    assert write(parse(data).alert) == data


class TestNoneBecomesCaps:
    @pytest.mark.parametrize(
        "start",
        [
            *('<info a=" xmlns=">', "<info a=' xmlns=\"urn:x\"'>", '<info a=" xmlns:c=">', '<info xmlns="">'),
            *('<info b="&gt;" a=" xmlns=">', '<q:info xmlns:q="z" a=" xmlns="><q:x/></q:info><info>'),
        ],
    )
    def test_an_info_in_no_namespace_stays_outside_of_cap(self, alert, start):
        parsed = parse(prefixed(alert, f"{start}{FORGED}"))
        assert parsed.alert.infos == alert.infos
        assert_lossless(parsed.alert)

    @pytest.mark.parametrize("other", [one for one in NAMESPACES if one != NAMESPACE])
    def test_an_info_of_another_version_is_refused_and_not_mapped_up(self, alert, other):
        for outer, inner in ((NAMESPACE, other), (other, NAMESPACE)):
            data = prefixed(alert, f'<info xmlns="{inner}">{FORGED}').replace(
                b':c="' + NAMESPACE.encode(), b':c="' + outer.encode()
            )
            with pytest.raises(Refused) as caught:
                parse(data)
            assert caught.value.code == "versions_mixed"

    def test_a_whole_message_inside_of_a_foreign_element_stays_inside(self, alert):
        inner = write(alert).decode().partition("\n")[2]
        parsed = parse(prefixed(alert, f'<x xmlns="">{inner}</x>'))
        assert parsed.alert.infos == alert.infos
        assert_lossless(parsed.alert)


class TestAllAreKept:
    @pytest.mark.parametrize(
        "strange",
        [
            *('<x xmlns="u"/>', '<x xmlns="../u"><y xmlns=""/></x>', '<q:x xmlns:q="u" q:a="1" a="2"/>'),
            *(
                '<xml:x xmlns=""><y/></xml:x>',
                '<x xmlns="" xml:lang="en" a="&#9;&#10;&#13;&quot;&lt;&amp;"/>',
            ),
            *(
                "<x xmlns=''>a&#13;b<y xmlns='u'/>c&#13;<y/></x>",
                SIGNATURE.replace(">x<", '><a xmlns="u"/><'),
            ),
        ],
    )
    @pytest.mark.parametrize("before", ["</info>", "</area>", "</geocode>", "</alert>"])
    def test_wherever_they_stand(self, alert, strange, before):
        checked = check(with_inside(alert, before, strange))
        assert checked.parsed
        assert parse(write(checked.parsed.alert, foreign=False)).alert.infos == alert.infos
        assert_lossless(checked.parsed.alert)
        assert checked.parsed.alert != alert

    @pytest.mark.parametrize("name", ["parameter", "eventCode"])
    def test_inside_of_a_pair(self, alert, name):
        pair = f'<{name}><valueName>a</valueName><value>b</value><x xmlns="urn:q">k</x></{name}>'
        parsed = parse(with_inside(alert, "<area>", pair))
        (info,) = parsed.alert.infos
        assert "foreign_element" in {one.code for one in parsed.findings}
        assert [one.extensions for one in (*info.parameters, *info.event_codes)] == [
            ('<x xmlns="urn:q">k</x>',)
        ]
        assert_lossless(parsed.alert)

    def test_a_signature_inside_of_a_block_is_kept_and_reported(self, alert):
        parsed = parse(with_inside(alert, "</info>", SIGNATURE))
        assert not parsed.alert.signatures
        assert len(parsed.alert.infos[0].extensions) == 1
        assert [one.code for one in parsed.findings] == ["foreign_element"]
        assert_lossless(parsed.alert)

    def test_a_resource_without_a_description_is_kept(self, alert):
        resource = "<resource><mimeType>a/b</mimeType><uri>https://warn.example.org/map</uri></resource>"
        parsed = parse(with_inside(alert, "<area>", resource))
        (kept,) = parsed.alert.infos[0].resources
        assert kept.uri == "https://warn.example.org/map"
        assert "resource_incomplete" in {one.code for one in parsed.findings}
        assert_lossless(parsed.alert)


def test_their_xml_means_the_same_in_any_place():
    text = '<e:a xmlns:e="urn:e" e:k="1">x<b/><c xmlns="urn:c">&lt;<d xmlns=""/></c>y</e:a>'
    alone = foreign_xml(etree.fromstring(text))
    placed = etree.fromstring(f'<p xmlns="urn:p" xmlns:e="urn:other" xmlns:a0="urn:a0">{alone}</p>')
    assert foreign_xml(placed[0]) == alone
    assert [one.tag for one in placed[0].iter()] == ["{urn:e}a", "b", "{urn:c}c", "d"]
