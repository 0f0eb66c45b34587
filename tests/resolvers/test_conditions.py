"""Conditions of use, from the operator's input to the member's proof."""

from collections.abc import AsyncIterator

import pytest

from domain.coupons.desk import ClaimDesk
from domain.shared.principal import Scope
from tests.coupon_world import world
from tests.resolvers.test_coupons import CREATE, OPERATOR, PUBLISH, Laurel, cart, person, template_input
from tests.street import Street, street

__all__ = ["street"]

# The world's clock stands at noon of a Monday in Shanghai.
LUNCH_FOR_TWO = {
    "all": [
        {"cartQuantity": {"atLeast": 2}},
        {"timeOfDay": {"from": "11:00", "until": "14:00"}},
        {"any": [{"weekday": ["MONDAY"]}, {"channel": ["IN_STORE"]}]},
    ]
}
PROOF = """query($id: ID!, $cart: CartInput!) { node(id: $id) { ... on Coupon {
  template { rulesText(locale: "en") }
  eligibility(cart: $cart) { eligible unlock because { children { name passed children { name passed required actual
    children { name passed required actual } } } } } } } }"""


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[Laurel]:
    async with world(database_url) as made:
        yield Laurel(made, ClaimDesk(begin=lambda: made.database.begin_set(Scope.system())))


async def test_conditions_are_stored_published_and_decide_on_use(laurel: Laurel) -> None:
    written = await laurel.ask(CREATE, OPERATOR, input=template_input(conditions=LUNCH_FOR_TWO))
    template = written.data["createCouponTemplate"]["couponTemplate"]["id"]
    published = await laurel.ask(PUBLISH, OPERATOR, template=template, key="publish")
    assert published.data["publishCouponTemplate"]["couponTemplate"] == {"published": True}
    claimed = await laurel.claim(template, person(1))
    alone = await laurel.ask(PROOF, person(1), id=claimed["coupon"]["id"], cart=cart("100.00"))
    coupon = alone.data["node"]
    assert "at least 2 units" in coupon["template"]["rulesText"]
    assert "from 11:00 until before 14:00; any of (on Monday; bought in store)" in coupon["template"]["rulesText"]
    assert (coupon["eligibility"]["eligible"], coupon["eligibility"]["unlock"]) == (False, None)
    (proof,) = (p for p in coupon["eligibility"]["because"]["children"] if p["name"] == "conditions")
    quantity, hour, day = proof["children"][0]["children"]
    assert quantity == {"name": "cartQuantity", "passed": False, "required": "≥ 2", "actual": "1"}
    assert hour == {"name": "timeOfDay", "passed": True, "required": "11:00 ≤ t < 14:00", "actual": "12:00:00"}
    assert (day["name"], day["passed"]) == ("any", True)
    both = await laurel.ask(PROOF, person(1), id=claimed["coupon"]["id"], cart=cart("100.00", quantity=2))
    assert both.data["node"]["eligibility"]["eligible"] is True


async def test_what_is_no_condition_is_refused_with_its_path(laurel: Laurel) -> None:
    wrong = {"all": [{"cartQuantity": {"atLeast": 2}}, {"moonPhase": "full"}]}
    answer = await laurel.ask(CREATE, OPERATOR, input=template_input(conditions=wrong))
    refused = answer.data["createCouponTemplate"]
    assert refused["__typename"] == "InvalidTermsProblem"
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
    assert (refused["eligibility"]["eligible"], refused["eligibility"]["unlock"]) == (False, None)
    done = await street.redeem(street.till, coupon, cart=street.cart("60.00", "60.00"))
    assert done["redemptions"][0]["discount"]["minorUnits"] == 2000
