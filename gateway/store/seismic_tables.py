"""Seismic events, the solutions that agencies have of them, and the warnings made from them."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Double,
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

seismic_events = Table(
    "seismic_events",
    metadata,
    number(),
    Column("status", Text, nullable=False, comment="CAP status of its solutions: Actual, Exercise, Test"),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("preferred", BigInteger, comment="the solution that counts, solutions.id"),
    at("created_at", nullable=False),
    at("changed_at", nullable=False),
    one_of("state", "open", "withdrawn", "merged"),
    comment="One earthquake, out of as many solutions as there are",
)

solutions = Table(
    "solutions",
    metadata,
    number(),
    Column("source", Text, nullable=False, comment="the source that brought it"),
    Column("name", Text, nullable=False, comment="the source's preferred id of the event"),
    Column("status", Text, nullable=False, comment="CAP status: Actual, Exercise, Test"),
    Column("agency", Text, nullable=False),
    Column("ids", ARRAY(Text), nullable=False, comment="all ids that this version gives the event"),
    Column("named", ARRAY(Text), nullable=False, comment="all ids that any version so far gave it"),
    at("time"),
    Column("lat", Double, comment="WGS-84 degrees"),
    Column("lon", Double, comment="WGS-84 degrees"),
    Column("depth_km", Double, comment="below sea level"),
    Column("magnitude", Double),
    Column("magnitude_type", Text, nullable=False),
    Column("magnitude_before", Double, comment="of the version before"),
    Column("place", Text, nullable=False),
    Column("review", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("version", Text, nullable=False),
    at("updated"),
    Column("original", LargeBinary, nullable=False, comment="the bytes it was read from"),
    Column("digest", Text, nullable=False, comment="SHA-256 of what it says"),
    at("received_at", nullable=False),
    Column("current", Boolean, nullable=False, comment="the newest version of its source and name"),
    one_of("review", "automatic", "reviewed", "unknown"),
    comment="Every version of every solution",
)
Index(
    "uq_solutions_current",
    solutions.c.source,
    solutions.c.name,
    solutions.c.status,
    unique=True,
    postgresql_where=text("current"),
)
Index("ix_solutions_name", solutions.c.source, solutions.c.name)
Index("ix_solutions_time", solutions.c.time, postgresql_where=text("current"))
Index("ix_solutions_named", solutions.c.named, postgresql_using="gin", postgresql_where=text("current"))

solution_links = Table(
    "solution_links",
    metadata,
    number(),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("event_id", BigInteger, ForeignKey("seismic_events.id"), nullable=False),
    at("since", nullable=False),
    at("until"),
    Column("why", Text, nullable=False, comment="came, moved"),
    comment="Which solution belongs to which event, and did",
)
Index(
    "uq_solution_links_open",
    solution_links.c.source,
    solution_links.c.name,
    solution_links.c.status,
    unique=True,
    postgresql_where=text("until IS NULL"),
)
Index("ix_solution_links_event_id", solution_links.c.event_id)

seismic_warnings = Table(
    "seismic_warnings",
    metadata,
    number(),
    Column("event_id", BigInteger, ForeignKey("seismic_events.id"), nullable=False),
    Column("number", Integer, nullable=False, comment="of the report, from 1"),
    Column("solution_id", BigInteger, ForeignKey("solutions.id"), comment="what it was computed from"),
    Column("magnitude", Double),
    json("townships", nullable=False),
    Column("agreeing", ARRAY(Text), nullable=False, comment="independent agencies that say the same"),
    json("findings", nullable=False),
    json("alert", nullable=False),
    at("made_at", nullable=False),
    at("handed_at"),
    UniqueConstraint("event_id", "number"),
    comment="Warnings made from events; handed_at is null until the inbox has it",
)
Index("ix_seismic_warnings_waiting", seismic_warnings.c.id, postgresql_where=text("handed_at IS NULL"))
