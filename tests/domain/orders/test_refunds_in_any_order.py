"""Random orders, coupons, policies and sequences of refunds: whatever the way, the end is that of one full refund.

What decides is what decides a refund in earnest; each refund of them all is held against a reckoning of its own.
"""

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.coupons.model import RefundPolicy
from domain.coupons.offer import Funder, FunderShare, Offer, Stacking
from domain.orders.refund_model import POINTS_PAID, SHIPPING
from tests.domain.coupons.carts import cart, offer
from tests.domain.coupons.wallets import random_cart, random_wallet
from tests.refunded_orders import Refunded, refundable

SEEDS = st.integers(min_value=0, max_value=2**32)


def random_order(chance: Random, *, policies: list[RefundPolicy] | None = None) -> Refunded:
    """Any coupons that go together, borne by whom it may be, a part paid with points, a tier's bonus."""
    goods = random_cart(chance)
    offers = [_borne(chance, one) for one in random_wallet(chance, friendly=chance.random() < 0.7)]
    chosen = {one.coupon_id: chance.choice(policies or list(RefundPolicy)) for one in offers}
    plain = refundable(goods, offers, policies=chosen)
    points = {}
    if chance.random() < 0.5:
        points = {one.line.id: chance.randint(0, one.payable_minor) for one in plain.found.lines}
    return refundable(
        goods,
        offers,
        policies=chosen,
        points_minor={line: minor for line, minor in points.items() if minor},
        points_used=chance.randint(1, 500) if any(points.values()) else 0,
        bonus_basis_points=chance.choice([0, 1000, 2500]),
    )


def order_of_thresholds(chance: Random) -> Refunded:
    """Three coupons that lean on each other: what the first leaves decides on the second, and so on.

    Around an order in which the second, once given back, would act again as soon as the first does not.
    """

    def about(minor: int) -> int:
        return minor * chance.randint(93, 107) // 100

    together = Stacking(tags=frozenset("t"), combines_with_tags=frozenset("t"))
    offers = [
        replace(
            offer(number, "THRESHOLD_AMOUNT_OFF", threshold_minor=about(threshold), amount_minor=about(amount)),
            stacking=together,
        )
        for number, threshold, amount in ((1, 8000, 3000), (2, 7000, 2000), (3, 5600, 400))
    ]
    goods = cart(about(7500), about(3000), about(1500))
    policies = [RefundPolicy.KEEP_ALLOCATION, RefundPolicy.REPRICE, chance.choice(list(RefundPolicy))]
    return refundable(goods, offers, policies={o.coupon_id: policy for o, policy in zip(offers, policies, strict=True)})


def _borne(chance: Random, offer: Offer) -> Offer:
    platform = chance.choice([0, 3333, 5000, 10000])
    shares = {Funder.PLATFORM: platform, Funder.MERCHANT: 10000 - platform}
    return replace(offer, funders=tuple(FunderShare(funder, points) for funder, points in shares.items()))


def some_units(chance: Random, order: Refunded) -> dict[str, int] | None:
    """A few of the units that are left; None where that is all."""
    left = {part.id: part.remaining for part in order.parts if part.id != SHIPPING and part.remaining}
    lines = chance.sample(list(left), chance.randint(1, len(left)))
    return None if chance.random() < 0.1 else {line: chance.randint(1, left[line]) for line in lines}


def has_units(order: Refunded) -> bool:
    return any(part.remaining for part in order.parts if part.id != SHIPPING)


def totals(order: Refunded) -> dict[str, object]:
    """All that the refunds of an order gave, by part, by bearer and by funder."""
    by_place: Counter[object] = Counter()
    for settled in order.settled:
        for returned in settled.returned:
            by_place["money", returned.part_id] += returned.amount_minor
            by_place["units", returned.part_id] += returned.quantity
        for taken in settled.taken_back:
            by_place["discount", taken.part_id, taken.bearer] += taken.amount_minor
            for share in taken.shares:
                by_place["share", taken.part_id, taken.bearer, share.funder] += share.amount_minor
        for bearer, minor in settled.receivables_minor:
            by_place["due", bearer] += minor
    return {
        "money": order.refunded_minor,
        "points returned": order.points_returned,
        "points clawed back": order.points_clawed_back,
        **{str(place): amount for place, amount in by_place.items() if amount},
    }


