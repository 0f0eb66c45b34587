"""`python -m app explain FILE`: how a document is run, and the SQL that it takes. With `--run`, also its answer."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import orjson
from graphql import OperationType

from app.commands.servers import in_one_line, reachable_settings
from domain.shared.errors import CallerError

if TYPE_CHECKING:
    from app.settings import Settings
    from app.wiring import Core
    from domain.shared.principal import Principal
    from execution import Executor, Plan, Result
    from persistence.base import Statement


@dataclass(frozen=True, slots=True)
class Running:
    """As whom a document is run, with which variables, and whether it may change anything and shall be answered."""

    token: str | None
    variables: Mapping[str, object]
    in_earnest: bool


def explain_document(path: Path, *, operation_name: str | None, running: Running) -> int:
    """Prints the plan of a document and its SQL; the exit status is 1 when it cannot be run."""
    from app.executor import service_executor
    from app.settings import settings_or_exit
    from resolvers.root import build_schema

    executor = service_executor(build_schema(), mode=settings_or_exit().laurel_execution.value)
    plan = executor.prepare(path.read_text(), operation_name)
    sys.stdout.write(executor.explain(plan, running.variables).rstrip() + "\n")
    if plan.errors:
        return 1
    try:
        return _show_sql(executor, plan, running=running)
    except CallerError as refused:  # of the token
        _say(f"not shown: {refused}")
        return 1


def _show_sql(executor: "Executor", plan: "Plan", *, running: Running) -> int:
    if running.in_earnest:
        return in_one_line(lambda: _run(executor, plan, running=running))
    if plan.operation_type is not OperationType.QUERY:
        _say(
            "not shown, since only a query changes nothing: --run runs the document and shows it; --token says as whom"
        )
        return 0
    _show_sql_alone(executor, plan, running=running)
    return 0


def _run(executor: "Executor", plan: "Plan", *, running: Running) -> int:
    with reachable_settings() as settings:
        asyncio.run(_show_run(settings, executor, plan, running=running))
    return 0


async def _show_run(settings: "Settings", executor: "Executor", plan: "Plan", *, running: Running) -> None:
    from app.wiring import open_core

    async with open_core(settings) as core:
        principal = await core.callers.authenticate(running.token and f"Bearer {running.token}")
        ran, result = await _executed(core, executor, plan, principal=principal, variables=running.variables)
    _say(_number_of(ran))
    _print_statements(ran)
    # What was serialised before is read again, to be indented with the rest.
    answer = orjson.dumps(orjson.loads(orjson.dumps(result.response)), option=orjson.OPT_INDENT_2).decode()
    sys.stdout.write(f"\n# answer\n\n{answer}\n")


def _show_sql_alone(executor: "Executor", plan: "Plan", *, running: Running) -> None:
    """The SQL of a query, which changes nothing; why there is none where no database can be asked."""
    from app.serve import CannotServe
    from persistence.embedded import EmbeddedError

    try:
        with reachable_settings() as settings:
            asyncio.run(_ask_for_sql(settings, executor, plan, running=running))
    except asyncpg.UndefinedTableError:
        _say("not shown, since the database has no tables: python -m app migrate makes them")
    except (CannotServe, EmbeddedError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as away:
        _say(f"not shown, since no database can be asked: {str(away) or type(away).__name__}")


async def _ask_for_sql(settings: "Settings", executor: "Executor", plan: "Plan", *, running: Running) -> None:
    from app.prepare import prepare_schema
    from app.settings import settings_or_exit
    from app.wiring import open_core

    if settings_or_exit().database_url is None:
        await prepare_schema(settings)  # of the embedded server, which may be new
    async with open_core(settings) as core:
        principal, who = await _as_whom(core, running.token)
        ran, result = await _executed(core, executor, plan, principal=principal, variables=running.variables)
    if not result.executed:
        told = "; ".join(str(error["message"]) for error in result.errors or ())
        _say(f"not shown, since the document was not run: {told} (--variables gives them)")
        return
    _say(f"{_number_of(ran)}, as {who}; --token is for another, --run shows the answer too")
    _print_statements(ran)


async def _as_whom(core: "Core", token: str | None) -> tuple["Principal | None", str]:
    """As whom a document is explained: without a token the member that GraphiQL shows, or one who has nothing."""
    from domain.shared.ids import MemberId
    from domain.shared.principal import Principal, Role
    from persistence.showcase import find_showcase

    if token is not None:
        return await core.callers.authenticate(f"Bearer {token}"), "whom the token names"
    shown = await find_showcase(core.database)
    ref, member_id = shown.member_ref, shown.member_id or core.database.ids.new()
    member = Principal(ref or "nobody", "explain", frozenset({Role.MEMBER}), member_id=MemberId(member_id))
    return member, f"the member {ref}" if ref else "a member who has nothing"


async def _executed(
    core: "Core", executor: "Executor", plan: "Plan", *, principal: "Principal | None", variables: Mapping[str, object]
) -> tuple[list["Statement"], "Result"]:
    """Runs a document; its statements in their order, and its answer."""
    from persistence.base import on_statement

    ran: list[Statement] = []
    async with core.pool.acquire() as connection:
        await core.catalogue.look(connection)  # as fresh as a server's, which follows it
    on_statement.set(ran.append)
    return ran, await executor.execute(plan, variables, core.context_of(principal))


def _number_of(ran: "list[Statement]") -> str:
    return "1 statement" if len(ran) == 1 else f"{len(ran)} statements"


def _print_statements(ran: "list[Statement]") -> None:
    for statement in ran:
        sys.stdout.write(f"\n{statement.sql};\n")


def _say(about_sql: str) -> None:
    sys.stdout.write(f"\n# SQL: {about_sql}\n")
