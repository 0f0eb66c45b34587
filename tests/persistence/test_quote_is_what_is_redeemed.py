"""What a quote says is what its redemption stores, to the fen: random carts, coupons, conditions, limits and points."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from domain.coupons.cart import Cart, Channel
from domain.coupons.drafts import ConditionsDraft, ScopeDraft, StackingDraft
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.model import CouponClaimed
from domain.coupons.offer import MAX_COUPONS_PER_ORDER, Funder, FunderShare, ThresholdBase
from domain.coupons.solver.answers import OptimalityStatus, StepBudget
from domain.orders.errors import QuoteChanged
from domain.orders.model import OrderKey, Quote, QuoteStrategy
from domain.orders.points_payment import PointsOffered
from domain.orders.quote_tokens import token_of
from domain.orders.quotes import Buyer, make_best_quote, make_quote
from domain.points.policy import DEFAULT_POLICY
from domain.shared.errors import Refusal
from domain.shared.ids import StoreId
from domain.shared.principal import Scope
from persistence.orders.reads import SqlOrderReads
from tests.coupon_world import PROGRAMME, member, merchant
from tests.domain.coupons.wallets import random_cart, random_terms
from tests.order_world import Shop, campaign, shop
from tests.reservation_world import give_points, paid, reserved, try_reserve

__all__ = ["shop"]

LANES_OF: Mapping[str, Collection[Lane]] = {
    "CASH": [Lane.TENDER],
    "FREE_SHIPPING": [Lane.SHIPPING],
    **{
        kind: [Lane.ITEM, Lane.STORE_ORDER, Lane.PLATFORM_ORDER]
        for kind in ("BUY_X_GET_Y", "FIXED_PRICE", "PRODUCT_EXCHANGE")
    },
}
FRIENDLY = StackingDraft(tags=["p"], combines_with_tags=["p"])
POINTS = 100_000
HOLDS: list[dict[str, Any]] = [
    {"cartQuantity": {"atLeast": 1}},
    {"channel": ["ONLINE"]},
    {"firstOrder": True},
    {"none": [{"cartAmountMinor": {"atMost": 100}}]},
]
FAILS: list[dict[str, Any]] = [
    {"cartQuantity": {"atLeast": 1000}},
    {"orderNumber": {"atLeast": 2}},
    {"any": [{"channel": ["IN_STORE"]}, {"memberTags": ["nobody"]}]},
]
CHOSEN, BEST = QuoteStrategy.CHOSEN, QuoteStrategy.BEST


def cart_of(chance: Random, store_id: StoreId | None = None) -> Cart:
    """A random cart of the two merchants that there are, which costs something."""
    cart = random_cart(chance)
    lines = tuple(
        replace(line, merchant_id=merchant(chance.choice([1, 2])), unit_price_minor=line.unit_price_minor + 500)
        for line in cart.lines
    )
    return replace(cart, lines=lines, store_id=store_id, channel=Channel.ONLINE)


def template_of(chance: Random) -> dict[str, Any]:
    """A random template: three of four go together with the others of their lane, and all may be limited."""
    kind, merchant_id = chance.choice(list(KINDS)), chance.choice([None, None, merchant(1)])
    lanes = [None, None, *LANES_OF.get(kind, Lane)]
    stacking = replace(
        FRIENDLY,
        lane=chance.choice(lanes),
        priority=chance.randint(-1, 1),
        exclusive_group=chance.choice([None, None, "g"]),
    )
    conditions = chance.choice([None, None, *HOLDS, chance.choice(FAILS)])
    return {
        "kind": kind,
        "terms": random_terms(chance, kind),
        "merchant_id": merchant_id,
        "scope": ScopeDraft(category_refs=chance.choice([None, None, ["x", "y"]])),
        "stacking": stacking if chance.random() < 0.75 else None,
        "threshold_base": chance.choice(list(ThresholdBase)),
        "conditions": None if conditions is None else ConditionsDraft(conditions, zone=PROGRAMME.zone),
        "campaign_id": None if merchant_id else chance.choice([None, campaign(1), campaign(2)]),
        "limit_per_store": chance.choice([None, None, 1]),
        "funders": chance.choice([None, [FunderShare(Funder.PLATFORM, 4000), FunderShare(Funder.MERCHANT, 6000)]]),
    }


async def wallet_of(shop: Shop, chance: Random) -> Sequence[CouponClaimed]:
    """Coupons of random templates, and one that acts on whatever there is: no order is without one."""
    await shop.add_campaign(budget_minor=chance.choice([1, 600, 100_000]), number=1)
    await shop.add_campaign(budget_minor=chance.choice([300, 5_000]), number=2, PLATFORM=chance.choice([50, 4_000]))
    sure = await shop.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 7}, stacking=replace(FRIENDLY, lane=Lane.ITEM))
    return [sure, *[await shop.coupon(**template_of(chance)) for _ in range(6)]]


async def quoted(
    shop: Shop, cart: Cart, coupons: Sequence[CouponClaimed], *, points: int, strategy: QuoteStrategy = CHOSEN
) -> Quote:
    """The cart with these coupons and points, or with the best of the wallet, as `quote` makes it."""
    member_id = member(1)
    found = await SqlOrderReads(shop.world.database).quotable(
        member_id,
        coupon_ids=[one.coupon_id for one in coupons] if strategy is CHOSEN else None,
        store_id=cart.store_id,
        with_points=True,
        scope=Scope.of_member(member_id),
    )
    assert found is not None
    how: dict[str, Any] = {
        "buyer": Buyer(member_id, found.bonus_basis_points, "CNY"),
        "points_policy": DEFAULT_POLICY,
        "at": found.at,
        "points": PointsOffered(points, available=found.points_available, debt=found.points_debt) if points else None,
        "room": found.room,
    }
    if strategy is CHOSEN:
        return make_quote(cart, list(found.held.values()), **how)
    best = make_best_quote(cart, list(found.held.values()), budget=StepBudget(10_000), **how)
    assert best.optimality.status is OptimalityStatus.PROVEN
    return best.quote


async def check_stored(shop: Shop, quote: Quote, acting: Sequence[CouponClaimed], *, cart: Cart, points: int) -> None:
    """Reserve and pay what the quote says, and find it stored."""
    points_before = await shop.available()
    held = await reserved(shop, *acting, given=cart, points=points, quote_token=token_of(quote))
    done = await paid(shop, held, store_id=cart.store_id)
    order = await SqlOrderReads(shop.world.database).order_by_key(
        OrderKey(done.member_id, done.order_id), scope=Scope.system()
    )
    assert order is not None
    assert order.quote is not None
    assert (order.quote.lines, order.quote.applied) == (quote.lines, quote.applied)
    assert order.quote.shipping_allocations == quote.shipping_allocations
    assert (order.paid_minor, order.discount_minor) == (quote.payable_minor, quote.discount_minor)
    assert (order.points_used, order.points_minor) == (quote.points_used, quote.points_minor)
    assert order.points_pending == quote.points_earned
    taken = "SELECT coupon_id, discount_minor FROM redemptions"
    stored = {row["coupon_id"]: row["discount_minor"] for row in await shop.world.rows(taken)}
    assert stored == {one.coupon_id: one.amount_minor for one in quote.applied}
    assert await shop.available() == points_before - quote.points_used


@pytest.mark.parametrize("strategy", QuoteStrategy)
@pytest.mark.parametrize("seed", range(12))
async def test_what_a_quote_says_is_what_is_stored_when_it_is_redeemed(
    shop: Shop, seed: int, strategy: QuoteStrategy
) -> None:
    chance = Random(seed)
    await give_points(shop, POINTS)
    at = await shop.add_store(1) if chance.random() < 0.5 else None
    cart, points = cart_of(chance, at), chance.choice([0, 300, 50_000])
    owned = {one.coupon_id: one for one in await wallet_of(shop, chance)}
    first = await quoted(shop, cart, list(owned.values()), points=points, strategy=strategy)
    acting = [owned[one.coupon_id] for one in first.applied]
    assert acting, "one acts on whatever there is"
    quote = await quoted(shop, cart, acting, points=points)
    assert (quote.lines, quote.applied) == (first.lines, first.applied), "without the others it is the same"
    await check_stored(shop, quote, acting, cart=cart, points=points)


async def test_the_best_quote_of_a_wallet_pays_no_more_than_the_quote_of_all_of_it(shop: Shop) -> None:
    """Whatever is in the way of coupons: conditions, groups, a store's limit, budgets."""
    await give_points(shop, POINTS)
    at, refused = await shop.add_store(1), set[str]()
    coupons = await wallet_of(shop, Random(100))
    for seed in range(8):
        cart = cart_of(Random(seed), at)
        every, best = [await quoted(shop, cart, coupons, points=300, strategy=how) for how in (CHOSEN, BEST)]
        assert best.payable_minor <= every.payable_minor
        for one in every.not_applied:
            refused |= {check.name for check in one.eligibility.because.children if not check.passed}
    assert refused & {"budget", "limit_per_store"}, "shared limits are in the way of some"
    assert refused & {"combines", "exclusive_group"}, "and coupons of each other"


