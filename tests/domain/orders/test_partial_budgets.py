"""A budget that covers a part of a discount: the coupon acts with that, and the best combination counts on it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.campaigns.model import Budget, RemainderPolicy
from domain.coupons.cart import Cart
from domain.coupons.eligibility import Unlock
from domain.coupons.offer import Funder, FunderShare, Offer, ThresholdBase
from domain.coupons.solver import search
from domain.coupons.solver.answers import OptimalityStatus
from domain.coupons.solver.picks import pick
from domain.coupons.solver.purses import most_covered
from domain.coupons.solver.table import Table
from domain.coupons.wallet import HeldCoupon
from domain.orders.model import Quote
from domain.orders.room import Room
from domain.shared.allocation import split_over_funders
from domain.shared.ids import CampaignId
from domain.shared.money import Money
from tests.domain.coupons.carts import cart, offer
from tests.domain.coupons.wallets import random_cart, random_wallet
from tests.domain.orders.held import held
from tests.domain.orders.test_best_quote import CAMPAIGNS, FRIENDLY, SHARES, best, budget, chosen

PARTIAL = RemainderPolicy.PARTIAL


def left(minor: int, **funders: int) -> Room:
    return Room(budgets={CAMPAIGNS[0]: budget(minor, remainder=PARTIAL, **funders)})


def of_campaign(*offers: Offer) -> list[HeldCoupon]:
    return [held(replace(one, stacking=FRIENDLY), campaign_id=CAMPAIGNS[0]) for one in offers]


def taken(quote: Quote) -> list[tuple[int, int | None]]:
    """What each coupon takes off, and what it would."""
    return [(one.amount_minor, one.full_minor) for one in quote.applied]


# ── golden ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given_", "full_minor", "lines"),
    [
        (offer(1, "AMOUNT_OFF", amount_minor=2000), 2000, [467, 234]),
        (offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=12_000, amount_minor=2000), 2000, [467, 234]),
        (offer(1, "PERCENT_OFF", payable_basis_points=8000), 2400, [467, 234]),
        (offer(1, "FIXED_PRICE", price_minor=3000), 5000, [701, 0]),
    ],
    ids=lambda one: one.kind if isinstance(one, Offer) else "",
)
def test_what_is_left_of_a_budget_is_shared_out_over_the_lines_as_the_discount_is(
    given_: Offer, full_minor: int, lines: list[int]
) -> None:
    """701 over 8000 and 4000: 467⅓ and 233⅔."""
    quote = chosen(cart(8000, 4000), of_campaign(given_), room=left(701))
    assert taken(quote) == [(701, full_minor)]
    assert [line.discount_minor for line in quote.lines] == lines
    assert quote.payable_minor == 12_000 - 701


def test_what_is_left_of_a_budget_pays_a_part_of_the_shipping() -> None:
    quote = chosen(cart(8000, shipping_minor=1200), of_campaign(offer(1, "FREE_SHIPPING")), room=left(700))
    assert taken(quote) == [(700, 1200)]
    assert [one.amount_minor for one in quote.shipping_allocations] == [700]


def test_with_enough_left_nothing_is_cut_and_nothing_is_said() -> None:
    wallet = of_campaign(offer(1, "AMOUNT_OFF", amount_minor=2000))
    quote = chosen(cart(8000), wallet, room=left(2000))
    assert quote == chosen(cart(8000), wallet)
    assert taken(quote) == [(2000, None)]
    (proof,) = [one.eligibility for one in quote.applied]
    assert proof is not None
    assert "budget_remainder" not in {one.name for one in proof.because.children}


@pytest.mark.parametrize(
    ("points", "platform", "merchant", "taken_minor"),
    [
        (5000, 10_000, 350, 701),  # 701: the platform bears 350.5, rounded up, the merchant the other 350
        (5000, 350, 10_000, 700),
        (3333, 333, 10_000, 1000),  # 1000: 333.3; of 1001 it would be 333.6
        (3333, 10_000, 10_000, 2000),
        (5000, 1, 10_000, 2),
        (5000, 0, 10_000, 0),
    ],
)
def test_as_much_is_taken_as_every_funder_still_bears_its_part_of(
    points: int, platform: int, merchant: int, taken_minor: int
) -> None:
    funders = (FunderShare(Funder.PLATFORM, points), FunderShare(Funder.MERCHANT, 10_000 - points))
    one = replace(offer(1, "AMOUNT_OFF", amount_minor=2000), funders=funders)
    quote = chosen(cart(8000), of_campaign(one), room=left(10_000, PLATFORM=platform, MERCHANT=merchant))
    assert quote.discount_minor == taken_minor
    for applied in quote.applied:
        borne = {share.funder: share.amount_minor for share in applied.shares}
        assert borne[Funder.PLATFORM] <= platform
        assert borne[Funder.MERCHANT] <= merchant


@given(
    amount=st.integers(0, 50_000),
    points=st.integers(0, 10_000),
    lefts=st.tuples(*[st.one_of(st.none(), st.integers(0, 3000))] * 3),
)
def test_no_larger_amount_is_covered(amount: int, points: int, lefts: tuple[int | None, ...]) -> None:
    funders = (FunderShare(Funder.PLATFORM, points), FunderShare(Funder.MERCHANT, 10_000 - points))
    of = dict(zip((None, Funder.PLATFORM, Funder.MERCHANT), lefts, strict=True))

    def is_covered(minor: int) -> bool:
        (row,) = split_over_funders([minor], basis_points=[one.basis_points for one in funders])
        parts = [(None, minor), *((one.funder, part) for one, part in zip(funders, row, strict=True))]
        return all(not part or (most := of[funder]) is None or part <= most for funder, part in parts)

    most = most_covered(amount, funders=funders, left_of=of.__getitem__)
    assert is_covered(most)
    assert most == amount or not any(is_covered(more) for more in range(most + 1, min(amount, most + 300) + 1))


def test_those_that_are_priced_first_have_it_and_who_finds_nothing_does_not_act() -> None:
    wallet = of_campaign(*[offer(n, "AMOUNT_OFF", amount_minor=100) for n in (1, 2, 3, 4)])
    quote = chosen(cart(8000), wallet, room=left(250))
    assert taken(quote) == [(100, None), (100, None), (50, 100)]
    (refused,) = quote.not_applied
    failed = [one for one in refused.eligibility.because.children if not one.passed]
    assert [(one.name, one.required, one.actual) for one in failed] == [("budget", "≥ ¥1.00", "less")]


def test_a_threshold_is_met_or_missed_by_the_whole_discount() -> None:
    after = replace(
        offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=7000, amount_minor=2000),
        threshold_base=ThresholdBase.AFTER_THIS,
    )
    assert taken(chosen(cart(9000), of_campaign(after), room=left(500))) == [(500, 2000)]
    assert taken(chosen(cart(8999), of_campaign(after), room=left(500))) == []


def test_later_coupons_count_on_what_was_really_taken() -> None:
    first = replace(offer(1, "AMOUNT_OFF", amount_minor=4000), stacking=FRIENDLY)
    second = replace(offer(2, "PERCENT_OFF", payable_basis_points=9000), stacking=FRIENDLY)
    quote = chosen(cart(9000), [held(first, campaign_id=CAMPAIGNS[0]), held(second)], room=left(1000))
    assert taken(quote) == [(1000, 4000), (800, None)]


@pytest.mark.parametrize("left_minor", [1, 1999, 2000, 3000])
def test_an_unlock_tells_what_would_be_saved_of_what_is_left(left_minor: int) -> None:
    threshold = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=10_000, amount_minor=2000)
    (refused,) = chosen(cart(8800), of_campaign(threshold), room=left(left_minor)).not_applied
    unlock = refused.eligibility.unlock
    assert isinstance(unlock, Unlock)
    assert (unlock.more, unlock.saving) == (Money(1200, "CNY"), Money(min(2000, left_minor), "CNY"))


def test_of_a_budget_that_is_used_up_no_unlock_is_told() -> None:
    threshold = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=10_000, amount_minor=2000)
    (refused,) = chosen(cart(8800), of_campaign(threshold), room=left(0)).not_applied
    assert refused.eligibility.unlock is None


# ── the best combination ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_best_fills_a_partial_budget_with_as_few_coupons_as_do() -> None:
    wallet = of_campaign(*[offer(n, "AMOUNT_OFF", amount_minor=amount) for n, amount in enumerate((1100, 1000, 900))])
    found = best(cart(30_000), wallet, room=left(1500))
    assert (found.quote.discount_minor, len(found.quote.applied)) == (1500, 2)
    assert found.optimality.status is OptimalityStatus.PROVEN


def test_a_coupon_that_nothing_limits_is_preferred_to_one_that_would_be_cut_in_its_group() -> None:
    grouped = replace(FRIENDLY, exclusive_group="g")
    large = held(replace(offer(1, "AMOUNT_OFF", amount_minor=5000), stacking=grouped), campaign_id=CAMPAIGNS[0])
    small = held(replace(offer(2, "AMOUNT_OFF", amount_minor=1500), stacking=grouped))
    for minor, expected in ((1400, (1500, None)), (1600, (1600, 5000))):
        found = best(cart(9000), [large, small], room=left(minor))
        assert taken(found.quote) == [expected]
        assert found.optimality.status is OptimalityStatus.PROVEN


def test_coupons_on_units_of_a_partial_budget_are_searched_too() -> None:
    wallet = of_campaign(*[offer(n, "FIXED_PRICE", price_minor=1000 * n) for n in (1, 2, 3)])
    found = best(cart(9000, 8000, 7000), wallet, room=left(10_000))
    assert found.quote.discount_minor == 10_000
    assert found.optimality.status is OptimalityStatus.PROVEN


def limited(chance: Random, policies: Sequence[RemainderPolicy]) -> tuple[Cart, list[HeldCoupon], Room]:
    """A cart, and a wallet most of which draws on budgets that are nearly used up."""
    campaigns: Sequence[CampaignId | None] = chance.choice([[CAMPAIGNS[0]], [None, CAMPAIGNS[0]], [None, *CAMPAIGNS]])
    wallet = [
        held(replace(one, funders=chance.choice(SHARES)), campaign_id=chance.choice(campaigns))
        for one in random_wallet(chance, most=5, friendly=chance.random() < 0.8)
    ]
    by_template = {one.template.id: one.template for one in wallet}
    most = chance.choice([300, 1500, 6000])
    funders: Mapping[str, int] = chance.choice(
        [{}, {}, {"PLATFORM": chance.randint(0, most)}, {"MERCHANT": most, "PLATFORM": most // 2}]
    )

    def drawn() -> Budget:
        return budget(chance.randint(1, most), remainder=chance.choice(policies), **funders)

    room = Room(budgets={one: drawn() for one in CAMPAIGNS})
    return random_cart(chance), [replace(one, template=by_template[one.template.id]) for one in wallet], room


def test_a_coupon_of_a_short_budget_that_makes_room_for_a_threshold_is_left_out_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another takes its part of the budget after the threshold was met. The first way tried has the wrong one."""
    threshold = offer(2, "THRESHOLD_AMOUNT_OFF", threshold_minor=9500, amount_minor=300)
    ten, large, other = (offer(n, "AMOUNT_OFF", amount_minor=amount) for n, amount in ((0, 10), (1, 1000), (3, 1000)))
    wallet = [held(replace(one, stacking=FRIENDLY)) for one in (ten, threshold)] + of_campaign(large, other)
    ways = iter([0b0010])

    def picked(allowed: int, *, worth: Sequence[float], table: Table) -> int:
        first = next(ways, None)
        return pick(allowed, worth=worth, table=table) if first is None else first & allowed

    monkeypatch.setattr(search, "pick", picked)
    monkeypatch.setattr(search, "_ROUNDS", 1)
    for policy in RemainderPolicy:
        found = best(cart(10_000), wallet, room=Room(budgets={CAMPAIGNS[0]: budget(1000, remainder=policy)}))
        assert (found.quote.discount_minor, found.optimality.status) == (1310, OptimalityStatus.PROVEN)
        ways = iter([0b0010])


@settings(max_examples=200, deadline=None)
@given(
    chance=st.randoms(use_true_random=True),
    points=st.sampled_from([0, 0, 100, 3000]),
    policies=st.sampled_from([[PARTIAL], list(RemainderPolicy)]),
)
def test_whatever_the_search_tries_first_it_proves_nothing_that_is_not_so(
    chance: Random, points: int, policies: Sequence[RemainderPolicy]
) -> None:
    """What is picked well hides bounds that are too low: here coupons are picked at random."""

    def picked(allowed: int, *, worth: Sequence[float], table: Table) -> int:
        del worth, table
        return allowed & chance.getrandbits(64) if chance.random() < 0.7 else allowed

    what, wallet, room = limited(chance, policies)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(search, "pick", picked)
        patched.setattr(search, "_ROUNDS", 1)
        found = best(what, wallet, points=points, room=room)
    assert found.optimality.status is OptimalityStatus.PROVEN
    for number in range(len(wallet) + 1):
        for subset in combinations(wallet, number):
            other = chosen(what, subset, points=points, room=room)
            assert found.quote.payable_minor <= other.payable_minor
