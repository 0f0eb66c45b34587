"""Member prices in carts, and what templates say of them, through the schema."""

from typing import Any

import pytest

from tests.street import Street, street
from tests.tills import hand_in, said, scan

__all__ = ["street"]

QUOTE = """query($input: QuoteInput!) { quote(input: $input) {
    subtotal { amount } discount { amount } payable { amount } lines { id payable { amount } }
    notApplied { eligibility { unlock because { children { name passed actual } } } } } }"""


def cart_of(street: Street, *prices: tuple[str, str | None]) -> dict[str, Any]:
    """Lines of one unit: what each costs everybody, and what it costs this member."""
    cart = street.cart(*(price for price, _ in prices))
    for line, (_, member) in zip(cart["lines"], prices, strict=True):
        if member is not None:
            line["memberPrice"] = {"amount": member, "currencyCode": "CNY"}
    return cart


async def quoted(street: Street, cart: dict[str, Any]) -> Any:
    return (await street.world.ask(QUOTE, street.member, input={"cart": cart}))["quote"]


async def test_a_line_costs_what_the_member_pays_for_it(street: Street) -> None:
    priced = await quoted(street, cart_of(street, ("100.00", "80.00"), ("50.00", None)))
    assert (priced["subtotal"]["amount"], priced["payable"]["amount"]) == ("130.00", "130.00")
    assert [line["payable"]["amount"] for line in priced["lines"]] == ["80.00", "50.00"]


async def test_a_template_says_whether_it_combines_with_member_prices(street: Street) -> None:
    shown = """query($id: ID!) { node(id: $id) { ... on Coupon {
        template { withMemberPrice zh: rulesText(locale: "zh-CN") en: rulesText(locale: "en") } } } }"""
    for rule, off, told in ((None, "20.00", False), ("COMBINES", "20.00", False), ("EXCLUDED", "0.00", True)):
        coupon = await street.coupon(withMemberPrice=rule)
        chosen = {"cart": cart_of(street, ("99.00", "60.00"), ("60.00", None)), "couponIds": [coupon]}
        priced = (await street.world.ask(QUOTE, street.member, input={**chosen, "strategy": "CHOSEN"}))["quote"]
        assert priced["discount"]["amount"] == off
        template = (await street.world.ask(shown, street.member, id=coupon))["node"]["template"]
        assert template["withMemberPrice"] == (rule or "COMBINES")
        assert ("已享会员价的商品不适用" in template["zh"]) is told
        assert ("sold at a member's price are not eligible" in template["en"]) is told


async def test_what_is_missing_is_counted_without_them(street: Street) -> None:
    await street.coupon(withMemberPrice="EXCLUDED")
    priced = await quoted(street, cart_of(street, ("99.00", "90.00"), ("60.00", None)))
    (refused,) = priced["notApplied"]
    assert refused["eligibility"]["unlock"] == "Spend ¥40.00 more to save ¥20.00"
    proof = {one["name"]: one["actual"] for one in refused["eligibility"]["because"]["children"]}
    assert (proof["scope"], proof["threshold"]) == ("1 of 2 lines", "¥60.00")


async def test_quote_wallet_till_and_offline_till_decide_alike(street: Street) -> None:
    cart = cart_of(street, ("99.00", "90.00"), ("60.00", None))
    coupon = await street.coupon(withMemberPrice="EXCLUDED")
    usable = """query($id: ID!, $cart: CartInput!) { node(id: $id) { ... on Coupon {
        eligibility(cart: $cart) { eligible } } } }"""
    seen = await street.world.ask(usable, street.member, id=coupon, cart=cart)
    assert seen["node"]["eligibility"]["eligible"] is False
    assert (await street.redeem(street.till, coupon, cart=cart))["code"] == "NOT_ELIGIBLE"
    assert said(await hand_in(street, await scan(street, coupon, "A2", cart=cart))) == ["NOT_ELIGIBLE"]
    plain = cart_of(street, ("99.00", None), ("60.00", None))
    assert (await street.redeem(street.till, coupon, orderRef="A3", cart=plain))["quote"]["payable"] == {
        "amount": "139.00"
    }


@pytest.mark.parametrize(
    ("amount", "currency"), [("100.01", "CNY"), ("-0.01", "CNY"), ("1.001", "CNY"), ("10.00", "USD")]
)
async def test_a_members_price_is_no_more_than_the_ordinary_one(street: Street, amount: str, currency: str) -> None:
    cart = cart_of(street, ("100.00", amount))
    cart["lines"][0]["memberPrice"]["currencyCode"] = currency
    answered = await street.world.answer(QUOTE, street.member, input={"cart": cart})
    assert answered.errors is not None
    assert "input.cart.lines.0.memberPrice" in answered.errors[0].message
    assert await street.world.codes(QUOTE, street.member, input={"cart": cart}) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("price", ["100.00", "0.00"])
async def test_a_members_price_may_be_the_ordinary_one_and_nothing(street: Street, price: str) -> None:
    assert (await quoted(street, cart_of(street, ("100.00", price))))["payable"] == {"amount": price}
