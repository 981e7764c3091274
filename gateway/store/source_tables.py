"""The state of the sources: leases, health, troubles."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint, text

from gateway.store.columns import at, metadata, number


def _failure() -> list[Column[object]]:
    """What went wrong last, in a row; failures and words are empty once it goes well again."""
    return [
        Column("failures", Integer, nullable=False, server_default=text("0"), comment="one after the other"),
        Column("code", Text, nullable=False, server_default=text("''")),
        Column("error", Text, nullable=False, server_default=text("''"), comment="for people"),
        Column("fix", Text, nullable=False, server_default=text("''"), comment="the way out"),
    ]


leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False, comment="host and process, for people"),
    at("until", nullable=False),
    Column("token", BigInteger, nullable=False, comment="rises with each holder; fences off the one before"),
    comment="Work that one process at a time does; times are of the database's clock",
)

source_states = Table(
    "source_states",
    metadata,
    Column("source", Text, primary_key=True),
    Column(
        "token", BigInteger, nullable=False, server_default=text("0"), comment="of the lease that wrote last"
    ),
    at("since", nullable=False),
    at("polled_at"),
    at("good_at"),
    at("heartbeat_at"),
    at("item_at"),
    at("changed_at"),
    at("generated_at"),
    at("moved_at"),
    at("next_at"),
    at("certificate_until"),
    *_failure(),
    Column("items", BigInteger, nullable=False, server_default=text("0"), comment="read, repeats included"),
    Column(
        "troubled", Integer, nullable=False, server_default=text("0"), comment="entries of the last document"
    ),
    Column("digest", Text, nullable=False, server_default=text("''"), comment="SHA-256 of the last document"),
    comment="When a source was heard last, and how it is",
    postgresql_with={"fillfactor": 50},
)

source_connections = Table(
    "source_connections",
    metadata,
    Column("source", Text, primary_key=True),
    Column("host", Text, primary_key=True, comment="with its port"),
    at("connected_at"),
    at("heartbeat_at"),
    *_failure(),
    comment="The hosts of a stream, each by itself",
    postgresql_with={"fillfactor": 50},
)

source_links = Table(
    "source_links",
    metadata,
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True, comment="SHA-256 of the URL"),
    Column("url", Text, nullable=False),
    Column("updated", Text, nullable=False, comment="as the index spells it"),
    at("seen_at", nullable=False),
    at("fetched_at"),
    at("next_at"),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    comment="What an index leads to: fetched once, and again where the index says that it has changed",
)
Index(
    "ix_source_links_due",
    source_links.c.source,
    source_links.c.next_at,
    postgresql_where=text("fetched_at IS NULL"),
)

source_troubles = Table(
    "source_troubles",
    metadata,
    number(),
    Column("source", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("place", Text, nullable=False, comment="in the document, or its address"),
    Column("sentence", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("times", Integer, nullable=False, server_default=text("1")),
    at("first_at", nullable=False),
    at("last_at", nullable=False),
    UniqueConstraint("source", "code", "place"),
    comment="What could not be read or fetched, in plain words; the newest of each source",
)
Index("ix_source_troubles_last_at", source_troubles.c.source, source_troubles.c.last_at)
