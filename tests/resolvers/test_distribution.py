"""Issuing coupons and redeeming codes through the schema: who may, what is answered, and what it says."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from domain.coupons.codes import MAX_ATTEMPTS
from domain.coupons.issuing import MAX_ROWS
from domain.shared.principal import MerchantRole, Principal
from resolvers.limits import Limits, hold_variables
from schema.node_ids import NodeType, node_id
from tests.coupon_world import NOON, keys, member, merchant
from tests.resolvers.coupon_desk import OPERATOR, Laurel, add_person, global_id, person, staff

ISSUE = """mutation($template: ID!, $members: [ID!]!, $key: ID!, $reason: String!) {
  issueCoupons(input: {couponTemplateId: $template, memberIds: $members, reason: $reason, idempotencyKey: $key}) {
    __typename
    ... on IssueCouponsSuccess {
      replayed
      outcomes {
        memberId
        coupon { id code state headline template { id } history { nodes { change reason } } }
        problem { __typename code message ... on ClaimLimitReachedProblem { limit resetsAt } }
      }
    }
    ... on Problem { code message }
  }
}"""
CODES = """mutation($input: CreateCouponCodesInput!) {
  createCouponCodes(input: $input) {
    __typename
    ... on CreateCouponCodesSuccess { replayed codes couponTemplate { id codes(first: 2) {
      nodes { code uses usesLimit expiresAt } pageInfo { hasNextPage endCursor } } } }
    ... on Problem { code message }
    ... on InvalidTermsProblem { path reason }
  }
}"""
REDEEM = """mutation($code: String!, $key: ID!) {
  redeemCode(input: {code: $code, idempotencyKey: $key}) {
    __typename
    ... on RedeemCodeSuccess { replayed coupon { id state headline } }
    ... on Problem { code message }
    ... on NotFoundProblem { noun }
    ... on CodeExpiredProblem { expiredAt }
    ... on TooManyAttemptsProblem { retryAt }
  }
}"""
OPERATION = "query($key: ID!) { operation(idempotencyKey: $key) { mutation committedAt progress { done total } } }"


def member_id(number: int) -> str:
    return node_id(NodeType.Member, member(number))


async def issue(
    laurel: Laurel, who: Principal | None, template: str, *numbers: int, key: str | None = None, **changed: Any
) -> Mapping[str, Any]:
    variables = {"template": template, "members": [member_id(n) for n in numbers], "reason": "补偿", **changed}
    answer = await laurel.ask(ISSUE, who, key=key or f"k{next(keys)}", **variables)
    assert not answer.codes, answer.codes
    issued: Mapping[str, Any] = answer.data["issueCoupons"]
    return issued


async def make_codes(laurel: Laurel, who: Principal, template: str, **given: Any) -> Mapping[str, Any]:
    sent = {"couponTemplateId": template, "idempotencyKey": f"k{next(keys)}", **given}
    answer = await laurel.ask(CODES, who, input=sent)
    assert not answer.codes, answer.codes
    made: Mapping[str, Any] = answer.data["createCouponCodes"]
    return made


async def redeem(laurel: Laurel, who: Principal, code: str, **given: Any) -> Mapping[str, Any]:
    answer = await laurel.ask(REDEEM, who, **{"code": code, "key": f"k{next(keys)}", **given})
    assert not answer.codes, answer.codes
    redeemed: Mapping[str, Any] = answer.data["redeemCode"]
    return redeemed


# ── issueCoupons ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_row_is_answered_with_its_coupon_or_its_problem(laurel: Laurel) -> None:
    for number in (1, 2):
        await add_person(laurel, number)
    template = global_id(await laurel.world.published(limit_per_member=None, limit_per_member_per_week=1))
    issued = await issue(laurel, OPERATOR, template, 1, 9, 1, 2, reason="物流延误补偿")
    assert (issued["__typename"], issued["replayed"]) == ("IssueCouponsSuccess", False)
    first, unknown, again, second = issued["outcomes"]
    assert [o["memberId"] for o in issued["outcomes"]] == [member_id(n) for n in (1, 9, 1, 2)]
    for given in (first, second):
        assert given["problem"] is None
        assert (given["coupon"]["state"], given["coupon"]["template"]["id"]) == ("CLAIMED", template)
        assert given["coupon"]["history"]["nodes"] == [{"change": "CLAIMED", "reason": "物流延误补偿"}]
    assert unknown["coupon"] is None
    assert (unknown["problem"]["__typename"], unknown["problem"]["code"]) == ("NotFoundProblem", "NOT_FOUND")
    assert again["problem"]["__typename"] == "ClaimLimitReachedProblem"
    assert (again["problem"]["limit"], again["problem"]["resetsAt"]) == (1, "2026-06-07T16:00:00Z")
    document = "{ me { wallet { coupons { nodes { id history { nodes { reason } } } } } } }"
    wallet = (await laurel.ask(document, person(1))).data["me"]["wallet"]["coupons"]["nodes"]
    assert wallet == [{"id": first["coupon"]["id"], "history": {"nodes": [{"reason": "物流延误补偿"}]}}]


async def test_the_operation_tells_how_far_a_batch_is(laurel: Laurel) -> None:
    await add_person(laurel, 1)
    template = global_id(await laurel.world.published())
    assert (await laurel.ask(OPERATION, OPERATOR, key="batch")).data["operation"] is None
    first = await issue(laurel, OPERATOR, template, 1, 2, key="batch")
    await laurel.world.rows("UPDATE issues SET done = 1, changed_at = $1", NOON + timedelta(minutes=1))
    await laurel.world.rows("DELETE FROM issue_outcomes WHERE place = 1")
    await laurel.world.rows("DELETE FROM idempotency WHERE mutation = 'issueCoupons'")
    under_way = (await laurel.ask(OPERATION, OPERATOR, key="batch")).data["operation"]
    assert under_way == {
        "mutation": "issueCoupons",
        "committedAt": "2026-06-01T04:01:00Z",
        "progress": {"done": 1, "total": 2},
    }
    again = await issue(laurel, OPERATOR, template, 1, 2, key="batch")
    assert again["replayed"] is False
    assert again["outcomes"][0]["coupon"]["id"] == first["outcomes"][0]["coupon"]["id"]
    finished = (await laurel.ask(OPERATION, OPERATOR, key="batch")).data["operation"]
    assert finished["progress"] == {"done": 2, "total": 2}
    assert (await laurel.ask(OPERATION, staff(1), key="batch")).data["operation"] is None
    assert (await issue(laurel, OPERATOR, template, 1, 2, key="batch"))["replayed"] is True


async def test_an_operation_at_once_has_no_progress(laurel: Laurel) -> None:
    await laurel.create(OPERATOR, idempotencyKey="made")
    operation = (await laurel.ask(OPERATION, OPERATOR, key="made")).data["operation"]
    assert (operation["mutation"], operation["progress"]) == ("createCouponTemplate", None)


def test_a_full_batch_fits_into_the_variables_of_one_request() -> None:
    variables = {
        "template": global_id(member(1)),
        "members": [member_id(n) for n in range(MAX_ROWS)],
        "reason": "长" * 200,
        "key": "k" * 64,
    }
    size = len(json.dumps(variables, ensure_ascii=False).encode())
    assert size < Limits().variables_bytes < Limits().variables_bytes * 2 < 1_048_576
    hold_variables(variables, body_bytes=size, size_of=lambda _: size, limits=Limits())


async def test_another_input_under_the_key_is_a_problem(laurel: Laurel) -> None:
    await add_person(laurel, 1)
    template = global_id(await laurel.world.published())
    await issue(laurel, OPERATOR, template, 1, key="mine")
    reused = await issue(laurel, OPERATOR, template, 1, 2, key="mine")
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"members": []}, ["input", "memberIds"]),
        ({"members": [member_id(1)] * 10_001}, ["input", "memberIds"]),
        ({"members": [member_id(1), "x"]}, ["input", "memberIds", "1"]),
        ({"reason": " "}, ["input", "reason"]),
        ({"reason": "x" * 201}, ["input", "reason"]),
    ],
)
async def test_what_is_wrong_with_a_batch_is_named(laurel: Laurel, changed: dict[str, Any], path: list[str]) -> None:
    template = global_id(await laurel.world.published())
    variables = {"template": template, "members": [member_id(1)], "reason": "r", "key": "k", **changed}
    answer = await laurel.ask(ISSUE, OPERATOR, **variables)
    assert answer.codes == ["BAD_USER_INPUT"]
    assert await laurel.world.value("SELECT count(*) FROM issues") == 0


async def test_a_merchant_gives_its_own_coupons_to_its_own_customers(laurel: Laurel) -> None:
    for number in (1, 2):
        await add_person(laurel, number)
    for number in (1, 2):
        await laurel.world.add_merchant(number)
    template = global_id(await laurel.world.published(merchant_id=merchant(1)))
    await laurel.world.rows(
        "INSERT INTO redemptions (member_id, id, coupon_id, template_id, merchant_id, order_id, order_ref, currency,"
        " discount_minor, shares, redeemed_at) VALUES ($1, $1, $1, $1, $2, $1, 'r', 'CNY', 1, '{}', now())",
        member(1),
        merchant(1),
    )
    customer, stranger, nobody = (await issue(laurel, staff(1), template, 1, 2, 99))["outcomes"]
    assert customer["coupon"]["state"] == "CLAIMED"
    assert customer["coupon"]["history"]["nodes"] == [], "the member's history is not the merchant's"
    assert stranger["problem"] == nobody["problem"], "a member that is no customer looks like none at all"
    assert (await issue(laurel, staff(2), template, 1))["code"] == "NOT_FOUND"
    for who, code in ((staff(1, MerchantRole.TILL), "FORBIDDEN"), (person(1), "FORBIDDEN"), (None, "UNAUTHENTICATED")):
        answer = await laurel.ask(ISSUE, who, template=template, members=[member_id(1)], reason="r", key="k")
        assert answer.codes == [code]
    assert await laurel.world.value("SELECT count(*) FROM coupons") == 1


# ── codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_codes_are_made_listed_and_redeemed(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published(self_claim=False))
    made = await make_codes(laurel, OPERATOR, template, pattern="TEA-####-****", count=3)
    assert (made["__typename"], len(made["codes"])) == ("CreateCouponCodesSuccess", 3)
    page = made["couponTemplate"]["codes"]
    assert [node["code"] for node in page["nodes"]] == made["codes"][:0:-1], "the newest first"
    assert page["pageInfo"]["hasNextPage"] is True
    redeemed = await redeem(laurel, person(1), made["codes"][0].lower(), key="mine")
    assert (redeemed["__typename"], redeemed["replayed"]) == ("RedeemCodeSuccess", False)
    assert redeemed["coupon"]["headline"] == "¥20 off ¥100"
    assert (await redeem(laurel, person(1), made["codes"][0].lower(), key="mine"))["replayed"] is True
    rest = """query($id: ID!, $after: String) { node(id: $id) { ... on CouponTemplate { selfClaim
      codes(after: $after) { nodes { code uses usesLimit } } } } }"""
    shown = (await laurel.ask(rest, OPERATOR, id=template, after=page["pageInfo"]["endCursor"])).data["node"]
    assert shown["codes"]["nodes"] == [{"code": made["codes"][0], "uses": 1, "usesLimit": 1}]
    assert shown["selfClaim"] is False
    for who in (person(1), staff(1), None):
        assert (await laurel.ask(rest, who, id=template)).data["node"]["codes"] == {"nodes": []}
    assert (await laurel.claim(template, person(2)))["code"] == "NOT_FOUND"


async def test_each_refusal_of_a_code_is_its_own_problem(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published())
    until = NOON + timedelta(hours=2)
    await make_codes(laurel, OPERATOR, template, codes=["ONE-1"])
    await make_codes(laurel, OPERATOR, template, codes=["OLD-1"], expiresAt=until.isoformat())
    unknown = await redeem(laurel, person(1), "nothing")
    assert (unknown["__typename"], unknown["noun"]) == ("NotFoundProblem", "CouponCode")
    await redeem(laurel, person(1), "ONE-1")
    assert (await redeem(laurel, person(2), "ONE-1"))["code"] == "CODE_USED_UP"
    laurel.world.clock.at = until
    old = await redeem(laurel, person(2), "OLD-1")
    assert (old["code"], old["expiredAt"]) == ("CODE_EXPIRED", "2026-06-01T06:00:00Z")
    for _ in range(MAX_ATTEMPTS):
        await redeem(laurel, person(3), "guess")
    waiting = await redeem(laurel, person(3), "OLD-1")
    assert (waiting["code"], waiting["retryAt"]) == ("TOO_MANY_ATTEMPTS", "2026-06-01T07:00:00Z")
    assert (await laurel.ask(REDEEM, OPERATOR, code="ONE-1", key="k")).codes == ["FORBIDDEN"]
    assert (await laurel.ask(REDEEM, person(1), code="x" * 257, key="k")).codes == ["BAD_USER_INPUT"]


async def test_what_is_wrong_with_codes_is_named_by_its_path(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published())
    refused = await make_codes(laurel, OPERATOR, template, codes=["GOOD-1", "?"])
    assert (refused["code"], refused["path"]) == ("INVALID_TERMS", ["codes", "1"])
    answer = await laurel.ask(CODES, OPERATOR, input={"couponTemplateId": template, "idempotencyKey": "k"})
    assert answer.codes == ["BAD_USER_INPUT"]
    till = await laurel.ask(
        CODES,
        staff(1, MerchantRole.TILL),
        input={"couponTemplateId": template, "idempotencyKey": "k", "codes": ["GOOD-1"]},
    )
    assert till.codes == ["FORBIDDEN"]
    assert (await make_codes(laurel, staff(1), template, codes=["GOOD-1"]))["code"] == "NOT_FOUND"


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LIMITS = {
    "limitPerMemberPerWeek": 2,
    "limitPerMemberPerMonth": 3,
    "limitPerStore": 100,
    "selfClaim": False,
}
CAMPAIGN = """mutation($limit: Int) { createCampaign(input: {name: "618", goal: RETENTION, limitPerMember: $limit,
  startsAt: "2026-01-01T00:00:00Z", endsAt: "2027-01-01T00:00:00Z", idempotencyKey: "c"}) {
    ... on CreateCampaignSuccess { campaign { id limitPerMember } } } }"""


async def test_every_limit_that_is_given_is_shown_and_published(laurel: Laurel) -> None:
    campaign = (await laurel.ask(CAMPAIGN, OPERATOR, limit=4)).data["createCampaign"]["campaign"]
    assert campaign["limitPerMember"] == 4
    created = await laurel.create(OPERATOR, campaignId=campaign["id"], **LIMITS)
    document = """query($id: ID!) { node(id: $id) { ... on CouponTemplate {
      limitPerMemberPerWeek limitPerMemberPerMonth limitPerStore selfClaim
      zh: rulesText(locale: "zh-CN") en: rulesText(locale: "en") } } }"""
    shown = (await laurel.ask(document, OPERATOR, id=created["couponTemplate"]["id"])).data["node"]
    assert {name: shown[name] for name in LIMITS} == LIMITS
    for sentence in (
        "每位会员每周（周一起）限领 2 张。",
        "每位会员每个自然月限领 3 张。",
        "同一活动的各种券，每位会员共限领 4 张。",
        "每家门店限核销 100 张",
        "不可自行领取",
    ):
        assert sentence in shown["zh"]
    for sentence in (
        "At most 2 per member and week, Monday to Sunday (Asia/Shanghai).",
        "At most 3 per member and calendar month (Asia/Shanghai).",
        "At most 4 per member of all coupons of its campaign together.",
        "At most 100 are used in one store",
        "Not claimed",
    ):
        assert sentence in shown["en"]


@pytest.mark.parametrize("limit", ["limitPerMemberPerWeek", "limitPerMemberPerMonth", "limitPerStore"])
async def test_a_limit_is_one_at_least(laurel: Laurel, limit: str) -> None:
    assert (await laurel.create(OPERATOR, **{limit: 0}))["path"] == [limit]


async def test_a_campaigns_limit_is_one_at_least(laurel: Laurel) -> None:
    assert (await laurel.ask(CAMPAIGN, OPERATOR, limit=0)).codes == ["BAD_USER_INPUT"]


async def test_the_preview_names_the_limits_that_there_are(laurel: Laurel) -> None:
    template = await laurel.world.published(limit_per_member=None, limit_per_member_per_week=1)
    document = """query($id: ID!) { node(id: $id) { ... on CouponTemplate { viewerCanClaim { allowed
      problem { code ... on ClaimLimitReachedProblem { limit resetsAt } }
      eligibility { because { children { name passed required actual } } } } } } }"""

    async def decision() -> Mapping[str, Any]:
        answer = await laurel.ask(document, person(1), id=global_id(template))
        decided: Mapping[str, Any] = answer.data["node"]["viewerCanClaim"]
        return decided

    before = await decision()
    names = [child["name"] for child in before["eligibility"]["because"]["children"]]
    assert before["allowed"] is True
    assert "limit_per_member_per_week" in names
    assert not {"limit_per_member_per_month", "limit_per_member_in_campaign", "self_claim"} & set(names)
    await laurel.world.claimed(template)
    after = await decision()
    assert after["problem"] == {"code": "CLAIM_LIMIT_REACHED", "limit": 1, "resetsAt": "2026-06-07T16:00:00Z"}
    failed = [child for child in after["eligibility"]["because"]["children"] if not child["passed"]]
    assert failed == [{"name": "limit_per_member_per_week", "passed": False, "required": "< 1", "actual": "1"}]
