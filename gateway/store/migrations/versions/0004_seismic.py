"""Seismic events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seismic_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "status", sa.Text(), nullable=False, comment="CAP status of its solutions: Actual, Exercise, Test"
        ),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column(
            "preferred", sa.BigInteger(), nullable=True, comment="the solution that counts, solutions.id"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('open', 'withdrawn', 'merged')", name=op.f("ck_seismic_events_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seismic_events")),
        comment="One earthquake, out of as many solutions as there are",
    )
    op.create_table(
        "solutions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="the source that brought it"),
        sa.Column("name", sa.Text(), nullable=False, comment="the source's preferred id of the event"),
        sa.Column("status", sa.Text(), nullable=False, comment="CAP status: Actual, Exercise, Test"),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column(
            "ids", sa.ARRAY(sa.Text()), nullable=False, comment="all ids that this version gives the event"
        ),
        sa.Column(
            "named", sa.ARRAY(sa.Text()), nullable=False, comment="all ids that any version so far gave it"
        ),
        sa.Column("time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True, comment="WGS-84 degrees"),
        sa.Column("lon", sa.Double(), nullable=True, comment="WGS-84 degrees"),
        sa.Column("depth_km", sa.Double(), nullable=True, comment="below sea level"),
        sa.Column("magnitude", sa.Double(), nullable=True),
        sa.Column("magnitude_type", sa.Text(), nullable=False),
        sa.Column("magnitude_before", sa.Double(), nullable=True, comment="of the version before"),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("review", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=True),
        sa.Column("original", sa.LargeBinary(), nullable=False, comment="the bytes it was read from"),
        sa.Column("digest", sa.Text(), nullable=False, comment="SHA-256 of what it says"),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "current", sa.Boolean(), nullable=False, comment="the newest version of its source and name"
        ),
        sa.CheckConstraint(
            "review IN ('automatic', 'reviewed', 'unknown')", name=op.f("ck_solutions_review")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_solutions")),
        comment="Every version of every solution",
    )
    op.create_index("ix_solutions_name", "solutions", ["source", "name"], unique=False)
    op.create_index(
        "ix_solutions_named",
        "solutions",
        ["named"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("current"),
    )
    op.create_index(
        "ix_solutions_time", "solutions", ["time"], unique=False, postgresql_where=sa.text("current")
    )
    op.create_index(
        "uq_solutions_current",
        "solutions",
        ["source", "name", "status"],
        unique=True,
        postgresql_where=sa.text("current"),
    )
    op.create_table(
        "solution_links",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.Text(), nullable=False, comment="came, moved"),
        sa.ForeignKeyConstraint(["event_id"], ["seismic_events.id"], name=op.f("fk_solution_links_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_solution_links")),
        comment="Which solution belongs to which event, and did",
    )
    op.create_index("ix_solution_links_event_id", "solution_links", ["event_id"], unique=False)
    op.create_index(
        "uq_solution_links_open",
        "solution_links",
        ["source", "name", "status"],
        unique=True,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_table(
        "seismic_warnings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="of the report, from 1"),
        sa.Column("solution_id", sa.BigInteger(), nullable=True, comment="what it was computed from"),
        sa.Column("magnitude", sa.Double(), nullable=True),
        sa.Column("townships", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column(
            "agreeing", sa.ARRAY(sa.Text()), nullable=False, comment="independent agencies that say the same"
        ),
        sa.Column("findings", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("alert", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["seismic_events.id"], name=op.f("fk_seismic_warnings_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["solution_id"], ["solutions.id"], name=op.f("fk_seismic_warnings_solution_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seismic_warnings")),
        sa.UniqueConstraint("event_id", "number", name=op.f("uq_seismic_warnings_event_id_number")),
        comment="Warnings made from events; handed_at is null until the inbox has it",
    )
    op.create_index(
        "ix_seismic_warnings_waiting",
        "seismic_warnings",
        ["id"],
        unique=False,
        postgresql_where=sa.text("handed_at IS NULL"),
    )
