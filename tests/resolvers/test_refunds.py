"""Refunds through the schema: who may, what is answered."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.shared.principal import MerchantRole, Principal
from tests.coupon_world import CLOSES_AT, OPENS_AT
from tests.street import Street, street
from tests.world import OPERATOR, SERVICE, staff, uuid_of

__all__ = ["street"]

REFUNDED = """
    refund { amount currencyCode } receivable { amount } restored { id state headline }
    pointsReturned pointsClawedBack
"""
FACTS = """
    } ... on RefundExceedsOrderProblem { lineId requested remaining }
    ... on InvalidStateChangeProblem { current wanted } ... on NotFoundProblem { noun } ... on Problem { code
"""


async def refund(street: Street, who: Principal, **given: Any) -> Mapping[str, Any]:
    return await street.world.do("refundOrder", who, REFUNDED + FACTS, **({"orderRef": "A1"} | given))


async def paid(street: Street, who: Principal, **changed: Any) -> str:
    """An order of two lines of ¥60 with 满100减20."""
    coupon = await street.coupon(**changed)
    done = await street.redeem(who, coupon, cart=street.cart("60.00", "60.00"))
    assert done["__typename"] == "RedeemCouponsSuccess", done
    return coupon


async def test_a_till_refunds_a_line_and_then_the_rest(street: Street) -> None:
    coupon = await paid(street, street.till)
    first = await refund(street, street.till, lines=[{"lineId": "l0", "quantity": 1}], idempotencyKey="mine")
    assert first == {
        "__typename": "RefundOrderSuccess",
        "replayed": False,
        "refund": {"amount": "50.00", "currencyCode": "CNY"},
        "receivable": {"amount": "0.00"},
        "restored": [],
        "pointsReturned": 0,
        "pointsClawedBack": 50,
    }
    seen = "query($id: ID!) { merchant(id: $id) { redemptions { nodes { refunded { amount } reversedAt } } } }"
    (redemption,) = (await street.world.ask(seen, street.owner, id=street.merchant))["merchant"]["redemptions"]["nodes"]
    assert redemption == {"refunded": {"amount": "10.00"}, "reversedAt": None}
    again = await refund(street, street.till, lines=[{"lineId": "l0", "quantity": 1}], idempotencyKey="mine")
    assert again == {**first, "replayed": True}
    rest = await refund(street, street.till)
    assert rest["refund"]["amount"] == "50.00"
    assert [(one["id"], one["state"]) for one in rest["restored"]] == [(coupon, "CLAIMED")]
    shown = await street.world.ask(
        "query($id: ID!) { node(id: $id) { ... on Coupon { state history { nodes { change } } } } }",
        street.member,
        id=coupon,
    )
    assert [n["change"] for n in shown["node"]["history"]["nodes"]] == ["CLAIMED", "REDEEMED", "RESTORED"]


async def test_what_a_rest_does_not_deserve_is_taken_from_the_refund_or_owed(street: Street) -> None:
    coupon = await paid(street, SERVICE, refundPolicy="REPRICE")
    done = await refund(street, SERVICE, lines=[{"lineId": "l1", "quantity": 1}])
    assert (done["refund"]["amount"], [one["id"] for one in done["restored"]]) == ("40.00", [coupon])
    other = await street.coupon(refundPolicy="CLAWBACK")
    await street.redeem(SERVICE, other, cart=street.cart("60.00", "60.00"), orderRef="A2")
    owed = await refund(street, SERVICE, orderRef="A2", lines=[{"lineId": "l1", "quantity": 1}])
    assert (owed["refund"]["amount"], owed["receivable"]["amount"], owed["restored"]) == ("50.00", "10.00", [])
    rest = await refund(street, SERVICE, orderRef="A2")
    assert (rest["refund"]["amount"], rest["receivable"]["amount"]) == ("50.00", "-10.00")


async def test_a_campaign_counts_what_refunds_leave(street: Street) -> None:
    made = await street.world.do(
        "createCampaign",
        OPERATOR,
        "campaign { id }",
        name="c",
        goal="RETENTION",
        startsAt=OPENS_AT.isoformat(),
        endsAt=CLOSES_AT.isoformat(),
        budget={"amount": "20.00", "currencyCode": "CNY"},
    )
    campaign = made["campaign"]["id"]
    await street.world.do("changeCampaignState", OPERATOR, campaignId=campaign, state="RUNNING")
    await paid(street, SERVICE, campaignId=campaign)
    await refund(street, SERVICE, lines=[{"lineId": "l1", "quantity": 1}])
    shown = await street.world.ask(
        "query($id: ID!) { node(id: $id) { ... on Campaign {"
        " budget { redeemed { amount } } metrics { redeemed discount { amount } revenue { amount } } } } }",
        OPERATOR,
        id=campaign,
    )
    assert shown["node"]["budget"] == {"redeemed": {"amount": "10.00"}}
    assert shown["node"]["metrics"] == {"redeemed": 1, "discount": {"amount": "10.00"}, "revenue": {"amount": "50.00"}}


async def test_refusals_of_refunds_carry_their_facts(street: Street) -> None:
    await paid(street, SERVICE)
    unknown = await refund(street, SERVICE, orderRef="A9")
    assert (unknown["code"], unknown["noun"]) == ("NOT_FOUND", "Order")
    nowhere = await refund(street, SERVICE, lines=[{"lineId": "l9", "quantity": 1}])
    assert (nowhere["code"], nowhere["noun"]) == ("NOT_FOUND", "OrderLine")
    many = await refund(street, SERVICE, lines=[{"lineId": "l1", "quantity": 2}])
    assert many["code"] == "REFUND_EXCEEDS_ORDER"
    assert (many["lineId"], many["requested"], many["remaining"]) == ("l1", 2, 1)
    assert many["message"] == "No more than what is left can be refunded: 1 units."
    await refund(street, SERVICE, idempotencyKey="mine")
    reused = await refund(street, SERVICE, idempotencyKey="mine", orderRef="A2")
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"
    nothing = await refund(street, SERVICE)
    assert (nothing["code"], nothing["lineId"], nothing["remaining"]) == ("REFUND_EXCEEDS_ORDER", None, 0)
    await street.record(SERVICE, "PAID", orderRef="A3")
    await street.record(SERVICE, "CANCELLED", orderRef="A3")
    over = await refund(street, SERVICE, orderRef="A3")
    assert (over["code"], over["current"], over["wanted"]) == ("INVALID_STATE_CHANGE", "CANCELLED", "REFUNDED")


async def test_only_the_till_of_its_store_and_the_order_system_refund(street: Street) -> None:
    await paid(street, street.till)
    mutation = "mutation($i: RefundOrderInput!) { refundOrder(input: $i) { __typename } }"
    given = {"orderRef": "A1", "idempotencyKey": "k"}
    for who, code in ((None, "UNAUTHENTICATED"), (street.member, "FORBIDDEN"), (OPERATOR, "FORBIDDEN")):
        assert await street.world.codes(mutation, who, i=given) == [code]
    south = staff(uuid_of(street.merchant), uuid_of(street.second_store), role=MerchantRole.TILL)
    for other in (staff(uuid_of(street.other)), south, SERVICE):
        assert (await refund(street, other))["code"] == "NOT_FOUND"
    assert await street.world.database.pool.fetchval("SELECT count(*) FROM refunds") == 0
    assert (await refund(street, street.owner))["refund"]["amount"] == "100.00"


async def test_a_refund_that_names_nothing_or_a_line_twice_is_refused(street: Street) -> None:
    await paid(street, SERVICE)
    mutation = "mutation($i: RefundOrderInput!) { refundOrder(input: $i) { __typename } }"
    for lines in (
        [],
        [{"lineId": "l0", "quantity": 0}],
        [{"lineId": "l0", "quantity": 1}, {"lineId": "l0", "quantity": 1}],
        [{"lineId": f"l{n}", "quantity": 1} for n in range(201)],
    ):
        given = {"orderRef": "A1", "idempotencyKey": "k", "lines": lines}
        assert await street.world.codes(mutation, SERVICE, i=given) == ["BAD_USER_INPUT"]


async def member_of(street: Street) -> str:
    return str((await street.world.ask("{ me { id } }", street.member))["me"]["id"])


@pytest.mark.parametrize("told_by", ["refundOrder", "recordOrder"])
async def test_a_till_says_that_the_merchant_is_at_fault_and_the_coupon_has_its_days_of_grace(
    street: Street, told_by: str
) -> None:
    coupon = await paid(street, street.till, merchantFaultGraceDays=20)
    if told_by == "refundOrder":
        await refund(street, street.till, cause="MERCHANT_FAULT")
    else:
        await street.record(street.till, "CANCELLED", orderRef="A1", cause="MERCHANT_FAULT")
    shown = await street.world.ask(
        "query($id: ID!) { node(id: $id) { ... on Coupon { state validUntil claimedAt"
        ' template { merchantFaultGraceDays rulesText(locale: "en") } } } }',
        street.member,
        id=coupon,
    )
    found, template = shown["node"], shown["node"]["template"]
    assert (found["state"], template["merchantFaultGraceDays"]) == ("CLAIMED", 20)
    valid_for = datetime.fromisoformat(found["validUntil"]) - datetime.fromisoformat(found["claimedAt"])
    assert timedelta(days=19) <= valid_for <= timedelta(days=20)
    assert "valid for at least 20 days, the day of the return included" in template["rulesText"]


async def test_a_member_never_says_whose_fault_it_was(street: Street) -> None:
    await paid(street, street.till)
    fault = {"orderRef": "A1", "cause": "MERCHANT_FAULT", "idempotencyKey": "k"}
    refunding = "mutation($i: RefundOrderInput!) { refundOrder(input: $i) { __typename } }"
    assert await street.world.codes(refunding, street.member, i=fault) == ["FORBIDDEN"]
    cancelling = "mutation($i: RecordOrderInput!) { recordOrder(input: $i) { __typename } }"
    given = {**fault, "memberId": await member_of(street), "state": "CANCELLED"}
    assert await street.world.codes(cancelling, street.member, i=given) == ["FORBIDDEN"]
    assert await street.world.database.pool.fetchval("SELECT count(*) FROM refunds") == 0


async def test_a_fault_is_told_of_a_cancelled_order_and_of_no_other_state(street: Street) -> None:
    await paid(street, street.till)
    mutation = "mutation($i: RecordOrderInput!) { recordOrder(input: $i) { __typename } }"
    given = {
        "orderRef": "A1",
        "memberId": await member_of(street),
        "state": "RECEIVED",
        "cause": "MERCHANT_FAULT",
    }
    assert await street.world.codes(mutation, street.till, i={**given, "idempotencyKey": "k"}) == ["BAD_USER_INPUT"]


async def test_the_cause_that_is_left_out_is_the_members_wish(street: Street) -> None:
    await paid(street, street.till)
    first = await refund(street, street.till, idempotencyKey="mine")
    again = await refund(street, street.till, idempotencyKey="mine", cause="CUSTOMER")
    assert again == {**first, "replayed": True}
    reused = await refund(street, street.till, idempotencyKey="mine", cause="MERCHANT_FAULT")
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await street.world.database.pool.fetchval("SELECT cause FROM refunds") == "CUSTOMER"
