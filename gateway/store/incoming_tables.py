"""The inbox: every alert that came in, who delivered it, and what became of it."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store.columns import at, json, metadata, number, one_of

STATES = (
    "inbox",
    "held",
    "quarantined",
    "stored",
    "superseded",
    "drafted",
    "submitted",
    "released",
    "taken_back",
    "dismissed",
)

TODO = ("draft", "submit", "release", "cancel", "withdraw")
"""Steps at the desk that are not done yet."""

incoming = Table(
    "incoming",
    metadata,
    number(),
    Column("source", Text, nullable=False, comment="the source or partner that brought it first"),
    Column("kind", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    at("sent", nullable=False),
    Column("event_key", Text, nullable=False, server_default=text("''")),
    Column("status", Text, nullable=False),
    Column("msg_type", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("event", Text, nullable=False, comment="of the first info block; empty where there is none"),
    Column("severity", Text, nullable=False),
    at("expires"),
    json("content", nullable=False),
    Column("original", LargeBinary, nullable=False, comment="the bytes as they came"),
    Column("is_cap", Boolean, nullable=False),
    Column("digest", Text, nullable=False, comment="SHA-256 of the bytes"),
    Column("meaning", Text, nullable=False, comment="SHA-256 of what it says, signatures left out"),
    Column("signature", Text, nullable=False),
    Column("hazard", Text, nullable=False, comment="key in hazards.toml; empty where not known"),
    Column("regions", ARRAY(Text), nullable=False, comment="codes of our regions that it reaches"),
    Column("agreeing", ARRAY(Text), nullable=False, comment="independent sources that say the same"),
    Column("state", Text, nullable=False),
    Column("todo", Text, comment="what is still to be done at the desk; survives a crash"),
    Column("reason", Text, nullable=False, server_default=text("''"), comment="why it is in this state"),
    Column("findings", ARRAY(Text), nullable=False),
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), comment="the alert of ours that it led to"),
    at("received_at", nullable=False),
    at("changed_at", nullable=False),
    at("released_at"),
    UniqueConstraint("sender", "identifier", "sent", "meaning"),
    one_of("state", *STATES),
    one_of("todo", *TODO),
    one_of("signature", "valid-trusted", "valid-untrusted", "invalid", "absent", "unverifiable"),
    comment="An alert that came in; the desk sees it once, whoever brought it",
)
Index(
    "ix_incoming_event_key", incoming.c.sender, incoming.c.event_key, postgresql_where=text("event_key <> ''")
)
Index("ix_incoming_todo", incoming.c.id, postgresql_where=text("todo IS NOT NULL"))
Index("ix_incoming_received_at", incoming.c.received_at)
Index(
    "ix_incoming_waiting",
    incoming.c.state,
    postgresql_where=text("state IN ('inbox', 'held', 'quarantined')"),
)
Index("ix_incoming_alert_id", incoming.c.alert_id, postgresql_where=text("alert_id IS NOT NULL"))

incoming_references = Table(
    "incoming_references",
    metadata,
    Column("incoming_id", BigInteger, ForeignKey("incoming.id"), primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("identifier", Text, primary_key=True),
    at("sent"),
    comment="What an Update or Cancel names; sent is null where only the number was given",
)
Index("ix_incoming_references_target", incoming_references.c.sender, incoming_references.c.identifier)

sightings = Table(
    "sightings",
    metadata,
    Column("incoming_id", BigInteger, ForeignKey("incoming.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    at("first_at", nullable=False),
    at("last_at", nullable=False),
    Column("times", Integer, nullable=False, server_default=text("1")),
    Column(
        "name", Text, nullable=False, server_default=text("''"), comment="in the complete list of the source"
    ),
    at("vanished_at"),
    comment="Which source brought an alert, how often, and whether it still lists it",
)
alarms = Table(
    "alarms",
    metadata,
    number(),
    Column("subject", Text, nullable=False, comment="e.g. source nws, incoming 12"),
    Column("code", Text, nullable=False),
    Column("sentence", Text, nullable=False, comment="for people, with the way out"),
    at("raised_at", nullable=False),
    at("last_at", nullable=False),
    Column("times", Integer, nullable=False, server_default=text("1")),
    at("cleared_at"),
    comment="What somebody must look at; open until it is over or somebody has looked",
)
Index(
    "uq_alarms_open",
    alarms.c.subject,
    alarms.c.code,
    unique=True,
    postgresql_where=text("cleared_at IS NULL"),
)

Index("ix_sightings_source", sightings.c.source)
