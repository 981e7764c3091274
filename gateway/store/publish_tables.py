"""What goes out to partners: publications and webhook deliveries."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store.columns import at, json, metadata, number, one_of

publications = Table(
    "publications",
    metadata,
    number(),
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), nullable=False, unique=True),
    Column("warning_id", BigInteger, ForeignKey("warnings.id"), nullable=False),
    Column("identifier", Text, nullable=False, unique=True, comment="names the message in its address"),
    Column("status", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("level", Text, nullable=False),
    at("expires", nullable=False),
    at("released_at", nullable=False),
    Column("xml", LargeBinary, nullable=False, comment="the bytes that are served, signed once"),
    Column("sha256", Text, nullable=False, comment="of the bytes"),
    json("summary", nullable=False),
    at("published_at", nullable=False),
    CheckConstraint("status = 'Actual' AND scope = 'Public' AND mode = 'live'", name="public"),
    comment="A released alert as everybody may fetch it; drills and what is not public cannot be here",
)
Index("ix_publications_warning_id", publications.c.warning_id)
Index("ix_publications_expires", publications.c.expires)
Index("ix_publications_published_at", publications.c.published_at)

webhook_targets = Table(
    "webhook_targets",
    metadata,
    Column("name", Text, primary_key=True, comment="as in the settings"),
    at("stopped_at", nullable=False),
    Column("sentence", Text, nullable=False, comment="why, for people"),
    comment="Webhook targets that said they are gone; one that is not here is served",
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    number(),
    Column("target", Text, nullable=False, comment="name in the settings"),
    Column("publication_id", BigInteger, ForeignKey("publications.id"), nullable=False),
    Column("message_id", Text, nullable=False, unique=True, comment="the header webhook-id of every try"),
    Column("note", Text, nullable=False, comment="why the target gets it although its area is not certain"),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    at("next_at", nullable=False),
    at("lease_until"),
    Column("last_status", SmallInteger, comment="of HTTP; null where there was no answer"),
    Column("sentence", Text, nullable=False, server_default=text("''"), comment="what came of the last try"),
    at("changed_at", nullable=False),
    UniqueConstraint("target", "publication_id"),
    one_of("state", "waiting", "delivered", "stopped", "given_up"),
    comment="One publication for one webhook target",
)
Index(
    "ix_webhook_deliveries_waiting",
    webhook_deliveries.c.target,
    webhook_deliveries.c.id,
    postgresql_where=text("state = 'waiting'"),
)
Index("ix_webhook_deliveries_publication_id", webhook_deliveries.c.publication_id)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("delivery_id", BigInteger, ForeignKey("webhook_deliveries.id"), primary_key=True),
    Column("try", Integer, primary_key=True, key="try_"),
    at("at", nullable=False),
    Column("status", SmallInteger),
    Column("sentence", Text, nullable=False),
    comment="Log: one try to hand a publication to a target",
)
