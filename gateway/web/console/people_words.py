"""What the rooms say about contacts, regions and their files, in the words of the console."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.web.console.filters import GROUPS, N_

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.audience.columns import Fault
    from gateway.web.console.visit import Visit

REFUSED = {
    "reveal_reason": N_("Say in up to %(most)s characters why you need the address."),
    "reveals": N_(
        "You looked at the addresses of %(most)s contacts within an hour: wait, or ask a colleague. "
        "Every look is logged."
    ),
    "group_taken": N_("There is a group of this name already."),
    "drill_group": N_(
        "Drills go to the group %(group)s: somebody whose rights hold everywhere says who is in it."
    ),
    "import_groups": N_(
        "the file makes a group or changes that of drills: leave that out, or ask somebody whose rights hold "
        "everywhere"
    ),
    "no_contact": N_("There is no contact %(contact)s in your area."),
    "no_group": N_("There is no group %(group)s."),
    "contact_area": N_("Region %(region)s lies outside your area."),
    "number_taken": N_("Another contact has the number %(number)s already: change that one."),
    "regions_everywhere": N_("Regions are loaded by somebody whose rights hold in every area."),
    "file_empty": N_("The file is empty, or none was chosen."),
    "no_import": N_("There is no such file of yours: send it again."),
    "import_state": N_("This file waits for no confirmation any more: send it again."),
    "rows_refused": N_(
        "%(rows)s rows would be left out: correct the file, or agree to bring the other rows in."
    ),
    "import_busy": N_("Another file is under way: wait until it has ended."),
}
"""Code of a refusal -> what it says."""

REASONS = (
    N_("the cell is empty"),
    N_("fill it"),
    N_("the name is empty"),
    N_("delete it"),
    N_("shorten it"),
    N_("correct it"),
    N_("correct the line"),
    N_("correct it or empty the cell"),
    N_("correct it or leave it empty"),
    N_("correct its formula or empty it"),
    N_("write the 12 digits"),
    N_("an unknown role"),
    N_("choose one of the list"),
    N_("an unknown language"),
    N_("write a tag such as zh-CN, en or bo"),
    N_("no coordinate in degrees"),
    N_("write it like 106.52"),
    N_("one coordinate is missing"),
    N_("give longitude and latitude, or neither"),
    N_("the latitude does not exist"),
    N_("longitude and latitude may be exchanged"),
    N_("keep one of the rows"),
    N_("correct one if that is wrong"),
    N_("another contact has this address too"),
    N_("no address on any channel"),
    N_("the person cannot be reached"),
    N_("a text begins like a formula"),
    N_("it was kept as plain text"),
    N_("a line break or control character in the cell"),
    N_("a spreadsheet turned the code into a rounded number"),
    N_("format the column as text and fill it again"),
    N_("write the township before the village, or the code"),
    N_("no loaded region has this name"),
    N_("no loaded region has this code"),
    N_("write its code of 12 digits, or load it: tongda audience regions"),
    N_("correct it, or load the region: tongda audience regions"),
    N_("a division code has 6, 9, 12 or 14 digits"),
    N_("a division code of zeros names no division"),
    N_("the number belongs to a contact of another area"),
    N_("ask somebody of that area"),
    N_("this is no phone number: write +86 199 0000 0001"),
    N_("no phone number has this length: write +86 199 0000 0001"),
    N_("this is no Chinese mobile number, SMS cannot reach it"),
    N_("this is a fixed line, SMS cannot reach it"),
    N_("this number is not in use in its country"),
    N_("the address holds a control character"),
    N_("the e-mail address has letters beyond ASCII before the @"),
    N_(
        "a terminal's address is its 12-digit area code, a slash and its device id "
        "(1 to 32 letters, digits, hyphens, underscores)"
    ),
    N_("the population is negative"),
    N_("the geometry is no GeoJSON"),
    N_("the geometry is no polygon"),
    N_("the geometry is not in degrees"),
    N_("the border of the polygon crosses itself"),
    N_("draw it again"),
    N_("convert it to WGS-84, longitude first"),
    N_("the feature has no properties"),
    N_("quotation marks do not match on this line; a cell must not hold a line break"),
    N_("empty; the first row must hold the column names"),
    N_("no readable workbook; open it and save it again"),
    N_("an old or a locked Excel file; take its password off, save it as .xlsx or as CSV"),
    N_("no GeoJSON FeatureCollection (RFC 7946)"),
    N_("its coordinate system is not WGS-84 or CGCS2000; convert it"),
    N_("the database could not be reached"),
    N_("something went wrong here; it has been logged"),
    N_("the area of your rights was changed meanwhile: send the file again"),
    N_("regions are loaded by somebody whose rights hold in every area"),
)
"""Sentences that have no values."""

_PATTERNS = (
    (r"longer than (?P<most>\d+) characters", N_("longer than %(most)s characters")),
    (r"(?P<count>\d+) regions have this name", N_("%(count)s regions have this name")),
    (r"the same contact as in row (?P<row>\d+)", N_("the same contact as in row %(row)s")),
    (r"the same address as in row (?P<row>\d+)", N_("the same address as in row %(row)s")),
    (
        r"the cell holds the spreadsheet's error (?P<error>\S+)",
        N_("the cell holds the spreadsheet's error %(error)s"),
    ),
    (r"one of (?P<known>[a-z, ]+)", N_("one of %(known)s")),
    (r"the e-mail address cannot be used: (?P<why>.+)", N_("the e-mail address cannot be used: %(why)s")),
    (
        r"a group robot's address is its key .*",
        N_("a group robot's address is its key or its webhook address"),
    ),
    (
        r"a byte that is no (?P<code>\S+) text; .*",
        N_("a byte that is no %(code)s text; save the file as UTF-8"),
    ),
    (r"a character that is cut in half; .*", N_("a character that is cut in half; save the file as UTF-8")),
    (r"(?P<field>\w+) is no number", N_("%(field)s is no number")),
    (r"(?P<field>\w+) is out of range", N_("%(field)s is out of range")),
    (r"(?P<field>\w+) is neither text nor number", N_("%(field)s is neither text nor number")),
    (r"several properties for (?P<field>\w+), .*", N_("several properties for %(field)s, which differ")),
    (r"more than (?P<rows>\d+) rows; split it", N_("more than %(rows)s rows; split it")),
    (r"larger than (?P<size>\d+) MB; split it", N_("larger than %(size)s MB; split it")),
    (r"larger than (?P<size>\d+) MB unpacked; split it", N_("larger than %(size)s MB unpacked; split it")),
    (
        r"its (?P<part>\S+) is larger than (?P<size>\d+) MB; split it",
        N_("its %(part)s is larger than %(size)s MB; split it"),
    ),
    (
        r"row (?P<row>\d+): more than (?P<most>\d+) columns; .*",
        N_("row %(row)s: more than %(most)s columns; keep those that are needed"),
    ),
    (
        r"[^,]*, row (?P<row>\d+): no column for (?P<columns>.+); the first row .*",
        N_("row %(row)s: no column for %(columns)s; the first row must name the columns"),
    ),
    (
        r"[^,]*, row (?P<row>\d+): the first row must name the columns code and name",
        N_("row %(row)s: the first row must name the columns code (代码) and name (名称)"),
    ),
    (r"column (?P<place>\d+)", N_("column %(place)s")),
)
PATTERNS = tuple((re.compile(pattern), words) for pattern, words in _PATTERNS)
"""Sentences with values -> the same with holes."""

LEVELS = {
    "province": N_("Province"),
    "city": N_("City"),
    "county": N_("County"),
    "township": N_("Township"),
    "village": N_("Village"),
}
"""Levels of regions."""
LANGUAGES = {"zh-CN": N_("Chinese"), "en": N_("English")}
"""Languages in which people get their warnings; others are shown by their tag."""
IMPORT_STATES = {
    "checking": N_("Being checked"),
    "ready": N_("Waits for your confirmation"),
    "refused": N_("Refused"),
    "running": N_("Being brought in"),
    "done": N_("Brought in"),
    "failed": N_("Failed"),
}
IMPORT_KINDS = {"contacts": N_("Contacts"), "regions": N_("Regions")}


def reason(visit: Visit, sentence: str) -> str:
    """Return what the rooms said, in the language of the visit; unknown words stay as they are."""
    for pattern, words in PATTERNS:
        if found := pattern.fullmatch(sentence):
            return visit.say(words, **{name: _named(visit, one) for name, one in found.groupdict().items()})
    return visit.say(sentence)


def _named(visit: Visit, value: str) -> str:
    """Return a value of a sentence; a list of roles in words that a file may have as well."""
    roles = value.split(", ")
    known = all(role in GROUPS for role in roles)
    return (
        "、".join(visit.say(GROUPS[role]) for role in roles) if known and visit.language == "zh-CN" else value
    )


def fault_words(visit: Visit, fault: Fault) -> str:
    """Return what is wrong with a field, and the way out."""
    between = "；" if visit.language == "zh-CN" else "; "
    return f"{reason(visit, fault.reason)}{between}{reason(visit, fault.way_out)}"


def table(visit: Visit, words: Mapping[str, str]) -> dict[str, str]:
    """Return a table of words in the language of the visit."""
    return {name: visit.say(one) for name, one in words.items()}
