from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import HOLE, ContentRefused
from channels.smtp.message import PreparedMail
from tests.channels.contract import TEXT, content

ONE_LINE = (
    st.text(st.sampled_from("暴雨é🌊ab _=?.,()-\"\\<>@:;&'"), min_size=1, max_size=120)
    .map(str.strip)
    .filter(bool)
)
LINK = "https://w.example.org/c/7Kq2?d=1&e=%3D"


def prepared(**changes):
    return PreparedMail(content(**changes), "warning@gateway.example.org", "gateway.example.org")


def wire(mail, *, eight_bit=True, delivery=17, address="li@example.org", fill=""):
    return mail.render(mail.template(eight_bit=eight_bit), delivery, address, fill)


def parsed(octets):
    """Read the message as a mail server and a mail program do."""
    assert octets.endswith(b"\r\n.\r\n")
    body = octets.removesuffix(b".\r\n")
    assert b"\r\n.\r\n" not in body
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", body)
    return message_from_bytes(re.sub(rb"(?m)^\.", b"", body), policy=policy.default)


def read(octets, kind="plain"):
    part = parsed(octets).get_body((kind,))
    return part.get_content().replace("\r\n", "\n")


class TestHeaders:
    """S6: no subject or sender makes a header."""

    def test_they_say_who_what_and_when(self):
        mail = parsed(wire(prepared()))
        assert str(mail["From"]) == "桐山县气象台 <warning@gateway.example.org>"
        assert mail["To"].addresses[0].addr_spec == "li@example.org"
        assert str(mail["Subject"]) == "暴雨橙色预警"
        assert mail["Date"].datetime == content().sent
        assert mail["Content-Language"] == "zh-CN"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail.get_content_type() == "multipart/alternative"
        assert mail.defects == []

    def test_the_message_id_is_the_same_for_a_second_copy(self):
        first, second = parsed(wire(prepared())), parsed(wire(prepared(), eight_bit=False))
        assert first["Message-ID"] == second["Message-ID"] == "<r-20260722-0001.17@gateway.example.org>"

    def test_a_release_name_that_no_message_id_can_hold_is_digested(self):
        mail = prepared(release="发布 1@\N{SNOWMAN}")
        assert re.fullmatch(r"[0-9a-f]{32}\.17@gateway\.example\.org", mail.message_id(17))
        assert mail.message_id(17) != prepared(release="发布 2").message_id(17)

    @pytest.mark.parametrize("level", ["red", "orange"])
    def test_red_and_orange_are_marked_urgent(self, level):
        mail = parsed(wire(prepared(level=level)))
        assert (mail["X-Priority"], mail["Importance"], mail["Priority"]) == ("1", "high", "urgent")

    @pytest.mark.parametrize("level", ["yellow", "blue"])
    def test_yellow_and_blue_are_not(self, level):
        mail = parsed(wire(prepared(level=level)))
        assert mail["X-Priority"] is mail["Importance"] is mail["Priority"] is None

    def test_messages_of_one_warning_share_their_thread(self):
        first = parsed(wire(prepared(release="r-1")))
        update = parsed(wire(prepared(release="r-2", reply_to="r-1")))
        assert (
            first["References"]
            == update["References"]
            == update["In-Reply-To"]
            == "<r-1@gateway.example.org>"
        )
        assert first["In-Reply-To"] is None

    def test_only_a_drill_has_the_drill_header(self):
        assert parsed(wire(prepared(drill=True)))["X-Tongda-Drill"] == "true"
        assert parsed(wire(prepared()))["X-Tongda-Drill"] is None

    def test_expiry_is_told(self):
        assert parsed(wire(prepared(expires=datetime(2026, 7, 22, 12, tzinfo=UTC))))["Expires"].startswith(
            "Wed, 22"
        )

    @pytest.mark.parametrize("field", ["subject", "sender", "language"])
    @pytest.mark.parametrize("control", ["\r\nBcc: x@example.com", "\n", "\x00", "\u2028"], ids=ascii)
    def test_a_control_character_is_refused(self, field, control):
        with pytest.raises(ContentRefused, match=field):
            prepared(**{field: f"a{control}b"})

    @given(ONE_LINE, ONE_LINE)
    def test_any_subject_and_sender_come_back_whole(self, subject, sender):
        octets = wire(prepared(subject=subject, sender=sender))
        mail = parsed(octets)
        assert str(mail["Subject"]) == subject
        # The library's address parser puts blanks between encoded words, its word decoder does not.
        shown = make_header(decode_header(message_from_bytes(octets)["From"]))
        assert str(shown) == f"{sender} <warning@gateway.example.org>"
        assert mail["From"].addresses[0].addr_spec == "warning@gateway.example.org"


