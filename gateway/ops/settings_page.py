"""Writes ``docs/settings.md`` from the settings models: ``make docs``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from channels import base
from gateway.accounts.settings import OidcSettings
from gateway.feeds.settings import RuleSettings, SourceSettings
from gateway.partners.settings import PartnerSettings
from gateway.publish.settings import WebhookSettings
from gateway.settings import ChannelSettings, Settings, route_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

_HEAD = """# Settings

`make docs` makes this page from the models in `gateway/settings.py` and `channels/`; do not edit it.

A setting is taken from the first of these that names it:

1. the environment: `TONGDA_WEB__PORT=8081` is `port` in `[web]`;
2. a file of that same name in the folder of `TONGDA_SECRETS_DIR` (else systemd's `CREDENTIALS_DIRECTORY`);
3. the TOML file that `TONGDA_CONFIG` names, else `tongda.toml` in the working directory;
4. `config/default.toml`, which comes with the program and shows all defaults.

Sections are merged name by name: setting `port` does not drop `host`.
An unknown or mistyped name, in TOML or in a `TONGDA_` variable, stops the program with a sentence about it.
Names such as `"sms.urgent"` do not fit into a variable: `TONGDA_WORKERS={"sms.urgent": 2}` is JSON.
"""

_CHANNELS = """
## `[channels.NAME]`

`NAME` is yours to choose; the packaged hazards and templates speak of `sms`, `email`, `wecom` and `radio`.
`[channels.NAME.live]` and `[channels.NAME.drill]` hold the two routes; what they take depends on `kind`:

"""

_NAMED: dict[str, type[BaseModel]] = {
    "sources.NAME": SourceSettings,
    "sources.NAME.rule": RuleSettings,
    "partners.NAME": PartnerSettings,
    "publish.webhooks.NAME": WebhookSettings,
    "console.oidc": OidcSettings,
}
"""Sections of which there may be several; a partner's rule is as a source's."""


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD, "\n## At the top\n\n", *_table(Settings, "", skip=_sections())]
    for name, section in _sections().items():
        parts += [f"\n## `[{name}]`\n\n{_first_line(section)}\n\n", *_table(section, name)]
    parts += [_CHANNELS, *_table(ChannelSettings, "channels.NAME")]
    for kind in base.KINDS:
        parts += [f"\n### Routes of kind `{kind}`\n\n", *_table(route_settings(kind), "channels.NAME.live")]
    for name, model in _NAMED.items():
        parts += [f"\n## `[{name}]`\n\n{_first_line(model)}\n\n", *_table(model, name)]
    return "".join(parts)


def _sections() -> dict[str, type[BaseModel]]:
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields")
    }


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0]


def _table(model: type[BaseModel], prefix: str, skip: dict[str, Any] | None = None) -> Iterator[str]:
    """Yield a table with a row for each field; backquotes of docstrings become Markdown's."""
    schema = model.model_json_schema()
    yield "| setting | value | default | meaning |\n| --- | --- | --- | --- |\n"
    for name, field in model.model_fields.items():
        if name in (skip or {}):
            continue
        meaning = " ".join(description(model, name).replace("``", "`").replace("|", "\\|").split())
        value = _value(schema["properties"][name], schema.get("$defs", {}))
        yield f"| `{prefix}{'.' if prefix else ''}{name}` | {value} | {_default(field)} | {meaning} |\n"


def description(model: type[BaseModel], name: str) -> str:
    """Return what a setting means, from the model or, where it only changes the default, its parents."""
    fields = (getattr(parent, "model_fields", {}).get(name) for parent in model.__mro__)
    return next((field.description for field in fields if field is not None and field.description), "")


def _default(field: Any) -> str:  # noqa: ANN401 - pydantic's FieldInfo
    if field.is_required():
        return "must be set"
    default = field.default if field.default_factory is None else ""
    if default is None or default in ("", {}, ()):
        return ""
    if hasattr(default, "get_secret_value"):
        return "hidden"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _value(schema: dict[str, Any], known: dict[str, Any]) -> str:
    """Return in words what a setting may hold."""
    if "$ref" in schema:
        return _value(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(_value(one, known) for one in schema["anyOf"] if one != {"type": "null"})
        )
    if "allOf" in schema:
        return _value(schema["allOf"][0], known)
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
    words |= {"array": "list", "object": "table"}
    return words.get(schema.get("type", ""), "text") + _range(schema)


def _range(schema: dict[str, Any]) -> str:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    if least is None and most is None:
        return ""
    above = (
        f" above {least:g}" if "exclusiveMinimum" in schema else "" if least is None else f" from {least:g}"
    )
    return above + ("" if most is None else f" to {most:g}")


if __name__ == "__main__":
    sys.stdout.write(page())
