"""The metadata that all tables share, and the columns that many of them have."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, MetaData, func
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def number() -> Column[int]:
    """Return the primary key ``id``, given by the database."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def at(name: str, *, nullable: bool = True, default: bool = False) -> Column[object]:
    """Return a ``timestamptz``; ``default`` sets the time of the insertion."""
    return Column(
        name, DateTime(timezone=True), nullable=nullable, server_default=func.now() if default else None
    )


def one_of(name: str, *values: str) -> CheckConstraint:
    """Return the CHECK that a text is one of these."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{name} IN ({listed})", name=name)


def json(name: str, *, nullable: bool = True, comment: str | None = None) -> Column[object]:
    """Return a JSONB column in which Python's None is SQL's NULL."""
    return Column(name, JSONB(none_as_null=True), nullable=nullable, comment=comment)
