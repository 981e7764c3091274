"""The state of the sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False, comment="host and process, for people"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "token",
            sa.BigInteger(),
            nullable=False,
            comment="rises with each holder; fences off the one before",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        comment="Work that one process at a time does; times are of the database's clock",
    )
    op.create_table(
        "source_connections",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False, comment="with its port"),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "failures",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="one after the other",
        ),
        sa.Column("code", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("error", sa.Text(), server_default=sa.text("''"), nullable=False, comment="for people"),
        sa.Column("fix", sa.Text(), server_default=sa.text("''"), nullable=False, comment="the way out"),
        sa.PrimaryKeyConstraint("source", "host", name=op.f("pk_source_connections")),
        comment="The hosts of a stream, each by itself",
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "source_links",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="SHA-256 of the URL"),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("updated", sa.Text(), nullable=False, comment="as the index spells it"),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("source", "key", name=op.f("pk_source_links")),
        comment="What an index leads to: fetched once, and again where the index says that it has changed",
    )
    op.create_index(
        "ix_source_links_due",
        "source_links",
        ["source", "next_at"],
        unique=False,
        postgresql_where=sa.text("fetched_at IS NULL"),
    )
    op.create_table(
        "source_states",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "token",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="of the lease that wrote last",
        ),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("good_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("item_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("certificate_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "failures",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="one after the other",
        ),
        sa.Column("code", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("error", sa.Text(), server_default=sa.text("''"), nullable=False, comment="for people"),
        sa.Column("fix", sa.Text(), server_default=sa.text("''"), nullable=False, comment="the way out"),
        sa.Column(
            "items",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="read, repeats included",
        ),
        sa.Column(
            "troubled",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="entries of the last document",
        ),
        sa.Column(
            "digest",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="SHA-256 of the last document",
        ),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_source_states")),
        comment="When a source was heard last, and how it is",
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "source_troubles",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False, comment="in the document, or its address"),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("fix", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_troubles")),
        sa.UniqueConstraint("source", "code", "place", name=op.f("uq_source_troubles_source_code_place")),
        comment="What could not be read or fetched, in plain words; the newest of each source",
    )
    op.create_index("ix_source_troubles_last_at", "source_troubles", ["source", "last_at"], unique=False)
