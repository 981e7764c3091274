"""From bytes to an element tree, with every door shut that XML leaves open.

The bytes are decoded strictly, by the byte order mark or the declared encoding, before the XML parser
sees them; a DOCTYPE is refused on the text, so no entity is ever defined, let alone expanded; the tree is
built in slices and given up as soon as it is too deep or too large.
Nothing is fetched: no DTD, no entity, no XInclude, no stylesheet.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from gateway.alerts.findings import Refused

if TYPE_CHECKING:
    from gateway.alerts.findings import Findings


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a message is read before it is refused."""

    bytes: int = 1024 * 1024
    depth: int = 32
    elements: int = 15_000
    attributes: int = 64
    """In one element, namespace declarations not counted."""
    points: int = 20_000
    """Of all polygons together."""
    items: int = 1_000
    """In each list: references, addresses, incidents."""
    namespaces: int = 4_000
    """Declarations; each is looked through for each prefixed element."""
    foreign: int = 2_000
    """Elements unknown to CAP, with all that is inside of them."""


_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UNMARKED = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_DECLARATION = re.compile(r"<\?xml\s[^>]*\?>")
_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    # GB18030 contains its two elders, and senders name the elder while they use the younger.
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "big5": "big5hkscs",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "iso-8859-2": "iso8859-2",
    "iso-8859-5": "iso8859-5",
    "iso-8859-7": "iso8859-7",
    "iso-8859-9": "iso8859-9",
    "iso-8859-15": "iso8859-15",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1252": "cp1252",
    "windows-1256": "cp1256",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
    "shift_jis": "shift_jis",
}
_SPACE = re.compile(r"\s*")
_SLICE = 64 * 1024


def read_tree(data: bytes, limits: Limits, found: Findings) -> etree._Element:
    """The root element of the document.

    Raises:
        Refused: Anything about the bytes or the XML is wrong or beyond a limit.
    """
    if not data.strip(b"\x00 \t\r\n"):
        raise Refused("empty", "the file is empty")
    if len(data) > limits.bytes:
        raise Refused("too_large", f"the file has {len(data)} bytes, more than {limits.bytes}")
    text = _decode(data, found)
    start = text.lstrip()
    # Without a declaration XML allows white space, its own four characters, to come first.
    if len(start) < len(text) and (_DECLARATION.match(start) or len(text.lstrip(" \t\r\n")) > len(start)):
        found.add("whitespace_before_declaration", "")
    body = _without_declaration(start)
    _refuse_strange(body)
    return _build(body, limits)


def _decode(data: bytes, found: Findings) -> str:
    declared = _declared(data)
    marked = next((name for bom, name in _BOMS if data.startswith(bom)), None)
    unmarked = next((name for start, name in _UNMARKED if data.startswith(start)), None)
    if marked == "utf-8" and declared not in (None, "utf-8"):
        found.add("encoding_conflict", "")
    encoding = marked or unmarked or declared or "utf-8"
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        message = f"the bytes are not valid {encoding} (at byte {error.start})"
        raise Refused("encoding_broken", message) from None


def _declared(data: bytes) -> str | None:
    match = _DECLARED.match(data.removeprefix(codecs.BOM_UTF8))
    if match is None:
        return None
    name = match[1].decode("ascii").lower()
    if name not in _ENCODINGS:
        raise Refused(
            "encoding_unknown", "the declared character encoding is not one that is read; use UTF-8"
        )
    return _ENCODINGS[name]


def _without_declaration(text: str) -> str:
    # The text is no longer in the encoding that the declaration names.
    match = _DECLARATION.match(text)
    return text[match.end() :] if match else text


def _refuse_strange(body: str) -> None:
    if "\x00" in body:
        raise Refused("not_well_formed", "the file has a NUL character")
    if not body.lstrip().startswith("<"):
        raise Refused("not_xml", "the file is not XML: it does not begin with <")
    if _has_doctype(body):
        raise Refused("doctype", "the file has a DOCTYPE, which CAP does not have; it was not read further")


def _has_doctype(body: str) -> bool:
    # Only comments, instructions and white space can stand before it; each is passed over once.
    at = 0
    while True:
        at = _end_of_space(body, at)
        if body.startswith("<!--", at):
            end = body.find("-->", at + 4)
        elif body.startswith("<?", at):
            end = body.find("?>", at + 2)
        else:
            return body[at : at + 9].upper() == "<!DOCTYPE"
        if end < 0:
            return False
        at = body.index(">", end) + 1


def _end_of_space(body: str, at: int) -> int:
    match = _SPACE.match(body, at)
    return match.end() if match else at


def _build(body: str, limits: Limits) -> etree._Element:
    parser = etree.XMLPullParser(
        events=("start", "end", "start-ns"),
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    data = body.encode()
    watch = _Watch(limits)
    try:
        for at in range(0, len(data), _SLICE):
            parser.feed(data[at : at + _SLICE])
            watch.see(parser)
        root: etree._Element = parser.close()
        watch.see(parser)
    except etree.XMLSyntaxError as error:
        # libxml2 stops at a depth of its own, which may come before a slice is looked at.
        if "depth" in str(error).lower():
            raise Refused("too_deep", f"the elements are nested more than {limits.depth} deep") from None
        raise Refused("not_well_formed", _where(error)) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refused("doctype", "the file has a DOCTYPE, which CAP does not have")
    return root


def _where(error: etree.XMLSyntaxError) -> str:
    line, column = error.position
    return f"the XML is broken or cut off at line {line}, column {column}"


class _Watch:
    """Counts elements and depth while the tree grows."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._depth = 0
        self._elements = 0
        self._namespaces = 0

    def see(self, parser: etree.XMLPullParser) -> None:
        """Look at what has come since the last look.

        Raises:
            Refused: A limit is passed.
        """
        for event, element in parser.read_events():
            if event == "end":
                self._depth -= 1
            elif event == "start":
                self._depth += 1
                self._elements += 1
                self._judge(element)
            else:
                self._namespaces += 1
        if self._namespaces > self._limits.namespaces:
            message = f"the file declares more than {self._limits.namespaces} namespaces"
            raise Refused("too_many_namespaces", message)

    def _judge(self, element: Any) -> None:  # noqa: ANN401 - lxml types an event of a pull parser as anything
        limits = self._limits
        if self._depth > limits.depth:
            raise Refused("too_deep", f"the elements are nested more than {limits.depth} deep")
        if self._elements > limits.elements:
            raise Refused("too_many_elements", f"the file has more than {limits.elements} elements")
        if len(element.attrib) > limits.attributes:
            raise Refused("too_many_attributes", f"an element has more than {limits.attributes} attributes")
