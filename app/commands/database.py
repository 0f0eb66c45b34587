"""`python -m app migrate`: the database as this version of the code needs it."""

import asyncio

from app.commands.servers import in_one_line, reachable_settings
from app.serve import tell


def migrate_database() -> int:
    """Brings the database to the newest revision; returns the exit status."""
    return in_one_line(_migrate)


def _migrate() -> int:
    from app.prepare import prepare_schema

    with reachable_settings() as settings:
        asyncio.run(prepare_schema(settings))
    tell("the database is at the newest revision")
    return 0
