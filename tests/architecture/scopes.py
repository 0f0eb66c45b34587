"""Reads a statement's clause, and tells of which owned tables it touches more rows than its scope lets it.

A table is held when a condition that every row must pass compares its owner column with the scope (`within_scope`),
or ties it by a key to a table that is held. A condition counts where it stands: in a WHERE, or in the ON of a join for
the rows that the join brings; never inside an OR, unless what stands beside it makes rows public.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeGuard

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
    match clause:
        case AliasedReturnsRows():
            yield from _untold(clause.element, outer=outer, public=public)
        case TextClause():
            yield "text: nothing can be told about it"
        case Select() | UpdateBase():
            yield from _untold_of_block(clause, outer=outer, public=public)
        case _:
            parts = clause.selects if isinstance(clause, CompoundSelect) else _inside([clause])
            for part in parts:
                yield from _untold(part, outer=outer, public=public)


def _untold_of_block(clause: Select[Any] | UpdateBase, *, outer: Held, public: Mapping[str, str]) -> Iterator[str]:
    block = _block(clause, outer=outer)
    held = _held(block, outer=outer, public=public)
    for source in block.sources:
        if is_owned(source) and source not in held:
            yield f"{table_of(source)} in {type(clause).__name__.upper()}"
    if isinstance(clause, Insert):
        yield from _insert_untold(clause)
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


def _statement_of(source: Any) -> ClauseElement | None:
    """The statement that a subquery is made of."""
    while isinstance(source, AliasedReturnsRows | Grouping):
        source = source.element
    return source if isinstance(source, SelectBase | UpdateBase) else None


def _held(block: Block, *, outer: Held, public: Mapping[str, str]) -> Held:
    held: Held = dict(outer)
    # A subquery is looked into by itself.
    held |= {source: frozenset({REFERENCE}) for source in block.sources if _statement_of(source) is not None}
    for term, limited in block.conditions:
        for source, how in _scoped_by(term, public=public, sources=block.sources):
            if limited is None or source in limited:
                held[source] = held.get(source, frozenset()) | how
    while tied := dict(_tied_in(block, held=held)):
        held |= tied
    return held


def _tied_in(block: Block, *, held: Held) -> Iterator[tuple[FromClause, frozenset[str]]]:
    """The sources that are not held yet and that a condition ties to one that is."""
    for term, limited in block.conditions:
        for one, other in _equalities(term):
            source = _origin(other)
            if _origin(one) in held and source not in held and (limited is None or source in limited):
                how = _tied(other, to=one, held=held[_origin(one)])
                if how:
                    yield source, how


def _origin(column: ColumnClause[Any]) -> FromClause:
    assert column.table is not None
    return column.table


def _tied(column: ColumnClause[Any], *, to: ColumnClause[Any], held: frozenset[str]) -> frozenset[str]:
    """How equality with a column of a held source holds the other's table; empty: not at all.

    Owner to owner holds it as the source is held by that owner. A reference to the key of a held row, or from a held
    row to the key of another, holds that row alone. Rows that are public hold nothing: they are everybody's.
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


def _terms(condition: Any) -> Iterator[ColumnElement[Any]]:
    """The parts of a conjunction."""
    if isinstance(condition, Grouping):
        yield from _terms(condition.element)
    elif isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for part in condition.clauses:
            yield from _terms(part)
    elif isinstance(condition, ColumnElement):
        yield condition


def _ways(term: Any) -> Iterator[ColumnElement[Any]]:
    """The parts of a disjunction."""
    if isinstance(term, Grouping):
        yield from _ways(term.element)
    elif isinstance(term, BooleanClauseList) and term.operator is operators.or_:
        for part in term.clauses:
            yield from _ways(part)
    elif isinstance(term, ColumnElement):
        yield term


def _scoped_by(
    term: ColumnElement[Any], *, public: Mapping[str, str], sources: Iterable[FromClause]
) -> Iterator[tuple[FromClause, frozenset[str]]]:
    """The source that a condition holds to the scope, and by whom: its owner columns, and no way around them."""
    if isinstance(term, BinaryExpression) and isinstance(term.left, ColumnClause) and _text(term) in public:
        yield _origin(term.left), frozenset({PUBLIC_ROW})
    ways = [way for way in _ways(term) if not _is_everything(way)]
    if len(ways) == len(list(_ways(term))):
        return
    if not ways:
        # within_scope() of no column: for those who may see everything, and nobody else.
        yield from ((source, frozenset({"member", "merchant"})) for source in sources)
    open_ways = [way for way in ways if _owner_way(way) is None]
    by = {found for way in ways if (found := _owner_way(way)) is not None}
    if len({source for source, _ in by}) == 1 and all(_text(way) in public for way in open_ways):
        source = next(source for source, _ in by)
        yield source, frozenset({PUBLIC_ROW}) if open_ways else frozenset(who for _, who in by)


def _owner_way(way: ColumnElement[Any]) -> tuple[FromClause, str] | None:
    """The source whose owner column is compared with the scope, and who that owner is."""
    if not (isinstance(way, BinaryExpression) and isinstance(way.left, ColumnClause) and (who := _whose(way.right))):
        return None
    table = table_of(_origin(way.left))
    return (_origin(way.left), who) if table is not None and owners(table).get(who) == way.left.name else None


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


def _text(condition: ColumnElement[Any]) -> str:
    """A condition without parameters as SQL; of any other nothing."""
    for element in visitors.iterate(condition):
        if isinstance(element, SelectBase) or (isinstance(element, BindParameter) and element.value is None):
            return ""
    return str(condition.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


def _equalities(term: ColumnElement[Any]) -> Iterator[tuple[ColumnClause[Any], ColumnClause[Any]]]:
    if isinstance(term, BinaryExpression) and term.operator is operators.eq:
        left, right = term.left, term.right
        if _of_a_source(left) and _of_a_source(right):
            yield left, right
            yield right, left


def _of_a_source(element: object) -> TypeGuard[ColumnClause[Any]]:
    return isinstance(element, ColumnClause) and element.table is not None


def _insert_untold(insert: Insert) -> Iterator[str]:
    """An INSERT into an owned table takes its owner from a column that the scope is held against."""
    table = insert.table
    if not isinstance(table, sa.Table) or table.info.get("owner") not in OWNED:
        return
    if not isinstance(insert.select, Select) or not insert._select_names:
        yield f"{table} in INSERT"
        return
    given = dict(zip(insert._select_names, insert.select.selected_columns, strict=True))
    mine = {who: given.get(name) for who, name in owners(table).items()}
    terms = [term for where in insert.select._where_criteria for term in _terms(where)]
    if not any(_holds_insert(term, mine) for term in terms):
        yield f"{table} in INSERT"
    conflict = insert._post_values_clause
    if conflict is not None and type(conflict).__name__ == "OnConflictDoUpdate":
        # The row that was there must be of the same owner as the one that comes.
        inferred: Iterable[object] = getattr(conflict, "inferred_target_elements", None) or ()
        targets = {str(getattr(target, "name", target)) for target in inferred}
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
        if isinstance(element, SelectBase | UpdateBase | TextClause):
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
