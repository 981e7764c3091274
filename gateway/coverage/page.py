"""The report as one self-contained page: no scripts, nothing fetched, made to be printed."""

from __future__ import annotations

from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.coverage import words as figures
from gateway.coverage.chart import chart
from gateway.coverage.words import Words
from gateway.share import share

if TYPE_CHECKING:
    from datetime import tzinfo

    from gateway.coverage.model import Coverage


def render_html(coverage: Coverage, language: str = "zh", zone: tzinfo = UTC) -> str:
    """Return the page; in Chinese, headings have the English beneath."""
    words = Words(language)
    return (
        _templates()
        .get_template("coverage.html")
        .render(
            coverage=coverage,
            words=words,
            beneath=words.other if words.language == "zh" else None,
            chart=chart(coverage),
            moment=lambda value: figures.moment(value, zone),
        )
    )


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(share("templates/reports")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": figures.percent,
        "share": figures.share,
        "seconds": figures.seconds,
        "number": "{:,}".format,
    }
    return environment
