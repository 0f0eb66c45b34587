"""Where it is measured: PostgreSQL and Valkey of the benchmarks' own, with the seeded databases kept between runs."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.auth import TokenClaims
from app.keys import personal_data, token_issuer
from app.settings import Settings, load_settings
from benchmarks import machine
from benchmarks.seeds import Size, fill, member_ref
from domain.shared.ids import MerchantId
from persistence.embedded import EmbeddedServers, EmbeddedSettings
from persistence.migrations import migrate

REPOSITORY: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Place:
    """Two running servers, a folder, and the keys in it."""

    folder: Path
    database_url: str
    redis_url: str
    server_pids: tuple[int, ...]

    @property
    def settings(self) -> Settings:
        """The settings whose keys sign the tokens and seal the members."""
        return Settings(data_dir=self.folder)

    def url_of(self, database: str) -> str:
        """The URL of one database of the server."""
        return urlunsplit(urlsplit(self.database_url)._replace(path=f"/{database}"))

    def storage_cpu_seconds(self) -> float | None:
        """CPU that PostgreSQL and Valkey have used."""
        used = [machine.cpu_seconds(pid) for pid in self.server_pids]
        return None if None in used else sum(each or 0.0 for each in used)

    def member_tokens(self, numbers: range) -> list[str]:
        """Tokens of members by their numbers, valid for a day."""
        issuer = token_issuer(self.settings)
        return [issuer.issue(TokenClaims.of_member(member_ref(number))) for number in numbers]

    def merchant_token(self, merchant_id: MerchantId) -> str:
        """The token of a merchant's owner."""
        return token_issuer(self.settings).issue(TokenClaims.of_merchant(merchant_id))

    def server_environment(self, name: str, *, database: str, settings: Mapping[str, str]) -> dict[str, str]:
        """The environment of one server: a data folder of its own, with the keys of all."""
        folder = self.folder / "servers" / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder / "keys", folder / "keys")
        return {
            **_outside(),
            "DATA_DIR": str(folder),
            "DATABASE_URL": self.url_of(database),
            "REDIS_URL": self.redis_url,
            "DEMO": "0",
            "RUN_WORKER": "0",
            **settings,
        }

    def seeded(self, size: Size) -> str:
        """The name of a database with the rows of this size; made if there is none."""
        asyncio.run(_make_seeded(self, size))
        return size.database

    @contextmanager
    def copy_of(self, size: Size) -> Iterator[str]:
        """A database that may be written to, dropped when left."""
        name = f"{self.seeded(size)}_copy"
        asyncio.run(_execute(self, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        asyncio.run(_execute(self, f'CREATE DATABASE "{name}" TEMPLATE "{size.database}" STRATEGY FILE_COPY'))
        try:
            yield name
        finally:
            asyncio.run(_execute(self, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@contextmanager
def open_place(folder: Path | None = None) -> Iterator[Place]:
    """The servers of the benchmarks, started, and stopped when left. DATABASE_URL and REDIS_URL are not used."""
    folder = (folder or load_settings().data_dir / "bench").absolute()
    servers = EmbeddedServers(EmbeddedSettings(data_dir=folder))
    with servers as urls:
        place = Place(folder, urls.database_url, urls.redis_url, servers.process_ids)
        personal_data(place.settings)
        token_issuer(place.settings)
        yield place


def say(line: str) -> None:
    """One line for the person who waits."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _outside() -> dict[str, str]:
    """The environment without settings of Laurel's, which would change what is measured."""
    ours = {name.upper() for name in Settings.model_fields} | {"PROMETHEUS_MULTIPROC_DIR", "LAUREL_DIE_WITH_PARENT"}
    return {name: value for name, value in os.environ.items() if name.upper() not in ours}


async def _make_seeded(place: Place, size: Size) -> None:
    server = await asyncpg.connect(place.database_url)
    try:
        if await server.fetchval("SELECT true FROM pg_database WHERE datname = $1", size.database):
            return
        say(f"making {size.members:,} members with {size.coupons:,} coupons, once …")
        begun = time.monotonic()
        # Those of earlier code are of no more use; one that was left half-made has another name.
        pattern = f"^bench_{size.name}_[0-9a-f]{{10}}"
        for row in await server.fetch("SELECT datname FROM pg_database WHERE datname ~ $1", pattern):
            await server.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')
        half_made = f"{size.database}_new"
        await server.execute(f'CREATE DATABASE "{half_made}"')
        await migrate(place.url_of(half_made))
        await fill(place.url_of(half_made), size=size, personal_data=personal_data(place.settings))
        await server.execute(f'ALTER DATABASE "{half_made}" RENAME TO "{size.database}"')
        say(f"made in {time.monotonic() - begun:.0f} s")
    finally:
        await server.close()


async def _execute(place: Place, statement: str) -> None:
    server = await asyncpg.connect(place.database_url)
    try:
        await server.execute(statement)
    finally:
        await server.close()