class TestText:
    @pytest.mark.parametrize("eight_bit", [True, False])
    def test_it_comes_back_as_it_was_approved(self, eight_bit):
        text = f"{TEXT}\n\n.行首的点\n. \n空格结尾  \n\ttab\n=3D 不是编码\nFrom 行首\n"
        mail = prepared(text=text)
        assert read(wire(mail, eight_bit=eight_bit)) == text
        assert mail.preview() == f"暴雨橙色预警\n\n{text}"

    def test_eight_bit_goes_only_where_it_is_offered(self):
        mail = prepared()
        assert not wire(mail, eight_bit=True).isascii()
        assert wire(mail, eight_bit=False).isascii()
        assert parsed(wire(mail)).get_body(("plain",))["Content-Transfer-Encoding"] == "8bit"

    def test_a_line_too_long_for_eight_bit_is_quoted(self):
        mail = prepared(text="雨" * 400)
        assert mail.eight_bit is None
        assert max(map(len, wire(mail).split(b"\r\n"))) <= 998
        assert read(wire(mail)) == "雨" * 400

    @pytest.mark.parametrize(
        "text",
        [
            HOLE,
            f"{HOLE}\n",
            f"\n{HOLE}",
            f"确认：{HOLE}",
            f"确认：{HOLE}。谢谢\n完",
            f"{'雨' * 30} {HOLE} {'x' * 200}",
        ],
        ids=ascii,
    )
    @pytest.mark.parametrize("fill", ["", LINK, f"{LINK}{'a' * 200}", ".leading", "确认=码", "a b "])
    def test_the_hole_is_filled_wherever_it_stands(self, text, fill):
        mail = prepared(text=text)
        octets = wire(mail, fill=fill)
        assert octets.isascii()
        assert read(octets) == text.replace(HOLE, fill)
        assert mail.preview(fill).endswith(text.replace(HOLE, fill))
        assert max(map(len, octets.split(b"\r\n"))) <= 78

    def test_two_holes_are_refused(self):
        with pytest.raises(ContentRefused, match="more than one place"):
            prepared(text=f"{HOLE}{HOLE}")

    @pytest.mark.parametrize("bad", ["\x00", "\x1b[0m", "\ud800"], ids=ascii)
    def test_what_cannot_be_sent_is_refused(self, bad):
        with pytest.raises(ContentRefused):
            prepared(text=f"a{bad}")

    @given(
        st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n.=\t"), max_size=300),
        st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=100),
        st.booleans(),
    )
    def test_any_text_and_fill_come_back_whole(self, text, fill, eight_bit):
        whole = f"{text.replace(HOLE, '')}{HOLE}{text[::-1].replace(HOLE, '')}"
        shown = whole.replace(HOLE, fill)
        assert read(wire(prepared(text=whole), eight_bit=eight_bit, fill=fill)) == shown


class TestHtml:
    def test_every_word_is_escaped(self):
        bad = "<script>alert(1)</script> & \"<img src=x onerror='1'>\""
        page = read(wire(prepared(text=bad, subject=bad)), "html")
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page

    def test_a_link_can_be_opened(self):
        page = read(wire(prepared(text=f"确认：{HOLE}"), fill=LINK), "html")
        shown = LINK.replace("&", "&amp;")
        assert f'<a href="{shown}">{shown}</a>' in page

    def test_a_fill_that_is_no_link_stays_text(self):
        page = read(wire(prepared(text=HOLE), fill='javascript:alert("1")'), "html")
        assert "href" not in page
        assert "javascript:alert(&quot;1&quot;)" in page

    def test_paragraphs_and_lines_are_kept(self):
        page = read(wire(prepared(text="一\n二\n\n三")), "html")
        assert "<p>一<br>\n二</p>\n<p>三</p>" in page

    def test_nothing_is_loaded_from_elsewhere(self):
        page = read(wire(prepared()), "html")
        assert not re.search(r"src=|url\(|<link|http", page)
