"""`python -m app explain`: the plan of a document, and with --run its SQL and its answer."""

import os
from pathlib import Path

from tests.laurel import START_SECONDS, start
from tests.servers import fresh_redis


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
    assert "/* member_and_wallet_claimed_latest */ SELECT" in sql
    assert "valid_until" in sql
    assert "claimed_value" not in sql
    assert "$1" in sql
    assert '"nodes": []' in answer


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
