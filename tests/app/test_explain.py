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
    file = tmp_path / "rewards.graphql"
    file.write_text("{ rewards { nodes { name } } }")
    given = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": database_url, "REDIS_URL": fresh_redis()}
    given["LAUREL_EXECUTION"] = "compiled"  # also when everything else is tried on the reference
    status, printed = explained(str(file), "--run", environment=given)
    assert status == 0
    assert "def " in printed, "the generated Python"
    assert "/* rewards_page */ SELECT" in printed
    assert '"rewards"' in printed.partition("# answer")[2]


def test_a_document_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    file = tmp_path / "wrong.graphql"
    file.write_text("{ rewards { nodes { nonsense } } }")
    status, printed = explained(str(file), environment={**os.environ, "DATA_DIR": str(tmp_path)})
    assert status == 1
    assert "Cannot query field 'nonsense'" in printed
