"""Looks for rows that break an invariant: each slice names its checks, each answers with the rows that break it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from domain.shared.invariants import Violation
from domain.shared.principal import Scope
from persistence.base import Statement, scope_params
from persistence.unit_of_work import Database

# A check reads whole tables, which takes longer than any request may.
CHECK_SECONDS: Final = 300


def checks(broken: Mapping[str, sa.Select[Any]], *, promised: Mapping[str, str]) -> Mapping[str, Statement]:
    """One named statement per invariant that the domain promises; a promise that nobody looks after is a bug."""
    assert set(broken) == set(promised), "every invariant is looked for, and no other"
    return {name: Statement(f"invariant_{name}", _first_of(query)) for name, query in broken.items()}


def _first_of(query: sa.Select[Any]) -> sa.Select[Any]:
    """Some of the rows, planned as all of them.

    There are none as a rule, and then everything is read. PostgreSQL reckons with the limit that a few are soon found,
    and joins in ways that begin early and take the square of a wallet's length to end.
    """
    found = query.cte("broken").prefix_with("MATERIALIZED")
    return sa.select(found).limit(sa.bindparam("limit", type_=sa.Integer))


class SqlInvariants:
    """The invariants of some slices, looked for in the rows."""

    def __init__(self, database: Database, *, checks: Mapping[str, Statement]) -> None:
        self._database = database
        self._checks = checks

    @property
    def names(self) -> Sequence[str]:
        """What is looked for."""
        return list(self._checks)

    async def violations(self, *, limit: int) -> Sequence[Violation]:
        """What breaks them, at most so many of each."""
        found: list[Violation] = []
        for name in self._checks:
            found += await self.violations_of(name, limit=limit)
        return found

    async def violations_of(self, name: str, *, limit: int) -> Sequence[Violation]:
        """What breaks one of them, at most so many rows."""
        zone = self._database.programme.zone.key
        params = {"limit": limit, "zone": zone, **scope_params(Scope.system())}
        async with self._database.read() as connection, connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = '{CHECK_SECONDS}s'")
            with self._database.pool.silence.bear(connection, seconds=2 * CHECK_SECONDS):
                rows = await self._checks[name].fetch(connection, params)
        return [Violation(name, ", ".join(f"{k}={v}" for k, v in row.items())) for row in rows]
