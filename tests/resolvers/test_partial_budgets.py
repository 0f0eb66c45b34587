"""A budget of which a coupon takes what there is, through the schema: what is said before, at and after the payment."""

from collections.abc import Mapping
from typing import Any

from domain.shared.principal import Principal
from tests.coupon_world import CLOSES_AT, OPENS_AT
from tests.street import Street, street
from tests.world import OPERATOR

__all__ = ["street"]

MONEY = "{ amount }"
OFFERS = (
    f"quoteToken payable {MONEY} applied {{ amount {MONEY} fullAmount {MONEY} "
    "eligibility { eligible because { children { name passed required actual } } } }"
)
ASK = f"query($input: QuoteInput!) {{ quote(input: $input) {{ {OFFERS} }} }}"
HELD = (
    f"reservation {{ id }} quote {{ {OFFERS} }} }} "
    f"... on QuoteChangedProblem {{ changed: quote {{ {OFFERS} }} }} ... on Problem {{ code"
)
CUT = {"amount": {"amount": "7.00"}, "fullAmount": {"amount": "20.00"}}


async def campaign(street: Street, amount: str) -> str:
    made = await street.world.do(
        "createCampaign",
        OPERATOR,
        "campaign { id budget { remainder } }",
        name="c",
        goal="RETENTION",
        startsAt=OPENS_AT.isoformat(),
        endsAt=CLOSES_AT.isoformat(),
        budget={"amount": amount, "currencyCode": "CNY"},
        budgetRemainder="PARTIAL",
    )
    assert made["campaign"]["budget"] == {"remainder": "PARTIAL"}
    await street.world.do("changeCampaignState", OPERATOR, campaignId=made["campaign"]["id"], state="RUNNING")
    return str(made["campaign"]["id"])


async def quote(street: Street, who: Principal, **given: Any) -> Mapping[str, Any]:
    answered = await street.world.ask(ASK, who, input={"cart": street.cart(), **given})
    found: Mapping[str, Any] = answered["quote"]
    return found


def amounts(applied: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: applied[name] for name in ("amount", "fullAmount")}


async def test_a_quote_a_reservation_and_a_payment_say_from_what_a_discount_was_cut(street: Street) -> None:
    coupon = await street.coupon(campaignId=await campaign(street, "7.00"))
    best = await quote(street, street.member, strategy="BEST")
    chosen = await quote(street, street.member, strategy="CHOSEN", couponIds=[coupon])
    for shown in (best, chosen):
        (applied,) = shown["applied"]
        assert (amounts(applied), shown["payable"]) == (CUT, {"amount": "113.00"})
        assert applied["eligibility"]["eligible"]
        last = {"name": "budget_remainder", "passed": True, "required": "> ¥0.00", "actual": "¥7.00 of ¥20.00"}
        assert applied["eligibility"]["because"]["children"][-1] == last
    given = {"orderRef": "A1", "cart": street.cart(), "couponIds": [coupon], "quoteToken": chosen["quoteToken"]}
    held = await street.world.do("reserveCoupons", street.member, HELD, **given)
    assert [amounts(one) for one in held["quote"]["applied"]] == [CUT]
    paid = await street.world.do(
        "redeemCoupons",
        street.till,
        f"quote {{ applied {{ amount {MONEY} fullAmount {MONEY} }} }} redemptions {{ discount {MONEY} }}",
        orderRef="A1",
        reservationId=held["reservation"]["id"],
        storeId=street.store,
    )
    assert (paid["quote"]["applied"], paid["redemptions"]) == ([CUT], [{"discount": {"amount": "7.00"}}])


async def test_who_was_promised_more_than_is_left_is_told_the_new_quote(street: Street) -> None:
    id_ = await campaign(street, "27.00")
    mine, other = [await street.coupon(campaignId=id_) for _ in range(2)]
    shown = await quote(street, street.member, strategy="CHOSEN", couponIds=[mine])
    assert [amounts(one) for one in shown["applied"]] == [{"amount": {"amount": "20.00"}, "fullAmount": None}]
    await street.redeem(street.till, other, orderRef="A0")
    given = {"orderRef": "A1", "cart": street.cart(), "couponIds": [mine], "quoteToken": shown["quoteToken"]}
    refused = await street.world.do("reserveCoupons", street.member, HELD, **given)
    assert (refused["code"], refused["changed"]["payable"]) == ("QUOTE_CHANGED", {"amount": "113.00"})
    assert [amounts(one) for one in refused["changed"]["applied"]] == [CUT]
    given["quoteToken"] = refused["changed"]["quoteToken"]
    assert (await street.world.do("reserveCoupons", street.member, HELD, **given))["reservation"]["id"]


async def test_the_rules_of_a_coupon_say_that_its_discount_may_be_less(street: Street) -> None:
    coupon = await street.coupon(campaignId=await campaign(street, "7.00"))
    document = "query($id: ID!) { node(id: $id) { ... on Coupon { headline template { rulesText } } } }"
    shown = (await street.world.ask(document, street.member, id=coupon))["node"]
    assert "20" in shown["headline"]
    assert "the discount may be less when the budget runs out" in shown["template"]["rulesText"]
