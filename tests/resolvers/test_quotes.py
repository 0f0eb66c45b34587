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
    given.setdefault("strategy", "CHOSEN" if "couponIds" in given else "BEST")
    answered: Mapping[str, Any] = (await street.world.ask(ASK, who or street.member, input=given))["quote"]
    return answered


def chosen(street: Street, *coupons: str) -> dict[str, Any]:
    return {"cart": street.cart(), "couponIds": list(coupons), "strategy": "CHOSEN"}


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
        answered = await street.world.answer(ASK, street.member, input=chosen(street, id_))
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
    named = chosen(street, coupon)
    for viewer, given, code in (
        (SERVICE, plain, "BAD_USER_INPUT"),
        (stranger, plain | {"memberId": own}, "BAD_USER_INPUT"),
        (SERVICE, plain | {"memberId": street.merchant}, "BAD_USER_INPUT"),
        (staff(uuid_of(street.merchant)), plain | {"memberId": own}, "FORBIDDEN"),
        (None, plain, "UNAUTHENTICATED"),
        (street.member, named | {"couponIds": [coupon, coupon]}, "BAD_USER_INPUT"),
        (street.member, named | {"couponIds": [coupon] * 101}, "BAD_USER_INPUT"),
        (street.member, named | {"strategy": "BEST"}, "BAD_USER_INPUT"),
        (street.member, plain | {"strategy": "CHOSEN"}, "BAD_USER_INPUT"),
        (street.member, {"cart": street.cart("-1.00")}, "BAD_USER_INPUT"),
    ):
        assert await street.world.codes(ASK, viewer, input=given) == [code], given


BEST = (
    "query($input: QuoteInput!, $first: Int! = 3) { quote(input: $input) { payable { amount }"
    " optimality { status explored gap { minorUnits } }"
    " applied { coupon { id } eligibility { eligible because { children { name passed } } } }"
    " notApplied { coupon { id } eligibility { eligible unlock because { children { name passed } } }"
    " conflictsWith { id } }"
    " alternatives(first: $first) { discount { minorUnits } payable { minorUnits } coupons { id } } } }"
)


def amount_off(minor: int, **stacking: Any) -> dict[str, Any]:
    return {"name": f"减{minor}", "kind": "AMOUNT_OFF", "terms": {"amountMinor": minor}, "stacking": stacking}


async def best(street: Street, **given: Any) -> Mapping[str, Any]:
    first = {"first": given.pop("first")} if "first" in given else {}
    answered = await street.world.ask(BEST, street.member, input={"cart": street.cart()} | given, **first)
    found: Mapping[str, Any] = answered["quote"]
    return found


def ids(coupons: list[Mapping[str, Any]]) -> list[str]:
    return [coupon["id"] for coupon in coupons]


async def test_the_best_combination_of_the_wallet_is_found_and_proven(street: Street) -> None:
    alone = await street.coupon(**amount_off(1500))
    pair = {"tags": ["pair"], "combinesWithTags": ["pair"]}
    small, smaller = await street.coupon(**amount_off(1000, **pair)), await street.coupon(**amount_off(700, **pair))
    found = await best(street)
    assert {one["coupon"]["id"] for one in found["applied"]} == {small, smaller}, "17.00 together, not 15.00 alone"
    for one in found["applied"]:
        assert one["eligibility"]["eligible"] is True
        checks = one["eligibility"]["because"]["children"]
        assert {"validity", "scope", "combines", "effect"} <= {check["name"] for check in checks}
        assert all(check["passed"] for check in checks)
    assert found["payable"] == {"amount": "103.00"}
    assert found["optimality"]["status"] == "PROVEN"
    assert found["optimality"]["gap"] == {"minorUnits": 0}
    assert found["optimality"]["explored"] >= 1
    (other,) = found["notApplied"]
    assert other["coupon"] == {"id": alone}
    assert other["conflictsWith"]["id"] in {small, smaller}
    assert [(ids(one["coupons"]), one["discount"], one["payable"]) for one in found["alternatives"]] == [
        ([alone], {"minorUnits": 1500}, {"minorUnits": 10500})
    ]


