"""Amounts to the minor unit of their currency, no two currencies in one sum, nothing that a client cannot hold."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.street import Street, street
from tests.world import OPERATOR, SERVICE

__all__ = ["street"]

QUOTE = """query($input: QuoteInput!) { quote(input: $input) {
    payable { amount minorUnits } discount { amount }
    notApplied { coupon { id } eligibility { because { children { name passed } } } } } }"""
SAFE = 9_007_199_254_740_991
FIFTEEN_OFF: Mapping[str, Any] = {"kind": "PERCENT_OFF", "terms": {"payableBasisPoints": 8500}}


def cart_in(street: Street, currency: str, *amounts: str) -> dict[str, Any]:
    cart = street.cart(*amounts)
    cart["currencyCode"] = currency
    for line in cart["lines"]:
        line["unitPrice"]["currencyCode"] = currency
    return cart


@pytest.mark.parametrize(
    ("currency", "price", "off", "payable"),
    [
        # 1005 minor units at 8.5折 each: 151 off, 854 to pay.
        ("JPY", "1005", "151", "854"),
        ("CNY", "10.05", "1.51", "8.54"),
        ("USD", "10.05", "1.51", "8.54"),
        ("KWD", "1.005", "0.151", "0.854"),
        ("CLF", "0.1005", "0.0151", "0.0854"),
    ],
)
async def test_a_percentage_is_rounded_to_the_minor_unit_of_its_currency(
    street: Street, currency: str, price: str, off: str, payable: str
) -> None:
    coupon = await street.coupon(**FIFTEEN_OFF, currencyCode=currency)
    cart = cart_in(street, currency, price)
    priced = (await street.world.ask(QUOTE, street.member, input={"cart": cart}))["quote"]
    assert (priced["discount"]["amount"], priced["payable"]) == (off, {"amount": payable, "minorUnits": 854})
    done = await street.redeem(street.till, coupon, cart=cart)
    assert done["quote"]["payable"] == {"amount": payable}
    refunded = await street.world.do("refundOrder", SERVICE, "refund { amount currencyCode }", orderRef="A1")
    assert refunded["code"] == "NOT_FOUND", "the order is the till's"
    refunded = await street.world.do("refundOrder", street.till, "refund { amount currencyCode }", orderRef="A1")
    assert refunded["refund"] == {"amount": payable, "currencyCode": currency}


@pytest.mark.parametrize(("of_coupon", "of_cart"), [("CNY", "USD"), ("USD", "CNY"), ("CNY", "JPY"), ("KWD", "CNY")])
async def test_an_offer_of_another_currency_is_not_applicable(street: Street, of_coupon: str, of_cart: str) -> None:
    coupon = await street.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 100}, currencyCode=of_coupon)
    cart = cart_in(street, of_cart, "5000")
    chosen = {"cart": cart, "couponIds": [coupon], "strategy": "CHOSEN"}
    priced = (await street.world.ask(QUOTE, street.member, input=chosen))["quote"]
    (refused,) = priced["notApplied"]
    assert [one["name"] for one in refused["eligibility"]["because"]["children"] if not one["passed"]] == ["currency"]
    assert float(priced["discount"]["amount"]) == 0
    best = (await street.world.ask(QUOTE, street.member, input={"cart": cart}))["quote"]
    assert best["payable"] == priced["payable"]
    at_the_till = await street.redeem(street.till, coupon, cart=cart)
    assert at_the_till["code"] == "NOT_ELIGIBLE"
    reserved = await street.world.do(
        "reserveCoupons", street.member, orderRef="A2", cart=cart, couponIds=[coupon], ttlSeconds=60
    )
    assert reserved["code"] == "NOT_ELIGIBLE"
    assert await street.world.database.pool.fetchval("SELECT count(*) FROM redemptions") == 0


@pytest.mark.parametrize("where", ["unitPrice", "shipping"])
async def test_a_cart_is_of_one_currency(street: Street, where: str) -> None:
    cart = street.cart("10.00", "20.00")
    dollars = {"amount": "1.00", "currencyCode": "USD"}
    if where == "shipping":
        cart["shipping"] = dollars
    else:
        cart["lines"][1]["unitPrice"] = dollars
    assert await street.world.codes(QUOTE, street.member, input={"cart": cart}) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("JPY", "1.5"),
        ("CNY", "80.001"),
        ("KWD", "1.2345"),
        ("CNY", "90071992547409.92"),
        ("JPY", "9007199254740992"),
        ("KWD", "9007199254740.992"),
        ("CNY", "-0.01"),
    ],
)
async def test_an_amount_that_its_currency_or_a_client_cannot_hold_is_refused(
    street: Street, currency: str, amount: str
) -> None:
    given = {"cart": cart_in(street, currency, amount)}
    assert await street.world.codes(QUOTE, street.member, input=given) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("amount", [80, 80.0, "8e1", "80.", " 80", "", "NaN", None])
async def test_an_amount_is_a_decimal_in_a_string_and_no_number(street: Street, amount: object) -> None:
    cart = street.cart("80.00")
    cart["lines"][0]["unitPrice"]["amount"] = amount
    answered = await street.world.answer(QUOTE, street.member, input={"cart": cart})
    assert answered.errors is not None
    assert answered.data is None


async def test_the_largest_amount_that_a_client_holds_is_priced(street: Street) -> None:
    cart = street.cart("90071992547409.91")
    priced = (await street.world.ask(QUOTE, street.member, input={"cart": cart}))["quote"]
    assert priced["payable"] == {"amount": "90071992547409.91", "minorUnits": SAFE}
    cart["shipping"] = {"amount": "0.01", "currencyCode": "CNY"}
    assert await street.world.codes(QUOTE, street.member, input={"cart": cart}) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("stock", [SAFE + 1, -SAFE - 1, 2**63, 1.5, "10", True])
async def test_a_count_beyond_the_safe_integers_is_an_error_and_no_rounding(street: Street, stock: object) -> None:
    document = "mutation($i: CreateCouponTemplateInput!) { createCouponTemplate(input: $i) { __typename } }"
    given = {
        "name": "x",
        "kind": "AMOUNT_OFF",
        "terms": {"amountMinor": 100},
        "currencyCode": "CNY",
        "claimOpensAt": "2026-01-01T00:00:00Z",
        "claimClosesAt": "2027-01-01T00:00:00Z",
        "validity": {"daysAfterClaim": 7},
        "idempotencyKey": "k",
    }
    answered = await street.world.answer(document, OPERATOR, i={**given, "stock": stock})
    assert answered.errors is not None
    assert "SafeInt" in answered.errors[0].message
    largest = await street.world.answer(document, OPERATOR, i={**given, "stock": SAFE})
    assert largest.errors is None


@pytest.mark.parametrize("minor", [SAFE + 1, -1, 0, 1.0, "1", True])
async def test_a_term_beyond_the_safe_integers_is_refused_with_its_path(street: Street, minor: object) -> None:
    made = await street.world.do(
        "createCouponTemplate",
        OPERATOR,
        name="x",
        kind="AMOUNT_OFF",
        terms={"amountMinor": minor},
        currencyCode="CNY",
        stock=1,
        claimOpensAt="2026-01-01T00:00:00Z",
        claimClosesAt="2027-01-01T00:00:00Z",
        validity={"daysAfterClaim": 7},
    )
    assert made["code"] == "INVALID_TERMS"
