"""Reads a compiled statement's clause, and tells of which owned tables it touches more rows than its scope lets it.

A table is held when a condition that every row must pass compares its owner column with the scope (`within_scope`), or ties
its owner column or a key of it to the same column of a table that is held. A condition counts where it stands: in a WHERE, or
in the ON of a join for the rows that the join brings; never inside an OR, unless what stands beside it makes rows public.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.dml import Delete, Insert, Update, UpdateBase
from sqlalchemy.sql.elements import (
    AsBoolean,
    BinaryExpression,
    BindParameter,
    BooleanClauseList,
    ClauseElement,
    CollectionAggregate,
    ColumnClause,
    ColumnElement,
    Grouping,
    TextClause,
)
from sqlalchemy.sql.selectable import (
    CTE,
    AliasedReturnsRows,
    CompoundSelect,
    FromClause,
    Join,
    Select,
    SelectBase,
    TableClause,
)

_DIALECT: Final = pg.dialect()  # type: ignore[no-untyped-call]
# How a source is held: by "member" or "merchant", or as one row that a held row refers to or that refers to it.
REFERENCE: Final = "reference"
PUBLIC_ROW: Final = "public"
Held: TypeAlias = dict[FromClause, frozenset[str]]
OWNED: Final = frozenset({"member", "merchant", "both"})


def owners(table: sa.Table) -> Mapping[str, str]:
    """The owner columns of an owned table, by whom they name: {"member": "member_id"}."""
    if table.info["owner"] == "both":
        return {"member": "owner_id", "merchant": "owner_id"}
    return {who: table.info[who] for who in ("member", "merchant") if who in table.info}


def table_of(source: FromClause) -> sa.Table | None:
    """The table that a source is, under whatever alias; None for a subquery or a function."""
    while isinstance(source, AliasedReturnsRows) and isinstance(source.element, FromClause):
        source = source.element
    return source if isinstance(source, sa.Table) else None


def is_owned(source: FromClause) -> bool:
    table = table_of(source)
    return table is not None and table.info.get("owner") in OWNED


@dataclass(slots=True)
class Block:
    """One SELECT, UPDATE, DELETE or INSERT: its sources, and the conditions that every row of a source must pass."""

    sources: list[FromClause] = field(default_factory=list)
    # A condition with the sources that it limits; None: all.
    conditions: list[tuple[ColumnElement[Any], frozenset[FromClause] | None]] = field(default_factory=list)
    nested: list[tuple[ClauseElement, bool]] = field(default_factory=list)  # with whether it sees this block's sources


def untold(clause: Executable, *, public: Mapping[str, str]) -> set[str]:
    """The owned tables that the statement touches without holding them to its scope, as `table in BLOCK`."""
    assert isinstance(clause, ClauseElement)
    return set(_untold(clause, outer={}, public=public))


def _untold(clause: ClauseElement, *, outer: Held, public: Mapping[str, str]) -> Iterator[str]:
    if isinstance(clause, AliasedReturnsRows):
        yield from _untold(clause.element, outer=outer, public=public)
        return
    if isinstance(clause, CompoundSelect):
        for part in clause.selects:
            yield from _untold(part, outer=outer, public=public)
        return
    if isinstance(clause, TextClause):
        yield "text: nothing can be told about it"
        return
    if not isinstance(clause, Select | UpdateBase):
        for inner in _inside([clause]):
            yield from _untold(inner, outer=outer, public=public)
        return
    block = _block(clause, outer=outer)
    held = _held(block, outer=outer, public=public)
    for source in block.sources:
        if is_owned(source) and source not in held:
            yield f"{table_of(source)} in {type(clause).__name__.upper()}"
    if isinstance(clause, Insert):
        yield from _insert_untold(clause, public=public)
    for inner, sees in block.nested:
        yield from _untold(inner, outer=(outer | held) if sees else {}, public=public)


def _block(clause: Select[Any] | UpdateBase, *, outer: Held) -> Block:
    block = Block()
    written: list[ClauseElement] = []
    if isinstance(clause, Select):
        for source in clause.get_final_froms():
            _add_source(block, source)
        written += [*clause._raw_columns, *clause._where_criteria, *clause._having_criteria]
        written += [*clause._order_by_clauses, *clause._group_by_clauses]
        block.conditions += [(term, None) for where in clause._where_criteria for term in _terms(where)]
        # What the enclosing statement brings is not brought again: PostgreSQL sees one and the same row.
        if outer:
            block.sources = [source for source in block.sources if source not in outer]
    elif isinstance(clause, Update | Delete):
        _add_source(block, clause.table)
        written += list(clause._where_criteria)
        if isinstance(clause, Update):
            written += [v for v in (clause._values or {}).values() if isinstance(v, ClauseElement)]
        block.conditions += [(term, None) for where in clause._where_criteria for term in _terms(where)]
        for source in _tables_named(written):
            if source not in block.sources and source not in outer:
                _add_source(block, source)
    elif isinstance(clause, Insert) and clause.select is not None:
        block.nested.append((clause.select, False))
    for cte in getattr(clause, "_independent_ctes", ()):
        block.nested.append((cte.element, False))
    block.nested += [(inner, True) for inner in _inside(written)]
    return block


def _add_source(block: Block, source: FromClause) -> frozenset[FromClause]:
    """Adds a source with what its joins demand; returns the plain sources in it."""
    if not isinstance(source, Join):
        if source not in block.sources:
            block.sources.append(source)
            if isinstance(source, CTE):
                block.nested.append((source.element, False))
            elif (inner := _statement_of(source)) is not None:
                block.nested.append((inner, source._is_lateral))
        return frozenset({source})
    left, right = _add_source(block, source.left), _add_source(block, source.right)
    # The left side of an outer join keeps its rows whatever the ON says, and both sides of a full one.
    limited = frozenset() if source.full else right if source.isouter else left | right
    if source.onclause is not None:
        block.conditions += [(term, limited) for term in _terms(source.onclause)]
        block.nested += [(inner, True) for inner in _inside([source.onclause])]
    return left | right


def _statement_of(source: ClauseElement) -> ClauseElement | None:
    """The statement that a subquery is made of."""
    while isinstance(source, AliasedReturnsRows | Grouping):
        source = source.element
    return source if isinstance(source, SelectBase | UpdateBase) else None


def _held(block: Block, *, outer: Held, public: Mapping[str, str]) -> Held:
    held: Held = dict(outer)
    for source in block.sources:
        if _statement_of(source) is not None:
            held[source] = frozenset({REFERENCE})  # looked into by itself
    for term, limited in block.conditions:
        for source, how in _scoped_by(term, public=public, sources=block.sources):
            if limited is None or source in limited:
                held[source] = held.get(source, frozenset()) | how
    before = -1
    while before != len(held):
        before = len(held)
        for term, limited in block.conditions:
            for one, other in _equalities(term):
                source = _origin(other)
                if _origin(one) in held and source not in held and (limited is None or source in limited):
                    how = _tied(other, to=one, held=held[_origin(one)])
                    if how:
                        held[source] = how
    return held


def _origin(column: ColumnClause[Any]) -> FromClause:
    assert column.table is not None
    return column.table


def _tied(column: ColumnClause[Any], *, to: ColumnClause[Any], held: frozenset[str]) -> frozenset[str]:
    """How equality with a column of a held source holds the other's table; empty: it does not.

    Owner to owner holds it as the source is held by that owner. A reference to the key of a held row, or from a held row
    to the key of another, holds that row alone. Rows that are public hold nothing: they are everybody's.
    """
    table, base = table_of(_origin(column)), _base(to)
    theirs = base.table if base is not None else None
    if table is None or base is None or not isinstance(theirs, sa.Table) or held <= {PUBLIC_ROW}:
        return frozenset()
    for who, name in owners(table).items():
        if column.name == name and owners(theirs).get(who) == base.name:
            return held & {who}
    by_key = base.name in _keys(theirs) or (column.name in _keys(table) and base.name.endswith("_id"))
    return frozenset({REFERENCE}) if by_key else frozenset()


def _keys(table: sa.Table) -> set[str]:
    """The columns that tell an owner's rows apart."""
    return {column.name for column in table.primary_key} - set(owners(table).values())