async def test_a_coupon_that_one_more_purchase_unlocks_says_so_beside_the_best(street: Street) -> None:
    lacking, used = await street.coupon(), await street.coupon(**amount_off(500))
    found = await best(street, cart=street.cart("88.00"))
    assert [one["coupon"]["id"] for one in found["applied"]] == [used]
    (other,) = found["notApplied"]
    assert other["coupon"] == {"id": lacking}
    names = {check["name"] for check in other["eligibility"]["because"]["children"] if not check["passed"]}
    assert names == {"combines", "threshold"}


async def test_a_coupon_that_would_make_the_order_dearer_says_what_it_would_save(street: Street) -> None:
    """An item coupon of 1.00 breaks the threshold of 满120减20."""
    pair = {"tags": ["pair"], "combinesWithTags": ["pair"]}
    await street.coupon(terms={"thresholdMinor": 12000, "amountMinor": 2000}, stacking=pair)
    item = await street.coupon(**amount_off(100, lane="ITEM"))
    found = await best(street)
    assert found["payable"] == {"amount": "100.00"}
    (other,) = found["notApplied"]
    assert other["coupon"] == {"id": item}
    assert [c["name"] for c in other["eligibility"]["because"]["children"] if not c["passed"]] == ["saves_more"]
    assert other["conflictsWith"] is None


async def test_chosen_coupons_are_not_searched(street: Street) -> None:
    coupon = await street.coupon()
    found = await best(street, couponIds=[coupon], strategy="CHOSEN")
    assert found["alternatives"] == []
    assert found["optimality"] == {"status": "PROVEN", "explored": 1, "gap": {"minorUnits": 0}}, "there is no other"
    assert [one["coupon"]["id"] for one in found["applied"]] == [coupon]


async def test_the_best_of_a_wallet_is_of_its_owner_alone(street: Street) -> None:
    await street.coupon(await street.world.member("han-mei"))
    found = await best(street)
    assert (found["applied"], found["notApplied"]) == ([], [])
    assert found["optimality"]["status"] == "PROVEN"


async def test_a_coupon_that_was_used_is_not_searched(street: Street) -> None:
    coupon = await street.coupon()
    await street.redeem(SERVICE, coupon, storeId=None)
    found = await best(street)
    assert (found["applied"], found["notApplied"], found["payable"]) == ([], [], {"amount": "120.00"})


async def test_alternatives_are_as_many_as_asked_for(street: Street) -> None:
    for minor in (500, 400, 300):
        await street.coupon(**amount_off(minor))
    for first in (0, 1, 2):
        assert len((await best(street, first=first))["alternatives"]) == first
    assert [one["discount"]["minorUnits"] for one in (await best(street))["alternatives"]] == [400, 300]
    for first in (-1, 11):
        codes = await street.world.codes(BEST, street.member, input={"cart": street.cart()}, first=first)
        assert codes == ["BAD_USER_INPUT"]


async def test_a_balance_pays_what_is_left_and_keeps_what_it_does_not_need(street: Street) -> None:
    coupon = await street.coupon(kind="CASH", terms={"faceMinor": 20_000})
    off = await street.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 2000})
    ask = "query($id: ID!) { node(id: $id) { ... on Coupon { state headline balance { amount currencyCode } } } }"
    priced = await quote(street)
    assert priced["payable"] == {"amount": "0.00"}
    assert [one["coupon"]["id"] for one in priced["applied"]] == [coupon], "one coupon alone saves as much"
    both = await quote(street, **chosen(street, coupon, off))
    assert [one["amount"]["minorUnits"] for one in both["applied"]] == [2000, 10_000]
    await street.redeem(street.till, coupon)
    left = (await street.world.ask(ask, street.member, id=coupon))["node"]
    assert left == {
        "state": "CLAIMED",
        "headline": "¥200 to spend",
        "balance": {"amount": "80.00", "currencyCode": "CNY"},
    }
    assert (await street.world.ask(ask, street.member, id=off))["node"]["balance"] is None
    assert (await quote(street))["payable"] == {"amount": "20.00"}


