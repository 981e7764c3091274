"""Tables, migrations and the few hand-written bulk statements. SQL lives here and nowhere else.

PostgreSQL is the one dialect. Ordinary queries use SQLAlchemy Core; the send path uses
asyncpg directly (COPY and ``unnest``), see :mod:`gateway.store.ledger`.
"""
