"""The sub-application ``/api/v1``: what each operation does, and the way of a request through its checks.

In this order: the key; what the headers say of the body; the body; the key again, which may have
ended meanwhile; the signature; its nonce; the limit of the key; the operation. Whoever cannot
prove who it is spends nothing of a partner's limit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from gateway.partners import rates, reading, requests, telling
from gateway.partners.answers import Checked, CoverageAnswer, PushedAlert, PushedPage, ReceiptsAnswer
from gateway.partners.form import AlertForm, CapForm
from gateway.partners.idempotency import HEADER, Answer, Once
from gateway.partners.refused import PartnerRefused
from gateway.partners.words import plain
from gateway.web.api import pages, problems
from gateway.web.api.models import PageQuery, PushQuery, Query
from gateway.web.api.openapi import Operation, document
from gateway.webhook_signature import ID, SIGNATURE, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.partners.access import Holder
    from gateway.partners.rates import Spent
    from gateway.partners.requests import Request
    from gateway.partners.service import Partners

PARTNERS = web.AppKey("partners", object)
BODY_WITHIN = 10.0
"""Seconds that a body may take to arrive."""
ANSWER_WITHIN = 20.0
"""Seconds that an answer may take; shorter than the lease of an Idempotency-Key."""
REPORT_COST = 10
"""A coverage report reads every row of its release."""

_NUMBER = "[1-9][0-9]{0,17}"


class Call(NamedTuple):
    """A request that may be done."""

    partners: Partners
    holder: Holder
    query: Any
    id: int
    content_type: str
    idempotency_key: str | None
    request: Request


async def push(call: Call) -> Answer | BaseModel:
    """Take a CAP 1.2 alert: as CAP, as `{"cap": "..."}`, or in JSON.

    What becomes of it is decided by the rule that was agreed with you and by the people at the desk; ask for
    its state later. The same sender, identifier and sent with the same content is taken once, however often
    it comes.
    """
    once = Once.of(call.holder.partner, call.idempotency_key, call.request.payload)
    pusher, body = call.partners.pusher, call.request.body
    if call.query.dry_run:
        return await pusher.check(call.holder, call.content_type, body)
    return await pusher.push(call.holder, call.content_type, body, once)


async def alerts(call: Call) -> BaseModel:
    """List the alerts that you pushed, the newest first."""
    return await telling.page(
        call.partners.database, call.holder.partner, call.query.limit, call.query.cursor
    )


async def alert(call: Call) -> BaseModel:
    """Tell what became of an alert that you pushed."""
    async with call.partners.database.begin() as connection:
        return await telling.tell(connection, call.holder.partner, call.id)


async def receipts(call: Call) -> BaseModel:
    """Tell how far the deliveries are that came of an alert, by channel and township; no person is named."""
    return await telling.receipts(call.partners.database, call.holder.partner, call.id, call.partners.clock)


async def coverage(call: Call) -> BaseModel:
    """Tell who was reached by the release that came of an alert. Counts as ten requests."""
    return await telling.report(call.partners.database, call.holder.partner, call.id, call.partners.clock)


OPERATIONS = (
    Operation(
        method="POST",
        path="/alerts",
        name="pushAlert",
        summary="Push an alert",
        scope="push",
        query=PushQuery,
        answers={200: Checked, 202: PushedAlert},
        body={reading.CAP: (), reading.JSON: (AlertForm, CapForm)},
        handler=push,
    ),
    Operation("/alerts", "listAlerts", "List your alerts", alerts, {200: PushedPage}, query=PageQuery),
    Operation("/alerts/{id}", "getAlert", "State of an alert", alert, {200: PushedAlert}),
    Operation(
        "/alerts/{id}/receipts", "getReceipts", "Receipts of an alert", receipts, {200: ReceiptsAnswer}
    ),
    Operation(
        "/alerts/{id}/coverage",
        "getCoverage",
        "Coverage of an alert",
        coverage,
        {200: CoverageAnswer},
        cost=REPORT_COST,
    ),
)


def make_api(partners: Partners) -> web.Application:
    """Return the sub-application."""
    api = web.Application(middlewares=[problems.speak])
    api[PARTNERS] = partners
    for one in OPERATIONS:
        path = one.path.replace("{id}", f"{{id:{_NUMBER}}}")
        api.router.add_route(one.method, path, _handler(one, partners))
    described = orjson.dumps(document(OPERATIONS))
    api.add_routes(pages.routes(described))
    return api


def _handler(
    operation: Operation, partners: Partners
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        holder, signed, spent = await _admit(operation, partners, request)
        try:
            call = _call(operation, partners, holder, request, signed)
            async with asyncio.timeout(ANSWER_WITHIN):
                answer = await operation.handler(call)
        except PartnerRefused as refused:
            refused.headers |= spent.headers
            raise
        return _respond(answer, spent)

    return handle


async def _admit(
    operation: Operation, partners: Partners, request: web.Request
) -> tuple[Holder, Request, Spent]:
    """Return who asks, the request as far as it is signed, and what it left of its limit."""
    try:
        shown = _single(request, "Authorization"), _certificate(request)
        holder = await partners.access.holder(*shown)
        signed = await _read(operation, request)
        if operation.body:
            holder = await partners.access.holder(*shown)
        await _check_signature(partners, holder, signed)
    except PartnerRefused as refused:
        await _count_failure(partners, request, refused)
        raise
    limit = holder.settings.push_per_minute if operation.scope == "push" else holder.settings.read_per_minute
    spent = await partners.rates.spend(operation.scope, str(holder.key_id), limit, operation.cost)
    rates.refuse_if_over(spent)
    return holder, signed, spent


def _call(
    operation: Operation, partners: Partners, holder: Holder, request: web.Request, signed: Request
) -> Call:
    if operation.scope not in holder.scope.scopes:
        raise PartnerRefused(403, "scope", f"this key may not {operation.scope}")
    return Call(
        partners=partners,
        holder=holder,
        query=_query(operation.query, request),
        id=int(request.match_info.get("id", 0)),
        content_type=request.content_type,
        idempotency_key=_single(request, HEADER),
        request=signed,
    )


async def _check_signature(partners: Partners, holder: Holder, request: Request) -> None:
    if request.method == "GET" and not request.is_signed:
        return
    now = partners.clock.now()
    if (signed := requests.check_signature(holder, request, now)) is not None:
        await requests.claim(partners.database, holder, request, signed, now)


async def _count_failure(partners: Partners, request: web.Request, refused: PartnerRefused) -> None:
    """Answer 429 where an address fails too often.

    A good key and signature pass from any address: a stranger behind the same proxy must not be able to
    shut a partner out.
    """
    if refused.status != 401:  # noqa: PLR2004 - HTTP's
        return
    address = request.remote or "nowhere"
    rates.refuse_if_over(await partners.rates.spend("failures", address, rates.FAILURES))


async def _read(operation: Operation, request: web.Request) -> Request:
    """Return the request with its body, once its headers say that the body is worth reading."""
    if operation.body:
        _check_headers(operation, request)
    try:
        async with asyncio.timeout(BODY_WITHIN):
            body = await request.read()
    except TimeoutError:
        raise PartnerRefused(
            408, "too_slow", f"the body took more than {BODY_WITHIN:g} s to arrive: send it again"
        ) from None
    headers = (_single(request, name) for name in (ID, TIMESTAMP, SIGNATURE))
    return requests.Request(request.method, request.raw_path, body, *headers)


def _check_headers(operation: Operation, request: web.Request) -> None:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise PartnerRefused(415, "content_encoding", "send the body as it was signed, not compressed")
    if request.content_type not in operation.body or len(request.headers.getall("Content-Type", ())) > 1:
        raise PartnerRefused(415, "content_type", f"send {' or '.join(operation.body)}")
    if (request.content_length or 0) > reading.LARGEST:
        raise PartnerRefused(413, "too_large", f"a body has at most {reading.LARGEST} bytes")


def _single(request: web.Request, name: str) -> str | None:
    """Return a header; one that came twice says nothing."""
    values = request.headers.getall(name, ())
    return values[0] if len(values) == 1 else None


def _certificate(request: web.Request) -> bytes | None:
    """Return the client's certificate, where our own TLS has verified one."""
    tls = request.transport.get_extra_info("ssl_object") if request.transport else None
    found: bytes | None = tls.getpeercert(binary_form=True) if tls else None
    return found


def _query(model: type[Query], request: web.Request) -> Query:
    if double := next((name for name in request.query if len(request.query.getall(name)) > 1), None):
        raise PartnerRefused(400, "query", f"{double[:40]!r} stands twice in the address")
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in fault["loc"])[:40]
        known = f"; known: {', '.join(model.model_fields) or 'none'}" * (fault["type"] == "extra_forbidden")
        raise PartnerRefused(400, "query", f"{where!r} in the address: {plain(fault)}{known}") from None


def _respond(answer: Answer | BaseModel, spent: Spent) -> web.Response:
    headers = dict(spent.headers)
    if isinstance(answer, BaseModel):
        return web.json_response(text=answer.model_dump_json(), headers=headers)
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return web.json_response(text=answer.text, status=answer.status, headers=headers)