PAID = (
    "payable { amount } discount { minorUnits } pointsUsed pointsPaid { minorUnits } pointsEarned quoteToken "
    "lines { payable { minorUnits } pointsPaid { minorUnits } } applied { coupon { id } } "
    "pointsDecision { eligible because { children { name passed required actual } } } "
    "optimality { status gap { minorUnits } }"
)


async def paid(street: Street, **given: Any) -> Mapping[str, Any]:
    given.setdefault("cart", street.cart())
    ask = "query($input: QuoteInput!) { quote(input: $input) {" + PAID + "} }"
    answered: Mapping[str, Any] = (await street.world.ask(ask, street.member, input=given))["quote"]
    return answered


async def give_points(street: Street, delta: int) -> None:
    member = await me(street)
    await street.world.do("adjustPoints", OPERATOR, "account { available }", memberId=member, delta=delta, reason="x")


async def test_points_pay_after_coupons_and_before_balances(street: Street) -> None:
    await give_points(street, 3000)
    off = await street.coupon()
    cash = await street.coupon(kind="CASH", terms={"faceMinor": 20_000})
    priced = await paid(street, couponIds=[cash, off], strategy="CHOSEN", points=3000)
    assert (priced["pointsUsed"], priced["pointsPaid"]["minorUnits"], priced["payable"]) == (
        3000,
        3000,
        {"amount": "0.00"},
    )
    assert [one["coupon"]["id"] for one in priced["applied"]] == [off, cash]
    assert priced["discount"] == {"minorUnits": 9000}, "2000 off, and 7000 of the balance"
    assert priced["pointsDecision"]["eligible"]
    assert priced["pointsEarned"] == 0, "what points and balances pay earns none"


async def test_no_more_points_are_used_than_there_are_or_are_to_pay(street: Street) -> None:
    await give_points(street, 100)
    priced = await paid(street, points=5000)
    assert (priced["pointsUsed"], priced["payable"]) == (100, {"amount": "119.00"})
    failed = [one["name"] for one in priced["pointsDecision"]["because"]["children"] if not one["passed"]]
    assert failed == ["available"]
    await give_points(street, 1_000_000)
    priced = await paid(street, points=500_000)
    assert (priced["pointsUsed"], priced["payable"]) == (12_000, {"amount": "0.00"})
    assert [line["pointsPaid"]["minorUnits"] for line in priced["lines"]] == [12_000]
    without = await paid(street)
    assert (without["pointsUsed"], without["pointsDecision"]) == (0, None)


async def test_points_that_are_less_than_none_are_a_mistake(street: Street) -> None:
    answered = await street.world.answer(
        "query($input: QuoteInput!) { quote(input: $input) { pointsUsed } }",
        street.member,
        input={"cart": street.cart(), "points": -1},
    )
    assert answered.errors is not None
    assert answered.errors[0].original_error.code == "BAD_USER_INPUT"  # type: ignore[union-attr]


async def test_what_is_null_is_as_if_it_were_left_out(street: Street) -> None:
    await street.coupon()
    ask = (
        "query($input: QuoteInput!) { quote(input: $input) { payable { amount } "
        "alternatives(first: null) { discount { amount } } } }"
    )
    given = {"cart": street.cart(), "strategy": None, "points": None, "couponIds": None, "memberId": None}
    found = (await street.world.ask(ask, street.member, input=given))["quote"]
    assert found == {"payable": {"amount": "100.00"}, "alternatives": []}


async def test_a_quote_says_the_same_again_by_its_token_while_nothing_changed(street: Street) -> None:
    coupon = await street.coupon()
    first = await paid(street)
    street.world.clock.advance(seconds=30)
    again = await paid(street)
    other = await paid(street, cart=street.cart("121.00"))
    assert first["quoteToken"].split(".")[0] == "q1"
    assert first["quoteToken"] != again["quoteToken"], "each holds for a time of its own"
    assert other["quoteToken"] not in {first["quoteToken"], again["quoteToken"]}
    assert coupon not in first["quoteToken"]
