"""Partner agencies: their keys, what they pushed, and what keeps a request from counting twice."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store.columns import at, metadata, number, one_of

partner_keys = Table(
    "partner_keys",
    metadata,
    number(),
    Column("partner", Text, nullable=False, comment="NAME of [partners.NAME]"),
    Column("prefix", Text, nullable=False, unique=True, comment="names the key; no secret"),
    Column("digest", Text, nullable=False, comment="SHA-256 of the key, which is 256 random bits"),
    Column(
        "secret_digest", Text, nullable=False, comment="SHA-256 of the signing secret, to tell a wrong one"
    ),
    Column("scopes", ARRAY(Text), nullable=False, comment="push, read"),
    Column("regions", ARRAY(Text), nullable=False, comment="beginnings of division codes; empty: all"),
    Column("hazards", ARRAY(Text), nullable=False, comment="keys in hazards.toml; empty: all"),
    Column("highest_level", Text, nullable=False, server_default=text("'red'")),
    at("created_at", nullable=False),
    at("expires_at", nullable=False),
    at("revoked_at"),
    at("last_used_at"),
    one_of("highest_level", "red", "orange", "yellow", "blue"),
    comment="Keys of the partner API; at most two of a partner are live",
)
Index("ix_partner_keys_partner", partner_keys.c.partner)

partner_nonces = Table(
    "partner_nonces",
    metadata,
    Column("key_id", BigInteger, ForeignKey("partner_keys.id"), primary_key=True),
    Column("nonce", Text, primary_key=True, comment="the header webhook-id"),
    at("expires_at", nullable=False),
    comment="Signed requests that were taken once and are not taken again",
)
Index("ix_partner_nonces_expires_at", partner_nonces.c.expires_at)

partner_requests = Table(
    "partner_requests",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("idempotency_key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False, comment="SHA-256 of method, address and body"),
    at("started_at", nullable=False),
    at("lease_until", nullable=False),
    Column("status", SmallInteger),
    Column("answer", Text, comment="null while the first request is under way"),
    comment="What was answered to an Idempotency-Key",
)
Index("ix_partner_requests_started_at", partner_requests.c.started_at)

partner_pushes = Table(
    "partner_pushes",
    metadata,
    number(),
    Column("partner", Text, nullable=False),
    Column("incoming_id", BigInteger, ForeignKey("incoming.id"), nullable=False),
    Column("key_id", BigInteger, ForeignKey("partner_keys.id"), nullable=False),
    at("pushed_at", nullable=False),
    UniqueConstraint("partner", "incoming_id"),
    comment="Which partner pushed which alert; a partner sees these alone",
)
