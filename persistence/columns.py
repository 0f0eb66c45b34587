"""Columns that many tables have, each named once."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


def key(name: str) -> sa.Column[Any]:
    """A UUID that is part of the primary key."""
    return sa.Column(name, sa.Uuid, primary_key=True)


def uuid(name: str, *, null: bool = False) -> sa.Column[Any]:
    """A UUID."""
    return sa.Column(name, sa.Uuid, nullable=null)


def text(name: str, *, null: bool = False, primary: bool = False) -> sa.Column[Any]:
    """Text of any length."""
    return sa.Column(name, sa.Text, nullable=null, primary_key=primary)


def whole(name: str, *, null: bool = False, primary: bool = False) -> sa.Column[Any]:
    """A 64-bit integer: points, minor units, sequences, counts."""
    return sa.Column(name, sa.BigInteger, nullable=null, primary_key=primary, autoincrement=False)


def small(name: str, *, null: bool = False) -> sa.Column[Any]:
    """A 32-bit integer."""
    return sa.Column(name, sa.Integer, nullable=null)


def instant(name: str, *, null: bool = False) -> sa.Column[Any]:
    """An instant, UTC."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def day(name: str, *, null: bool = False, primary: bool = False) -> sa.Column[Any]:
    """A date in the programme's zone."""
    return sa.Column(name, sa.Date, nullable=null, primary_key=primary)


def document(name: str, *, null: bool = False) -> sa.Column[Any]:
    """A JSON document."""
    return sa.Column(name, pg.JSONB, nullable=null)


def sealed(name: str, *, null: bool = True) -> sa.Column[Any]:
    """Bytes: an encrypted value, a hash, a blind index."""
    return sa.Column(name, sa.LargeBinary, nullable=null)


def one_of(name: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    """The column holds one of these words."""
    listed = ", ".join(f"'{v}'" for v in values)
    return sa.CheckConstraint(f"{name} IN ({listed})", name=f"{name}_known")
