"""`python -m app check-invariants` as it is run: it ends with 1 and names what is broken."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.coupon_world import world
from tests.laurel import START_SECONDS, start
from tests.order_world import Shop, cart

# A caller may call its order so; it is shown as it is.
REF = "[/red] 1001 [bold]"


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with world(database_url, size=1) as made:
        opened = Shop(made)
        await opened.add_member(1)
        campaign_id = await opened.add_campaign(budget_minor=5000)
        await opened.redeemed(await opened.coupon(campaign_id=campaign_id), ref=REF, given=cart(12000))
        yield opened


@pytest.fixture
def environment(tmp_path: Path, database_url: str, redis_url: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": database_url, "REDIS_URL": redis_url, "DATA_DIR": str(tmp_path)}


def checked(environment: dict[str, str]) -> tuple[int, list[str]]:
    """The exit status, and what was told, line by line."""
    process = start("check-invariants", environment=environment)
    _, told = process.communicate(timeout=START_SECONDS)
    return process.returncode, told.decode().splitlines()


async def test_where_all_holds_it_ends_with_0(shop: Shop, environment: dict[str, str]) -> None:
    del shop
    status, told = checked(environment)
    assert status == 0
    assert told[-1].endswith(" invariants, 0 rows that break one")


async def test_what_is_broken_is_named_on_a_line_of_its_own_and_it_ends_with_1(
    shop: Shop, environment: dict[str, str]
) -> None:
    coupon_id = await shop.world.value("SELECT id FROM coupons")
    await shop.world.rows("UPDATE coupons SET valid_until = valid_until + interval '1 year'")
    await shop.world.rows("DELETE FROM budget_accounts")
    await shop.world.rows("DELETE FROM orders")
    status, told = checked(environment)
    assert status == 1
    broken = [line.removeprefix("broken ") for line in told if line.startswith("broken ")]
    assert {line.partition(":")[0] for line in broken} >= {
        "validity_is_the_templates",
        "budgets_within_limit",
        "directory_names_each_order",
    }
    (validity,) = [line for line in broken if line.startswith("validity_is_the_templates: ")]
    assert f"id={coupon_id}" in validity
    (lost,) = [line for line in broken if line.startswith("directory_names_each_order: ")]
    assert f"order_ref={REF}" in lost
    assert told[-1].endswith(f" invariants, {len(broken)} rows that break one")
