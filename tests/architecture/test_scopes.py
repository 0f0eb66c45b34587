"""The second wall: every statement on a table that somebody owns carries the caller's scope; there is no way beside."""

import ast
import gc
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa
from sqlalchemy.sql import visitors

import persistence
from persistence.base import SCOPE_PARAMETERS, Statement, arrays, insert_rows, within_scope
from persistence.campaigns.tables import budget_accounts, campaigns
from persistence.coupons.tables import coupons, redemptions, templates
from persistence.events import events
from persistence.idempotency import idempotency
from persistence.schema import metadata
from tests.architecture.scopes import OWNED, owners, untold

REPOSITORY = Path(__file__).parents[2]

# Conditions that make rows of an owned table everybody's: the only ones that may stand beside the scope in an OR.
PUBLIC = {
    "campaigns.state != 'DRAFT'": "a campaign is public from the moment it is scheduled",
    "coupon_templates.state = 'PUBLISHED'": "what is published can be seen and claimed by all",
}
# Statements that no condition can be told of, by name.
WITHOUT_CLAUSE: dict[str, str] = {}
# Held in a way that these checks do not see: the rest of the statement is checked all the same.
BESIDE = {
    # Shown to its member and, by an EXISTS on redemptions that is held to the merchant, to whose till it was used at.
    "redeemed_coupons": {"coupons in SELECT"},
    # Of a template that the scope may see: whether its campaign runs is public with it, a draft's name is not.
    "candidate_templates": {"campaigns in SELECT"},
    "claim_standings": {"campaigns in SELECT"},
    "coupon_templates_page": {"campaigns in SELECT"},
    "lock_template_stock": {"campaigns in SELECT"},
}
# Held by `within_scope()` of no column: whoever may not see everything sees nothing.
FOR_THE_SYSTEM_ALONE: dict[str, str] = {}
# Statements on the receipts of all callers.
OF_ALL_CALLERS = {"invariant_receipts_name_coupons": "a check of all that was acknowledged, for operators"}
# Tables that nobody owns, by the word that their info says; every other table is owned.
UNOWNED = {
    "catalogue": "read by all, written by who may: the rules above",
    "system": "no caller's: documents, directories",
    "caller": "keyed by the caller itself: see below",
}
# Raw SQL beside the statements, by file: each with its reason.
RAW_SQL = {
    "app/demo/source.py": "another engine, on the files of the demo programme",
    "app/wiring.py": "SELECT 1: is PostgreSQL there",
    "persistence/demo/store.py": "ANALYZE and a lock, around the loading of the demo programme",
    "persistence/invariants.py": "statement_timeout of checks",
    "persistence/unit_of_work.py": "SELECT now(): the instant of a transaction",
    "persistence/base.py": "what runs statements",
    "persistence/migrations/__init__.py": "the lock of migrations",
    "persistence/migrations/env.py": "lock_timeout of migrations",
}
RUNNERS = {
    "execute",
    "executemany",
    "fetch",
    "fetchrow",
    "fetchval",
    "cursor",
    "exec_driver_sql",
    "copy_records_to_table",
}


@cache
def modules() -> tuple[ModuleType, ...]:
    names = [m.name for m in pkgutil.walk_packages(persistence.__path__, prefix="persistence.")]
    return tuple(
        import_module(name)
        for name in names
        if ".migrations.versions" not in name and not name.endswith("migrations.env")
    )


@cache
def statements() -> tuple[Statement, ...]:
    """Every statement that a module of persistence holds, by itself or in a collection."""
    found = {id(s): s for module in modules() for value in vars(module).values() for s in _statements_in(value)}
    return tuple(sorted(found.values(), key=lambda statement: statement.name))


def test_every_statement_can_be_compiled() -> None:
    # They are when they are first used, which may be long after a start.
    names = [
        one.name
        for one in statements()
        if re.match(rf"\(?(SELECT|INSERT|UPDATE|DELETE|WITH) /\* {one.name} \*/ ", one.sql)
    ]
    assert len(names) == len(statements()) > 200


def _statements_in(value: object) -> Iterator[Statement]:
    if isinstance(value, Statement):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _statements_in(part)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from _statements_in(part)
    elif type(value).__module__.startswith("persistence."):
        yield from _statements_in({name: getattr(value, name) for name in _attributes_of(value)})


def _attributes_of(value: object) -> set[str]:
    slots = (getattr(base, "__slots__", ()) for base in type(value).__mro__)
    names = {name for names in slots for name in ((names,) if isinstance(names, str) else names)}
    return {name for name in names | set(getattr(value, "__dict__", {})) if hasattr(value, name)}


def _elements(statement: Statement) -> list[object]:
    assert isinstance(statement.clause, sa.ClauseElement)
    return list(visitors.iterate(statement.clause)) if statement.name not in WITHOUT_CLAUSE else []


