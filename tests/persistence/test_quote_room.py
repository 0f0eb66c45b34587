"""What a redemption asks of its coupons a quote has asked before, shared limits and budgets included."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from domain.coupons.cart import Cart, Channel
from domain.coupons.drafts import ConditionsDraft, ScopeDraft, StackingDraft
from domain.coupons.eligibility import Predicate
from domain.coupons.model import CouponClaimed
from domain.coupons.offer import Funder, FunderShare
from domain.coupons.solver.answers import OptimalityStatus, StepBudget
from domain.orders.errors import BudgetExhausted, CouponExpired, CouponNotUsable, NotEligible
from domain.orders.model import BestQuote, Quote
from domain.orders.quotes import Buyer, make_best_quote, make_quote
from domain.points.policy import DEFAULT_POLICY
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from persistence.orders.reads import SqlOrderReads
from tests.coupon_world import PROGRAMME, member, merchant
from tests.order_world import Shop, campaign, cart, shop, store
from tests.reservation_world import reserved

__all__ = ["shop"]

HALF = [FunderShare(Funder.PLATFORM, 5000), FunderShare(Funder.MERCHANT, 5000)]
TWO_OF_ONE = StackingDraft(tags=["p"], combines_with_tags=["p"], max_per_order=2)
Prepared: TypeAlias = tuple[CouponClaimed, dict[str, Any]]
Prepare: TypeAlias = Callable[[Shop], Awaitable[Prepared]]


async def quotable(shop: Shop, given: Cart, coupons: list[CouponClaimed] | None) -> dict[str, Any]:
    found = await SqlOrderReads(shop.world.database).quotable(
        member(1),
        coupon_ids=None if coupons is None else [one.coupon_id for one in coupons],
        store_id=given.store_id,
        scope=Scope.of_member(member(1)),
    )
    assert found is not None
    buyer = Buyer(member(1), found.bonus_basis_points, "CNY")
    return {
        "held": list(found.held.values()), "buyer": buyer, "points_policy": DEFAULT_POLICY, "at": found.at,
        "room": found.room,
    }  # fmt: skip


async def chosen(shop: Shop, given: Cart, *coupons: CouponClaimed) -> Quote:
    return make_quote(given, **await quotable(shop, given, list(coupons)))


async def best(shop: Shop, given: Cart) -> BestQuote:
    return make_best_quote(given, **await quotable(shop, given, None), budget=StepBudget(1000))


def failed(proof: Predicate) -> set[str]:
    """The names of the conditions that do not hold."""
    if proof.children:
        return set().union(*map(failed, proof.children))
    return set() if proof.passed else {proof.name}


# ── each thing that a redemption can refuse its coupon for ──────────────────────────────────────────────────────────


async def used(shop: Shop) -> Prepared:
    coupon = await shop.coupon()
    await shop.redeemed(coupon)
    return coupon, {}


async def expired(shop: Shop) -> Prepared:
    coupon = await shop.coupon()
    shop.world.clock.advance(days=8)
    return coupon, {}


async def below_threshold(shop: Shop) -> Prepared:
    return await shop.coupon(), {"given": cart(9999)}


async def other_goods(shop: Shop) -> Prepared:
    return await shop.coupon(scope=ScopeDraft(product_refs=["p9"])), {}


async def other_merchant(shop: Shop) -> Prepared:
    return await shop.coupon(merchant_id=merchant(2)), {}


async def other_channel(shop: Shop) -> Prepared:
    return await shop.coupon(scope=ScopeDraft(channels=[Channel.IN_STORE])), {}


async def other_store(shop: Shop) -> Prepared:
    await shop.add_store(1)
    return await shop.coupon(scope=ScopeDraft(store_ids=[store(1)])), {}


async def condition(shop: Shop) -> Prepared:
    return await shop.coupon(conditions=ConditionsDraft({"cartQuantity": {"atLeast": 2}}, zone=PROGRAMME.zone)), {}


async def condition_on_the_member(shop: Shop) -> Prepared:
    await shop.redeemed(await shop.coupon())
    return await shop.coupon(conditions=ConditionsDraft({"firstOrder": True}, zone=PROGRAMME.zone)), {}


async def takes_nothing(shop: Shop) -> Prepared:
    return await shop.coupon(kind="FREE_SHIPPING", terms={}), {}


async def full_store(shop: Shop) -> Prepared:
    at = await shop.add_store(1)
    template_id = await shop.world.published(limit_per_member=None, limit_per_store=1)
    first, second = [await shop.world.claimed(template_id) for _ in range(2)]
    where = {"given": cart(store_id=at), "store_id": at}
    await shop.redeemed(first, **where)
    return second, where


async def spent_budget(shop: Shop) -> Prepared:
    await shop.add_campaign(budget_minor=2000)
    await shop.redeemed(await shop.coupon(campaign_id=campaign()))
    return await shop.coupon(campaign_id=campaign()), {}


async def too_small_a_budget(shop: Shop) -> Prepared:
    await shop.add_campaign(budget_minor=1999)
    return await shop.coupon(campaign_id=campaign()), {}


async def too_small_a_budget_of_one_funder(shop: Shop) -> Prepared:
    await shop.add_campaign(budget_minor=10_000, MERCHANT=999)
    return await shop.coupon(campaign_id=campaign(), funders=HALF), {}


async def budget_of_another_currency(shop: Shop) -> Prepared:
    await shop.add_campaign(budget_minor=10**6, currency="JPY")
    return await shop.coupon(campaign_id=campaign()), {}


REFUSED: dict[Prepare, tuple[type[Refusal], str]] = {
    used: (CouponNotUsable, "state"),
    expired: (CouponExpired, "validity"),
    below_threshold: (NotEligible, "threshold"),
    other_goods: (NotEligible, "scope"),
    other_merchant: (NotEligible, "scope"),
    other_channel: (NotEligible, "channel"),
    other_store: (NotEligible, "store"),
    condition: (NotEligible, "cartQuantity"),
    condition_on_the_member: (NotEligible, "firstOrder"),
    takes_nothing: (NotEligible, "effect"),
    full_store: (NotEligible, "limit_per_store"),
    spent_budget: (BudgetExhausted, "budget"),
    too_small_a_budget: (BudgetExhausted, "budget"),
    too_small_a_budget_of_one_funder: (BudgetExhausted, "budget"),
    budget_of_another_currency: (BudgetExhausted, "budget"),
}


@pytest.mark.parametrize("prepare", REFUSED, ids=lambda prepare: prepare.__name__)
async def test_what_a_redemption_is_refused_for_the_quote_has_said_before(shop: Shop, prepare: Prepare) -> None:
    refusal, name = REFUSED[prepare]
    coupon, where = await prepare(shop)
    given = where.get("given") or cart()
    quote = await chosen(shop, given, coupon)
    assert quote.applied == ()
    assert name in failed(quote.not_applied[0].eligibility.because)
    assert quote.discount_minor == 0
    assert (await best(shop, given)).quote.discount_minor == 0
    outcome = await shop.redeem(coupon, **where)
    assert isinstance(outcome, refusal), outcome


async def test_a_quote_is_of_what_reservations_have_left_and_takes_back_what_has_run_out(shop: Shop) -> None:
    await shop.add_campaign(budget_minor=2000)
    first, second = [await shop.coupon(campaign_id=campaign()) for _ in range(2)]
    await reserved(shop, first)
    assert (await chosen(shop, cart(), second)).applied == ()
    shop.world.clock.advance(minutes=16)
    assert [one.coupon_id for one in (await chosen(shop, cart(), second)).applied] == [second.coupon_id]
    assert isinstance(await shop.redeem(second), Done), "nobody has swept, and it is free all the same"


@pytest.mark.parametrize("funder", ["ALL", "MERCHANT"])
async def test_a_quote_takes_a_budget_whose_accounts_are_gone_for_spent(shop: Shop, funder: str) -> None:
    await shop.add_campaign(budget_minor=10**6, MERCHANT=10**6)
    coupon = await shop.coupon(campaign_id=campaign(), funders=HALF)
    for gone in ([funder], ["ALL", "PLATFORM", "MERCHANT"]):
        await shop.world.rows("DELETE FROM budget_accounts WHERE funder = ANY($1::text[])", gone)
        quote = await chosen(shop, cart(), coupon)
        assert quote.applied == ()
        assert failed(quote.not_applied[0].eligibility.because) == {"budget"}
    await shop.world.rows("UPDATE campaigns SET budget_minor = NULL, funder_budgets = NULL")
    assert (await chosen(shop, cart(), coupon)).discount_minor == 2000


async def test_of_two_coupons_for_one_use_the_quote_applies_one(shop: Shop) -> None:
    at = await shop.add_store(1)
    template_id = await shop.world.published(limit_per_member=None, limit_per_store=1, stacking=TWO_OF_ONE)
    coupons = [await shop.world.claimed(template_id) for _ in range(2)]
    given = cart(30000, store_id=at)
    quote = await chosen(shop, given, *coupons)
    assert (len(quote.applied), quote.discount_minor) == (1, 2000)
    because = quote.not_applied[0].eligibility.because
    assert failed(because) == {"limit_per_store"}
    assert (await best(shop, given)).quote.discount_minor == 2000
    assert (await best(shop, cart(30000))).quote.discount_minor == 4000, "in no store none is limited"


async def test_the_best_of_what_a_budget_covers_is_found_and_proven(shop: Shop) -> None:
    await shop.add_campaign(budget_minor=3000)
    both = StackingDraft(tags=["p"], combines_with_tags=["p"])
    for amount in (2000, 1500):
        await shop.coupon(campaign_id=campaign(), stacking=both, terms={"thresholdMinor": 10000, "amountMinor": amount})
    found = await best(shop, cart(30000))
    assert found.quote.discount_minor == 2000
    assert (found.optimality.status, found.optimality.gap_minor) == (OptimalityStatus.PROVEN, 0)
    assert failed(found.not_applied[0].eligibility.because) == {"budget"}


async def test_a_budget_with_nothing_left_leaves_the_rest_proven(shop: Shop) -> None:
    await shop.add_campaign(budget_minor=2000)
    await shop.redeemed(await shop.coupon(campaign_id=campaign()))
    await shop.coupon(campaign_id=campaign())
    await shop.coupon(terms={"thresholdMinor": 10000, "amountMinor": 500})
    found = await best(shop, cart())
    assert (found.quote.discount_minor, found.optimality.status) == (500, OptimalityStatus.PROVEN)
