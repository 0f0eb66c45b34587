"""The points mall: points, stock and coupons move together or not at all."""

import asyncio
from typing import Any

from domain.shared.principal import Principal
from tests.resolvers.test_points import assert_books_balance, member_id
from tests.world import OPERATOR, World, key

TEMPLATE = {
    "name": "满100减20",
    "kind": "THRESHOLD_AMOUNT_OFF",
    "terms": {"thresholdMinor": 10000, "amountMinor": 2000},
    "currencyCode": "CNY",
    "stock": 5,
    "claimOpensAt": "2026-01-01T00:00:00Z",
    "claimClosesAt": "2027-01-01T00:00:00Z",
    "validity": {"daysAfterClaim": 7},
}
EXCHANGED = "transaction { kind delta reason } coupons { id state headline } account { available }"


async def reward(world: World, **changed: Any) -> str:
    given = {"name": "A mug", "kind": "GOODS", "pointsPrice": 100, "stock": 3, **changed}
    made = await world.do("createReward", OPERATOR, "reward { id }", **given)
    return str(made["reward"]["id"])


async def template(world: World, **changed: Any) -> str:
    made = await world.do("createCouponTemplate", OPERATOR, "couponTemplate { id }", **{**TEMPLATE, **changed})
    id_ = str(made["couponTemplate"]["id"])
    await world.do("publishCouponTemplate", OPERATOR, couponTemplateId=id_)
    return id_


async def rich(world: World, points: int = 1000, ref: str = "rich") -> Principal:
    member = await world.member(ref)
    id_ = await member_id(world, member)
    await world.do("adjustPoints", OPERATOR, memberId=id_, delta=points, reason="r")
    return member


async def test_points_are_exchanged_for_goods(world: World) -> None:
    member, mug = await rich(world), await reward(world)
    done = await world.do("exchangePoints", member, EXCHANGED, rewardId=mug, quantity=2)
    assert done["transaction"] == {"kind": "SPEND", "delta": -200, "reason": "A mug"}
    assert done["account"]["available"] == 800
    document = "{ rewards { nodes { name pointsPrice stock { total remaining } } } }"
    assert (await world.ask(document))["rewards"]["nodes"] == [
        {"name": "A mug", "pointsPrice": 100, "stock": {"total": 3, "remaining": 1}}
    ]
    await assert_books_balance(world)


async def test_points_are_exchanged_for_coupons_of_the_same_stock_as_claims(world: World) -> None:
    member = await rich(world)
    issued = await template(world, limitPerMember=2)
    gift = await reward(world, kind="COUPON", name="A coupon", couponTemplateId=issued)
    done = await world.do("exchangePoints", member, EXCHANGED, rewardId=gift, quantity=2)
    assert [c["state"] for c in done["coupons"]] == ["CLAIMED", "CLAIMED"]
    assert done["coupons"][0]["headline"]
    wallet = await world.ask("{ me { wallet { counts { claimed } sequence } } }", member)
    assert wallet["me"]["wallet"] == {"counts": {"claimed": 2}, "sequence": 2}
    refused = await world.do("exchangePoints", member, rewardId=gift)
    assert refused["code"] == "EXCHANGE_LIMIT_REACHED"
    await assert_books_balance(world)


async def test_a_refused_exchange_moves_nothing(world: World) -> None:
    member, dear = await rich(world, 50), await reward(world)
    issued = await template(world)
    gift = await reward(world, kind="COUPON", couponTemplateId=issued)
    for id_, code in ((dear, "INSUFFICIENT_POINTS"), (gift, "INSUFFICIENT_POINTS")):
        assert (await world.do("exchangePoints", member, rewardId=id_))["code"] == code
    pool = world.database.pool
    assert await pool.fetchval("SELECT count(*) FROM coupons") == 0
    assert await pool.fetchval("SELECT sum(total - remaining) FROM reward_stock") == 0
    assert await pool.fetchval("SELECT sum(total - remaining) FROM coupon_template_stock") == 0
    assert await pool.fetchval("SELECT available FROM points_accounts") == 50


async def test_more_than_is_left_is_refused_and_says_how_many_are(world: World) -> None:
    member, mug = await rich(world), await reward(world)
    document = """mutation ($i: ExchangePointsInput!) { exchangePoints(input: $i) {
        ... on RewardOutOfStockProblem { code remaining message } } }"""
    given = {"rewardId": mug, "quantity": 4, "idempotencyKey": key()}
    refused = (await world.ask(document, member, i=given))["exchangePoints"]
    assert refused == {"code": "REWARD_OUT_OF_STOCK", "remaining": 3, "message": "Out of stock: 3 are left."}


