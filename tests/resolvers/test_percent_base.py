"""What a percentage is taken of is declared with the template, shown, published in words, and priced by."""

from typing import Any

import pytest

from tests.street import Street, street

__all__ = ["street"]

QUOTE = "query($input: QuoteInput!) { quote(input: $input) { payable { amount } applied { amount { amount } } } }"
TEMPLATE = """query($id: ID!) { node(id: $id) { ... on Coupon {
  template { percentBase thresholdBase rulesText(locale: "en") } } } }"""
FORTY: dict[str, Any] = {"kind": "PERCENT_OFF", "terms": {"payableBasisPoints": 6000}}
SEVENTY: dict[str, Any] = {"kind": "PERCENT_OFF", "terms": {"payableBasisPoints": 3000}}


@pytest.mark.parametrize(
    ("base", "payable", "words"),
    [
        (None, "18.00", "of what is left to pay for the items after earlier offers"),
        ("REMAINING", "18.00", "of what is left to pay for the items after earlier offers"),
        ("INITIAL", "0.00", "of the price of the items before any discount"),
    ],
)
async def test_saleor_17453_40_and_then_70_percent_by_the_base_that_is_declared(
    street: Street, base: str | None, payable: str, words: str
) -> None:
    await street.coupon(**FORTY, stacking={"lane": "ITEM"})
    coupon = await street.coupon(**SEVENTY, percentBase=base)
    found = await street.world.ask(QUOTE, street.member, input={"cart": street.cart("100.00")})
    assert found["quote"]["payable"] == {"amount": payable}
    shown = (await street.world.ask(TEMPLATE, street.member, id=coupon))["node"]["template"]
    assert (shown["percentBase"], shown["thresholdBase"]) == (base or "REMAINING", None)
    assert words in shown["rulesText"]


async def test_what_takes_no_share_shows_no_base_for_it(street: Street) -> None:
    coupon = await street.coupon()
    shown = (await street.world.ask(TEMPLATE, street.member, id=coupon))["node"]["template"]
    assert (shown["percentBase"], shown["thresholdBase"]) == (None, "BEFORE_THIS")
