"""One way to the database: SQLAlchemy Core clauses compiled once for asyncpg, run by name.

A statement that touches an owned table carries the caller's scope: `within_scope(...)` in its WHERE, `scope_params`
in its parameters. `tests/architecture` walks every `Statement` of this package and fails for one without.
"""

from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextvars import ContextVar
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson
import sqlalchemy as sa
from asyncpg import Record
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from domain.shared.principal import Scope

if TYPE_CHECKING:
    from asyncpg import Connection
    from asyncpg.pool import PoolConnectionProxy

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

Conn: TypeAlias = "Connection[Record] | PoolConnectionProxy[Record]"
Params: TypeAlias = Mapping[str, object]
Row: TypeAlias = Record

# Told of each statement as it is run: telemetry counts them per operation, tests keep budgets.
on_statement: ContextVar["Callable[[Statement], None] | None"] = ContextVar("on_statement", default=None)

_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]

SCOPE_PARAMETERS = frozenset({"scope_everything", "scope_member", "scope_merchants"})


def scope_params(scope: Scope) -> dict[str, object]:
    """The parameters that `within_scope` binds."""
    return {
        "scope_everything": scope.everything,
        "scope_member": scope.member_id,
        "scope_merchants": list(scope.merchant_ids),
    }


def within_scope(
    *, member: sa.ColumnElement[Any] | None = None, merchant: sa.ColumnElement[Any] | None = None
) -> sa.ColumnElement[bool]:
    """True for rows that the caller may touch: its own as a member, its merchants', or all."""
    ways: list[sa.ColumnElement[bool]] = [sa.bindparam("scope_everything", type_=sa.Boolean)]
    if member is not None:
        ways.append(member == sa.bindparam("scope_member", type_=sa.Uuid))
    if merchant is not None:
        ways.append(merchant == sa.any_(sa.bindparam("scope_merchants", type_=pg.ARRAY(sa.Uuid))))
    return sa.or_(*ways)


_COMPILED: Final = frozenset({"sql", "parameters", "_literals", "_pick"})


class Statement:
    """A named statement, compiled once: when it is first used, as a process that starts uses few of them.

    The name stands in its text, so that logs and pg_stat_statements show it: behind its first word, since PostgreSQL
    does not count what stands before that.

    `record_class` is what its rows are, where they are more than records. One that reads fewer columns of the same rows
    as another (`less_of`) has that one's name.
    """

    __slots__ = ("_literals", "_pick", "clause", "less_of", "name", "parameters", "record_class", "sql")

    sql: str
    parameters: tuple[str, ...]
    _literals: dict[str, object]
    _pick: Callable[[Params], Sequence[object]]

    def __init__(
        self,
        name: str,
        clause: sa.sql.base.Executable,
        *,
        record_class: type[Record] | None = None,
        less_of: "Statement | None" = None,
    ) -> None:
        self.name = name
        self.clause = clause
        self.record_class = record_class
        self.less_of = less_of

    def __getattr__(self, name: str) -> Any:
        """Compiles it; asked only for what is not set yet."""
        if name not in _COMPILED:
            raise AttributeError(name)
        compiled = self.clause.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
        # `column IN (list)` is unfolded by SQLAlchemy at execution, which is not how statements run here.
        assert "POSTCOMPILE" not in str(compiled), f"{self.name}: write column = ANY(:array) instead of IN"
        word, space, rest = str(compiled).partition(" ")
        self.sql = f"{word} /* {self.name} */{space}{rest}"
        self.parameters = tuple(compiled.positiontup or ())
        self._literals = {k: v for k, v in compiled.params.items() if v is not None}
        several = len(self.parameters) > 1  # of one, itemgetter gives no tuple
        self._pick = itemgetter(*self.parameters) if several and not self._literals else self._picked
        return getattr(self, name)

    def arguments(self, params: Params) -> Sequence[object]:
        """The parameters in the statement's order; one that is missing is a bug."""
        return self._pick(params)

    def _picked(self, params: Params) -> Sequence[object]:
        literals = self._literals
        return [params[p] if p in params else literals[p] for p in self.parameters]

    def fetch(self, connection: Conn, params: Params) -> Coroutine[Any, Any, list[Record]]:
        """All rows, to be awaited at once."""
        _tell(self)
        return connection.fetch(self.sql, *self.arguments(params), record_class=self.record_class)

    async def row(self, connection: Conn, params: Params) -> Record | None:
        """The first row, or none."""
        _tell(self)
        return await connection.fetchrow(self.sql, *self.arguments(params))

    async def value(self, connection: Conn, params: Params) -> Any:
        """The first column of the first row, or none."""
        _tell(self)
        return await connection.fetchval(self.sql, *self.arguments(params))

    async def execute(self, connection: Conn, params: Params) -> int:
        """Runs it and returns how many rows it touched."""
        _tell(self)
        status = await connection.execute(self.sql, *self.arguments(params))
        return int(status.rsplit(" ", 1)[-1]) if status[-1:].isdigit() else 0