def test_no_statement_reaches_further_than_its_scope() -> None:
    told = {s.name: untold(s.clause, public=PUBLIC) for s in statements() if s.name not in WITHOUT_CLAUSE}
    assert {name: far for name, reached in told.items() if (far := reached - BESIDE.get(name, set()))} == {}
    assert all(told[name] >= reached for name, reached in BESIDE.items()), "a reason that outlived its statement"


def test_a_statement_on_owned_tables_is_given_the_callers_scope() -> None:
    careless = []
    for statement in statements():
        if any(isinstance(e, sa.Table) and e.info.get("owner") in OWNED for e in _elements(statement)):
            scoped = set(statement.parameters) & SCOPE_PARAMETERS
            if "scope_everything" not in scoped or len(scoped) == 1 != (statement.name in FOR_THE_SYSTEM_ALONE):
                careless.append(statement.name)
    assert careless == []


def test_a_receipt_is_found_and_kept_under_its_own_caller_alone() -> None:
    on_receipts = [s for s in statements() if any(element is idempotency for element in _elements(s))]
    assert on_receipts
    assert [s.name for s in on_receipts if "caller_id" not in s.parameters and s.name not in OF_ALL_CALLERS] == []


def test_no_text_hides_a_table_from_these_tests() -> None:
    assert [s.name for s in statements() if any(_hides(element) for element in _elements(s))] == []


def _hides(element: object) -> bool:
    """Whether an element is text, longer than a name with its casts, a word or a number."""
    literal = isinstance(element, sa.sql.elements.ColumnClause) and element.is_literal
    return isinstance(element, sa.TextClause) or (
        literal and not re.fullmatch(r"'\w*'|\d+|[\w.]+(::\w+)*|\*", getattr(element, "name", ""))
    )


def test_every_statement_there_is_was_looked_at() -> None:
    alive = [o for o in gc.get_objects() if type(o) is Statement and o.name not in BAD]
    assert {s.name for s in alive} - {s.name for s in statements()} == set(), "keep statements at module level"
    names = [s.name for s in statements() if s.less_of is None]
    assert len(names) == len(set(names)), "a name stands for one statement in the logs"


def test_every_table_says_whose_it_is() -> None:
    for table in metadata.tables.values():
        owner = table.info.get("owner")
        assert owner in OWNED | set(UNOWNED), table.name
        if owner in OWNED:
            assert owners(table), table.name
            assert set(owners(table).values()) <= set(table.columns.keys()), table.name
        if table.c.get("member_id") is not None and owner not in OWNED:
            assert table.name == "order_directory", f"{table.name} has a member and says it is {owner}"


def test_no_reason_outlives_its_statement() -> None:
    assert set(WITHOUT_CLAUSE) | set(FOR_THE_SYSTEM_ALONE) | set(OF_ALL_CALLERS) <= {s.name for s in statements()}
    everything = " ".join(statement.sql for statement in statements())
    for condition in PUBLIC:
        assert condition.split("'", maxsplit=1)[0].strip() in everything


# ── the checks see what is wrong ────────────────────────────────────────────────────────────────────────────────────

_ID = sa.bindparam("id", type_=sa.Uuid)
_mine = within_scope(member=coupons.c.member_id)
_asked = arrays("asked", {"member_id": sa.Uuid(), "id": sa.Uuid()})
_budget_row = insert_rows(budget_accounts, ("campaign_id", "merchant_id", "reserved_minor"), merchant="merchant_id")

BAD: Mapping[str, sa.sql.base.Executable] = {
    "no scope": sa.select(coupons).where(coupons.c.id == _ID),
    "scope of another table's column": sa.select(coupons, campaigns).where(
        within_scope(merchant=campaigns.c.merchant_id)
    ),
    "a column that is not the owner's": sa.select(coupons).where(within_scope(member=coupons.c.template_id)),
    "a member's table held by its merchant": sa.select(coupons).where(within_scope(merchant=coupons.c.merchant_id)),
    "scope in an or": sa.select(coupons).where(sa.or_(coupons.c.state == "CLAIMED", _mine)),
    "scope negated": sa.select(coupons).where(sa.not_(_mine)),
    "scope only in the ON of a left join": sa.select(coupons).select_from(
        coupons.outerjoin(campaigns, sa.and_(_mine, within_scope(merchant=campaigns.c.merchant_id)))
    ),
    "joined by no key": sa.select(coupons, events.c.kind)
    .join_from(coupons, events, coupons.c.claimed_at == events.c.occurred_at)
    .where(_mine),
    "asked by the caller, not held": sa.select(coupons).join_from(
        _asked, coupons, coupons.c.member_id == _asked.c.member_id
    ),
    "subquery without scope": sa.select(sa.select(sa.func.count(coupons.c.id)).scalar_subquery()),
    "subquery in a condition": sa.select(campaigns.c.id).where(
        within_scope(merchant=campaigns.c.merchant_id),
        sa.exists(sa.select(coupons.c.id).where(coupons.c.state == "CLAIMED")),
    ),
    "lateral without scope": sa.select(
        sa.select(coupons).where(coupons.c.member_id == _asked.c.member_id).lateral("page")
    ).select_from(_asked),
    "common table expression without scope": sa.select(sa.select(coupons).cte("all_coupons")),
    "union with one side open": sa.union_all(sa.select(coupons.c.id).where(_mine), sa.select(coupons.c.id)),
    "update without scope": sa.update(coupons).where(coupons.c.id == _ID).values(state="VOIDED"),
    "update from another's table": sa.update(coupons)
    .where(_mine, campaigns.c.name == coupons.c.code)
    .values(state=campaigns.c.state),
    "delete without scope": sa.delete(coupons).where(coupons.c.id == _ID),
    "insert of values": sa.insert(coupons).values(member_id=_ID),
    "insert without scope": insert_rows(coupons, ("member_id", "id")),
    "insert held by another column": insert_rows(coupons, ("member_id", "id", "template_id"), member="template_id"),
    "upsert over a row of another owner": _budget_row.on_conflict_do_update(
        index_elements=["campaign_id"], set_={"reserved_minor": _budget_row.excluded.reserved_minor}
    ),
    "others' rows of what is public": sa.select(coupons)
    .join_from(coupons, templates, coupons.c.template_id == templates.c.id)
    .where(
        sa.or_(templates.c.state == sa.literal_column("'PUBLISHED'"), within_scope(merchant=templates.c.merchant_id))
    ),
    "all that a merchant's buyer owns": sa.select(coupons)
    .join_from(coupons, redemptions, coupons.c.member_id == redemptions.c.member_id)
    .where(within_scope(merchant=redemptions.c.merchant_id)),
    "text": sa.text("SELECT * FROM coupons"),
    "text for a table": sa.select(sa.text("* FROM coupons")),
}