def _base(column: ColumnClause[Any]) -> ColumnClause[Any] | None:
    """The table's column that a column of an alias or a subquery is."""
    bases = [c for c in column.base_columns if isinstance(c, sa.Column) and isinstance(c.table, sa.Table)]
    return bases[0] if len(bases) == 1 else None


def _terms(condition: ClauseElement) -> Iterator[ColumnElement[Any]]:
    """The parts of a conjunction."""
    if isinstance(condition, Grouping):
        yield from _terms(condition.element)
    elif isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for part in condition.clauses:
            yield from _terms(part)
    elif isinstance(condition, ColumnElement):
        yield condition


def _ways(term: ColumnElement[Any]) -> Iterator[ColumnElement[Any]]:
    """The parts of a disjunction."""
    if isinstance(term, Grouping):
        yield from _ways(term.element)
    elif isinstance(term, BooleanClauseList) and term.operator is operators.or_:
        for part in term.clauses:
            yield from _ways(part)
    else:
        yield term


def _scoped_by(
    term: ColumnElement[Any], *, public: Mapping[str, str], sources: Iterable[FromClause]
) -> Iterator[tuple[FromClause, frozenset[str]]]:
    """The source that a condition holds to the scope, and by whom: of one table's owner columns, and no way around it."""
    if isinstance(term, BinaryExpression) and isinstance(term.left, ColumnClause) and _text(term) in public:
        yield _origin(term.left), frozenset({PUBLIC_ROW})
    ways = list(_ways(term))
    if not any(_is_everything(way) for way in ways):
        return
    by: dict[FromClause, set[str]] = {}
    is_public = False
    for way in ways:
        if _is_everything(way):
            continue
        if isinstance(way, BinaryExpression) and isinstance(way.left, ColumnClause) and (who := _whose(way.right)):
            table = table_of(_origin(way.left))
            if table is None or owners(table).get(who) != way.left.name:
                return
            by.setdefault(_origin(way.left), set()).add(who)
        elif _text(way) in public:
            is_public = True
        else:
            return
    if not by:
        # within_scope() of no column: for those who may see everything, and nobody else.
        yield from ((source, frozenset({"member", "merchant"})) for source in sources)
    elif len(by) == 1:
        for source, kinds in by.items():
            yield source, frozenset({PUBLIC_ROW}) if is_public else frozenset(kinds)


