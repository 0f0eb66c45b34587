"""What one has just written is what one reads, in the same document too: mutation fields run one after the other."""

from typing import Any

from tests.coupon_world import CLOSES_AT, OPENS_AT
from tests.street import Street, street
from tests.world import OPERATOR, key

__all__ = ["street"]


async def template(street: Street, **changed: Any) -> str:
    given = {
        "name": "x",
        "kind": "AMOUNT_OFF",
        "terms": {"amountMinor": 500},
        "currencyCode": "CNY",
        "stock": 10,
        "claimOpensAt": OPENS_AT.isoformat(),
        "claimClosesAt": CLOSES_AT.isoformat(),
        "validity": {"daysAfterClaim": 7},
    } | changed
    made = await street.world.do("createCouponTemplate", OPERATOR, "couponTemplate { id }", **given)
    await street.world.do("publishCouponTemplate", OPERATOR, couponTemplateId=made["couponTemplate"]["id"])
    return str(made["couponTemplate"]["id"])


CLAIM = """claimCoupon(input: $%s) {
    ... on ClaimCouponSuccess { replayed coupon { state template {
        stock { remaining } viewerCanClaim { allowed eligibility { because { children { name actual } } } } } } }
    ... on Problem { code } }"""


def counted(answer: Any) -> tuple[int, str]:
    """What is left, and how many the viewer has claimed, as a claim's own answer shows them."""
    of = answer["coupon"]["template"]
    claimed = [
        one["actual"]
        for one in of["viewerCanClaim"]["eligibility"]["because"]["children"]
        if one["name"] == "limit_per_member"
    ]
    return of["stock"]["remaining"], claimed[0]


async def test_each_of_several_mutations_in_a_document_reads_what_it_wrote_and_those_before_it(street: Street) -> None:
    of = await template(street, limitPerMember=2)
    names = ("a", "b", "c")
    document = (
        f"mutation({', '.join(f'${one}: ClaimCouponInput!' for one in names)}) "
        f"{{ {' '.join(f'{one}: {CLAIM % one}' for one in names)} }}"
    )
    given: dict[str, Any] = {one: {"couponTemplateId": of, "idempotencyKey": key()} for one in names}
    done = await street.world.ask(document, street.member, **given)
    assert (counted(done["a"]), counted(done["b"])) == ((9, "1"), (8, "2"))
    assert done["a"]["coupon"]["template"]["viewerCanClaim"]["allowed"] is True
    assert done["b"]["coupon"]["template"]["viewerCanClaim"]["allowed"] is False
    # The last one is refused: a transaction of its own, which takes nothing from those before it.
    assert done["c"] == {"code": "CLAIM_LIMIT_REACHED"}
    kept = await street.world.database.pool.fetchval("SELECT count(*) FROM coupons")
    assert kept == 2


async def test_a_coupon_that_is_used_and_comes_back_in_one_document_is_read_as_it_is_after_each(street: Street) -> None:
    coupon = await street.coupon()
    document = """mutation($use: RedeemCouponsInput!, $cancel: RefundOrderInput!, $again: RedeemCouponsInput!) {
      use: redeemCoupons(input: $use) {
        ... on RedeemCouponsSuccess { redemptions { reversedAt refunded { amount } coupon { state } } } }
      cancel: refundOrder(input: $cancel) { ... on RefundOrderSuccess { restored { state } } }
      again: redeemCoupons(input: $again) {
        ... on RedeemCouponsSuccess { redemptions { reversedAt coupon { state } } } }
    }"""
    tokens = [await street.token(coupon), await street.token(coupon)]
    used = [
        {
            "orderRef": ref,
            "cart": street.cart(),
            "storeId": street.store,
            "redemptionToken": token,
            "idempotencyKey": key(),
        }
        for ref, token in zip(("A1", "A2"), tokens, strict=True)
    ]
    done = await street.world.ask(
        document,
        street.till,
        use=used[0],
        cancel={"orderRef": "A1", "idempotencyKey": key()},
        again=used[1],
    )
    (first,) = done["use"]["redemptions"]
    assert (first["reversedAt"], first["refunded"]["amount"], first["coupon"]["state"]) == (None, "0.00", "REDEEMED")
    assert done["cancel"]["restored"] == [{"state": "CLAIMED"}]
    assert done["again"]["redemptions"] == [{"reversedAt": None, "coupon": {"state": "REDEEMED"}}]
    shown = "query($id: ID!) { node(id: $id) { ... on Coupon { history { nodes { change } } } } }"
    history = (await street.world.ask(shown, street.member, id=coupon))["node"]["history"]["nodes"]
    assert [node["change"] for node in history] == ["CLAIMED", "REDEEMED", "RESTORED", "REDEEMED"]


async def test_a_wallet_is_counted_as_it_is_and_not_as_it_was_when_the_process_last_looked(street: Street) -> None:
    of = await template(street)
    left = "query($id: ID!) { node(id: $id) { ... on CouponTemplate { stock { remaining } } } }"
    for n in range(3):
        shown = (await street.world.ask(left, street.member, id=of))["node"]["stock"]["remaining"]
        assert shown == 10 - n
        await street.world.do("claimCoupon", street.member, couponTemplateId=of)