@pytest.mark.parametrize("clause", BAD.values(), ids=BAD)
def test_a_statement_that_reaches_too_far_is_found(clause: sa.sql.base.Executable) -> None:
    assert untold(clause, public=PUBLIC)


GOOD: Mapping[str, sa.sql.base.Executable] = {
    "where": sa.select(coupons).where(coupons.c.id == _ID, _mine),
    "alias": sa.select(c := coupons.alias("c")).where(within_scope(member=c.c.member_id)),
    "outer join": sa.select(_asked.c.id, coupons.c.id).select_from(
        _asked.outerjoin(coupons, sa.and_(coupons.c.id == _asked.c.id, _mine))
    ),
    "public beside the scope": sa.select(campaigns).where(
        sa.or_(campaigns.c.state != "DRAFT", within_scope(merchant=campaigns.c.merchant_id))
    ),
    "tied to the owner of a held row": sa.select(coupons.c.id, events.c.kind)
    .join_from(coupons, events, events.c.owner_id == coupons.c.member_id)
    .where(_mine),
    "what a held row refers to": sa.select(coupons.c.id, templates.c.name)
    .join_from(coupons, templates, coupons.c.template_id == templates.c.id)
    .where(_mine),
    "update": sa.update(coupons).where(coupons.c.id == _ID, _mine).values(state="VOIDED"),
    "insert": insert_rows(coupons, ("member_id", "id"), member="member_id"),
    "those who see everything": sa.select(coupons).where(within_scope()),
}


@pytest.mark.parametrize("clause", GOOD.values(), ids=GOOD)
def test_a_statement_within_its_scope_is_let_pass(clause: sa.sql.base.Executable) -> None:
    assert untold(clause, public=PUBLIC) == set()


# ── no way beside the statements ────────────────────────────────────────────────────────────────────────────────────


def test_no_sql_runs_beside_the_statements() -> None:
    places = {str(path.relative_to(REPOSITORY)) for path in _sources() for _ in _raw_calls(path)}
    assert places - set(RAW_SQL) == set(), "write a Statement"


def test_no_reason_for_raw_sql_outlives_it() -> None:
    assert all((REPOSITORY / path).exists() for path in RAW_SQL)


def _sources() -> Iterator[Path]:
    for package in ("app", "domain", "execution", "persistence", "resolvers", "schema"):
        for path in (REPOSITORY / package).rglob("*.py"):
            if not {"versions", "embedded"} & set(path.parts):
                yield path


def _raw_calls(path: Path) -> Iterator[int]:
    """Lines that hand a text to a connection, or build one for it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in RUNNERS
            and node.args
        ):
            first = node.args[0]
            named_sql = isinstance(first, ast.Attribute) and first.attr == "sql"
            if isinstance(first, ast.JoinedStr | ast.BinOp) or named_sql or _is_text(first):
                yield node.lineno


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_the_layers_above_never_take_the_systems_scope_themselves() -> None:
    takers = {
        str(path.relative_to(REPOSITORY))
        for path in _sources()
        if path.parts[-2] in {"resolvers", "schema"} or path.is_relative_to(REPOSITORY / "domain")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "system" and getattr(node.value, "id", "") == "Scope"
    }
    assert takers <= {"domain/shared/principal.py"}, (
        "a request acts within its caller's scope; the wiring gives jobs theirs"
    )
