"""`python -m app explain`: the plan of a document, and with --run its SQL and its answer."""

import asyncio
import inspect
import os
from pathlib import Path

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
    given = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": database_url, "REDIS_URL": fresh_redis()}
    given["LAUREL_EXECUTION"] = "compiled"  # also when everything else is tried on the reference
    printed_token, _ = start("token", "member", "--ref", "m-1", environment=given).communicate(timeout=START_SECONDS)
    token = printed_token.decode().split()[-1]
    status, printed = explained(str(file), "--run", "--token", token, environment=given)
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


def test_the_plan_that_is_printed_is_the_one_that_a_server_runs(tmp_path: Path) -> None:
    file = tmp_path / "templates.graphql"
    file.write_text("{ couponTemplates { edges { node { name campaign { name } } } } }")
    given = {**os.environ, "DATA_DIR": str(tmp_path), "LAUREL_EXECUTION": "compiled"}
    status, printed = explained(str(file), environment=given)
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
    given = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": database_url, "REDIS_URL": fresh_redis()}
    given["LAUREL_EXECUTION"] = "compiled"
    status, printed = explained(str(file), "--run", "--variables", '{"first": 1}', environment=given)
    assert status == 0
    assert "# SQL: 0 statements" in printed, "it stands in the catalogue"
    assert '          "node": {\n            "name": "满100减20"\n          }' in printed


async def publish_one(url: str) -> None:
    async with world(url) as made:
        await made.published()


def test_variables_that_are_no_json_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "wallet.graphql"
    file.write_text("{ me { locale } }")
    given = {**os.environ, "DATA_DIR": str(tmp_path)}
    process = start("explain", str(file), "--run", "--variables", "{first: 1}", environment=given)
    _, complaint = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 2
    assert b"Traceback" not in (complaint or b"")


def test_a_document_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    file = tmp_path / "wrong.graphql"
    file.write_text("{ rewards { nodes { nonsense } } }")
    status, printed = explained(str(file), environment={**os.environ, "DATA_DIR": str(tmp_path)})
    assert status == 1
    assert "Cannot query field 'nonsense'" in printed
