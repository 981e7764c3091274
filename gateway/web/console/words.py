"""The console's words in each language, and the templates that speak them.

Ids are English sentences. The Chinese ones are read from ``templates/web/locale/zh_CN/*.po``, one
file for each part of the console, so that no compiled file can lag behind.
"""

from __future__ import annotations

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from typing import TYPE_CHECKING, Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined

from gateway.share import share
from gateway.web.console import filters

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2.bccache import Bucket

LANGUAGES = ("zh-CN", "en")
"""What the console speaks; the first one unless somebody chooses another."""


FIRST = ("board", "alert/", "release/", "draft/", "sign_in")
"""Begin the names of the pages that nobody waits for at 2 a.m."""


class _Compiled(BytecodeCache):
    """Templates compiled once for all languages, which differ in their words only."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


class Templates:
    """The templates in one language."""

    def __init__(self, language: str) -> None:
        """Read the catalogue and make the environment."""
        self.language = language
        self._translations = translations(language)
        self._environment = _environment(language, self._translations)

    def say(self, words: str) -> str:
        """Return English words in this language."""
        return self._translations.gettext(words)

    def render(self, name: str, **context: Any) -> str:  # noqa: ANN401 - whatever the template takes
        """Return a template of ``templates/web`` with its context."""
        return self._environment.get_template(name).render(context)

    def prepare(self) -> None:
        """Compile the pages of :data:`FIRST`, which takes a second or two."""
        for name in self._environment.list_templates(extensions=["html"]):
            if name.removeprefix("console/").startswith(FIRST):
                self._environment.get_template(name)


@cache
def templates(language: str) -> Templates:
    """Return the templates in a language of :data:`LANGUAGES`."""
    return Templates(language)


def prepare() -> None:
    """Have the pages that matter most ready in every language before somebody asks for them."""
    for language in LANGUAGES:
        templates(language).prepare()


def catalogue(folder: Path) -> Catalog:
    """Return every message of a folder's ``.po`` files; a message stands in one of them only.

    Raises:
        ValueError: two files translate one message differently.
    """
    whole = Catalog()
    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, abort_invalid=True):
                known = whole.get(message.id) if message.id else None
                if known is not None and known.string != message.string:
                    raise ValueError(f"{path}: {message.id!r} is translated otherwise in another file")
                if message.id:
                    whole[message.id] = message
    return whole


def translations(language: str) -> NullTranslations:
    """Return what says English ids in a language."""
    if language == "en":
        return NullTranslations()
    packed = io.BytesIO()
    write_mo(packed, catalogue(share("templates/web/locale") / language.replace("-", "_")))
    packed.seek(0)
    return GNUTranslations(packed)


def _environment(language: str, spoken: NullTranslations) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(share("templates/web")),
        bytecode_cache=_COMPILED,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(spoken, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= filters.of(language, spoken.gettext)
    environment.globals |= filters.helpers(language, spoken.gettext)
    return environment
