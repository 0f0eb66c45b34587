"""A member's wallet: pages, counts, eligibility, codes, history; nobody else's."""

from tests.coupon_world import NOON, member, merchant
from tests.resolvers.coupon_desk import OPERATOR, TOKENS, Laurel, add_person, cart, global_id, person, staff

WALLET = """query($first: Int, $after: String, $filter: CouponFilter, $orderBy: CouponOrder) {
  me { wallet {
    coupons(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
      nodes { id state headline template { id name merchant { name } } }
      pageInfo { hasNextPage endCursor }
    }
    counts { claimed reserved redeemed expired expiringSoon }
    sequence
  } }
}"""


async def test_a_wallet_shows_its_coupons_counts_and_sequence_within_a_budget(laurel: Laurel) -> None:
    await add_person(laurel, 1)
    await laurel.world.add_merchant(1)
    for number in range(5):
        merchant_id = merchant(1) if number % 2 else None
        await laurel.world.claimed(await laurel.world.published(merchant_id=merchant_id))
    answer = await laurel.ask(WALLET, person(1), first=3)
    wallet = answer.data["me"]["wallet"]
    assert len(wallet["coupons"]["nodes"]) == 3
    assert wallet["counts"] == {"claimed": 5, "reserved": 0, "redeemed": 0, "expired": 0, "expiringSoon": 5}
    assert wallet["sequence"] == 5
    assert sorted(answer.statements) == [
        "coupon_templates_by_id",
        "members_by_id",
        "merchants_by_id",
        "wallet_claimed_latest",
        "wallet_counts",
        "wallet_sequences",
    ]


