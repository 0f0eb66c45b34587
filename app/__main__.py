"""`python -m app …`: every command of the application."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.commands.documents import documents_app
from app.commands.token import token_app

app = typer.Typer(
    name="laurel",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Laurel: the GraphQL backend for consumer marketing.",
)
app.add_typer(token_app)
app.add_typer(documents_app)


@app.command()
def serve() -> None:
    """Serve, with embedded PostgreSQL and Valkey unless DATABASE_URL and REDIS_URL are set."""
    from app.serve import serve as run

    raise SystemExit(run())


@app.command()
def worker() -> None:
    """Run the background work alone: the relay of events, sweeps, invariants."""
    from app.commands.background import work

    raise SystemExit(work())


@app.command()
def migrate() -> None:
    """Bring the database to the newest revision, and the programme's fixed rows into it."""
    from app.commands.database import migrate_database

    raise SystemExit(migrate_database())


@app.command("check-invariants")
def check_invariants() -> None:
    """Recompute everything that must always hold; exit status 1 if anything does not."""
    from app.commands.invariants import check_invariants as check

    raise SystemExit(check())


@app.command()
def demo(
    *,
    full: Annotated[
        bool, typer.Option("--full", help="All 2,469 members and 155,848 orders, on top of the part that is there.")
    ] = False,
) -> None:
    """Load the demo programme: a retailer's year. What is there already stays as it is (docs/demo.md)."""
    from app.commands.demo import load_demo_programme

    raise SystemExit(load_demo_programme(full=full))


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="A GraphQL document.", exists=True, dir_okay=False)],
    *,
    operation: Annotated[str | None, typer.Option("--operation", help="Which of its operations.")] = None,
    run: Annotated[bool, typer.Option("--run", help="Run it whatever it does; show its answer too.")] = False,
    token: Annotated[str | None, typer.Option("--token", help="As whom to run it.")] = None,
    variables: Annotated[str, typer.Option("--variables", help="Its variables, JSON.")] = "{}",
) -> None:
    """Print the plan that a document is compiled to, and the SQL that it takes."""
    import json

    from app.commands.explain import Running, explain_document

    try:
        given = json.loads(variables)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--variables") from None
    if not isinstance(given, dict):
        raise typer.BadParameter("not a JSON object", param_hint="--variables")
    running = Running(token=token, variables=given, in_earnest=run)
    raise SystemExit(explain_document(file, operation_name=operation, running=running))


@app.command("print-schema")
def print_schema() -> None:
    """Print the GraphQL schema."""
    from resolvers.root import build_schema

    sys.stdout.write(build_schema().as_str().rstrip() + "\n")


if __name__ == "__main__":
    app(prog_name="python -m app")
