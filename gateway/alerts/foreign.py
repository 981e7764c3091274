"""Elements foreign to CAP as XML that means the same wherever it is put.

Each element names its own namespace, so none can fall into CAP's by what stands around it.
Prefixes are not kept: a signature is verified on the bytes received, never on what is written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree

_SIGNATURES = "http://www.w3.org/2000/09/xmldsig#"
# Bound to the prefix xml by definition; XML forbids to declare it.
_XML = "http://www.w3.org/XML/1998/namespace"
# Read back as spaces or line feeds if they stood bare.
_BREAKS = {"\r": "&#13;"}
_IN_QUOTES = {**_BREAKS, "\n": "&#10;", "\t": "&#9;", '"': "&quot;"}


def split_name(name: object) -> tuple[str, str]:
    """The namespace, ``""`` for none, and the local part of a name as lxml writes it."""
    namespace, _, local = str(name).rpartition("}")
    return namespace.removeprefix("{"), local


def is_signature(element: etree._Element) -> bool:
    """Whether the element is of XML-DSig."""
    return split_name(element.tag)[0] == _SIGNATURES


def foreign_xml(element: etree._Element) -> str:
    """An element, without the text after it, as XML that stands for itself."""
    return "".join(_element(element, None))


def _element(element: etree._Element, around: str | None) -> Iterator[str]:
    namespace, local = split_name(element.tag)
    name = f"xml:{local}" if namespace == _XML else local
    within = around if namespace == _XML else namespace
    declared = "" if within == around else f' xmlns="{escape(namespace, _IN_QUOTES)}"'
    yield f"<{name}{declared}{''.join(_attributes(element))}>{escape(element.text or '', _BREAKS)}"
    for child in element:
        yield from _element(child, within)
        yield escape(child.tail or "", _BREAKS)
    yield f"</{name}>"


def _attributes(element: etree._Element) -> Iterator[str]:
    for number, (full, value) in enumerate(element.attrib.items()):
        namespace, local = split_name(full)
        prefix = "xml" if namespace == _XML else f"a{number}"
        if namespace and namespace != _XML:
            yield f' xmlns:{prefix}="{escape(namespace, _IN_QUOTES)}"'
        yield f' {prefix}:{local}="' if namespace else f' {local}="'
        yield f'{escape(str(value), _IN_QUOTES)}"'
