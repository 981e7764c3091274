"""Receipts as evidence: what was handed over for one delivery, and what came back; addresses masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from channels.base import Proof, mask
from gateway.desk.scope import covers, prefix_of
from gateway.ops.redaction import redact_text
from gateway.store import release_page as store
from gateway.web.console.filters import N_
from gateway.web.console.release import STANDINGS, head_of
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from gateway.web.console.visit import Visit

routes = Routes()

MOST_FOUND = 100
LONGEST_SEARCH = 60

PROOFS = {
    Proof.PLANNED: N_("Waiting to be sent"),
    Proof.LEASED: N_("Waiting to be sent"),
    Proof.SUBMITTING: N_("Being handed over"),
    Proof.UNKNOWN: N_("No answer from the provider"),
    Proof.SUPPRESSED: N_("Not sent: cancelled before"),
    Proof.ACCEPTED: N_("Accepted"),
    Proof.EXPIRED: N_("Expired before it was sent or delivered"),
    Proof.REJECTED: N_("Refused by the provider"),
    Proof.DELIVERED: N_("Delivered"),
    Proof.READ: N_("Read by the person"),
    Proof.CONFIRMED: N_("Confirmed"),
}
OUTCOMES = {
    "accepted": N_("Accepted"),
    "rejected": N_("Refused by the provider"),
    "retry": N_("Not taken, tried again"),
    "throttled": N_("Too fast, tried again"),
    "unknown": N_("No answer from the provider"),
}
SOURCES = {"provider": N_("The provider"), "device": N_("The terminal"), "person": N_("The person")}


@routes.get(r"/releases/{id:\d{1,18}}/receipts", "see")
async def search(visit: Visit) -> web.StreamResponse:
    """Find deliveries of a release by a person's name or by number."""
    words = visit.request.query.get("q", "").strip()[:LONGEST_SEARCH].replace("\x00", "")
    own = prefix_of(visit.person.region) if visit.person.region else ""
    async with visit.console.database.begin() as connection:
        head = await head_of(visit, connection)
        found = (
            await store.search(connection, head.id, head.target_list_id, words, own, MOST_FOUND + 1)
            if words
            else []
        )
        places = await store.region_names(connection, {row.region for row in found})
    return visit.render(
        "release/receipts.html",
        head=head,
        mode=head.mode,
        words=words,
        found=found[:MOST_FOUND],
        more=len(found) > MOST_FOUND,
        places=places,
        proofs=PROOFS,
        mask=mask,
    )


@routes.get(r"/deliveries/{id:\d{1,18}}", "see")
async def delivery(visit: Visit) -> web.StreamResponse:
    """Show every try of a delivery and everything that came back on it."""
    async with visit.console.database.begin() as connection:
        found = await store.delivery(connection, visit.number())
        if found is None or not covers(visit.person, found.region):
            raise web.HTTPNotFound
        head = await store.head(connection, found.release_id)
        assert head is not None
        attempts = await store.attempts(connection, found.id)
        receipts = await store.receipts(connection, found.id)
        places = await store.region_names(connection, {found.region})
    return visit.render(
        "release/delivery.html",
        head=head,
        mode=head.mode,
        delivery=found,
        address=mask(found.address),
        place=places.get(found.region, found.region),
        attempts=attempts,
        receipts=receipts,
        counted=STANDINGS[found.state],
        proofs=PROOFS,
        outcomes=OUTCOMES,
        sources=SOURCES,
        redact=redact_text,
        zone=visit.console.zone,
    )