async def test_a_wallet_pages_through_every_coupon_once_in_each_order(laurel: Laurel) -> None:
    await add_person(laurel, 1)
    for number in range(7):
        template = await laurel.world.published(limit_per_member=None)
        await laurel.world.claimed(template)
        laurel.world.clock.advance(days=number % 3)
    for order in ("EXPIRES_SOONEST", "CLAIMED_LATEST"):
        seen: list[str] = []
        after, more = None, []
        for _ in range(4):
            answer = await laurel.ask(WALLET, person(1), first=2, after=after, orderBy=order)
            page = answer.data["me"]["wallet"]["coupons"]
            seen += [node["id"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            more.append(page["pageInfo"]["hasNextPage"])
        assert more == [True, True, True, False]
        assert len(set(seen)) == len(seen) == 7


async def test_a_coupon_past_its_validity_reads_as_expired_before_it_is_swept(laurel: Laurel) -> None:
    await add_person(laurel, 1)
    await laurel.world.claimed(await laurel.world.published())
    laurel.world.clock.advance(days=30)
    await laurel.world.claimed(await laurel.world.published())
    expired = await laurel.ask(WALLET, person(1), filter={"states": ["EXPIRED"]})
    live = await laurel.ask(WALLET, person(1), filter={"states": ["CLAIMED"]})
    both = await laurel.ask(WALLET, person(1), filter={"states": ["CLAIMED", "EXPIRED"]})
    assert [n["state"] for n in expired.data["me"]["wallet"]["coupons"]["nodes"]] == ["EXPIRED"]
    assert [n["state"] for n in live.data["me"]["wallet"]["coupons"]["nodes"]] == ["CLAIMED"]
    assert [n["state"] for n in both.data["me"]["wallet"]["coupons"]["nodes"]] == ["CLAIMED", "EXPIRED"]
    assert live.data["me"]["wallet"]["counts"]["expired"] == 1


async def test_coupons_usable_for_a_cart_come_best_value_first(laurel: Laurel) -> None:
    await add_person(laurel, 1)
    for amount in (500, 2000, 1000):
        await laurel.world.claimed(await laurel.world.published(kind="AMOUNT_OFF", terms={"amountMinor": amount}))
    await laurel.world.claimed(await laurel.world.published(terms={"thresholdMinor": 99999, "amountMinor": 9000}))
    usable = {"usableFor": cart("50.00")}
    headlines: list[str] = []
    after = None
    for _ in range(2):
        answer = await laurel.ask(WALLET, person(1), first=2, after=after, filter=usable, orderBy="BEST_VALUE")
        page = answer.data["me"]["wallet"]["coupons"]
        headlines += [node["headline"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert headlines == ["¥20 off", "¥10 off", "¥5 off"]
    without = await laurel.ask(WALLET, person(1), orderBy="BEST_VALUE")
    assert without.codes == ["BAD_USER_INPUT"]


async def test_eligibility_for_a_cart_comes_with_its_proof_and_what_is_missing(laurel: Laurel) -> None:
    claimed = await laurel.claim(global_id(await laurel.world.published()), person(1))
    document = """query($id: ID!, $cart: CartInput!) { node(id: $id) { ... on Coupon {
      eligibility(cart: $cart) { eligible shortfall { amount } unlock because { children { name passed } } } } } }"""
    answer = await laurel.ask(document, person(1), id=claimed["coupon"]["id"], cart=cart("88.00"))
    eligibility = answer.data["node"]["eligibility"]
    assert eligibility["eligible"] is False
    assert eligibility["shortfall"] == {"amount": "12.00"}
    assert eligibility["unlock"] == "Spend ¥12.00 more to save ¥20.00"
    assert {"name": "threshold", "passed": False} in eligibility["because"]["children"]
    enough = await laurel.ask(document, person(1), id=claimed["coupon"]["id"], cart=cart("100.00"))
    assert enough.data["node"]["eligibility"]["eligible"] is True
    wrong = await laurel.ask(document, person(1), id=claimed["coupon"]["id"], cart=cart("1.00", quantity=0))
    assert wrong.codes == ["BAD_USER_INPUT"]


async def test_a_redemption_code_is_signed_for_its_owner_alone(laurel: Laurel) -> None:
    claimed = await laurel.claim(global_id(await laurel.world.published()), person(1))
    document = """query($id: ID!, $ttl: Int = 60) { node(id: $id) { ... on Coupon {
      redemptionCode(ttlSeconds: $ttl) { token qrSvg expiresAt } } } }"""
    answer = await laurel.ask(document, person(1), id=claimed["coupon"]["id"])
    code = answer.data["node"]["redemptionCode"]
    assert code["expiresAt"] == "2026-06-01T04:01:00Z"
    assert code["qrSvg"].startswith("<svg")
    member_id, _ = TOKENS.verify(code["token"], NOON)
    assert member_id == member(1)
    assert (await laurel.ask(document, OPERATOR, id=claimed["coupon"]["id"])).codes == ["FORBIDDEN"]
    assert (await laurel.ask(document, person(1), id=claimed["coupon"]["id"], ttl=3600)).codes == ["BAD_USER_INPUT"]


async def test_another_members_coupon_is_null(laurel: Laurel) -> None:
    claimed = await laurel.claim(global_id(await laurel.world.published()), person(1))
    document = "query($id: ID!) { node(id: $id) { id } }"
    for who, sees in ((person(1), True), (OPERATOR, True), (person(2), False), (staff(1), False), (None, False)):
        answer = await laurel.ask(document, who, id=claimed["coupon"]["id"])
        assert (answer.data["node"] is not None) is sees
        assert answer.codes == []


async def test_the_history_of_a_coupon_is_its_events(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published(limit_per_member=2))
    await laurel.claim(template, person(1))
    claimed = await laurel.claim(template, person(1))
    document = """query($id: ID!) { node(id: $id) { ... on Coupon {
      history { nodes { change sequence occurredAt } pageInfo { hasNextPage } } } } }"""
    answer = await laurel.ask(document, person(1), id=claimed["coupon"]["id"])
    assert answer.data["node"]["history"]["nodes"] == [
        {"change": "CLAIMED", "sequence": 2, "occurredAt": "2026-06-01T04:00:00Z"}
    ]
