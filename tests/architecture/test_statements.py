"""What is sent to PostgreSQL goes through `Statement`, so that it has a name and is counted; the rest is named here."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SENDS = {
    "copy_from_query", "copy_records_to_table", "copy_to_table", "cursor", "exec_driver_sql", "execute", "executemany",
    "fetch", "fetchmany", "fetchrow", "fetchval", "prepare",
}  # fmt: skip
# A `Statement` is handed the connection; a connection is handed text.
CONNECTION = re.compile(r"_?(conn|connection|session)")
# Others that have something to execute and prepare: operations of GraphQL.
EXECUTOR = re.compile(r"_?executor|ports")
NOT_POSTGRESQL = {
    Path("app/demo/source.py"): "reads parquet files with DuckDB",
    Path("persistence/base.py"): "is where a `Statement` is sent",
    Path("persistence/redis/bus.py"): "speaks to Redis",
}
NO_CORE = "there is no clause of Core for it"
ALEMBIC = "Alembic's, before there are tables"
RAW = {
    ("app/wiring.py", "SELECT 1"): "whether PostgreSQL answers, for /readyz; counted in no request",
    ("persistence/demo/store.py", "ANALYZE"): NO_CORE,
    ("persistence/demo/store.py", "SELECT pg_advisory_lock($1)"): "once, before the demo programme is loaded",
    ("persistence/demo/store.py", "copy_records_to_table(…)"): "COPY of the demo programme's rows",
    ("persistence/invariants.py", "SET LOCAL statement_timeout = '{CHECK_SECONDS}s'"): NO_CORE,
    ("persistence/migrations/__init__.py", "SELECT pg_advisory_lock(hashtext('laurel migrations'))"): ALEMBIC,
    ("persistence/migrations/__init__.py", "SELECT pg_advisory_unlock(hashtext('laurel migrations'))"): ALEMBIC,
    ("persistence/migrations/__init__.py", "SELECT version_num FROM alembic_version"): ALEMBIC,
    ("persistence/migrations/env.py", "SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"): ALEMBIC,
    ("persistence/unit_of_work.py", "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; …"): NO_CORE,
    ("persistence/unit_of_work.py", "COMMIT"): NO_CORE,
    ("persistence/unit_of_work.py", "ROLLBACK"): NO_CORE,
    ("persistence/unit_of_work.py", "SELECT now()"): "belongs to the beginning of each transaction, as BEGIN does",
}


def sent_past_statement(source: str) -> Iterator[str]:
    """What a module hands to a connection itself: the text, or what it is called by."""
    tree = ast.parse(source)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDS:
            first = node.args[0] if node.args else None
            if EXECUTOR.fullmatch(last_name(node.func.value)):
                continue
            if first is not None and CONNECTION.fullmatch(last_name(first)):
                continue
            text = written(constants.get(last_name(first), first) if first is not None else None)
            yield f"{node.func.attr}(…)" if text is None else text


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def written(node: ast.expr | None) -> str | None:
    """A text as it is written, cut off where it goes on."""
    match node:
        case ast.Constant(value=str() as text):
            whole = text
        case ast.JoinedStr(values=parts):
            whole = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{" + ast.unparse(part.value) + "}"
                for part in parts
                if isinstance(part, ast.Constant | ast.FormattedValue)
            )
        case _:
            return None
    head, more, _ = whole.partition("force_generic_plan; ")
    return f"{head}{more}…" if more else whole


def modules() -> list[Path]:
    layers = ("app", "domain", "persistence", "resolvers", "schema")
    found = [path.relative_to(REPOSITORY) for layer in layers for path in (REPOSITORY / layer).rglob("*.py")]
    return [path for path in found if path not in NOT_POSTGRESQL and "versions" not in path.parts]


def test_all_that_is_sent_to_postgresql_is_a_statement_but_for_what_is_named_with_its_reason() -> None:
    found = {
        (str(path), text)
        for path in modules()
        for text in sent_past_statement((REPOSITORY / path).read_text(encoding="utf-8"))
    }
    assert found == set(RAW)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("await connection.fetch('SELECT 1')", ["SELECT 1"]),
        ("SQL = 'DELETE FROM coupons'\nasync def f(c): await c.execute(SQL)", ["DELETE FROM coupons"]),
        ("await self._pool.fetchval(f'SELECT {column} FROM t')", ["SELECT {column} FROM t"]),
        ("await self._connection.fetchrow(query, 1)", ["fetchrow(…)"]),
        ("await MEMBERS.fetch(connection, {'ids': ids})", []),
        ("await statement.value(self._connection, {})", []),
    ],
)
def test_text_that_is_sent_past_it_is_found(source: str, found: list[str]) -> None:
    assert list(sent_past_statement(source)) == found


def test_every_statement_has_a_name_of_its_own() -> None:
    """Only those that read fewer columns of the same rows share one."""
    from tests.architecture.test_scopes import statements

    names = [one.name for one in statements() if one.less_of is None]
    assert {name for name in names if names.count(name) > 1} == set()
