"""Reservations through the schema: held, shown, paid, given up; who may, and what each refusal carries."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from domain.orders.lapsing import expire_reservations
from domain.shared.principal import Principal, Scope
from tests.coupon_world import CLOSES_AT, OPENS_AT
from tests.queries import queries
from tests.street import FACTS, QUOTE, REDEEMED, Street, street
from tests.world import OPERATOR, SERVICE, staff, uuid_of

__all__ = ["street"]

HELD = "reservation { id orderRef state points expiresAt coupons { id state } } quote {" + QUOTE + "} replayed"
HELD_FACTS = """
    ... on CouponNotUsableProblem { state: state }
    ... on NotEligibleProblem { eligibility { eligible shortfall { amount } unlock } }
    ... on BudgetExhaustedProblem { required { amount } funder }
    ... on InvalidStateChangeProblem { current wanted }
    ... on NotFoundProblem { noun }
    ... on StackingConflictProblem { coupon { id } conflictsWith { id } conflict: eligibility { eligible } }
    ... on QuoteChangedProblem { changed: quote { payable { amount } quoteToken } }
    ... on InsufficientPointsProblem { shortfall }
"""
PAID_FACTS = FACTS + "... on ReservationExpiredProblem { reservationExpiredAt: expiredAt }"
FREED_FACTS = "... on InvalidStateChangeProblem { current wanted } ... on NotFoundProblem { noun }"
NODE = """query($id: ID!) { node(id: $id) { __typename ... on Reservation {
    id orderRef state points expiresAt coupons { id state history { nodes { change } } } } } }"""


async def reserve(street: Street, who: Principal, *coupons: str, **changed: Any) -> Mapping[str, Any]:
    given = {"orderRef": "A1", "cart": street.cart(), "couponIds": list(coupons)} | changed
    return await street.world.do("reserveCoupons", who, HELD + "}" + HELD_FACTS + "... on Problem { code", **given)


async def pay(street: Street, who: Principal, reservation: str, **changed: Any) -> Mapping[str, Any]:
    given = {"orderRef": "A1", "reservationId": reservation} | changed
    return await street.world.do(
        "redeemCoupons", who, REDEEMED + " lateCapture }" + PAID_FACTS + "... on Problem { code", **given
    )


async def release(street: Street, who: Principal, reservation: str) -> Mapping[str, Any]:
    return await street.world.do(
        "releaseReservation",
        who,
        "coupons { id state } replayed }" + FREED_FACTS + "... on Problem { code",
        reservationId=reservation,
    )


async def counts(street: Street) -> Mapping[str, int]:
    shown = await street.world.ask("{ me { wallet { counts { claimed reserved redeemed } } } }", street.member)
    found: Mapping[str, int] = shown["me"]["wallet"]["counts"]
    return found


async def test_a_member_reserves_and_the_order_system_is_paid(street: Street) -> None:
    coupon = await street.coupon()
    held = await reserve(street, street.member, coupon)
    assert held["__typename"] == "ReserveCouponsSuccess"
    assert held["reservation"]["coupons"] == [{"id": coupon, "state": "RESERVED"}]
    assert (held["reservation"]["state"], held["reservation"]["points"]) == ("HELD", 0)
    assert held["quote"]["payable"] == {"amount": "100.00"}
    assert await counts(street) == {"claimed": 0, "reserved": 1, "redeemed": 0}
    id_ = held["reservation"]["id"]
    shown = (await street.world.ask(NODE, street.member, id=id_))["node"]
    assert shown["coupons"][0]["history"]["nodes"] == [{"change": "CLAIMED"}, {"change": "RESERVED"}]
    done = await pay(street, SERVICE, id_)
    assert (done["__typename"], done["lateCapture"]) == ("RedeemCouponsSuccess", False)
    assert done["quote"]["payable"] == {"amount": "100.00"}
    assert done["redemptions"][0]["coupon"]["id"] == coupon
    assert (await street.world.ask(NODE, street.member, id=id_))["node"]["state"] == "REDEEMED"
    assert await counts(street) == {"claimed": 0, "reserved": 0, "redeemed": 1}


async def test_the_price_that_was_shown_is_the_one_that_is_held(street: Street) -> None:
    coupon = await street.coupon()
    quoted = await street.world.ask(
        "query($i: QuoteInput!) { quote(input: $i) { quoteToken payable { amount } } }",
        street.member,
        i={"cart": street.cart(), "couponIds": [coupon], "strategy": "CHOSEN"},
    )
    token = quoted["quote"]["quoteToken"]
    changed = await reserve(street, street.member, coupon, cart=street.cart("130.00"), quoteToken=token)
    assert (changed["code"], changed["changed"]["payable"]) == ("QUOTE_CHANGED", {"amount": "110.00"})
    held = await reserve(
        street, street.member, coupon, cart=street.cart("130.00"), quoteToken=changed["changed"]["quoteToken"]
    )
    assert held["quote"]["payable"] == {"amount": "110.00"}
    assert (await reserve(street, street.member, coupon, quoteToken=token))["__typename"] == "ReserveCouponsSuccess"


async def test_refusals_carry_their_facts(street: Street) -> None:
    coupon, rival = await street.coupon(), await street.coupon()
    conflict = await reserve(street, street.member, coupon, rival)
    assert conflict["code"] == "STACKING_CONFLICT"
    assert {conflict["coupon"]["id"], conflict["conflictsWith"]["id"]} == {coupon, rival}
    assert conflict["conflict"] == {"eligible": False}
    poor = await reserve(street, street.member, coupon, cart=street.cart("80.00"))
    assert (poor["code"], poor["eligibility"]["shortfall"]) == ("NOT_ELIGIBLE", {"amount": "20.00"})
    few = await reserve(street, street.member, coupon, points=5)
    assert (few["code"], few["shortfall"]) == ("INSUFFICIENT_POINTS", 5)
    held = await reserve(street, street.member, coupon)
    taken = await reserve(street, street.member, coupon, orderRef="A2")
    assert (taken["code"], taken["state"]) == ("COUPON_NOT_USABLE", "RESERVED")
    street.world.clock.advance(seconds=900)
    assert (await street.world.ask(NODE, street.member, id=held["reservation"]["id"]))["node"]["state"] == "EXPIRED"
    assert await counts(street) == {"claimed": 2, "reserved": 0, "redeemed": 0}
    await reserve(street, street.member, coupon, orderRef="A2")
    late = await pay(street, SERVICE, held["reservation"]["id"])
    assert (late["code"], late["reservationExpiredAt"]) == ("RESERVATION_EXPIRED", held["reservation"]["expiresAt"])


async def test_a_late_payment_is_told_as_such(street: Street) -> None:
    held = await reserve(street, street.member, await street.coupon(), ttlSeconds=60)
    street.world.clock.advance(minutes=10)
    done = await pay(street, SERVICE, held["reservation"]["id"], idempotencyKey="mine")
    assert (done["__typename"], done["lateCapture"]) == ("RedeemCouponsSuccess", True)
    again = await pay(street, SERVICE, held["reservation"]["id"], idempotencyKey="mine")
    assert again == {**done, "replayed": True}


async def test_what_is_released_is_free_and_is_not_released_again(street: Street) -> None:
    coupon = await street.coupon()
    held = (await reserve(street, street.member, coupon))["reservation"]["id"]
    freed = await release(street, street.member, held)
    assert (freed["coupons"], freed["replayed"]) == ([{"id": coupon, "state": "CLAIMED"}], False)
    again = await release(street, street.member, held)
    assert (again["code"], again["current"], again["wanted"]) == ("INVALID_STATE_CHANGE", "RELEASED", "RELEASED")
    paid = await pay(street, SERVICE, held)
    assert (paid["code"], paid["wanted"]) == ("INVALID_STATE_CHANGE", "REDEEMED")


async def test_the_order_system_reserves_for_the_member_whose_coupons_it_names(street: Street) -> None:
    other = await street.world.member("another")
    coupon, theirs = await street.coupon(), await street.coupon(other)
    held = await reserve(street, SERVICE, coupon)
    assert held["__typename"] == "ReserveCouponsSuccess"
    assert (await street.world.ask(NODE, street.member, id=held["reservation"]["id"]))["node"]["orderRef"] == "A1"
    assert (await release(street, SERVICE, held["reservation"]["id"]))["coupons"][0]["id"] == coupon
    document = "mutation($i: ReserveCouponsInput!) { reserveCoupons(input: $i) { __typename } }"
    for ids in ([coupon, theirs], []):
        given = {"orderRef": "A1", "cart": street.cart(), "couponIds": ids, "idempotencyKey": "k"}
        assert await street.world.codes(document, SERVICE, i=given) == ["BAD_USER_INPUT"]


async def test_nobody_reserves_or_releases_what_is_anothers(street: Street) -> None:
    other = await street.world.member("another")
    coupon = await street.coupon()
    held = (await reserve(street, street.member, coupon))["reservation"]["id"]
    assert (await release(street, other, held))["code"] == "NOT_FOUND"
    assert (await street.world.ask(NODE, other, id=held))["node"] is None
    document = "mutation($i: ReserveCouponsInput!) { reserveCoupons(input: $i) { __typename } }"
    given = {"orderRef": "A1", "cart": street.cart(), "couponIds": [coupon], "idempotencyKey": "k"}
    assert await street.world.codes(document, other, i=given) == ["BAD_USER_INPUT"]
    for who, code in ((None, "UNAUTHENTICATED"), (street.till, "FORBIDDEN"), (OPERATOR, "FORBIDDEN")):
        assert await street.world.codes(document, who, i=given) == [code]
    books = staff(uuid_of(street.other))
    assert (await pay(street, books, held))["noun"] == "Reservation"
    document = "mutation($i: RedeemCouponsInput!) { redeemCoupons(input: $i) { __typename } }"
    both = {"orderRef": "A1", "reservationId": held, "cart": street.cart(), "idempotencyKey": "k"}
    assert await street.world.codes(document, SERVICE, i=both) == ["BAD_USER_INPUT"]
    assert (await pay(street, street.till, held, storeId=street.store))["__typename"] == "RedeemCouponsSuccess"


async def test_a_campaigns_budget_shows_what_is_held_and_what_each_funder_bears(street: Street) -> None:
    yuan = {"currencyCode": "CNY"}
    given = {
        "name": "c",
        "goal": "RETENTION",
        "startsAt": OPENS_AT.isoformat(),
        "endsAt": CLOSES_AT.isoformat(),
        "budget": {"amount": "100.00", **yuan},
        "funderBudgets": [{"funder": "PLATFORM", "limit": {"amount": "30.00", **yuan}}],
    }
    made = await street.world.do("createCampaign", OPERATOR, "campaign { id }", **given)
    campaign = made["campaign"]["id"]
    await street.world.do("changeCampaignState", OPERATOR, campaignId=campaign, state="RUNNING")
    first, second = [await street.coupon(campaignId=campaign) for _ in range(2)]
    await reserve(street, street.member, first)
    document = """query($id: ID!) { node(id: $id) { ... on Campaign { budget {
        limit { amount } reserved { amount } redeemed { amount } available { amount }
        byFunder { funder limit { amount } reserved { amount } redeemed { amount } available { amount } } } } } }"""
    shown = (await street.world.ask(document, OPERATOR, id=campaign))["node"]["budget"]
    assert {name: shown[name]["amount"] for name in ("limit", "reserved", "redeemed", "available")} == {
        "limit": "100.00",
        "reserved": "20.00",
        "redeemed": "0.00",
        "available": "80.00",
    }
    (platform,) = shown["byFunder"]
    assert (platform["funder"], platform["limit"], platform["available"]) == (
        "PLATFORM",
        {"amount": "30.00"},
        {"amount": "10.00"},
    )
    refused = await reserve(street, street.member, second, orderRef="A2")
    assert (refused["code"], refused["required"]) == ("BUDGET_EXHAUSTED", {"amount": "20.00"})
    for wrong in (
        [{"funder": "PLATFORM", "limit": {"amount": "100.01", **yuan}}],
        [{"funder": "PLATFORM", "limit": {"amount": "1", "currencyCode": "JPY"}}],
        given["funderBudgets"] * 2,  # type: ignore[operator] # the same twice
    ):
        document = "mutation($i: CreateCampaignInput!) { createCampaign(input: $i) { __typename } }"
        asked = {**given, "funderBudgets": wrong, "idempotencyKey": "wrong"}
        assert await street.world.codes(document, OPERATOR, i=asked) == ["BAD_USER_INPUT"]


async def test_an_operator_takes_a_coupon_back_and_says_why(street: Street) -> None:
    coupon = await street.coupon()
    document = """mutation($i: VoidCouponInput!) { voidCoupon(input: $i) {
        __typename ... on VoidCouponSuccess { coupon { state } replayed }
        ... on InvalidStateChangeProblem { current wanted } } }"""
    given = {"couponId": coupon, "reason": "fraud", "idempotencyKey": "one"}
    for who, code in ((None, "UNAUTHENTICATED"), (street.member, "FORBIDDEN"), (SERVICE, "FORBIDDEN")):
        assert await street.world.codes(document, who, i=given) == [code]
    done = (await street.world.ask(document, OPERATOR, i=given))["voidCoupon"]
    assert done == {"__typename": "VoidCouponSuccess", "coupon": {"state": "VOIDED"}, "replayed": False}
    again = (await street.world.ask(document, OPERATOR, i={**given, "idempotencyKey": "two"}))["voidCoupon"]
    assert (again["current"], again["wanted"]) == ("VOIDED", "VOIDED")
    shown = await street.world.ask(
        "query($id: ID!) { node(id: $id) { ... on Coupon { history { nodes { change reason } } } } }",
        street.member,
        id=coupon,
    )
    assert shown["node"]["history"]["nodes"][-1] == {"change": "VOIDED", "reason": "fraud"}


async def test_the_coupons_of_a_reservation_are_read_in_one_statement(street: Street) -> None:
    tags = {"tags": ["a"], "combinesWithTags": ["a"]}
    coupons = [await street.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 100}, stacking=tags) for _ in range(3)]
    reservation = (await reserve(street, street.member, *coupons))["reservation"]["id"]
    document = "query($id: ID!) { node(id: $id) { ... on Reservation { coupons { id } } } }"
    with queries(3) as names:
        shown = await street.world.ask(document, street.member, id=reservation)
    assert {one["id"] for one in shown["node"]["coupons"]} == set(coupons)
    assert names.count("redeemed_coupons") == 1


@pytest.mark.parametrize("swept", [False, True])
async def test_points_whose_reservation_has_run_out_are_there_for_the_member_and_for_operators(
    street: Street, *, swept: bool
) -> None:
    world, who = street.world, street.member
    shown = "{ me { id points { available expiring(withinDays: 60) { remaining } } } }"
    member_id = (await world.ask(shown, who))["me"]["id"]
    await world.do("adjustPoints", OPERATOR, memberId=member_id, delta=500, reason="hello")
    until = (world.clock.at + timedelta(days=30)).isoformat()
    await world.do("adjustPoints", OPERATOR, memberId=member_id, delta=500, reason="hello", expiresAt=until)
    made = await world.do(
        "createReward", OPERATOR, "reward { id }", name="A mug", kind="GOODS", pointsPrice=400, stock=9
    )
    buying = {"rewardId": made["reward"]["id"], "quantity": 1}
    reservation = (await reserve(street, who, points=900))["reservation"]["id"]
    assert (await world.do("exchangePoints", who, **buying))["code"] == "INSUFFICIENT_POINTS"
    assert (await world.ask(shown, who))["me"]["points"] == {"available": 100, "expiring": []}
    world.clock.advance(seconds=900)
    if swept:
        await expire_reservations(limit=9, begin=lambda: world.database.begin(Scope.system()))
    assert (await world.ask(shown, who))["me"]["points"] == {"available": 1000, "expiring": [{"remaining": 500}]}
    quote = "query($input: QuoteInput!) { quote(input: $input) { pointsUsed pointsDecision { eligible } } }"
    quoted = await world.ask(quote, who, input={"cart": street.cart(), "strategy": "BEST", "points": 1000})
    assert quoted["quote"] == {"pointsUsed": 1000, "pointsDecision": {"eligible": True}}
    bought = await world.do("exchangePoints", who, "account { available }", **buying)
    assert bought["account"] == {"available": 600}
    taken = {"memberId": member_id, "delta": -600, "reason": "a mistake"}
    assert (await world.do("adjustPoints", OPERATOR, "account { available }", **taken))["account"] == {"available": 0}
    found = (await world.ask(NODE, who, id=reservation))["node"]
    assert (found["state"], found["points"]) == ("EXPIRED", 900)
