"""What a till without a network may redeem on one day: its own limits, within those of its store."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.street import Street, street
from tests.tills import TWENTY_OFF, hand_in, limit, said, scan, sound, yuan
from tests.world import key

__all__ = ["street"]


async def rows_of(street: Street, count: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Scans of so many members, ¥20 off each."""
    rows = []
    for n in range(first, first + count):
        member = await street.world.member(f"member-{n}")
        rows.append(await scan(street, await street.coupon(member, **TWENTY_OFF), f"A{n}", member=member))
    return rows


@pytest.mark.parametrize("most", [{"maxCountPerTill": 2}, {"maxAmountPerTill": yuan("59.99")}], ids=["count", "amount"])
async def test_a_tills_day_is_accepted_up_to_its_own_limits(street: Street, most: Mapping[str, Any]) -> None:
    await limit(street, 10, "1000.00", **most)
    rows = await rows_of(street, 6)
    done = await hand_in(street, *rows[:3], tillId="north-1")
    assert said(done) == ["REDEEMED", "REDEEMED", "OFFLINE_LIMIT_REACHED"]
    problem = done["outcomes"][2]["problem"]
    assert problem["perTill"] is True
    if "maxCountPerTill" in most:
        assert (problem["maxCount"], problem["maxAmount"]["minorUnits"]) == (2, 100_000)
    else:
        assert (problem["maxCount"], problem["maxAmount"]["minorUnits"]) == (10, 5999)
    other = await hand_in(street, *rows[2:5], tillId="north-2")
    assert said(other) == ["REDEEMED", "REDEEMED", "OFFLINE_LIMIT_REACHED"], "another till has a day of its own"
    assert await sound(street)


async def test_a_till_that_says_nothing_of_itself_is_one_till_of_its_store(street: Street) -> None:
    await limit(street, 10, "1000.00", maxCountPerTill=1)
    rows = await rows_of(street, 4)
    assert said(await hand_in(street, *rows[:2])) == ["REDEEMED", "OFFLINE_LIMIT_REACHED"]
    assert said(await hand_in(street, rows[1], tillId=None)) == ["OFFLINE_LIMIT_REACHED"]
    assert said(await hand_in(street, rows[1], tillId="north-1")) == ["REDEEMED"]
    assert await sound(street)


async def test_made_up_tills_get_no_more_than_the_stores_day(street: Street) -> None:
    await limit(street, 3, "1000.00", maxCountPerTill=1)
    rows = await rows_of(street, 5)
    done = [await hand_in(street, row, tillId=f"till {n}") for n, row in enumerate(rows)]
    assert [said(one)[0] for one in done] == ["REDEEMED"] * 3 + ["OFFLINE_LIMIT_REACHED"] * 2
    problem = done[3]["outcomes"][0]["problem"]
    assert (problem["perTill"], problem["maxCount"]) == (False, 3)
    assert await sound(street)
    tills = await street.world.database.pool.fetchval("SELECT count(*) FROM offline_till_days")
    assert tills == 3, "what is refused leaves no row"


async def test_a_till_without_limits_of_its_own_has_those_of_its_store(street: Street) -> None:
    shown = await limit(street, 2, "1000.00")
    assert (shown["maxCountPerTill"], shown["maxAmountPerTill"]) == (None, None)
    done = await hand_in(street, *(await rows_of(street, 3)), tillId="north-1")
    assert said(done) == ["REDEEMED", "REDEEMED", "OFFLINE_LIMIT_REACHED"]
    # More of a till than of its store is no more than of the store.
    shown = await limit(street, 2, "1000.00", maxCountPerTill=9, maxAmountPerTill=yuan("9000.00"))
    assert (shown["maxCountPerTill"], shown["maxAmountPerTill"]) == (9, {"amount": "9000.00"})
    assert said(await hand_in(street, *(await rows_of(street, 1, first=3)), tillId="north-2")) == [
        "OFFLINE_LIMIT_REACHED"
    ]
    assert await sound(street)


@pytest.mark.parametrize(
    ("tills", "redeemed"),
    [(["one"] * 4, 3), ([None] * 4, 3), (["one", "two"] * 2, 5), (["one", "two", "three", None], 5)],
    ids=["one till", "one till without a name", "two tills", "four tills"],
)
async def test_batches_at_once_stay_within_the_limits_of_till_and_store(
    street: Street, tills: list[str | None], redeemed: int
) -> None:
    await limit(street, 5, "1000.00", maxCountPerTill=3)
    rows = await rows_of(street, 16)
    done = await asyncio.gather(*(hand_in(street, *rows[n::4], tillId=till) for n, till in enumerate(tills)))
    outcomes = [word for batch in done for word in said(batch)]
    assert (outcomes.count("REDEEMED"), outcomes.count("OFFLINE_LIMIT_REACHED")) == (redeemed, 16 - redeemed)
    counts = await street.world.database.pool.fetch("SELECT accepted_count FROM offline_till_days")
    assert max(row["accepted_count"] for row in counts) <= 3
    assert await sound(street)


async def test_another_till_under_the_key_of_a_batch_is_another_batch(street: Street) -> None:
    rows = await rows_of(street, 1)
    first = await hand_in(street, *rows, tillId="north-1", idempotencyKey="mine")
    again = await hand_in(street, *rows, tillId="north-1", idempotencyKey="mine")
    assert (said(first), again["replayed"]) == (["REDEEMED"], True)
    assert (await hand_in(street, *rows, tillId="north-2", idempotencyKey="mine"))["code"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("wrong", ["", "x" * 65, "north\n1", "\u202enorth"])
async def test_a_till_is_named_in_a_few_printable_characters(street: Street, wrong: str) -> None:
    row = await scan(street, await street.coupon(**TWENTY_OFF), "A1")
    document = "mutation($input: SyncOfflineRedemptionsInput!) { syncOfflineRedemptions(input: $input) { __typename } }"
    given = {"storeId": street.store, "redemptions": [row], "idempotencyKey": key(), "tillId": wrong}
    assert await street.world.codes(document, street.till, input=given) == ["BAD_USER_INPUT"]
    assert await street.world.database.pool.fetchval("SELECT count(*) FROM batches") == 0
