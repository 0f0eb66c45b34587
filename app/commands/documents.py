"""`python -m app documents add FILES`: the documents that production is told to run."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.settings import Settings

documents_app = typer.Typer(name="documents", no_args_is_help=True, help="Trusted documents: what clients may run.")


@documents_app.callback()
def documents() -> None:
    """Trusted documents: what clients may run where TRUSTED_DOCUMENTS_ONLY is set."""


@documents_app.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="GraphQL documents, one a file, or JSON manifests: hashes with texts (Relay), or Apollo's.",
        ),
    ],
) -> None:
    """Check documents against the schema and its limits, then add them. Those already known stay as they are."""
    from app.commands.servers import in_one_line

    raise SystemExit(in_one_line(lambda: _add(files)))


def _add(files: Sequence[Path]) -> int:
    from app.asgi import limits_of
    from app.commands.servers import reachable_settings
    from app.document_files import read_documents
    from execution.reference import core_schema
    from resolvers.root import build_schema

    with reachable_settings() as settings:
        listed = read_documents(files, schema=core_schema(build_schema()), limits=limits_of(settings))
        added = asyncio.run(_store(settings, {document.digest: document.text for document in listed}))
    for document in listed:
        sys.stdout.write(f"sha256:{document.digest} {' '.join(document.operations)}\n")
    sys.stderr.write(f"{added} added, {len(listed) - added} known already\n")
    return 0


async def _store(settings: "Settings", texts: Mapping[str, str]) -> int:
    from app.settings import SettingsError
    from persistence.documents import SqlDocuments
    from persistence.engine import open_pool

    url = settings.database_url
    if url is None:
        raise SettingsError("DATABASE_URL: no database is known")
    pool = await open_pool(url.get_secret_value(), size=1)
    try:
        return await SqlDocuments(pool).add(texts)
    finally:
        await pool.close()