async def test_thirty_exchanges_at_once_of_three_by_ten_members(world: World) -> None:
    members = [await rich(world, ref=f"m{n}") for n in range(10)]
    mug = await reward(world, limitPerMember=1)
    answers = await asyncio.gather(*(world.do("exchangePoints", m, rewardId=mug) for m in members * 3))
    assert [a["__typename"] for a in answers].count("ExchangePointsSuccess") == 3
    owners = await world.database.pool.fetch("SELECT member_id FROM reward_exchanges")
    assert len({r["member_id"] for r in owners}) == 3
    assert await world.database.pool.fetchval("SELECT remaining FROM reward_stock") == 0
    await assert_books_balance(world)


async def test_one_key_sent_twenty_times_at_once_spends_once(world: World) -> None:
    member, mug, once = await rich(world), await reward(world), key()
    answers = await asyncio.gather(
        *(world.do("exchangePoints", member, EXCHANGED, rewardId=mug, idempotencyKey=once) for _ in range(20))
    )
    assert [a["replayed"] for a in answers].count(False) == 1
    assert await world.database.pool.fetchval("SELECT available FROM points_accounts") == 900


async def test_a_reward_of_coupons_names_its_template_and_no_other_does(world: World) -> None:
    document = "mutation ($i: CreateRewardInput!) { createReward(input: $i) { __typename } }"
    issued = await template(world)
    for kind, template_id in (("COUPON", None), ("GOODS", issued)):
        given = {
            "name": "R",
            "kind": kind,
            "pointsPrice": 1,
            "stock": 1,
            "couponTemplateId": template_id,
            "idempotencyKey": key(),
        }
        assert await world.codes(document, OPERATOR, i=given) == ["BAD_USER_INPUT"]


async def test_at_home_rewards_and_running_campaigns_are_recommended_beside_coupons(world: World) -> None:
    await template(world)
    await reward(world)
    for name, starts in (("now", "2026-01-01T00:00:00Z"), ("later", "2026-12-01T00:00:00Z")):
        plan = {"name": name, "goal": "RETENTION", "startsAt": starts, "endsAt": "2027-01-01T00:00:00Z"}
        made = await world.do("createCampaign", OPERATOR, "campaign { id }", **plan)
        await world.do("changeCampaignState", OPERATOR, campaignId=made["campaign"]["id"], state="SCHEDULED")
    document = """{ me { recommendations { items { subject { __typename ... on Campaign { name state } } } } } }"""
    items = (await world.ask(document, await world.member()))["me"]["recommendations"]["items"]
    subjects = [i["subject"] for i in items]
    assert sorted(s["__typename"] for s in subjects) == ["Campaign", "CouponTemplate", "Reward"]
    assert {"__typename": "Campaign", "name": "now", "state": "RUNNING"} in subjects


async def test_recommendations_are_the_most_taken_that_the_member_may_still_have(world: World) -> None:
    first, second = await rich(world, ref="a"), await rich(world, ref="b")
    popular, quiet = [await template(world, name=n, limitPerMember=1) for n in ("popular", "quiet")]
    for member in (first, second):
        await world.do("claimCoupon", member, couponTemplateId=popular)
    await world.do("claimCoupon", second, couponTemplateId=quiet)
    document = """{ me { recommendations(first: 5, placement: CART) { personalized modelVersion
        items { score reason subject { ... on CouponTemplate { name } } } } } }"""
    newcomer = await world.member("c")
    found = (await world.ask(document, newcomer))["me"]["recommendations"]
    assert found["personalized"] is False
    assert [(i["subject"]["name"], i["score"]) for i in found["items"]] == [("popular", 1.0), ("quiet", 0.5)]
    assert found["items"][0]["reason"] == "Taken by 2 members"
    # One who has as many as one may is not shown it again.
    again = (await world.ask(document, first))["me"]["recommendations"]
    assert [i["subject"]["name"] for i in again["items"]] == ["quiet"]


async def test_an_exchange_sent_twenty_times_at_once_takes_and_issues_once_when_the_points_are_for_one(
    world: World,
) -> None:
    # The second waits for the stock, issues its coupon and then finds no points: it gives the first answer, and what
    # it had written must not stay.
    member = await rich(world, points=100)
    issued = await template(world)
    gift = await reward(world, kind="COUPON", couponTemplateId=issued, stock=30)
    once = key()
    answers = await asyncio.gather(
        *(world.do("exchangePoints", member, EXCHANGED, rewardId=gift, idempotencyKey=once) for _ in range(20))
    )
    assert len({coupon["id"] for answer in answers for coupon in answer["coupons"]}) == 1
    assert await world.database.pool.fetchval("SELECT count(*) FROM coupons") == 1
    assert await world.database.pool.fetchval("SELECT remaining FROM coupon_template_stock") == 4
    await assert_books_balance(world)
