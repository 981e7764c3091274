"""The settings in force, to read: values, what they mean, and where each was given. Secrets are masked."""

from __future__ import annotations

import os
import re
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from pydantic import BaseModel, SecretBytes, SecretStr

from gateway.ops.settings_page import description
from gateway.ops.sources import PREFIX, SettingsRefused, secrets_dir, toml_files
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiohttp import web

    from gateway.web.console.visit import Visit

routes = Routes()

MASK = "****"

_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^@\s]*@")
_SECRET_NAME = re.compile(r"(?:^|_)(?:password|secret|secrets|token|key|keys|apikey)$")


class Row(NamedTuple):
    """One setting."""

    name: str
    value: str
    meaning: str
    given: str
    """The variable or file that gave it; empty: the default, or an argument of the program."""


class Table(NamedTuple):
    """The settings of one section."""

    name: str
    meaning: str
    rows: list[Row]


@routes.get("/admin/settings", "administer", "audit")
async def read(visit: Visit) -> web.StreamResponse:
    """Show the settings."""
    return visit.render("admin/settings.html", tables=tables_of(visit.console.settings))


def tables_of(settings: BaseModel) -> list[Table]:
    """Return the settings section by section, those at the top first."""
    found = list(_tables(settings, "", _given()))
    return [one for one in found if one.rows]


def _tables(model: BaseModel, prefix: str, given: Mapping[str, str]) -> Iterator[Table]:
    """Yield the table of a section, then those of the sections within it."""
    rows, below = [], []
    for name in type(model).model_fields:
        value, path = getattr(model, name), f"{prefix}.{name}" if prefix else name
        within = dict(_sections(value, path))
        below += [table for deeper, one in within.items() for table in _tables(one, deeper, given)]
        if not within:
            meaning = _plain(description(type(model), name))
            rows.append(Row(path, _shown(name, value), meaning, given.get(path.lower(), "")))
    yield Table(prefix, about(type(model)) if prefix else "", rows)
    yield from below


def meanings(model: type[BaseModel]) -> Iterator[str]:
    """Yield in English what the page may say of the settings of a section, and of the sections within it."""
    for name, field in model.model_fields.items():
        yield _plain(description(model, name))
        for within in _models(field.annotation):
            yield about(within)
            yield from meanings(within)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def about(model: type[BaseModel]) -> str:
    """Return in English what a section holds."""
    return _plain((model.__doc__ or "").strip().split("\n\n")[0])


def _plain(text: str) -> str:
    """Return a docstring on one line and without its marks."""
    return " ".join(text.replace("`", "").split())


def _sections(value: Any, path: str) -> Iterator[tuple[str, BaseModel]]:  # noqa: ANN401 - any setting
    if isinstance(value, BaseModel):
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            if isinstance(one, BaseModel):
                yield f"{path}.{name}", one


def _shown(name: str, value: Any) -> str:  # noqa: ANN401 - any setting
    """Return a value in words; whatever is or may be a secret is masked."""
    if value is None or value in ("", [], {}, ()):
        return "–"
    if isinstance(value, SecretStr | SecretBytes) or (isinstance(value, str) and _SECRET_NAME.search(name)):
        return MASK
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_shown(name, one)}" for key, one in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_shown(name, one) for one in value)
    return _PASSWORD.sub(rf"\1{MASK}@", f"{value}".lower() if isinstance(value, bool) else f"{value}")


def _given() -> dict[str, str]:
    """Return dotted name of a setting -> the strongest source that names it, the packaged file left out."""
    found: dict[str, str] = {}
    try:
        for file in toml_files()[1:]:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
            found |= dict.fromkeys(_dotted(data, ""), file.name)
        folder = secrets_dir()
    except (SettingsRefused, OSError, ValueError):  # changed since the start: then nobody can tell
        return {}
    names = [path.name for path in folder.iterdir()] if folder else []
    for name in (*names, *os.environ):
        if name.upper().startswith(PREFIX):
            found[name.upper().removeprefix(PREFIX).replace("__", ".").lower()] = name
    return found


def _dotted(data: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in data.items():
        path = f"{prefix}{name}".lower()
        yield path
        if isinstance(value, dict):
            yield from _dotted(value, f"{path}.")
