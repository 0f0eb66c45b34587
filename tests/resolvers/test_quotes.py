"""quote: what a cart costs with chosen coupons, and whose coupons may be chosen."""

from collections.abc import Mapping
from typing import Any

from domain.shared.principal import Principal
from tests.street import QUOTE, Street, street
from tests.world import OPERATOR, SERVICE, staff, uuid_of

__all__ = ["street"]

ASK = "query($input: QuoteInput!) { quote(input: $input) {" + QUOTE + "} }"


async def quote(street: Street, who: Principal | None = None, **given: Any) -> Mapping[str, Any]:
    given.setdefault("cart", street.cart())
    answered: Mapping[str, Any] = (await street.world.ask(ASK, who or street.member, input=given))["quote"]
    return answered


async def me(street: Street) -> str:
    return str((await street.world.ask("{ me { id } }", street.member))["me"]["id"])


async def test_a_cart_is_priced_to_the_fen(street: Street) -> None:
    coupon = await street.coupon()
    cart = street.cart("66.67", "33.33", "20.00") | {"shipping": {"amount": "8.00", "currencyCode": "CNY"}}
    priced = await quote(street, cart=cart, couponIds=[coupon])
    assert priced["subtotal"] == {"minorUnits": 12000}
    assert priced["discount"] == {"minorUnits": 2000}
    assert priced["shipping"] == {"minorUnits": 800}
    assert priced["payable"] == {"amount": "108.00"}
    parts = [line["allocations"][0]["amount"]["minorUnits"] for line in priced["lines"]]
    assert parts == [1111, 556, 333]
    (applied,) = priced["applied"]
    assert applied["coupon"]["id"] == coupon
    assert applied["coupon"]["state"] == "CLAIMED"
    assert applied["shares"] == [{"funder": "PLATFORM", "amount": {"minorUnits": 2000}}]
    assert priced["pointsEarned"] == 100, "goods alone earn: 100.00 of 108.00"
    assert priced["validUntil"] == "2026-06-01T04:15:00Z"


async def test_without_coupons_a_cart_costs_what_it_says(street: Street) -> None:
    priced = await quote(street)
    assert (priced["payable"], priced["applied"], priced["notApplied"]) == ({"amount": "120.00"}, [], [])


async def test_a_coupon_that_does_not_act_says_why_and_what_would_help(street: Street) -> None:
    coupon = await street.coupon()
    priced = await quote(street, cart=street.cart("88.00"), couponIds=[coupon])
    assert priced["payable"] == {"amount": "88.00"}
    (rejected,) = priced["notApplied"]
    assert rejected["coupon"] == {"id": coupon}
    assert rejected["eligibility"] == {
        "eligible": False,
        "shortfall": {"amount": "12.00"},
        "unlock": "Spend ¥12.00 more to save ¥20.00",
    }


async def test_of_two_that_do_not_go_together_the_second_names_the_first(street: Street) -> None:
    coupons = sorted([await street.coupon(), await street.coupon()], key=lambda c: str(uuid_of(c)))
    priced = await quote(street, couponIds=coupons[::-1])
    assert [one["coupon"]["id"] for one in priced["applied"]] == [coupons[0]], "never the order of the request"
    assert priced["notApplied"][0]["conflictsWith"] == {"id": coupons[0]}


async def test_a_quote_writes_nothing(street: Street) -> None:
    coupon = await street.coupon()
    counts = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM orders), (SELECT sum(sequence) FROM streams)"
    before = await street.world.database.pool.fetchrow(counts)
    await quote(street, couponIds=[coupon])
    assert await street.world.database.pool.fetchrow(counts) == before


async def test_the_price_that_is_shown_is_the_price_that_is_paid(street: Street) -> None:
    coupon = await street.coupon()
    shown = await quote(street, cart=street.cart("99.99", "0.01", "20.00"), couponIds=[coupon])
    paid = (await street.redeem(SERVICE, coupon, storeId=None, cart=street.cart("99.99", "0.01", "20.00")))["quote"]
    assert {**paid, "applied": None} == {**shown, "applied": None}
    assert paid["applied"][0]["amount"] == shown["applied"][0]["amount"]


async def test_another_members_coupon_is_as_unknown_as_one_that_there_is_not(street: Street) -> None:
    stranger = await street.world.member("han-mei")
    foreign = await street.coupon(stranger)
    mine = await street.coupon()
    gone = mine[:-6] + ("AAAAAA" if mine[-6:] != "AAAAAA" else "BBBBBB")
    messages = set()
    for id_ in (foreign, gone):
        answered = await street.world.answer(ASK, street.member, input={"cart": street.cart(), "couponIds": [id_]})
        assert answered.errors is not None
        assert answered.errors[0].original_error.code == "BAD_USER_INPUT"  # type: ignore[union-attr]
        messages.add(answered.errors[0].message)
    assert len(messages) == 1


async def test_a_member_quotes_for_itself_and_others_say_for_whom(street: Street) -> None:
    coupon, own = await street.coupon(), await me(street)
    stranger = await street.world.member("han-mei")
    for who in (SERVICE, OPERATOR, street.member):
        assert (await quote(street, who, couponIds=[coupon], memberId=own))["payable"] == {"amount": "100.00"}
    plain = {"cart": street.cart()}
    for viewer, given, code in (
        (SERVICE, plain, "BAD_USER_INPUT"),
        (stranger, plain | {"memberId": own}, "BAD_USER_INPUT"),
        (SERVICE, plain | {"memberId": street.merchant}, "BAD_USER_INPUT"),
        (staff(uuid_of(street.merchant)), plain | {"memberId": own}, "FORBIDDEN"),
        (None, plain, "UNAUTHENTICATED"),
        (street.member, plain | {"couponIds": [coupon, coupon]}, "BAD_USER_INPUT"),
        (street.member, plain | {"couponIds": [coupon] * 21}, "BAD_USER_INPUT"),
        (street.member, {"cart": street.cart("-1.00")}, "BAD_USER_INPUT"),
    ):
        assert await street.world.codes(ASK, viewer, input=given) == [code], given
