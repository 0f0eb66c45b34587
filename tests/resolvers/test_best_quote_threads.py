"""Where the best quote is searched: the server goes on answering others while a large wallet is."""

import asyncio
import threading
from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

import pytest

from domain.coupons.offer import Stacking
from domain.orders.model import Quotable
from domain.orders.quotes import make_best_quote
from domain.shared.ids import CouponId, TemplateId
from resolvers import orders
from resolvers.orders import MAX_AT_ONCE, best_quote
from tests.domain.coupons.carts import NOW, cart, offer
from tests.domain.orders.held import BUYER, held

TOGETHER = Stacking(tags=frozenset("p"), combines_with_tags=frozenset("p"))


def quotable(count: int) -> Quotable:
    """A member with so many coupons, each of a fen more than the one before it."""
    coupons = [
        held(
            replace(
                offer(1, "AMOUNT_OFF", amount_minor=number),
                coupon_id=CouponId(UUID(int=number)),
                template_id=TemplateId(UUID(int=1000 + number)),
                stacking=TOGETHER,
            )
        )
        for number in range(1, count + 1)
    ]
    return Quotable(NOW, MappingProxyType({one.coupon.id: one for one in coupons}), bonus_basis_points=0)


@pytest.mark.parametrize("count", [MAX_AT_ONCE, MAX_AT_ONCE + 1])
async def test_a_large_wallet_is_searched_in_a_thread_and_a_small_one_at_once(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    threads = list[threading.Thread]()

    def noting(*args: object, **how: object) -> object:
        threads.append(threading.current_thread())
        return make_best_quote(*args, **how)  # type: ignore[arg-type]  # whatever it is called with

    monkeypatch.setattr(orders, "make_best_quote", noting)
    found = await best_quote(cart(100_000), quotable(count), buyer=BUYER, points=None)
    assert found.quote.discount_minor == count * (count + 1) // 2
    assert (threads == [threading.main_thread()]) == (count <= MAX_AT_ONCE)


async def test_others_are_answered_while_a_large_wallet_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def waiting(*args: object, **how: object) -> object:
        assert answered.wait(timeout=60), "nobody else was answered"
        return make_best_quote(*args, **how)  # type: ignore[arg-type]  # whatever it is called with

    monkeypatch.setattr(orders, "make_best_quote", waiting)
    search = asyncio.ensure_future(best_quote(cart(100_000), quotable(MAX_AT_ONCE + 1), buyer=BUYER, points=None))
    await asyncio.sleep(0)
    assert not search.done()
    answered.set()
    assert (await search).quote.applied
