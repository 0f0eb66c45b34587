"""`python -m app explain FILE`: how a document is run. With `--run`, also the SQL that it takes and its answer."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from app.commands.servers import in_one_line, reachable_settings

if TYPE_CHECKING:
    from app.settings import Settings
    from execution import Executor, Plan


@dataclass(frozen=True, slots=True)
class Running:
    """As whom a document is run, and with which variables."""

    token: str | None
    variables: Mapping[str, object]


def explain_document(path: Path, *, operation_name: str | None, running: Running | None) -> int:
    """Prints the plan of a document; the exit status is 1 when it cannot be run."""
    from app.executor import service_executor
    from app.settings import settings_or_exit
    from resolvers.root import build_schema

    executor = service_executor(build_schema(), mode=settings_or_exit().laurel_execution.value)
    plan = executor.prepare(path.read_text(), operation_name)
    sys.stdout.write(executor.explain(plan).rstrip() + "\n")
    if plan.errors:
        return 1
    if running is None:
        sys.stdout.write("\n# SQL: --run shows it, which runs the document; --token says as whom\n")
        return 0
    return in_one_line(lambda: _run(executor, plan, running=running))


def _run(executor: "Executor", plan: "Plan", *, running: Running) -> int:
    with reachable_settings() as settings:
        asyncio.run(_show_run(settings, executor, plan, running=running))
    return 0


async def _show_run(settings: "Settings", executor: "Executor", plan: "Plan", *, running: Running) -> None:
    from app.wiring import open_core
    from persistence.base import Statement, on_statement

    ran: list[Statement] = []
    async with open_core(settings) as core:
        principal = await core.callers.authenticate(running.token and f"Bearer {running.token}")
        async with core.pool.acquire() as connection:
            await core.catalogue.look(connection)  # as fresh as a server's, which follows it
        on_statement.set(ran.append)
        result = await executor.execute(plan, running.variables, core.context_of(principal))
    sys.stdout.write(f"\n# SQL: {len(ran)} statements\n")
    for statement in ran:
        sys.stdout.write(f"\n{statement.sql};\n")
    # What was serialised before is read again, to be indented with the rest.
    answer = orjson.dumps(orjson.loads(orjson.dumps(result.response)), option=orjson.OPT_INDENT_2).decode()
    sys.stdout.write(f"\n# answer\n\n{answer}\n")
