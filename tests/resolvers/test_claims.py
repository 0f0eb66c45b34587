"""What a claim is answered with: the coupon as its set handed it out, without a statement of its own."""

from asyncio import gather

from tests.resolvers.coupon_desk import Laurel, global_id, person

ALL = """id code state claimedAt validFrom validUntil headline terms { name value unit }
  balance { amount currencyCode } template { id name }"""
CLAIM = (
    "mutation($template: ID!, $key: ID!) { claimCoupon(input: {couponTemplateId: $template, idempotencyKey: $key}) {"
    f" ... on ClaimCouponSuccess {{ replayed coupon {{ {ALL} }} }} }} }}"
)


async def test_a_new_coupon_reads_as_it_was_handed_out(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published())
    answered = (await laurel.ask(CLAIM, person(1), template=template, key="a")).data["claimCoupon"]
    read = await laurel.ask(
        f"query($id: ID!) {{ node(id: $id) {{ ... on Coupon {{ {ALL} }} }} }}", person(1), id=answered["coupon"]["id"]
    )
    assert answered == {"replayed": False, "coupon": read.data["node"]}
    assert read.data["node"]["code"]


async def test_a_claim_reads_no_coupon_and_a_replay_reads_one(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published())
    document = CLAIM.replace(ALL, "id code state claimedAt validFrom validUntil")
    first = await laurel.ask(document, person(1), template=template, key="a")
    assert first.statements == []
    again = await laurel.ask(document, person(1), template=template, key="a")
    assert again.statements == ["coupons_by_key"]
    assert again.data["claimCoupon"] == {**first.data["claimCoupon"], "replayed": True}


async def test_claims_of_one_set_each_get_their_own_coupon(laurel: Laurel) -> None:
    template = global_id(await laurel.world.published(stock=30))
    document = CLAIM.replace(ALL, "id code")
    answers = await gather(*(laurel.ask(document, person(n), template=template, key="a") for n in range(1, 31)))
    coupons = [answer.data["claimCoupon"]["coupon"] for answer in answers]
    assert len({coupon["id"] for coupon in coupons}) == 30
    for number, coupon in enumerate(coupons, 1):
        read = await laurel.ask(
            "query($id: ID!) { node(id: $id) { ... on Coupon { id code } } }", person(number), id=coupon["id"]
        )
        assert read.data["node"] == coupon
