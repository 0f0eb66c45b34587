"""A database with a small part of the demo programme, and ways to look at it."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from pydantic import SecretStr

from app.demo.load import Loaded, load_demo
from app.settings import Settings
from app.wiring import open_database
from persistence.migrations import migrate
from persistence.unit_of_work import Database
from tests.servers import template

HOUSEHOLDS = 30
TABLES = (
    "campaigns", "coupon_template_stock", "coupon_templates", "coupons", "events", "member_tiers", "members",
    "merchants", "order_directory", "order_lines", "orders", "points_accounts", "points_entries",
    "points_lot_draws", "points_lots", "points_postings", "redemptions", "reward_exchanges", "reward_stock",
    "rewards", "stores", "streams", "tier_metric_days",
)  # fmt: skip


def settings_of(url: str) -> Settings:
    key = base64.b64encode(b"1" * 32).decode()
    return Settings(
        database_url=SecretStr(url),
        personal_data_keys=SecretStr(f"a:{key}"),
        blind_index_key=SecretStr(base64.b64encode(b"2" * 32).decode()),
        demo=True,
    )


async def load_part(url: str, *, households: int = HOUSEHOLDS, slice_lines: int = 5_000) -> Loaded:
    return await load_demo(
        settings_of(url),
        full=False,
        progress=lambda _done, _total: None,
        households=households,
        slice_lines=slice_lines,
    )


def loaded() -> str:
    """The template of a database with the part loaded."""

    async def prepare(url: str) -> None:
        await migrate(url)
        await load_part(url)

    return template(f"demo_{HOUSEHOLDS}", prepare=prepare)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def database_of(url: str) -> AsyncIterator[Database]:
    async with open_database(settings_of(url)) as database:
        yield database


async def value(url: str, sql: str, *arguments: object) -> Any:
    async with connected(url) as connection:
        return await connection.fetchval(sql, *arguments)


async def contents(url: str) -> dict[str, tuple[int, str]]:
    """Of every table how many rows it has, and a digest of all of them."""
    found: dict[str, tuple[int, str]] = {}
    async with connected(url) as connection:
        for table in TABLES:
            rows = await connection.fetch(f"SELECT t::text AS row FROM {table} t ORDER BY 1")  # noqa: S608 - names of ours
            digest = hashlib.sha256("\n".join(r["row"] for r in rows).encode()).hexdigest()
            found[table] = len(rows), digest
    return found
