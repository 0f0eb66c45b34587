"""A batch of a till that is interrupted, or handed in twice at once: what is done stands, and its key is its own."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from domain.orders import offline
from domain.orders.completing import complete
from tests.street import Street, street
from tests.tills import TWENTY_OFF, hand_in, said, scan, sound
from tests.world import key

__all__ = ["street"]


async def scans(street: Street, name: str, *, count: int) -> list[dict[str, Any]]:
    rows = [await scan(street, await street.coupon(**TWENTY_OFF), f"{name}{n}") for n in range(count)]
    street.world.clock.advance(minutes=5)
    return rows


async def redeemed(street: Street) -> list[str]:
    """The orders that used a coupon."""
    rows = await street.world.database.pool.fetch("SELECT order_ref FROM redemptions ORDER BY order_ref")
    return [row["order_ref"] for row in rows]


class Stuck:
    """A server that stops before or in the transaction of one order, the first time that it gets there."""

    def __init__(self, order_ref: str) -> None:
        self.order_ref = order_ref
        self.there, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def hang(self, order_ref: str) -> None:
        if order_ref == self.order_ref and not self.there.is_set():
            self.there.set()
            await self.may_go_on.wait()


@contextmanager
def stuck_before(order_ref: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    stuck = Stuck(order_ref)

    async def redeem(tx: Any, scanned: Any, *, row: Any, **how: Any) -> Any:
        await stuck.hang(row.order_ref)
        return await in_earnest(tx, scanned, row=row, **how)

    in_earnest = offline._redeem
    with monkeypatch.context() as patched:
        patched.setattr(offline, "_redeem", redeem)
        yield stuck


@contextmanager
def stuck_in(order_ref: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    stuck = Stuck(order_ref)

    async def completed(tx: Any, purchase: Any) -> Any:
        done = await complete(tx, purchase)
        await stuck.hang(purchase.payment.ref.ref)
        return done

    with monkeypatch.context() as patched:
        patched.setattr(offline, "complete", completed)
        yield stuck


async def interrupted(
    street: Street, rows: Sequence[Mapping[str, Any]], *, at: str, same: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hands rows in to a server that dies when it has done one of them, but for the commit."""
    with stuck_in(at, monkeypatch) as stuck:
        dying = asyncio.create_task(hand_in(street, *rows, idempotencyKey=same))
        await asyncio.wait_for(stuck.there.wait(), 20)
        dying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dying


async def test_what_an_interrupted_batch_has_done_stands_and_the_rest_is_done_when_it_is_handed_in_again(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, same = await scans(street, "A", count=4), key()
    await interrupted(street, rows, at="A2", same=same, monkeypatch=monkeypatch)
    assert await redeemed(street) == ["A0", "A1"]
    street.world.clock.advance(minutes=5)
    whole = await hand_in(street, *rows, idempotencyKey=same)
    assert (said(whole), whole["replayed"]) == (["REDEEMED"] * 4, False)
    assert await redeemed(street) == ["A0", "A1", "A2", "A3"]
    again = await hand_in(street, *rows, idempotencyKey=same)
    assert (again["outcomes"], again["replayed"]) == (whole["outcomes"], True)
    assert await sound(street)


async def test_a_row_that_was_refused_before_the_interruption_stays_refused(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    coupon, same = await street.coupon(**TWENTY_OFF), key()
    rows = [await scan(street, coupon, "R"), *await scans(street, "A", count=2)]
    await street.redeem(street.till, coupon, orderRef="B1")
    await interrupted(street, rows, at="A1", same=same, monkeypatch=monkeypatch)
    await street.record(street.till, "CANCELLED", orderRef="B1")
    whole = await hand_in(street, *rows, idempotencyKey=same)
    assert said(whole) == ["COUPON_NOT_USABLE", "REDEEMED", "REDEEMED"], "as it was decided"
    assert await sound(street)


async def test_another_batch_under_the_key_of_one_that_was_interrupted_is_refused_and_does_nothing(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, others, same = await scans(street, "A", count=2), await scans(street, "B", count=2), key()
    await interrupted(street, rows, at="A1", same=same, monkeypatch=monkeypatch)
    refused = await hand_in(street, *others, idempotencyKey=same)
    assert refused["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await redeemed(street) == ["A0"]
    assert said(await hand_in(street, *others)) == ["REDEEMED", "REDEEMED"], "under a key of its own it is done"
    assert said(await hand_in(street, *rows, idempotencyKey=same)) == ["REDEEMED", "REDEEMED"]
    assert await sound(street)


async def test_of_two_batches_under_one_key_at_once_one_is_done_and_the_other_does_nothing(street: Street) -> None:
    for number in range(3):
        first = await scans(street, f"A{number}-", count=6)
        second, same = await scans(street, f"B{number}-", count=2), key()
        before = set(await redeemed(street))
        batches = await asyncio.gather(*(hand_in(street, *rows, idempotencyKey=same) for rows in (first, second)))
        codes = [batch.get("code", "DONE") for batch in batches]
        assert sorted(codes) == ["DONE", "IDEMPOTENCY_KEY_REUSED"]
        done = (first, second)[codes.index("DONE")]
        assert set(await redeemed(street)) - before == {row["orderRef"] for row in done}
    assert await sound(street)


async def test_who_is_slow_with_a_batch_does_nothing_that_another_has_answered_otherwise(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    coupon, same = await street.coupon(**TWENTY_OFF), key()
    rows = [*await scans(street, "A", count=1), await scan(street, coupon, "R"), *await scans(street, "C", count=1)]
    await street.redeem(street.till, coupon, orderRef="B1")
    with stuck_before("R", monkeypatch) as stuck:
        slow = asyncio.create_task(hand_in(street, *rows, idempotencyKey=same))
        await asyncio.wait_for(stuck.there.wait(), 20)
        done = await hand_in(street, *rows, idempotencyKey=same)
        assert said(done) == ["REDEEMED", "COUPON_NOT_USABLE", "REDEEMED"]
        # The coupon could be used again by now; but the till was told that it was not.
        await street.record(street.till, "CANCELLED", orderRef="B1")
        stuck.may_go_on.set()
        late = await asyncio.wait_for(slow, 20)
    assert (late["outcomes"], late["replayed"]) == (done["outcomes"], True)
    assert await redeemed(street) == ["A0", "B1", "C0"]
    assert await sound(street)
