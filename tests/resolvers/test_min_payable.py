"""What an order must cost at least: a decision of the programme, kept by quotes, redemptions and refunds alike."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.coupon_world import PROGRAMME
from tests.street import Street, open_street

QUOTE = """query($input: QuoteInput!) { quote(input: $input) {
  payable { amount } applied { amount { amount } } alternatives { payable { amount } } optimality { status } } }"""
ALONE = """query($id: ID!, $cart: CartInput!) { node(id: $id) { ... on Coupon {
  eligibility(cart: $cart) { eligible } } } }"""
USABLE = "query($cart: CartInput!) { me { wallet { coupons(filter: {usableFor: $cart}) { nodes { id } } } } }"
RULES = """query($id: ID!) { node(id: $id) { ... on Coupon { template {
  zh: rulesText(locale: "zh-CN") en: rulesText(locale: "en") } } } }"""
ALL: dict[str, Any] = {"kind": "AMOUNT_OFF", "terms": {"amountMinor": 10000}}


@pytest.fixture
async def one_fen(database_url: str) -> AsyncIterator[Street]:
    async with open_street(database_url, programme=replace(PROGRAMME, min_payable_minor=1)) as opened:
        yield opened


async def test_a_discount_of_everything_leaves_one_fen_and_is_not_refused(one_fen: Street) -> None:
    coupon = await one_fen.coupon(**ALL)
    for strategy in ({"strategy": "BEST"}, {"strategy": "CHOSEN", "couponIds": [coupon]}):
        found = await one_fen.world.ask(QUOTE, one_fen.member, input={"cart": one_fen.cart("50.00"), **strategy})
        assert found["quote"]["payable"] == {"amount": "0.01"}
        assert found["quote"]["applied"] == [{"amount": {"amount": "49.99"}}]
        assert found["quote"]["optimality"] == {"status": "PROVEN"}


async def test_what_is_paid_is_what_was_quoted_and_the_order_keeps_the_rule(one_fen: Street) -> None:
    coupon = await one_fen.coupon(**ALL)
    done = await one_fen.redeem(one_fen.till, coupon, cart=one_fen.cart("30.00", "20.00"))
    assert done["__typename"] == "RedeemCouponsSuccess"
    (row,) = await one_fen.world.database.pool.fetch("SELECT paid_minor, discount_minor, quote FROM orders")
    assert (row["paid_minor"], row["discount_minor"]) == (1, 4999)
    assert row["quote"]["terms"]["minPayableMinor"] == 1


async def test_a_coupon_that_would_leave_nothing_of_one_fen_does_not_act(one_fen: Street) -> None:
    coupon = await one_fen.coupon(**ALL)
    cart = one_fen.cart("0.01")
    alone = await one_fen.world.ask(ALONE, one_fen.member, id=coupon, cart=cart)
    assert alone["node"]["eligibility"] == {"eligible": False}
    assert (await one_fen.world.ask(USABLE, one_fen.member, cart=cart))["me"]["wallet"]["coupons"]["nodes"] == []
    usable = await one_fen.world.ask(USABLE, one_fen.member, cart=one_fen.cart("0.02"))
    assert usable["me"]["wallet"]["coupons"]["nodes"] == [{"id": coupon}]


async def test_unless_the_programme_says_so_an_order_may_cost_nothing(database_url: str) -> None:
    async with open_street(database_url) as street:
        await street.coupon(**ALL)
        found = await street.world.ask(QUOTE, street.member, input={"cart": street.cart("50.00")})
        assert found["quote"]["payable"] == {"amount": "0.00"}


async def test_the_rule_is_published_with_every_template_where_there_is_one(one_fen: Street) -> None:
    coupon = await one_fen.coupon(**ALL)
    rules = (await one_fen.world.ask(RULES, one_fen.member, id=coupon))["node"]["template"]
    assert "每单（含运费）至少支付¥0.01" in rules["zh"]
    assert "at least ¥0.01 of every order, shipping included, is left to pay" in rules["en"]


async def test_no_rule_is_published_that_there_is_not(database_url: str) -> None:
    async with open_street(database_url) as street:
        coupon = await street.coupon(**ALL)
        rules = (await street.world.ask(RULES, street.member, id=coupon))["node"]["template"]
        assert "至少支付" not in rules["zh"]
        assert "left to pay" not in rules["en"]
