"""Redemptions and orders through the schema: who may, what is answered, what staff see."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from domain.shared.ids import CouponId
from domain.shared.principal import MerchantRole, Principal
from persistence.base import on_statement
from schema.node_ids import read_node_id
from tests.coupon_world import CLOSES_AT, OPENS_AT
from tests.queries import names_into
from tests.street import Street, street
from tests.world import OPERATOR, SERVICE, TOKENS, staff, uuid_of

__all__ = ["street"]


async def redemptions(street: Street, who: Principal | None, *, of: str | None = None, first: int = 20) -> Any:
    document = """query($id: ID!, $first: Int) { merchant(id: $id) { redemptions(first: $first) {
        nodes { id orderRef coupon { id headline } store { name } discount { amount } } pageInfo { hasNextPage }
    } } }"""
    return (await street.world.ask(document, who, id=of or street.merchant, first=first))["merchant"]["redemptions"]


async def test_a_till_redeems_what_a_phone_shows(street: Street) -> None:
    coupon = await street.coupon()
    done = await street.redeem(street.till, coupon)
    assert done["__typename"] == "RedeemCouponsSuccess"
    assert done["replayed"] is False
    (redemption,) = done["redemptions"]
    assert redemption["orderRef"] == "A1"
    assert redemption["discount"] == {"minorUnits": 2000}
    assert redemption["shares"] == [{"funder": "PLATFORM", "amount": {"minorUnits": 2000}}]
    assert redemption["store"] == {"name": "North"}
    assert redemption["coupon"]["id"] == coupon
    assert redemption["coupon"]["state"] == "REDEEMED"
    assert redemption["coupon"]["history"]["nodes"] == [], "what happened in a wallet is its member's to see"
    assert done["quote"]["payable"] == {"amount": "100.00"}
    assert done["quote"]["pointsEarned"] == 100
    assert done["quote"]["lines"][0]["allocations"] == [{"amount": {"minorUnits": 2000}, "coupon": {"id": coupon}}]
    assert done["quote"]["notApplied"] == []


async def test_the_same_request_again_is_the_first_answer_again(street: Street) -> None:
    coupon = await street.coupon()
    token = await street.token(coupon)
    first = await street.redeem(street.till, coupon, redemptionToken=token, idempotencyKey="mine")
    street.world.clock.advance(minutes=10)
    again = await street.redeem(street.till, coupon, redemptionToken=token, idempotencyKey="mine")
    assert again == {**first, "replayed": True}
    other_key = await street.redeem(street.till, coupon)
    assert other_key == {**first, "replayed": True}, "a second completion of the same order is no second use"
    other_input = await street.redeem(street.till, coupon, redemptionToken=token, idempotencyKey="mine", orderRef="A2")
    assert other_input["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_refusals_carry_their_facts(street: Street) -> None:
    coupon, spare = await street.coupon(), await street.coupon()
    token = await street.token(spare)
    poor = await street.redeem(street.till, coupon, cart=street.cart("80.00"))
    assert poor["code"] == "NOT_ELIGIBLE"
    assert poor["eligibility"]["eligible"] is False
    assert poor["eligibility"]["shortfall"] == {"amount": "20.00"}
    assert poor["eligibility"]["unlock"] == "Spend ¥20.00 more to save ¥20.00"
    await street.redeem(street.till, coupon)
    used = await street.redeem(street.till, coupon, orderRef="A2")
    assert (used["code"], used["state"], used["message"]) == (
        "COUPON_NOT_USABLE",
        "REDEEMED",
        "The coupon is REDEEMED and cannot be used.",
    )
    taken = await street.redeem(street.till, spare)
    assert (taken["code"], taken["current"]) == ("INVALID_STATE_CHANGE", "PAID")
    nonsense = await street.redeem(street.till, spare, redemptionToken="lrt1.nonsense", orderRef="A3")
    assert (nonsense["code"], nonsense["noun"]) == ("NOT_FOUND", "RedemptionCode")
    elsewhere = await street.redeem(street.till, spare, storeId=street.second_store, orderRef="A3")
    assert (elsewhere["code"], elsewhere["noun"]) == ("NOT_FOUND", "Store")
    street.world.clock.advance(seconds=61)
    old = await street.redeem(street.till, spare, redemptionToken=token, orderRef="A3")
    assert old["code"] == "REDEMPTION_CODE_EXPIRED"
    street.world.clock.advance(days=8)
    ref = read_node_id(spare)
    assert ref is not None
    late = TOKENS.sign(ref.owner, CouponId(ref.id), street.world.clock.at + timedelta(seconds=60))
    expired = await street.redeem(street.till, spare, redemptionToken=late, orderRef="A3")
    assert expired["code"] == "COUPON_EXPIRED"


async def test_a_budget_that_is_used_up_is_told(street: Street) -> None:
    made = await street.world.do(
        "createCampaign",
        OPERATOR,
        "campaign { id }",
        name="c",
        goal="RETENTION",
        startsAt=OPENS_AT.isoformat(),
        endsAt=CLOSES_AT.isoformat(),
        budget={"amount": "30.00", "currencyCode": "CNY"},
    )
    campaign = made["campaign"]["id"]
    await street.world.do("changeCampaignState", OPERATOR, campaignId=campaign, state="RUNNING")
    coupons = [await street.coupon(campaignId=campaign) for _ in range(2)]
    await street.redeem(street.till, coupons[0])
    refused = await street.redeem(street.till, coupons[1], orderRef="A2")
    assert (refused["code"], refused["required"]) == ("BUDGET_EXHAUSTED", {"amount": "20.00"})
    shown = await street.world.ask(
        "query($id: ID!) { node(id: $id) { ... on Campaign {"
        " budget { redeemed { amount } } metrics { redeemed discount { amount } revenue { amount } } } } }",
        OPERATOR,
        id=campaign,
    )
    assert shown["node"]["budget"] == {"redeemed": {"amount": "20.00"}}
    assert shown["node"]["metrics"] == {
        "redeemed": 1,
        "discount": {"amount": "20.00"},
        "revenue": {"amount": "100.00"},
    }


async def test_only_tills_and_the_order_system_redeem_and_record(street: Street) -> None:
    coupon = await street.coupon()
    redeem = "mutation($i: RedeemCouponsInput!) { redeemCoupons(input: $i) { __typename } }"
    record = "mutation($i: RecordOrderInput!) { recordOrder(input: $i) { __typename } }"
    given = {
        "orderRef": "A1",
        "redemptionToken": await street.token(coupon),
        "cart": street.cart(),
        "idempotencyKey": "k",
    }
    me = (await street.world.ask("{ me { id } }", street.member))["me"]["id"]
    told = {"orderRef": "A1", "memberId": me, "state": "PAID", "cart": street.cart(), "idempotencyKey": "k"}
    for who, code in ((None, "UNAUTHENTICATED"), (street.member, "FORBIDDEN"), (OPERATOR, "FORBIDDEN")):
        assert await street.world.codes(redeem, who, i=given) == [code]
        assert await street.world.codes(record, who, i=told) == [code]
    assert await street.world.database.pool.fetchval("SELECT count(*) FROM orders") == 0
    assert (await street.redeem(SERVICE, coupon, storeId=None))["replayed"] is False


async def test_a_merchants_staff_see_its_redemptions_and_nobody_else_does(street: Street) -> None:
    coupons = [await street.coupon() for _ in range(2)]
    north = street.till
    south = replace(staff(uuid_of(street.merchant), uuid_of(street.second_store), role=MerchantRole.TILL), subject="s")
    first = await street.redeem(north, coupons[0])
    await street.redeem(south, coupons[1], orderRef="A2", storeId=street.second_store)
    shown = await redemptions(street, street.owner)
    assert [node["orderRef"] for node in shown["nodes"]] == ["A2", "A1"]
    assert {node["coupon"]["id"] for node in shown["nodes"]} == set(coupons)
    assert [n["store"]["name"] for n in (await redemptions(street, north))["nodes"]] == ["North"]
    assert (await redemptions(street, street.owner, first=1))["pageInfo"] == {"hasNextPage": True}
    assert len((await redemptions(street, OPERATOR))["nodes"]) == 2
    document = "query($id: ID!) { merchant(id: $id) { redemptions { nodes { id } } } }"
    for who in (None, street.member, staff(uuid_of(street.other))):
        assert await street.world.codes(document, who, id=street.merchant) == ["FORBIDDEN"]
    node = "query($id: ID!) { node(id: $id) { __typename ... on Redemption { coupon { headline } } } }"
    id_ = first["redemptions"][0]["id"]
    for who, seen in (
        (street.owner, True),
        (north, True),
        (street.member, True),
        (OPERATOR, True),
        (south, False),
        (staff(uuid_of(street.other)), False),
        (await street.world.member("han-mei"), False),
        (None, False),
    ):
        assert ((await street.world.ask(node, who, id=id_))["node"] is not None) is seen, who
    coupon_itself = await street.world.ask("query($id: ID!) { node(id: $id) { id } }", north, id=coupons[0])
    assert coupon_itself["node"] is None, "staff reach a coupon by its redemption alone"


async def test_redemptions_of_a_page_are_read_in_a_few_statements(street: Street) -> None:
    for number in range(4):
        await street.redeem(street.till, await street.coupon(), orderRef=f"A{number}")
    names: list[str] = []
    token = on_statement.set(names_into(names))
    try:
        await redemptions(street, street.owner)
    finally:
        on_statement.reset(token)
    assert sorted(names) == [
        "coupon_templates_by_id",
        "merchants_by_id",
        "redeemed_coupons",
        "redemptions_of_merchants",
        "stores_by_id",
    ]


async def test_an_order_is_paid_received_and_earns(street: Street) -> None:
    paid = await street.record(SERVICE, "PAID")
    assert (paid["state"], paid["pointsPending"], paid["pointsEarned"], paid["replayed"]) == ("PAID", 120, 0, False)
    assert (await street.record(SERVICE, "PAID"))["replayed"] is True
    assert (await street.record(SERVICE, "RECEIVED"))["pointsPending"] == 120
    refused = await street.record(SERVICE, "CANCELLED")
    assert (refused["code"], refused["current"], refused["wanted"]) == (
        "INVALID_STATE_CHANGE",
        "RECEIVED",
        "CANCELLED",
    )
    points = (await street.world.ask("{ me { points { available pending } } }", street.member))["me"]["points"]
    assert points == {"available": 0, "pending": 120}


async def test_a_cancelled_order_gives_the_coupon_back(street: Street) -> None:
    coupon = await street.coupon()
    await street.redeem(SERVICE, coupon)
    assert (await street.record(SERVICE, "CANCELLED"))["state"] == "CANCELLED"
    shown = await street.world.ask(
        "query($id: ID!) { node(id: $id) { ... on Coupon { state history { nodes { change } } } } }",
        street.member,
        id=coupon,
    )
    assert shown["node"]["state"] == "CLAIMED"
    assert [n["change"] for n in shown["node"]["history"]["nodes"]] == ["CLAIMED", "REDEEMED", "RESTORED"]


async def test_a_cart_comes_with_paid_and_only_with_it(street: Street) -> None:
    record = "mutation($i: RecordOrderInput!) { recordOrder(input: $i) { __typename } }"
    me = (await street.world.ask("{ me { id } }", street.member))["me"]["id"]
    bare = {"orderRef": "A1", "memberId": me, "state": "PAID", "idempotencyKey": "k"}
    assert await street.world.codes(record, SERVICE, i=bare) == ["BAD_USER_INPUT"]
    full = {**bare, "state": "RECEIVED", "cart": street.cart()}
    assert await street.world.codes(record, SERVICE, i=full) == ["BAD_USER_INPUT"]