@settings(deadline=None)
@given(SEEDS)
def test_any_sequence_of_refunds_gives_what_one_full_refund_gives(seed: int) -> None:
    whole, parts = random_order(Random(seed)), random_order(Random(seed))
    chance = Random(seed + 1)
    whole.refund()
    while has_units(parts):
        parts.refund(some_units(chance, parts))
    assert totals(parts) == totals(whole)
    assert whole.refunded_minor == whole.paid_minor
    assert (whole.points_returned, whole.points_clawed_back) == (whole.points_used, whole.points_earned)
    assert not any(whole.due_minor.values())


@settings(deadline=None)
@given(SEEDS)
def test_no_refund_is_negative_or_takes_a_discount_further_than_it_went(seed: int) -> None:
    chance = Random(seed)
    order = random_order(chance)
    while has_units(order):
        before, returned, clawed = order.parts, order.points_returned, order.points_clawed_back
        settled = order.refund(some_units(chance, order))
        assert settled.amount_minor >= 0
        assert order.refunded_minor <= order.paid_minor
        assert order.points_returned >= returned
        assert order.points_clawed_back >= clawed
        assert all(part.paid_minor >= 0 for part in order.parts)
        for taken in settled.taken_back:
            assert taken.amount_minor > 0
            assert all(share.amount_minor >= 0 for share in taken.shares)
            if taken.bearer != POINTS_PAID:
                assert sum(share.amount_minor for share in taken.shares) == taken.amount_minor
        for old, new in zip(before, settled.parts, strict=True):
            assert all(a.kept_minor >= b.kept_minor for a, b in zip(old.discounts, new.discounts, strict=True))
        for bearer, minor in order.due_minor.items():
            kept = sum(d.kept_minor for part in order.parts for d in part.discounts if d.bearer == bearer)
            assert 0 <= minor <= kept, "nobody owes more than the discount that is left"


@settings(deadline=None)
@given(SEEDS)
def test_what_is_kept_depends_on_what_was_returned_and_not_on_the_way(seed: int) -> None:
    chance = Random(seed)
    fixed = [RefundPolicy.KEEP_ALLOCATION, RefundPolicy.CLAWBACK]
    in_steps, at_once = (random_order(Random(seed), policies=fixed) for _ in range(2))
    returned: Counter[str] = Counter()
    while has_units(in_steps) and chance.random() < 0.8:
        before = {part.id: part.remaining for part in in_steps.parts}
        in_steps.refund(some_units(chance, in_steps))
        returned.update({part.id: before[part.id] - part.remaining for part in in_steps.parts if part.id != SHIPPING})
    if returned:
        at_once.refund({line: count for line, count in returned.items() if count})
    assert in_steps.parts == at_once.parts
    assert totals(in_steps) == totals(at_once)


@settings(deadline=None)
@given(SEEDS)
def test_repricing_never_refunds_more_than_keeping(seed: int) -> None:
    chance = Random(seed)
    keep, anew = (
        random_order(Random(seed), policies=[policy]) for policy in (RefundPolicy.KEEP_ALLOCATION, RefundPolicy.REPRICE)
    )
    while has_units(keep) and chance.random() < 0.8:
        units = some_units(chance, keep)
        keep.refund(units)
        anew.refund(units)
        if any(part.remaining for part in keep.parts):
            assert anew.refunded_minor <= keep.refunded_minor


@settings(deadline=None)
@given(SEEDS)
def test_each_refund_prices_the_rest_with_the_coupons_that_are_still_used(seed: int) -> None:
    chance = Random(seed)
    order = order_of_thresholds(chance)
    for line in chance.sample(["1", "2", "3"], 3):
        order.refund({line: 1})
    assert order.refunded_minor == order.paid_minor


def test_the_random_orders_reach_every_policy() -> None:
    found: Counter[RefundPolicy] = Counter()
    for seed in range(200):
        found.update(random_order(Random(seed)).policies.values())
    assert min(found[policy] for policy in RefundPolicy) > 30
