"""Templates and claims through the schema."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.shared.ids import MemberId
from domain.shared.principal import MerchantRole, Principal
from schema.node_ids import NodeType, node_id
from tests.coupon_world import CLOSES_AT, NOON, OPENS_AT, member, merchant
from tests.resolvers.coupon_desk import (
    CLAIM,
    CREATE,
    OPERATOR,
    PUBLISH,
    Laurel,
    global_id,
    person,
    staff,
    template_input,
)


async def test_a_member_claims_and_sees_the_coupon(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published())
    claimed = await laurel.claim(template, person(1))
    assert claimed["__typename"] == "ClaimCouponSuccess"
    assert claimed["coupon"]["state"] == "CLAIMED"
    assert claimed["coupon"]["headline"] == "¥20 off ¥100"
    assert claimed["coupon"]["terms"] == [
        {"name": "threshold", "value": "100.00", "unit": "CNY"},
        {"name": "amount", "value": "20.00", "unit": "CNY"},
    ]
    assert claimed["coupon"]["validUntil"] == "2026-06-07T16:00:00Z"


async def test_each_refusal_is_its_own_problem_with_its_facts(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published(stock=1))
    laurel.world.clock.at = OPENS_AT - timedelta(days=1)
    early = await laurel.claim(template, person(1))
    assert (early["__typename"], early["opensAt"]) == ("NotStartedProblem", "2026-01-01T00:00:00Z")
    laurel.world.clock.at = NOON
    await laurel.claim(template, person(1), key="mine")
    assert (await laurel.claim(template, person(1), key="mine"))["replayed"] is True
    again = await laurel.claim(template, person(1))
    assert (again["__typename"], again["limit"], again["resetsAt"]) == ("ClaimLimitReachedProblem", 1, None)
    assert (await laurel.claim(template, person(2)))["code"] == "SOLD_OUT"
    other = global_id(await laurel.world.published())
    reused = await laurel.claim(other, person(1), key="mine")
    assert (reused["code"], reused["idempotencyKey"]) == ("IDEMPOTENCY_KEY_REUSED", "mine")
    laurel.world.clock.at = CLOSES_AT
    late = await laurel.claim(other, person(1))
    assert (late["code"], late["closedAt"]) == ("ENDED", "2027-01-01T00:00:00Z")
    assert (await laurel.claim(global_id(member(5)), person(1)))["code"] == "NOT_FOUND"


async def test_messages_speak_the_viewers_language(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published())
    await laurel.claim(template, person(1))
    answer = await laurel.ask(CLAIM, person(1), locale="zh-CN", template=template, key="k")
    assert answer.data["claimCoupon"]["message"] == "已达到领取上限 1 张。"


@pytest.mark.parametrize("who", [None, OPERATOR, staff(1)])
async def test_only_members_claim(laurel: Laurel, who: Principal | None) -> None:
    template = global_id(await laurel.world.published())
    answer = await laurel.ask(CLAIM, who, template=template, key="k")
    assert answer.codes == ["UNAUTHENTICATED" if who is None else "FORBIDDEN"]
    assert await laurel.world.value("SELECT count(*) FROM coupons") == 0


async def test_a_merchants_manager_writes_and_publishes_its_own_template(laurel: Laurel) -> None:
    await laurel.world.add_merchant(1)
    created = await laurel.create(staff(1), merchantId=node_id(NodeType.Merchant, merchant(1)))
    template = created["couponTemplate"]
    assert created["__typename"] == "CreateCouponTemplateSuccess"
    assert template["published"] is False
    assert template["stock"] == {"total": 10, "remaining": 10}
    assert template["funders"] == [{"funder": "MERCHANT", "basisPoints": 10000}]
    assert template["merchant"] == {"name": "merchant 1"}
    assert (await laurel.claim(template["id"], person(1)))["code"] == "NOT_FOUND", "a draft is not there"
    published = await laurel.ask(PUBLISH, staff(1), template=template["id"], key="p")
    assert published.data["publishCouponTemplate"]["couponTemplate"] == {"published": True}
    again = await laurel.ask(PUBLISH, staff(1), template=template["id"], key="q")
    assert again.data["publishCouponTemplate"] == {
        "__typename": "InvalidStateChangeProblem",
        "code": "INVALID_STATE_CHANGE",
        "current": "PUBLISHED",
        "wanted": "PUBLISHED",
    }
    assert (await laurel.claim(template["id"], person(1)))["__typename"] == "ClaimCouponSuccess"


async def test_the_platforms_template_is_borne_by_the_platform(laurel: Laurel) -> None:
    created = await laurel.create(OPERATOR)
    assert created["couponTemplate"]["funders"] == [{"funder": "PLATFORM", "basisPoints": 10000}]
    assert created["couponTemplate"]["merchant"] is None


async def test_nobody_writes_for_another_merchant_or_for_the_platform(laurel: Laurel) -> None:
    await laurel.world.add_merchant(1)
    await laurel.world.add_merchant(2)
    other = node_id(NodeType.Merchant, merchant(2))
    assert (await laurel.create(staff(1), merchantId=other))["code"] == "NOT_FOUND"
    assert (await laurel.ask(CREATE, staff(1), input=template_input())).codes == ["BAD_USER_INPUT"]
    till = await laurel.ask(CREATE, staff(2, MerchantRole.TILL), input=template_input(merchantId=other))
    assert till.codes == ["FORBIDDEN"], "a till plans nothing"
    assert (await laurel.ask(CREATE, person(1), input=template_input())).codes == ["FORBIDDEN"]
    assert await laurel.world.value("SELECT count(*) FROM coupon_templates") == 0


async def test_a_draft_is_seen_by_those_who_manage_it_alone(laurel: Laurel) -> None:
    await laurel.world.add_merchant(1)
    draft = global_id(await laurel.world.create(merchant_id=merchant(1)))
    public = global_id(await laurel.world.published(merchant_id=merchant(1)))
    document = "query($id: ID!) { node(id: $id) { id } couponTemplates { nodes { id } } }"
    for who, sees in (
        (staff(1), True),
        (OPERATOR, True),
        (staff(1, MerchantRole.TILL), False),
        (staff(2), False),
        (person(1), False),
        (None, False),
    ):
        answer = await laurel.ask(document, who, id=draft)
        assert (answer.data["node"] is not None) is sees, who
        shown = [node["id"] for node in answer.data["couponTemplates"]["nodes"]]
        assert shown == ([public, draft] if sees else [public]), who


async def test_a_draft_of_another_merchant_cannot_be_published(laurel: Laurel) -> None:
    await laurel.world.add_merchant(1)
    draft = global_id(await laurel.world.create(merchant_id=merchant(1)))
    answer = await laurel.ask(PUBLISH, staff(2), template=draft, key="p")
    assert answer.data["publishCouponTemplate"]["code"] == "NOT_FOUND"
    till = await laurel.ask(PUBLISH, staff(1, MerchantRole.TILL), template=draft, key="p")
    assert till.codes == ["FORBIDDEN"]
    assert await laurel.world.value("SELECT state FROM coupon_templates") == "DRAFT"


async def test_whether_the_viewer_can_claim_is_what_a_claim_would_be_answered(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published())
    document = """query { couponTemplates { nodes { viewerCanClaim {
      allowed problem { code message } eligibility { eligible because { children { name passed } } } } } } }"""

    async def decision(who: Principal | None) -> tuple[bool, str | None]:
        (node,) = (await laurel.ask(document, who)).data["couponTemplates"]["nodes"]
        decided = node["viewerCanClaim"]
        assert decided["allowed"] is decided["eligibility"]["eligible"]
        return decided["allowed"], decided["problem"] and decided["problem"]["code"]

    assert await decision(person(1)) == (True, None)
    await laurel.claim(template, person(1))
    assert await decision(person(1)) == (False, "CLAIM_LIMIT_REACHED")
    assert await decision(person(2)) == (True, None)
    assert await decision(None) == (False, None)
    laurel.world.clock.at = CLOSES_AT
    assert await decision(person(2)) == (False, "ENDED")


async def test_a_list_of_templates_takes_one_statement_per_table(laurel: Laurel) -> None:
    await laurel.world.add_merchant(1)
    for _ in range(6):
        await laurel.world.published(merchant_id=merchant(1))
    document = """query { couponTemplates { nodes {
      id headline rulesText merchant { name } campaign { name } stock { remaining } viewerCanClaim { allowed } } } }"""
    answer = await laurel.ask(document, person(1))
    assert len(answer.data["couponTemplates"]["nodes"]) == 6
    assert sorted(answer.statements) == [
        "claim_standings",
        "coupon_templates_page",
        "merchants_by_id",
        "template_stocks",
    ]


async def test_claimable_now_leaves_out_what_nobody_can_claim(laurel: Laurel) -> None:
    open_ = global_id(await laurel.world.published())
    gone = await laurel.world.published(stock=1)
    await laurel.world.claimed(gone)
    await laurel.world.published(claim_opens_at=CLOSES_AT - timedelta(days=1))
    document = "query($now: Boolean) { couponTemplates(filter: {claimableNow: $now}) { nodes { id } } }"
    assert (await laurel.ask(document, now=True)).data["couponTemplates"]["nodes"] == [{"id": open_}]
    assert len((await laurel.ask(document, now=False)).data["couponTemplates"]["nodes"]) == 2


async def test_the_published_conditions_say_what_is_enforced(laurel: Laurel) -> None:
    template = await laurel.world.published(limit_per_member=2, limit_per_member_per_day=1)
    document = """query($id: ID!) { node(id: $id) { ... on CouponTemplate {
      zh: rulesText(locale: "zh-CN") en: rulesText } } }"""
    node = (await laurel.ask(document, id=global_id(template))).data["node"]
    assert "每位会员限领 2 张" in node["zh"]
    assert "每位会员每天限领 1 张" in node["zh"]
    assert "领取当天起 7 天内有效" in node["zh"]
    assert "At most 2 per member." in node["en"]
    assert datetime.fromisoformat("2026-01-01T08:00:00").strftime("%Y-%m-%d %H:%M:%S") in node["zh"]


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"terms": {"amountMinor": 2000}}, ["terms", "thresholdMinor"]),
        ({"terms": {"thresholdMinor": 100, "amountMinor": 200}}, ["terms", "amountMinor"]),
        ({"terms": {"thresholdMinor": 100, "amountMinor": 20, "extra": 1}}, ["terms", "extra"]),
        ({"terms": "none"}, ["terms"]),
        ({"stock": 0}, ["stock"]),
        ({"limitPerMember": 0}, ["limitPerMember"]),
        ({"limitPerMemberPerDay": -1}, ["limitPerMemberPerDay"]),
        ({"claimClosesAt": OPENS_AT.isoformat()}, ["claimClosesAt"]),
        ({"validity": {}}, ["validity"]),
        ({"validity": {"daysAfterClaim": 0}}, ["validity", "daysAfterClaim"]),
        ({"validity": {"daysAfterClaim": 1, "until": CLOSES_AT.isoformat()}}, ["validity"]),
        ({"validity": {"from": CLOSES_AT.isoformat(), "until": OPENS_AT.isoformat()}}, ["validity", "until"]),
        ({"validity": {"from": OPENS_AT.isoformat(), "until": NOON.isoformat()}}, ["validity", "until"]),
        ({"scope": {"productRefs": []}}, ["scope", "productRefs"]),
        ({"scope": {"channels": []}}, ["scope", "channels"]),
        ({"scope": {"merchantIds": [node_id(NodeType.Merchant, merchant(9))]}}, ["scope", "merchantIds"]),
        ({"scope": {"storeIds": [node_id(NodeType.Store, merchant(9))]}}, ["scope", "storeIds"]),
        ({"scope": {"merchantIds": []}}, ["scope", "merchantIds"]),
        ({"percentBase": "INITIAL"}, ["percentBase"]),
        ({"stacking": {"maxPerOrder": 5}}, ["stacking", "maxPerOrder"]),
        ({"scope": {"productRefs": ["a"], "excludedProductRefs": ["a"]}}, ["scope", "excludedProductRefs"]),
        ({"kind": "FREE_SHIPPING", "terms": {}, "stacking": {"lane": "ITEM"}}, ["stacking", "lane"]),
        ({"conditions": {"cartQuantity": {"atMost": 0}}}, ["conditions", "cartQuantity", "atMost"]),
        ({"scope": {"storeIds": []}}, ["scope", "storeIds"]),
        ({"scope": {"productRefs": ["p1", "p2\n满1减100"]}}, ["scope", "productRefs", "1"]),
        ({"scope": {"categoryRefs": ["\u202etea"]}}, ["scope", "categoryRefs", "0"]),
        ({"scope": {"excludedProductRefs": ["p\x00"]}}, ["scope", "excludedProductRefs", "0"]),
        (
            {"kind": "PRODUCT_EXCHANGE", "terms": {"productRefs": ["p1", "p2\x00"]}},
            ["terms", "productRefs", "1"],
        ),
        ({"stacking": {"exclusiveGroup": "a\x00"}}, ["stacking", "exclusiveGroup"]),
        ({"stacking": {"tags": ["a", "b\u202e"]}}, ["stacking", "tags", "1"]),
        ({"conditions": {"memberTags": ["VIP\x00"]}}, ["conditions", "memberTags", "0"]),
        ({"conditions": {"none": [{"all": [{"channel": []}]}]}}, ["conditions", "none", "0", "all", "0", "channel"]),
        ({"conditions": {"any": [{"weekday": ["SUN"]}]}}, ["conditions", "any", "0", "weekday", "0"]),
        ({"conditions": {"timeOfDay": {"from": 9, "until": "10:00"}}}, ["conditions", "timeOfDay", "from"]),
        ({"conditions": {"cartAmountMinor": {"atLeast": "100"}}}, ["conditions", "cartAmountMinor", "atLeast"]),
        ({"conditions": {"moonPhase\x00": "full"}}, ["conditions", "moonPhase\x00"]),
        ({"stacking": {"maxPerOrder": 0}}, ["stacking", "maxPerOrder"]),
        ({"stacking": {"tags": []}}, ["stacking", "tags"]),
        ({"stacking": {"exclusiveGroup": ""}}, ["stacking", "exclusiveGroup"]),
        ({"funders": [{"funder": "PLATFORM", "basisPoints": 9999}]}, ["funders"]),
        ({"funders": [{"funder": "PLATFORM", "basisPoints": 5000}] * 2}, ["funders"]),
    ],
)
async def test_what_is_wrong_with_a_template_is_named_by_its_path(
    laurel: Laurel, changed: dict[str, Any], path: list[str]
) -> None:
    created = await laurel.create(OPERATOR, **changed)
    assert (created["__typename"], created["code"]) == ("InvalidTermsProblem", "INVALID_TERMS")
    assert created["path"] == path
    assert await laurel.world.value("SELECT count(*) FROM coupon_templates") == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "满减\ud800"},
        {"kind": "PRODUCT_EXCHANGE", "terms": {"productRefs": ["p1", "\ud800"]}},
        {"scope": {"productRefs": ["\udfff"]}},
        {"stacking": {"exclusiveGroup": "\ud800"}},
        {"conditions": {"memberTags": ["\ud800"]}},
        {"conditions": {"\ud800": 1}},
    ],
)
async def test_half_of_a_surrogate_pair_is_the_callers_mistake_wherever_it_is(
    laurel: Laurel, changed: dict[str, Any]
) -> None:
    assert (await laurel.ask(CREATE, OPERATOR, input=template_input(**changed))).codes == ["BAD_USER_INPUT"]
    assert await laurel.world.value("SELECT count(*) FROM coupon_templates") == 0


async def test_a_merchants_staff_do_not_promise_the_platforms_money(laurel: Laurel) -> None:
    await laurel.world.add_merchant(1)
    shares = [{"funder": "PLATFORM", "basisPoints": 5000}, {"funder": "MERCHANT", "basisPoints": 5000}]
    own = node_id(NodeType.Merchant, merchant(1))
    assert (await laurel.create(staff(1), merchantId=own, funders=shares))["path"] == ["funders"]
    assert (await laurel.create(OPERATOR, merchantId=own, funders=shares))["couponTemplate"]["funders"] == shares


async def test_the_same_create_again_is_the_first_answer(laurel: Laurel) -> None:
    first = await laurel.create(OPERATOR, idempotencyKey="mine")
    again = await laurel.create(OPERATOR, idempotencyKey="mine")
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["couponTemplate"]["id"] == again["couponTemplate"]["id"]
    assert (await laurel.create(OPERATOR, idempotencyKey="mine", stock=11))["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await laurel.world.value("SELECT count(*) FROM coupon_templates") == 1


def test_a_members_id_is_in_the_id_of_its_coupon() -> None:
    text = node_id(NodeType.Coupon, member(2), member_id=MemberId(member(1)))
    assert text != node_id(NodeType.Coupon, member(2), member_id=MemberId(member(3)))
