from dataclasses import replace

import pytest

from domain.coupons.cart import Cart, CartLine, Channel
from domain.orders.model import OrderState
from domain.orders.rules import MOVES, Seller, at_store, cart_hash, merchant_of_redemption, require_move, till_cart
from domain.shared.errors import BadUserInput, InvalidStateChange
from domain.shared.principal import Scope
from tests.coupon_world import member, merchant
from tests.order_world import cart, store, till


def test_an_order_is_received_or_cancelled_and_that_is_the_end() -> None:
    legal = {(before, after) for before, afters in MOVES.items() for after in afters}
    assert legal == {(OrderState.PAID, OrderState.RECEIVED), (OrderState.PAID, OrderState.CANCELLED)}
    for before in OrderState:
        for after in OrderState:
            if (before, after) not in legal:
                with pytest.raises(InvalidStateChange):
                    require_move(before, to=after)


@pytest.mark.parametrize(
    "other",
    [
        cart(12001),
        cart(12000, 0),
        cart(12000, shipping_minor=1),
        cart(12000, of=merchant(2)),
        cart(12000, store_id=store(1)),
        cart(12000, channel=Channel.IN_STORE),
        replace(cart(12000), currency="USD"),
        Cart(currency="CNY", lines=(replace(cart(12000).lines[0], category_refs=frozenset({"tea"})),)),
        Cart(currency="CNY", lines=(replace(cart(12000).lines[0], product_ref="p9"),)),
        Cart(currency="CNY", lines=(replace(cart(12000).lines[0], quantity=2),)),
    ],
)
def test_whatever_differs_in_a_cart_differs_in_its_hash(other: Cart) -> None:
    assert cart_hash(other) != cart_hash(cart(12000))


def test_the_order_of_a_lines_categories_is_no_difference() -> None:
    line = CartLine("a", "p", merchant(1), 1, 1, category_refs=frozenset({"x", "y", "z"}))
    same = replace(line, category_refs=frozenset({"z", "y", "x"}))
    assert cart_hash(Cart(currency="CNY", lines=(line,))) == cart_hash(Cart(currency="CNY", lines=(same,)))


def test_a_seller_reaches_the_member_that_it_serves_and_its_own_merchants() -> None:
    assert till(1).scope_with(member(1)) == Scope(everything=False, member_id=member(1), merchant_ids=(merchant(1),))
    assert Seller(Scope.system()).scope_with(member(1)) == Scope.system()


def test_staff_sell_in_their_own_stores() -> None:
    assert till(1).sells_in(store(1), of=merchant(1))
    assert not till(1).sells_in(store(1), of=merchant(2))
    assert till(1, store(1)).sells_in(store(1), of=merchant(1))
    assert not till(1, store(1)).sells_in(store(2), of=merchant(1))
    assert Seller(Scope.system()).sells_in(store(9), of=merchant(9))


def test_a_cart_at_a_till_is_bought_in_the_store() -> None:
    assert till_cart(cart(), merchant_id=merchant(1)).channel is Channel.IN_STORE
    with pytest.raises(BadUserInput):
        till_cart(cart(), merchant_id=merchant(2))


def test_the_store_of_the_order_is_that_of_the_cart() -> None:
    assert at_store(cart(), None).store_id is None
    assert at_store(cart(), store(1)).store_id == store(1)
    assert at_store(cart(store_id=store(1)), store(1)).store_id == store(1)
    with pytest.raises(BadUserInput):
        at_store(cart(store_id=store(1)), store(2))


def test_a_redemption_is_the_stores_merchants_else_the_coupons_else_that_of_all_goods() -> None:
    one, two, three = merchant(1), merchant(2), merchant(3)
    assert merchant_of_redemption(store_merchant=one, coupon_merchant=two, cart_merchants={three}) == one
    assert merchant_of_redemption(store_merchant=None, coupon_merchant=two, cart_merchants={three}) == two
    assert merchant_of_redemption(store_merchant=None, coupon_merchant=None, cart_merchants={three}) == three
    assert merchant_of_redemption(store_merchant=None, coupon_merchant=None, cart_merchants={one, two}) is None