# ── what keeps a coupon out of a quote keeps it out of the order, and the quote of the others is what is paid ─────────


def _with_conditions(**tree: Any) -> dict[str, Any]:
    return {"conditions": ConditionsDraft(tree, zone=PROGRAMME.zone)}


KEPT_OUT: Mapping[str, dict[str, Any]] = {
    "orderNumber": _with_conditions(orderNumber={"atLeast": 2}),
    "exclusive_group": {"stacking": replace(FRIENDLY, exclusive_group="g", priority=-1)},
    "limit_per_store": {"limit_per_store": 1},
    "budget": {"campaign_id": campaign(1)},
    "combines": {"stacking": StackingDraft(priority=-1)},
}


@pytest.mark.parametrize("strategy", QuoteStrategy)
@pytest.mark.parametrize("name", KEPT_OUT)
async def test_what_keeps_a_coupon_out_of_a_quote_keeps_it_out_of_the_order(
    shop: Shop, name: str, strategy: QuoteStrategy
) -> None:
    await give_points(shop, POINTS)
    at = await shop.add_store(1)
    await shop.add_campaign(budget_minor=499)
    cart = cart_of(Random(1), at)
    plain: dict[str, Any] = {"kind": "AMOUNT_OFF", "terms": {"amountMinor": 600}, "stacking": FRIENDLY}
    first = await shop.coupon(**{**plain, "stacking": replace(FRIENDLY, exclusive_group="g", priority=1)})
    out = await shop.coupon(**{**plain, "terms": {"amountMinor": 500}, **KEPT_OUT[name]})
    if name == "limit_per_store":
        template_id = await shop.world.value("SELECT template_id FROM coupons WHERE id = $1", out.coupon_id)
        await shop.redeemed(await shop.world.claimed(template_id), given=cart, store_id=at)
    before = {row["coupon_id"] for row in await shop.world.rows("SELECT coupon_id FROM redemptions")}
    quote = await quoted(shop, cart, [first, out], points=300, strategy=strategy)
    assert [one.coupon_id for one in quote.applied] == [first.coupon_id]
    refusal = await try_reserve(shop, first, out, given=cart, points=300)
    assert isinstance(refusal, Refusal), "together they are not taken"
    held = await reserved(shop, first, given=cart, points=300, quote_token=token_of(quote))
    await paid(shop, held, store_id=at)
    rows = await shop.world.rows("SELECT coupon_id, discount_minor FROM redemptions")
    assert {row["coupon_id"]: row["discount_minor"] for row in rows if row["coupon_id"] not in before} == {
        one.coupon_id: one.amount_minor for one in quote.applied
    }


async def test_a_token_of_another_price_is_told_the_price_of_now(shop: Shop) -> None:
    coupon = await shop.coupon(kind="CASH", terms={"faceMinor": 3000})
    cart = cart_of(Random(1))
    token = token_of(await quoted(shop, cart, [coupon], points=0))
    await shop.redeemed(coupon, given=replace(cart, lines=(replace(cart.lines[0], quantity=1, unit_price_minor=1000),)))
    refused = await try_reserve(shop, coupon, given=cart, quote_token=token)
    assert isinstance(refused, QuoteChanged)
    assert refused.quote.discount_minor == 2000


async def test_an_order_takes_as_many_coupons_as_it_may(shop: Shop) -> None:
    coupons = [
        await shop.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 1}, stacking=FRIENDLY)
        for _ in range(MAX_COUPONS_PER_ORDER)
    ]
    cart = cart_of(Random(1))
    quote = await quoted(shop, cart, coupons, points=0, strategy=BEST)
    assert len(quote.applied) == MAX_COUPONS_PER_ORDER
    await check_stored(shop, quote, coupons, cart=cart, points=0)
