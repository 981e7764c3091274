"""CAP files made to be costly to read: as much of one thing as the limits let through, or more."""

from __future__ import annotations

import math

HEAD = (
    '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>i</identifier>'
    "<sender>a@example.org</sender>"
    "<sent>2026-07-01T08:00:00+08:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
)
INFO = (
    "<info><category>Met</category><event>e</event><urgency>Past</urgency><severity>Minor</severity>"
    "<certainty>Likely</certainty>"
)
TAIL = "<area><areaDesc>x</areaDesc>{}</area></info></alert>"
AWARENESS = "<parameter><valueName>awareness_level</valueName><value>{}</value></parameter>"
LANGUAGE = INFO.replace("<category>", "<language>{}</language><category>", 1)


def ring(points):
    turns = [(math.cos(n / points * math.tau), math.sin(n / points * math.tau)) for n in range(points)]
    return " ".join(f"{30 + x:.6f},{110 + y:.6f}" for x, y in [*turns, turns[0]])


def star(points):
    """A ring of which nearly every side crosses nearly every other."""
    turns = [n * (points // 2) / points * math.tau for n in range(points)]
    return " ".join(f"{30 + math.cos(t):.6f},{110 + math.sin(t):.6f}" for t in [*turns, turns[0]])


def codes_and_blocks(number):
    """Many codes in the first block, and half as many blocks to compare with it."""
    codes = "".join(
        f"<eventCode><valueName>n{n}</valueName><value>v</value></eventCode>" for n in range(number)
    )
    blocks = f"{INFO}</info>" * (number // 2)
    return f"{HEAD}{INFO}{codes}</info>{blocks}</alert>"


def made():
    """Names and texts of files."""
    area = HEAD + INFO + TAIL
    wide = "".join(f"<parameter><valueName>{n}</valueName><value>v</value></parameter>" for n in range(4_980))
    namespaces = "".join(f' xmlns:n{n}="urn:x:{n}"' for n in range(25_000))
    yield "ring of 19,900 points", area.format(f"<polygon>{ring(19_900)}</polygon>")
    yield "star of 19,901 points", area.format(f"<polygon>{star(19_901)}</polygon>")
    yield (
        "zigzag of 19,900 points",
        area.format(
            f"<polygon>{' '.join(f'{30 + n % 2},{100 + n / 1000}' for n in range(19_900))} 30,100</polygon>"
        ),
    )
    yield "262,000 points", area.format(f"<polygon>{'1,1 ' * 262_000}</polygon>")
    yield "many short rings", area.format("<polygon>1,1 1,2 2,2 1,1</polygon>" * 4_900)
    yield "4,980 parameters", HEAD + INFO + wide + TAIL.format("")
    yield "1,850 info blocks", HEAD + "".join(f"{INFO}</info>" for _ in range(1_850)) + "</alert>"
    yield "100,000 elements", HEAD + "<code/>" * 100_000 + "</alert>"
    few = "".join(f' xmlns:n{n}="urn:x:{n}"' for n in range(3_900))
    yield (
        "3,900 namespaces, 1,900 foreign",
        HEAD.replace("<alert", f"<alert{few}") + "<n9:x/>" * 1_900 + "</alert>",
    )
    yield (
        "25,000 namespaces, 200 foreign",
        HEAD.replace("<alert", f"<alert{namespaces}") + "<n1:x/>" * 200 + "</alert>",
    )
    yield "one text of a mebibyte", HEAD + f"<note>{'&lt;b&gt;' * 90_000}</note></alert>"
    yield "foreign tree", HEAD + "<x>" + "<y/>" * 19_000 + "</x></alert>"
    yield (
        "references",
        HEAD.replace("Alert<", "Update<") + f"<references>{'a,b ' * 250_000}</references></alert>",
    )
    yield "spaces", HEAD + f"<note>{' ' * 1_000_000}x</note></alert>"
    yield "quotes", HEAD + f"<incidents>{chr(34) * 500_001}</incidents></alert>"
    yield "open quotes", HEAD + f"<incidents>{(chr(34) + 'a ') * 300_001}</incidents></alert>"
    yield "attribute of a mebibyte", HEAD + f"<x y='{'a' * 1_000_000}'/></alert>"
    yield "comments", "<!---->" * 119_900 + HEAD + "</alert>"
    yield (
        "spaces in a claim",
        HEAD + INFO + f"<description>not{' ' * 1_000_000}a</description>" + TAIL.format(""),
    )
    yield "claims", HEAD + INFO + f"<description>{'this is a ' * 100_000}</description>" + TAIL.format("")
    yield "digits of a polygon", area.format(f"<polygon>{'1' * 1_000_000}</polygon>")
    yield "digits of a circle", area.format(f"<circle>1,1 {'1' * 1_000_000}x</circle>")
    yield "awareness in a million fields", HEAD + INFO + AWARENESS.format(";" * 1_000_000) + TAIL.format("")
    yield "language of a mebibyte", HEAD + LANGUAGE.format("a-" * 500_000 + "a") + TAIL.format("")
    yield "codes and blocks", codes_and_blocks(2_400)
    yield (
        "words by the thousand",
        HEAD + INFO + f"<description>{'exercise ' * 110_000}</description></info></alert>",
    )
