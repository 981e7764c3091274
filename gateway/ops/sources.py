"""Where settings come from, and sentences for those that are wrong.

Knows no setting by name: it serves any ``pydantic-settings`` model.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    SecretsSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
)

from gateway.share import share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_settings import PydanticBaseSettingsSource

PREFIX = "TONGDA_"
CONFIG = f"{PREFIX}CONFIG"
SECRETS_DIR = f"{PREFIX}SECRETS_DIR"
LOCAL_FILE = Path("tongda.toml")

_Model = TypeVar("_Model", bound=BaseSettings)


class SettingsRefused(ValueError):
    """The settings cannot be used; the text is one line that names each bad one and where it stands."""


def toml_files() -> list[Path]:
    """Return the TOML files to read, the weakest first.

    Raises:
        SettingsRefused: ``TONGDA_CONFIG`` names no file.
    """
    named = os.environ.get(CONFIG)
    if named and not Path(named).is_file():
        raise SettingsRefused(f"{CONFIG}: there is no file {named}")
    own = Path(named) if named else LOCAL_FILE
    return [share("config/default.toml"), *([own] if own.is_file() else [])]


def secrets_dir() -> Path | None:
    """Return the folder of secret files, if one is named."""
    named = os.environ.get(SECRETS_DIR) or os.environ.get("CREDENTIALS_DIRECTORY")
    if named and not Path(named).is_dir():
        raise SettingsRefused(f"{SECRETS_DIR}: there is no folder {named}")
    return Path(named) if named else None


def file_sources(model: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """Return the secrets folder and the TOML files as sources, the strongest first."""
    toml = TomlConfigSettingsSource(model, toml_file=toml_files(), deep_merge=True)
    folder = secrets_dir()
    if folder is None:
        return (toml,)
    return (
        NestedSecretsSettingsSource(SecretsSettingsSource(model), secrets_dir=folder, secrets_prefix=PREFIX),
        toml,
    )


def refuse_unknown(model: type[BaseModel], given: Mapping[str, object]) -> None:
    """Refuse the first name that the model does not have, with the nearest that it has."""
    for name in given:
        if name not in model.model_fields:
            raise PydanticCustomError(
                "unknown_setting",
                "there is no such setting{hint}",
                {"name": name, "hint": _hint(name, model.model_fields)},
            )


def load(model: type[_Model], overrides: Mapping[str, Any]) -> _Model:
    """Make the settings from all sources.

    Raises:
        SettingsRefused: with one sentence that names each setting at fault and its place.
    """
    _refuse_unknown_variables(model)
    try:
        return model(**overrides)
    except ValidationError as error:
        raise SettingsRefused(
            "; ".join(_sentence(fault) for fault in error.errors(include_url=False))
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsRefused(f"{_broken_file()} is not TOML: {error}") from None
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        raise SettingsRefused(f"{_place([field[1]])}: is not valid JSON" if field else str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        why = str(error).splitlines()[0]
        raise SettingsRefused(f"{_broken_file()} cannot be read as settings: {why}") from None


def _refuse_unknown_variables(model: type[BaseSettings]) -> None:
    known = {name.upper() for name in model.model_fields}
    for place, name in _variables():
        if name.upper() in (CONFIG, SECRETS_DIR):
            continue
        bare = name.upper().removeprefix(PREFIX)
        if bare.split("__")[0] not in known:
            raise SettingsRefused(f"{place}: there is no such setting{_hint(bare, known, PREFIX)}")


def _variables() -> Iterator[tuple[str, str]]:
    """Yield (place, name) of whatever claims to be a setting in the environment or the secrets folder."""
    for name in os.environ:
        if name.upper().startswith(PREFIX):
            yield name, name
    folder = secrets_dir()
    for path in sorted(folder.iterdir()) if folder else ():
        if path.name.upper().startswith(PREFIX):
            yield str(path), path.name


def _hint(name: str, known: Iterable[str], prefix: str = "") -> str:
    head, rest, tail = name.partition("__")
    near = difflib.get_close_matches(head, list(known), n=1, cutoff=0.6)
    return (
        f"; did you mean {prefix}{near[0]}{rest}{tail}?"
        if near
        else f"; known are: {', '.join(prefix + one for one in sorted(known))}"
    )


def _sentence(fault: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    context = fault.get("ctx", {})
    path = [str(step) for step in fault["loc"] if step != "[key]"]
    if fault["type"] == "unknown_setting":
        path.append(context["name"])
    text = str(context["error"]) if "error" in context else fault["msg"]
    return f"{_place(path)}: {text[:1].lower()}{text[1:]}" if path else text


def _place(path: list[str]) -> str:
    """Return the name of the setting as it was written, with the file it stands in."""
    variables = {name.upper(): place for place, name in _variables()}
    for length in range(len(path), 0, -1):
        place = variables.get(PREFIX + "__".join(path[:length]).upper())
        if place:
            return place if length == len(path) else f"{place} ({'.'.join(path)})"
    for file in reversed(toml_files()):
        if _has(tomllib.loads(file.read_text(encoding="utf-8")), path):
            return f"{file}: {'.'.join(path)}"
    return ".".join(path)


def _has(data: object, path: list[str]) -> bool:
    for step in path:
        if not isinstance(data, dict) or step not in data:
            return False
        data = data[step]
    return True


def _broken_file() -> Path:
    for file in toml_files():
        try:
            tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError):
            return file
    return LOCAL_FILE
