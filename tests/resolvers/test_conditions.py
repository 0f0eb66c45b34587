"""Conditions of use, from the operator's input to the member's proof and the till's refusal."""

from tests.street import Street, street
from tests.world import OPERATOR

__all__ = ["street"]

# The world's clock stands at noon of a Monday in Shanghai.
LUNCH_FOR_TWO = {
    "all": [
        {"cartQuantity": {"atLeast": 2}},
        {"timeOfDay": {"from": "11:00", "until": "14:00"}},
        {"any": [{"weekday": ["MONDAY"]}, {"channel": ["IN_STORE"]}]},
    ]
}
UNIT_MORE = "Add 1 more eligible unit to use it"
PROOF = """query($id: ID!, $cart: CartInput!) { node(id: $id) { ... on Coupon {
  template { rulesText(locale: "en") }
  eligibility(cart: $cart) { eligible unlock because { children { name passed children { name passed required actual
    children { name passed required actual } } } } } } } }"""


async def test_conditions_are_stored_published_and_decide_on_use(street: Street) -> None:
    coupon = await street.coupon(conditions=LUNCH_FOR_TWO)
    alone = (await street.world.ask(PROOF, street.member, id=coupon, cart=street.cart("120.00")))["node"]
    assert "at least 2 units" in alone["template"]["rulesText"]
    assert "from 11:00 until before 14:00; any of (on Monday; bought in store)" in alone["template"]["rulesText"]
    assert (alone["eligibility"]["eligible"], alone["eligibility"]["unlock"]) == (False, UNIT_MORE)
    (proof,) = (p for p in alone["eligibility"]["because"]["children"] if p["name"] == "conditions")
    quantity, hour, day = proof["children"][0]["children"]
    assert (quantity["name"], quantity["passed"]) == ("cartQuantity", False)
    assert (quantity["required"], quantity["actual"]) == ("≥ 2", "1")
    assert (hour["name"], hour["passed"]) == ("timeOfDay", True)
    assert (hour["required"], hour["actual"]) == ("11:00 ≤ t < 14:00", "12:00:00")
    assert (day["name"], day["passed"]) == ("any", True)
    both = (await street.world.ask(PROOF, street.member, id=coupon, cart=street.cart("60.00", "60.00")))["node"]
    assert both["eligibility"]["eligible"] is True


async def test_what_is_no_condition_is_refused_with_its_path(street: Street) -> None:
    refused = await street.world.do(
        "createCouponTemplate",
        OPERATOR,
        "couponTemplate { id } } ... on InvalidTermsProblem { path",
        name="满100减20",
        kind="AMOUNT_OFF",
        terms={"amountMinor": 2000},
        currencyCode="CNY",
        stock=1,
        claimOpensAt="2026-06-01T00:00:00Z",
        claimClosesAt="2026-07-01T00:00:00Z",
        validity={"daysAfterClaim": 7},
        conditions={"all": [{"cartQuantity": {"atLeast": 2}}, {"moonPhase": "full"}]},
    )
    assert refused["path"] == ["conditions", "all", "1", "moonPhase"]


async def test_a_till_is_refused_by_what_the_quote_shows(street: Street) -> None:
    coupon = await street.coupon(conditions={"all": [{"channel": ["IN_STORE"]}, {"cartQuantity": {"atLeast": 2}}]})
    document = (
        "query($input: QuoteInput!) { quote(input: $input) { discount { amount } notApplied { coupon { id } } } }"
    )
    priced = {"cart": street.cart("60.00", "60.00"), "couponIds": [coupon], "strategy": "CHOSEN"}
    online = (await street.world.ask(document, street.member, input=priced))["quote"]
    assert online == {"discount": {"amount": "0.00"}, "notApplied": [{"coupon": {"id": coupon}}]}
    priced["cart"] = street.cart("60.00", "60.00") | {"channel": "IN_STORE"}
    in_store = (await street.world.ask(document, street.member, input=priced))["quote"]
    assert in_store == {"discount": {"amount": "20.00"}, "notApplied": []}
    refused = await street.redeem(street.till, coupon)
    assert refused["code"] == "NOT_ELIGIBLE"
    assert (refused["eligibility"]["eligible"], refused["eligibility"]["unlock"]) == (False, UNIT_MORE)
    done = await street.redeem(street.till, coupon, cart=street.cart("60.00", "60.00"))
    assert done["redemptions"][0]["discount"]["minorUnits"] == 2000
