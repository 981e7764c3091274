"""Whatever the bytes are, the parser answers or refuses; it never fails in another way."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alerts.check import check
from gateway.alerts.parse import Refused, parse
from gateway.alerts.write import write

WORDS = [
    *(
        "<alert>",
        "</alert>",
        "<info>",
        "</info>",
        "<area>",
        "</area>",
        "<polygon>",
        "</polygon>",
        "<sent>",
        "</sent>",
    ),
    *(
        "<resource>",
        "</resource>",
        "<geocode>",
        "</geocode>",
        "<valueName>",
        "</valueName>",
        "<note>",
        "</note>",
    ),
    *(
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?x",
        "?>",
        "<!DOCTYPE",
        "&lt;",
        "&#0;",
        "&#xFFFF;",
        "&x;",
        "\x00",
        "\ufeff",
    ),
    *(' xmlns=""', ' xmlns="u"', ' xmlns:c="urn:oasis:names:tc:emergency:cap:1.2"', ' a=" xmlns="'),
    *(
        '<x xmlns="u"/>',
        '<q:info xmlns:q="z"><y/></q:info>',
        "<c:info>",
        "</c:info>",
        ' xmlns="urn:x"',
        "<xml:x/>",
    ),
    *('<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">', "</Signature>", " xml:lang='en'"),
    *("1,1 2,2 3,1 1,1", "NaN,1", "9" * 400, "-", "Actual", "9999-12-31T24:00:00+14:00", "<", ">", '"', " "),
]
BASE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>i</identifier>'
    "<sender>a@example.org</sender>"
    "<sent>2026-07-01T08:00:00+08:00</sent><status>Actual</status><msgType>Update</msgType><scope>Public</scope>"
    "<references>a@example.org,h,2026-07-01T07:00:00+08:00</references><info><language>zh-CN</language>"
    "<category>Met</category><event>e</event><urgency>Past</urgency><severity>Minor</severity>"
    "<certainty>Likely</certainty><expires>2026-07-01T09:00:00+08:00</expires><headline>h</headline>"
    "<resource><resourceDesc>d</resourceDesc><mimeType>text/plain</mimeType><size>5</size>"
    "<derefUri>aGVsbG8=</derefUri></resource><area><areaDesc>x</areaDesc><polygon>1,1 2,2 3,1 1,1</polygon>"
    "<circle>1,1 5</circle><geocode><valueName>n</valueName><value>v</value></geocode><altitude>1</altitude>"
    "</area></info></alert>"
)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
MANY = settings(max_examples=300)


def assert_answered(data):
    """It is refused, or it is kept in such a way that writing it loses nothing and adds nothing."""
    checked = check(data, now=NOW)
    assert checked.verdict in ("ok", "findings", "refused")
    if checked.parsed:
        assert parse(write(checked.parsed.alert)).alert == checked.parsed.alert


@given(st.binary(max_size=400))
@MANY
def test_any_bytes(data):
    with contextlib.suppress(Refused):
        parse(data)


@given(st.lists(st.tuples(st.integers(0, len(BASE)), st.integers(0, 12), st.sampled_from(WORDS)), max_size=4))
@MANY
def test_a_message_with_pieces_replaced(cuts):
    text = BASE
    for at, length, word in cuts:
        text = text[:at] + word + text[at + length :]
    assert_answered(text.encode())


@given(st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
@MANY
def test_a_message_with_bytes_overwritten(changes):
    data = bytearray(BASE.encode())
    for at, byte in changes:
        data[at] = byte
    assert_answered(bytes(data))


@given(
    st.lists(st.sampled_from(WORDS), max_size=3),
    st.sampled_from(["</area>", "</geocode>", "</info>", "</alert>"]),
)
@MANY
def test_a_message_with_strange_elements_inside(words, before):
    assert_answered(BASE.replace(before, "".join(words) + before).encode())
