"""The OpenAPI 3.1 document, made from the operations and their models, so that it cannot lag behind them."""

from __future__ import annotations

import inspect
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic.json_schema import models_json_schema

from gateway.partners.answers import Problem
from gateway.partners.idempotency import HEADER, PATTERN
from gateway.partners.reading import CAP
from gateway.web.api.guide import ABOUT, CAP_EXAMPLE
from gateway.web.api.models import NoQuery
from gateway.webhook_signature import ID, SIGNATURE, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from pydantic import BaseModel

    from gateway.web.api.models import Query

REFS = "#/components/schemas/{model}"
PROBLEM = "application/problem+json"
NUMBER = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "The API key, `tk_...`."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks, with `webhook-id` and `webhook-timestamp`. The payload that is "
        "signed is `METHOD path?query`, a line feed, and the body.",
    },
}


_EXAMPLES = {CAP: {"example": CAP_EXAMPLE}}

_POST_HEADERS = {
    HEADER: (
        {"type": "string", "pattern": PATTERN, "minLength": 1, "maxLength": 128},
        "The same when the request is repeated, another one otherwise.",
    ),
    ID: (
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"},
        "A name for this try, for example a UUID; never used twice.",
    ),
    TIMESTAMP: (
        {"type": "string", "pattern": "^[0-9]{1,12}$"},
        "Unix time in whole seconds, within 300 s of the gateway's clock.",
    ),
    SIGNATURE: (
        {"type": "string", "pattern": "^v1,"},
        "`v1,` and base64 of HMAC-SHA256 over `ID.TIMESTAMP.PAYLOAD`, see above.",
    ),
}
"""Header of each POST -> its schema and what it means. Those of the signature are needed by default; a
partner with ``signature = "optional"`` may leave them out."""


class Operation(NamedTuple):
    """One operation: what it takes, what it answers, and the function that does it."""

    path: str
    name: str
    summary: str
    handler: Callable[..., Awaitable[Any]]
    answers: Mapping[int, type[BaseModel]]
    method: Literal["GET", "POST"] = "GET"
    scope: Literal["push", "read"] = "read"
    query: type[Query] = NoQuery
    body: Mapping[str, tuple[type[BaseModel], ...]] = MappingProxyType({})
    """Content type -> models; a type without any takes text."""
    cost: int = 1
    """Requests that it counts as."""

    @property
    def refusals(self) -> list[int]:
        """Statuses of the problems that it may answer."""
        more = {409, 415, 422} if self.body else {404} if "{id}" in self.path else set()
        return sorted({400, 401, 403, 408, 413, 429, 500, 503} | more)


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document."""
    models = {Problem} | {model for one in operations for model in _models(one)}
    ordered = sorted(models, key=lambda model: model.__name__)
    sides, schemas = models_json_schema(
        [(model, _side(model, operations)) for model in ordered], ref_template=REFS
    )
    refs = {model: schema for (model, _), schema in sides.items()}
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tongda partner API", "version": "1", "description": ABOUT},
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {"schemas": schemas["$defs"], "securitySchemes": SECURITY},
    }


def _models(one: Operation) -> set[type[BaseModel]]:
    return {*one.answers.values(), *(model for models in one.body.values() for model in models)}


def _side(model: type[BaseModel], operations: Sequence[Operation]) -> Literal["validation", "serialization"]:
    taken = {model for one in operations for models in one.body.values() for model in models}
    return "validation" if model in taken else "serialization"


def _operation(one: Operation, refs: Mapping[Any, Any]) -> dict[str, Any]:
    problem = {PROBLEM: {"schema": refs[Problem]}}
    described: dict[str, Any] = {
        "operationId": one.name,
        "tags": ["Alerts"],
        "summary": one.summary,
        "description": inspect.getdoc(one.handler) or "",
        "security": [{"key": [], "signature": []}] if one.method == "POST" else [{"key": []}],
        "parameters": list(_parameters(one)),
        "responses": {
            str(status): {
                "description": model.__doc__,
                "content": {"application/json": {"schema": refs[model]}},
            }
            for status, model in one.answers.items()
        }
        | {
            str(status): {"description": HTTPStatus(status).phrase, "content": problem}
            for status in one.refusals
        },
    }
    if one.body:
        content = {
            kind: {"schema": _body(models, refs), **_EXAMPLES.get(kind, {})}
            for kind, models in one.body.items()
        }
        described["requestBody"] = {"required": True, "content": content}
    return described


def _body(models: Sequence[type[BaseModel]], refs: Mapping[Any, Any]) -> dict[str, Any]:
    return {"anyOf": [refs[model] for model in models]} if models else {"type": "string"}


def _parameters(one: Operation) -> Any:  # noqa: ANN401 - a generator of JSON
    if "{id}" in one.path:
        yield {
            "name": "id",
            "in": "path",
            "required": True,
            "schema": NUMBER,
            "description": "Number of the alert.",
        }
    if one.method == "POST":
        for name, (schema, words) in _POST_HEADERS.items():
            yield {"name": name, "in": "header", "required": True, "schema": schema, "description": words}
    fields = one.query.model_json_schema().get("properties", {})
    for name, schema in fields.items():
        words = schema.pop("description", "")
        yield {"name": name, "in": "query", "required": False, "schema": _plain(schema), "description": words}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value in an address, which cannot be null."""
    first: dict[str, Any] = schema.get("anyOf", [schema])[0]
    return {name: value for name, value in first.items() if name != "title"}
