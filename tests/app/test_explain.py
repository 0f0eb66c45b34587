"""`python -m app explain`: the plan of a document, and with --run its SQL and its answer."""

import asyncio
import inspect
import os
import re
from pathlib import Path

import pytest

from app import asgi
from app.executor import service_executor
from tests.coupon_world import world
from tests.laurel import START_SECONDS, start
from tests.servers import fresh_redis
from tests.world import SCHEMA


def explained(*arguments: str, environment: dict[str, str]) -> tuple[int, str]:
    process = start("explain", *arguments, environment=environment)
    printed, _ = process.communicate(timeout=START_SECONDS)
    return process.returncode, printed.decode()


def test_the_plan_the_sql_and_the_answer_are_printed(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "wallet.graphql"
    file.write_text("{ me { locale wallet { coupons { nodes { validUntil } } } } }")
    environment = given(tmp_path, database_url)
    printed_token, _ = start("token", "member", "--ref", "m-1", environment=environment).communicate(
        timeout=START_SECONDS
    )
    token = printed_token.decode().split()[-1]
    status, printed = explained(str(file), "--run", "--token", token, environment=environment)
    assert status == 0
    plan, _, rest = printed.partition("# SQL: ")
    sql, _, answer = rest.partition("# answer")
    assert "def " in plan, "the generated Python"
    # The statement that was sent, of the columns that are asked for, with its parameters.
    assert "SELECT /* member_and_wallet_claimed_latest */ " in sql
    assert "valid_until" in sql
    assert "claimed_value" not in sql
    assert "$1" in sql
    assert '"nodes": []' in answer


def given(tmp_path: Path, database_url: str) -> dict[str, str]:
    urls = {"DATABASE_URL": database_url, "REDIS_URL": fresh_redis()}
    # Compiled, also when everything else is tried on the reference.
    return {**os.environ, "DATA_DIR": str(tmp_path), "LAUREL_EXECUTION": "compiled", **urls}


def test_without_run_the_sql_is_that_of_a_member_and_the_answer_is_not_shown(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "wallet.graphql"
    file.write_text(
        "query ($first: Int = 5) { me { locale wallet { coupons(first: $first) { nodes { headline } } } } }"
    )
    asyncio.run(publish_one(database_url, members=2))
    status, printed = explained(str(file), environment=given(tmp_path, database_url))
    assert status == 0
    plan, _, sql = printed.partition("\n# SQL: ")
    assert "def " in plan, "the generated Python"
    told, _, statements = sql.partition("\n")
    assert told == "1 statement, as the member m1; --token is for another, --run shows the answer too"
    assert "SELECT /* member_and_wallet_claimed_latest */ " in statements
    assert "answer" not in statements


def test_without_members_the_sql_is_that_of_one_who_has_nothing(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "points.graphql"
    file.write_text("{ me { points { available } } }")
    status, printed = explained(str(file), environment=given(tmp_path, database_url))
    assert status == 0
    assert ", as a member who has nothing;" in printed
    assert "SELECT /* " in printed


def test_where_there_is_no_sql_to_show_it_is_said_why(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "some.graphql"
    mutation = 'mutation { checkIn(input: {idempotencyKey: "k"}) { __typename } }'
    variables = "query ($first: Int!) { rewards(first: $first) { nodes { name } } }"
    query = "{ me { locale } }"
    nowhere = "postgresql://laurel@127.0.0.1:1/laurel"
    bare = re.sub(r"/test_\w+\?", "/postgres?", database_url)
    for document, url, reason in (
        (mutation, database_url, "not shown, since only a query changes nothing: --run runs the document"),
        (variables, database_url, "not shown, since the document was not run: Variable '$first'"),
        (query, nowhere, "not shown, since no database can be asked: "),
        (query, bare, "not shown, since the database has no tables: python -m app migrate makes them"),
    ):
        file.write_text(document)
        status, printed = explained(str(file), environment=given(tmp_path, url))
        assert status == 0, "the plan was printed"
        assert "def " in printed
        assert f"\n# SQL: {reason}" in printed
    assert asyncio.run(count_of(database_url, "idempotency")) == 0


async def count_of(url: str, table: str) -> int:
    async with world(url) as made:
        return int(await made.value(f"SELECT count(*) FROM {table}"))  # noqa: S608


def test_the_plan_that_is_printed_is_the_one_that_a_server_runs(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "templates.graphql"
    file.write_text("{ couponTemplates { edges { node { name campaign { name } } } } }")
    status, printed = explained(str(file), environment=given(tmp_path, database_url))
    assert status == 0
    plan, _, _ = printed.partition("\n# SQL: ")
    served = service_executor(SCHEMA, mode="compiled")
    assert plan.strip() == served.explain(served.prepare(file.read_text())).strip()
    assert "_shared" in plan, "objects of the catalogue are kept serialised"
    assert "Executor(" not in inspect.getsource(asgi), "a server's executor is made where that of `explain` is"


def test_an_answer_with_objects_of_the_catalogue_is_printed_whole(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "templates.graphql"
    file.write_text("query ($first: Int!) { couponTemplates(first: $first) { edges { node { name } } } }")
    asyncio.run(publish_one(database_url))
    environment = given(tmp_path, database_url)
    status, printed = explained(str(file), "--run", "--variables", '{"first": 1}', environment=environment)
    assert status == 0
    assert "# SQL: 0 statements" in printed, "it stands in the catalogue"
    assert '          "node": {\n            "name": "满100减20"\n          }' in printed


async def publish_one(url: str, *, members: int = 0) -> None:
    async with world(url) as made:
        await made.published()
        await made.add_members(*range(1, members + 1))


def test_the_plan_of_a_document_with_conditions_is_that_of_the_variables(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "me.graphql"
    file.write_text("query ($less: Boolean!) { me { id locale @skip(if: $less) } }")
    environment = given(tmp_path, database_url)
    for less in ("true", "false"):
        status, printed = explained(str(file), "--variables", f'{{"less": {less}}}', environment=environment)
        assert status == 0
        assert f"# where $less = {less.capitalize()}" in printed
        assert ("'locale'" in printed) == (less == "false")
        assert "SELECT /* members_by_id */" in printed
    status, printed = explained(str(file), environment=environment)
    assert "compiled when the values of less are first met" in printed
    assert "(--variables gives them)" in printed


@pytest.mark.parametrize("run", [(), ("--run",)])
def test_a_token_that_cannot_be_trusted_is_one_line(tmp_path: Path, database_url: str, run: tuple[str, ...]) -> None:
    file = tmp_path / "me.graphql"
    file.write_text("{ me { id } }")
    status, printed = explained(str(file), *run, "--token", "nonsense", environment=given(tmp_path, database_url))
    assert status == 1
    assert printed.splitlines()[-1].startswith("# SQL: not shown: The token is missing")


@pytest.mark.parametrize("variables", ["{first: 1}", "[1]", "null"])
def test_variables_that_are_no_json_object_are_refused(tmp_path: Path, variables: str) -> None:
    file = tmp_path / "wallet.graphql"
    file.write_text("{ me { locale } }")
    environment = {**os.environ, "DATA_DIR": str(tmp_path)}
    process = start("explain", str(file), "--run", "--variables", variables, environment=environment)
    _, complaint = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 2
    assert b"Traceback" not in (complaint or b"")


def test_a_document_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    file = tmp_path / "wrong.graphql"
    file.write_text("{ rewards { nodes { nonsense } } }")
    status, printed = explained(str(file), environment={**os.environ, "DATA_DIR": str(tmp_path)})
    assert status == 1
    assert "Cannot query field 'nonsense'" in printed