def _text(condition: ColumnElement[Any]) -> str:
    """A condition without parameters as SQL; of any other nothing."""
    for element in visitors.iterate(condition):
        if isinstance(element, SelectBase) or (isinstance(element, BindParameter) and element.value is None):
            return ""
    return str(condition.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


def _is_everything(way: ColumnElement[Any]) -> bool:
    inner = way.element if isinstance(way, AsBoolean) else way
    return isinstance(inner, BindParameter) and inner.key == "scope_everything"


def _whose(right: ClauseElement) -> str | None:
    if isinstance(right, BindParameter) and right.key == "scope_member":
        return "member"
    if isinstance(right, CollectionAggregate):
        many = right.element.element if isinstance(right.element, Grouping) else right.element
        return "merchant" if isinstance(many, BindParameter) and many.key == "scope_merchants" else None
    return None


def _equalities(term: ColumnElement[Any]) -> Iterator[tuple[ColumnClause[Any], ColumnClause[Any]]]:
    if isinstance(term, BinaryExpression) and term.operator is operators.eq:
        left, right = term.left, term.right
        if isinstance(left, ColumnClause) and isinstance(right, ColumnClause):
            if left.table is not None and right.table is not None:
                yield left, right
                yield right, left


def _insert_untold(insert: Insert, *, public: Mapping[str, str]) -> Iterator[str]:
    """An INSERT into an owned table takes its owner from a column that the scope is held against."""
    table = insert.table
    if not isinstance(table, sa.Table) or table.info.get("owner") not in OWNED:
        return
    if not isinstance(insert.select, Select) or not insert._select_names:
        yield f"{table} in INSERT"
        return
    names = [name if isinstance(name, str) else name.key for name in insert._select_names]
    given = dict(zip(names, insert.select.selected_columns, strict=True))
    mine = {who: given.get(name) for who, name in owners(table).items()}
    terms = [term for where in insert.select._where_criteria for term in _terms(where)]
    if not any(_holds_insert(term, mine) for term in terms):
        yield f"{table} in INSERT"
    conflict = insert._post_values_clause
    if conflict is not None and type(conflict).__name__ == "OnConflictDoUpdate":
        # The row that was there must be of the same owner as the one that comes.
        targets = {str(getattr(target, "name", target)) for target in conflict.inferred_target_elements or ()}
        if not targets & set(owners(table).values()):
            yield f"{table} in ON CONFLICT"


def _holds_insert(term: ColumnElement[Any], mine: Mapping[str, Any]) -> bool:
    everything = matched = False
    for way in _ways(term):
        if _is_everything(way):
            everything = True
        elif isinstance(way, BinaryExpression) and (who := _whose(way.right)) and mine.get(who) is way.left:
            matched = True
        else:
            return False
    return everything and matched


def _inside(elements: Iterable[ClauseElement]) -> Iterator[ClauseElement]:
    """The statements within expressions, the outermost of each."""
    for element in elements:
        if isinstance(element, SelectBase | UpdateBase):
            yield element
        elif isinstance(element, TextClause):
            yield element
        elif not isinstance(element, FromClause):
            yield from _inside(element.get_children())


def _tables_named(elements: Iterable[ClauseElement]) -> Iterator[FromClause]:
    """The sources of the columns in expressions, statements within them left out."""
    for element in elements:
        if isinstance(element, ColumnClause):
            if element.table is not None:
                yield element.table
        elif not isinstance(element, SelectBase | UpdateBase | TableClause):
            yield from _tables_named(element.get_children())