def _tell(statement: Statement) -> None:
    listener = on_statement.get()
    if listener is not None:
        listener(statement)


def current_instant() -> sa.ColumnElement[Any]:
    """The instant of a read, as its parameter `now` (`Database.set_now`): PostgreSQL's, unless a test has set one."""
    return sa.func.coalesce(sa.bindparam("now", type_=sa.DateTime(timezone=True)), sa.func.now())


def monday_of(day: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The Monday of the ISO week that holds a day: `domain.shared.time.start_of_week`."""
    return sa.cast(day - sa.cast(sa.extract("isodow", day), sa.Integer) + sa.literal_column("1"), sa.Date)


def first_of_month(day: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The first of the month that holds a day: `domain.shared.time.start_of_month`."""
    return sa.cast(day - sa.cast(sa.extract("day", day), sa.Integer) + sa.literal_column("1"), sa.Date)


NOW = Statement("now", sa.select(sa.func.now()))


def parameters(table: sa.Table) -> dict[str, sa.BindParameter[Any]]:
    """A parameter for each column, named and typed as it."""
    return {column.name: sa.bindparam(column.name, type_=column.type) for column in table.c}


def of_key(table: sa.Table, *names: str) -> tuple[sa.ColumnElement[bool], ...]:
    """That each of these columns is what the parameter of its name says."""
    given = parameters(table)
    return tuple(table.c[name] == given[name] for name in names)


def insert_rows(
    table: sa.Table,
    columns: Sequence[str],
    *,
    member: str | None = None,
    merchant: str | None = None,
    constants: Mapping[str, sa.ColumnElement[Any]] | None = None,
    as_text: Collection[str] = (),
) -> pg.Insert:
    """INSERT … SELECT over arrays, one parameter per column, named as it: a set of rows in one plain statement.

    `member` and `merchant` name the owner columns that the caller's scope is held against.
    """
    source = arrays("rows", {name: table.c[name].type for name in columns}, as_text=as_text)
    fixed = dict(constants or {})
    picked: list[sa.ColumnElement[Any]] = [source.c[name] for name in columns]
    select = sa.select(*picked, *fixed.values())
    if member is not None or merchant is not None:
        select = select.where(
            within_scope(
                member=source.c[member] if member else None,
                merchant=source.c[merchant] if merchant else None,
            )
        )
    return pg.insert(table).from_select([*columns, *fixed], select)


def arrays(
    name: str, columns: Mapping[str, sa.types.TypeEngine[Any]], *, as_text: Collection[str] = ()
) -> sa.TableValuedAlias:
    """`unnest($1, $2, …) AS name(…)`: parallel arrays as a table; each parameter has its column's name.

    JSONB and array columns travel as JSON text, since an array of arrays is not what unnest unfolds. Columns named in
    `as_text` are each given as an `array_text`, which is worth it in large sets.
    """

    def parameter(column: str, array: pg.ARRAY[Any]) -> sa.ColumnElement[Any]:
        if column in as_text:
            return sa.cast(sa.bindparam(column, type_=sa.Text), array)
        return sa.bindparam(column, type_=array)

    return (
        sa.func.unnest(*(parameter(c, pg.ARRAY(t)) for c, t in columns.items()))
        .table_valued(*(sa.column(c, t) for c, t in columns.items()))
        .render_derived(name=name)
    )


def array_text(values: Collection[object]) -> str:
    """An array as PostgreSQL reads it: {"a","b"}. asyncpg encodes an array element by element, three times slower.

    For numbers, and for text without control characters, whose escapes alone differ from those of JSON. (UUIDs are the
    other way round: PostgreSQL reads them so slowly that asyncpg's way is cheaper in all.)
    """
    return f"{{{orjson.dumps(values)[1:-1].decode()}}}"


def columns_of(rows: Iterable[Mapping[str, object]], names: Sequence[str]) -> dict[str, object]:
    """Rows turned into one list per column, as `insert_rows` takes them."""
    listed = list(rows)
    return {name: [row[name] for row in listed] for name in names}
