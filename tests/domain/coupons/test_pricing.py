"""Which coupons act, in which order, on what base, and to what sum."""

from dataclasses import replace
from itertools import permutations

import pytest

from domain.coupons.cart import Cart, CartError, CartLine, Channel, Scope
from domain.coupons.eligibility import Eligibility, Predicate, Unlock
from domain.coupons.lanes import Lane
from domain.coupons.offer import CouponState, Funder, FunderShare, Offer, PercentBase, Stacking, ThresholdBase
from domain.coupons.pricing import FunderAmount, PricingPolicy, explain, price
from domain.shared.ids import StoreId
from tests.domain.coupons.carts import BOOK_SHOP, NOW, POLICY, TEA_HOUSE, applied_ids, cart, of_merchant, offer, priced

FRIENDS = Stacking(tags=frozenset({"friend"}), combines_with_tags=frozenset({"friend"}))


def first(coupon: Offer) -> Offer:
    """Acts before the others of its lane, and with them."""
    return replace(coupon, stacking=replace(FRIENDS, priority=10))


def second(coupon: Offer) -> Offer:
    """Acts after first(), and with it."""
    return replace(coupon, stacking=FRIENDS)


def test_full_100_minus_20_leaves_80() -> None:
    pricing = priced(cart(10_000), [offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=10_000, amount_minor=2000)])
    assert (pricing.subtotal_minor, pricing.discount_minor, pricing.payable_minor) == (10_000, 2000, 8000)


# ── percent (semantics 4) ───────────────────────────────────────────────────────────────────────────────────────────


def test_golden_1005_at_85_percent_saves_151_and_costs_854() -> None:
    pricing = priced(cart(1005), [offer(1, "PERCENT_OFF", payable_basis_points=8500)])
    assert (pricing.discount_minor, pricing.payable_minor) == (151, 854)


def test_a_percentage_is_rounded_once_for_the_basket_and_not_line_by_line() -> None:
    # 15 % of 3 × 335 = 150.75: one rounding gives 151; three roundings of 50.25 would give 150.
    pricing = priced(cart(335, 335, 335), [offer(1, "PERCENT_OFF", payable_basis_points=8500)])
    assert [line.discount_minor for line in pricing.lines] == [51, 50, 50]


def test_a_percentage_stops_at_its_cap() -> None:
    capped = offer(1, "PERCENT_OFF", payable_basis_points=5000, max_discount_minor=1000)
    assert priced(cart(10_000), [capped]).discount_minor == 1000
    assert priced(cart(1500), [capped]).discount_minor == 750


def test_saleor_17453_two_percentages_of_what_remains_leave_something() -> None:
    # https://github.com/saleor/saleor/issues/17453: 40 % off, then 70 % off.
    forty = first(offer(1, "PERCENT_OFF", payable_basis_points=6000))
    seventy = second(offer(2, "PERCENT_OFF", payable_basis_points=3000))
    assert priced(cart(10_000), [forty, seventy]).payable_minor == 1800


def test_saleor_17453_two_percentages_of_the_initial_price_clamp_at_zero() -> None:
    forty = first(offer(1, "PERCENT_OFF", payable_basis_points=6000))
    seventy = second(replace(offer(2, "PERCENT_OFF", payable_basis_points=3000), percent_base=PercentBase.INITIAL))
    pricing = priced(cart(10_000), [forty, seventy])
    assert [coupon.amount_minor for coupon in pricing.applied] == [4000, 6000]
    assert pricing.payable_minor == 0


# ── threshold base (semantics 5) ────────────────────────────────────────────────────────────────────────────────────

B = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=9500, amount_minor=2000)
C = offer(2, "PERCENT_OFF", payable_basis_points=9000)


def test_golden_threshold_first_then_percentage_costs_7200() -> None:
    assert priced(cart(10_000), [first(B), second(C)]).payable_minor == 7200


def test_golden_percentage_first_fails_the_threshold_after_it() -> None:
    pricing = priced(cart(10_000), [second(B), first(C)])
    assert applied_ids(pricing) == [2]
    assert pricing.payable_minor == 9000
    assert pricing.not_applied[0].eligibility.shortfall_minor == 500


def test_a_threshold_on_the_initial_subtotal_ignores_earlier_offers() -> None:
    initial = replace(second(B), threshold_base=ThresholdBase.INITIAL)
    assert priced(cart(10_000), [initial, first(C)]).payable_minor == 7000


def test_a_threshold_after_this_offer_counts_what_is_left_to_pay() -> None:
    after = replace(B, threshold_base=ThresholdBase.AFTER_THIS)
    refused = priced(cart(10_000), [after]).not_applied[0].eligibility
    assert refused.shortfall_minor == 1500
    assert refused.unlock is not None
    assert refused.unlock.text.en == "Spend ¥15.00 more to save ¥20.00"
    assert priced(cart(11_500), [after]).discount_minor == 2000
    assert applied_ids(priced(cart(11_499), [after])) == []


@pytest.mark.parametrize("payable", [1, 5000, 9000, 9999])
def test_the_shortfall_after_a_percentage_is_the_least_that_suffices(payable: int) -> None:
    coupon = offer(1, "PERCENT_OFF", payable_basis_points=payable, threshold_minor=9500)
    coupon = replace(coupon, threshold_base=ThresholdBase.AFTER_THIS)
    shortfall = priced(cart(9000), [coupon]).not_applied[0].eligibility.shortfall_minor
    assert shortfall is not None
    assert applied_ids(priced(cart(9000 + shortfall), [coupon])) == [1]
    assert applied_ids(priced(cart(9000 + shortfall - 1), [coupon])) == []


def test_a_threshold_counts_goods_in_scope_and_no_shipping() -> None:
    coupon = replace(B, scope=Scope(product_refs=frozenset({"p1"})))
    refused = priced(cart(9499, 5000, shipping_minor=1000), [coupon]).not_applied[0].eligibility
    assert refused.shortfall_minor == 1
    assert priced(cart(9500, 5000), [coupon]).lines[1].discount_minor == 0


# ── lanes, stacking (semantics 6) ───────────────────────────────────────────────────────────────────────────────────


def test_the_order_of_the_request_changes_nothing() -> None:
    offers = [
        first(offer(3, "PERCENT_OFF", payable_basis_points=9000)),
        second(offer(1, "AMOUNT_OFF", amount_minor=500)),
        of_merchant(offer(4, "THRESHOLD_AMOUNT_OFF", threshold_minor=9500, amount_minor=2000)),
        replace(offer(2, "AMOUNT_OFF", amount_minor=100), stacking=Stacking(lane=Lane.ITEM)),
    ]
    results = {repr(priced(cart(10_000, 333), list(order))) for order in permutations(offers)}
    assert len(results) == 1
    assert applied_ids(priced(cart(10_000, 333), offers)) == [2, 4, 3, 1]


def test_lanes_come_in_their_declared_order() -> None:
    offers = [
        replace(offer(9 - lane.place, "AMOUNT_OFF", amount_minor=1), stacking=Stacking(lane=lane, priority=-lane.place))
        for lane in Lane
    ]
    assert applied_ids(priced(cart(1000), offers)) == [9, 8, 7, 6, 5, 4]
    assert [lane.value for lane in Lane] == ["ITEM", "STORE_ORDER", "PLATFORM_ORDER", "SHIPPING", "POINTS", "TENDER"]


def test_a_merchants_coupon_acts_before_the_platforms() -> None:
    assert offer(1, "AMOUNT_OFF", amount_minor=1).lane is Lane.PLATFORM_ORDER
    assert of_merchant(offer(1, "AMOUNT_OFF", amount_minor=1)).lane is Lane.STORE_ORDER


def test_two_coupons_of_one_lane_need_the_consent_of_both() -> None:
    one, two = offer(1, "AMOUNT_OFF", amount_minor=100), offer(2, "AMOUNT_OFF", amount_minor=200)
    only_one_consents = [
        replace(one, stacking=Stacking(combines_with_tags=frozenset({"b"}))),
        replace(two, stacking=Stacking(tags=frozenset({"b"}))),
    ]
    pricing = priced(cart(1000), only_one_consents)
    assert applied_ids(pricing) == [1]
    assert pricing.not_applied[0].conflicts_with == one.coupon_id
    only_the_later_consents = [
        replace(one, stacking=Stacking(tags=frozenset({"a"}))),
        replace(two, stacking=Stacking(combines_with_tags=frozenset({"a"}))),
    ]
    assert applied_ids(priced(cart(1000), only_the_later_consents)) == [1]
    both_consent = [
        replace(one, stacking=Stacking(tags=frozenset({"a"}), combines_with_tags=frozenset({"b"}))),
        replace(two, stacking=Stacking(tags=frozenset({"b"}), combines_with_tags=frozenset({"a"}))),
    ]
    assert applied_ids(priced(cart(1000), both_consent)) == [1, 2]


def test_a_third_coupon_needs_the_consent_of_every_pair() -> None:
    def tagged(number: int, tag: str, *with_tags: str) -> Offer:
        stacking = Stacking(tags=frozenset({tag}), combines_with_tags=frozenset(with_tags))
        return replace(offer(number, "AMOUNT_OFF", amount_minor=100), stacking=stacking)

    pricing = priced(cart(1000), [tagged(1, "a", "b"), tagged(2, "b", "a", "c"), tagged(3, "c", "b")])
    assert applied_ids(pricing) == [1, 2]
    assert pricing.not_applied[0].conflicts_with is not None
    assert pricing.not_applied[0].conflicts_with.int == 1


def test_coupons_of_different_lanes_need_no_consent() -> None:
    platform, merchant = offer(1, "AMOUNT_OFF", amount_minor=100), of_merchant(offer(2, "AMOUNT_OFF", amount_minor=200))
    assert applied_ids(priced(cart(1000), [platform, merchant])) == [2, 1]


def test_an_exclusive_group_gives_one_coupon_even_over_lanes() -> None:
    group = replace(FRIENDS, exclusive_group="spring")
    platform = replace(offer(1, "AMOUNT_OFF", amount_minor=100), stacking=group)
    merchant = replace(of_merchant(offer(2, "AMOUNT_OFF", amount_minor=200)), stacking=group)
    pricing = priced(cart(1000), [platform, merchant])
    assert applied_ids(pricing) == [2]
    assert pricing.not_applied[0].conflicts_with == merchant.coupon_id


def test_an_order_takes_no_more_of_a_template_than_its_maximum() -> None:
    stacking = replace(FRIENDS, max_per_order=2)
    coupons = [replace(offer(n, "AMOUNT_OFF", amount_minor=100), stacking=stacking) for n in (1, 2, 3)]
    of_one_template = [replace(coupon, template_id=coupons[0].template_id) for coupon in coupons]
    assert applied_ids(priced(cart(1000), of_one_template)) == [1, 2]
    assert applied_ids(priced(cart(1000), coupons)) == [1, 2, 3]


def test_vendure_5278_a_coupon_that_takes_nothing_off_is_not_applied_and_blocks_nothing() -> None:
    # https://github.com/vendure-ecommerce/vendure/issues/5278
    nothing = offer(1, "PERCENT_OFF", payable_basis_points=9999)
    something = offer(2, "AMOUNT_OFF", amount_minor=1)
    pricing = priced(cart(100), [nothing, something])
    assert applied_ids(pricing) == [2]
    assert pricing.not_applied[0].conflicts_with is None
    assert failed(pricing.not_applied[0].eligibility.because) == ["effect"]


def test_the_same_coupon_twice_is_refused() -> None:
    coupon = offer(1, "AMOUNT_OFF", amount_minor=1)
    with pytest.raises(CartError, match="couponIds: names a coupon twice"):
        priced(cart(100), [coupon, coupon])


# ── the payable floor (semantics 6 f) ───────────────────────────────────────────────────────────────────────────────


def test_the_payable_floor_reduces_a_discount_and_never_fails() -> None:
    one_fen = PricingPolicy(min_payable_minor=1)
    pricing = priced(cart(300, 200), [offer(1, "AMOUNT_OFF", amount_minor=900)], policy=one_fen)
    assert (pricing.discount_minor, pricing.payable_minor) == (499, 1)
    assert [line.payable_minor for line in pricing.lines] == [1, 0]
    assert priced(cart(300, 200), [offer(1, "AMOUNT_OFF", amount_minor=900)]).payable_minor == 0


def test_shipping_that_is_paid_keeps_the_floor_and_the_discount_stays_on_the_goods() -> None:
    one_fen = PricingPolicy(min_payable_minor=1)
    pricing = priced(cart(300, shipping_minor=600), [offer(1, "AMOUNT_OFF", amount_minor=900)], policy=one_fen)
    assert (pricing.discount_minor, pricing.payable_minor, pricing.shipping_minor) == (300, 600, 600)


def test_a_cart_below_the_floor_is_left_alone() -> None:
    pricing = priced(cart(0), [offer(1, "AMOUNT_OFF", amount_minor=1)], policy=PricingPolicy(min_payable_minor=1))
    assert (pricing.applied, pricing.payable_minor) == ((), 0)


# ── scope, currency, state, validity ────────────────────────────────────────────────────────────────────────────────


def two_merchants() -> Cart:
    """Tea for 60, a book for 40."""
    tea = CartLine("tea", "t", TEA_HOUSE, 2, 3000, frozenset({"drinks"}))
    book = CartLine("book", "b", BOOK_SHOP, 1, 4000, frozenset({"paper"}))
    return Cart("CNY", (tea, book))


def test_a_merchants_coupon_acts_on_that_merchants_lines_alone() -> None:
    pricing = priced(two_merchants(), [of_merchant(offer(1, "AMOUNT_OFF", amount_minor=9000), BOOK_SHOP)])
    assert [line.discount_minor for line in pricing.lines] == [0, 4000]


@pytest.mark.parametrize(
    ("scope", "discounts"),
    [
        (Scope(), [600, 400]),
        (Scope(product_refs=frozenset({"t"})), [1000, 0]),
        (Scope(category_refs=frozenset({"paper"})), [0, 1000]),
        (Scope(product_refs=frozenset({"t"}), category_refs=frozenset({"paper"})), [600, 400]),
        (Scope(excluded_product_refs=frozenset({"t"})), [0, 1000]),
        (Scope(category_refs=frozenset({"drinks"}), excluded_product_refs=frozenset({"t"})), [0, 0]),
        (Scope(merchant_ids=frozenset({TEA_HOUSE})), [1000, 0]),
        (Scope(channels=frozenset({Channel.IN_STORE})), [0, 0]),
        (Scope(store_ids=frozenset({StoreId(TEA_HOUSE)})), [0, 0]),
    ],
)
def test_a_coupon_acts_on_lines_in_its_scope(scope: Scope, discounts: list[int]) -> None:
    pricing = priced(two_merchants(), [replace(offer(1, "AMOUNT_OFF", amount_minor=1000), scope=scope)])
    assert [line.discount_minor for line in pricing.lines] == discounts


def test_a_store_and_a_channel_in_scope_let_the_coupon_act() -> None:
    store = StoreId(TEA_HOUSE)
    scope = Scope(channels=frozenset({Channel.IN_STORE}), store_ids=frozenset({store}))
    coupon = replace(offer(1, "AMOUNT_OFF", amount_minor=1000), scope=scope)
    here = replace(two_merchants(), channel=Channel.IN_STORE, store_id=store)
    assert applied_ids(priced(here, [coupon])) == [1]
    elsewhere = replace(here, store_id=StoreId(BOOK_SHOP))
    assert failed(explained(coupon, elsewhere).because) == ["store"]


def test_a_coupon_of_another_currency_is_not_applicable() -> None:
    coupon = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=100, amount_minor=10)
    eligibility = explained(coupon, cart(10_000, currency="USD"))
    assert failed(eligibility.because) == ["currency"]
    assert (eligibility.shortfall_minor, eligibility.unlock) == (None, None)


@pytest.mark.parametrize("state", [state for state in CouponState if state is not CouponState.CLAIMED])
def test_only_a_claimed_coupon_acts(state: CouponState) -> None:
    coupon = replace(offer(1, "AMOUNT_OFF", amount_minor=1), state=state)
    assert failed(explained(coupon, cart(100)).because) == ["state"]


def test_an_order_may_use_what_is_reserved_for_it() -> None:
    coupon = replace(offer(1, "AMOUNT_OFF", amount_minor=1), state=CouponState.RESERVED)
    pricing = price(cart(100), [coupon], policy=POLICY, at=NOW, usable_states=[CouponState.RESERVED])
    assert applied_ids(pricing) == [1]


def test_validity_starts_with_its_first_instant_and_ends_before_its_last() -> None:
    coupon = offer(1, "AMOUNT_OFF", amount_minor=1)
    assert explained(replace(coupon, valid_from=NOW), cart(100)).eligible
    assert failed(explained(replace(coupon, valid_until=NOW), cart(100)).because) == ["validity"]


def test_a_further_condition_decides_with_its_own_proof() -> None:
    def gold_only(_offer: Offer, _cart: Cart) -> Predicate:
        return Predicate("tier", passed=False, required="GOLD", actual="SILVER")

    coupon = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=200, amount_minor=1)
    eligibility = explain(coupon, cart=cart(100), policy=POLICY, at=NOW, conditions=[gold_only])
    assert failed(eligibility.because) == ["tier", "threshold"]
    assert eligibility.shortfall_minor == 100
    assert eligibility.unlock is None


# ── the proof ───────────────────────────────────────────────────────────────────────────────────────────────────────


def explained(coupon: Offer, what: Cart) -> Eligibility:
    """The decision on this coupon alone."""
    return explain(coupon, cart=what, policy=POLICY, at=NOW)


def failed(because: Predicate) -> list[str]:
    """The names of what did not pass."""
    return [child.name for child in because.children if not child.passed]


def test_the_unlock_says_what_to_buy_and_what_it_saves() -> None:
    coupon = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=10_000, amount_minor=2000)
    eligibility = explained(coupon, cart(8800))
    assert not eligibility.eligible
    assert eligibility.shortfall_minor == 1200
    assert eligibility.unlock is not None
    assert eligibility.unlock.text.read_in("zh-CN") == "再买 ¥12.00 即减 ¥20.00"
    assert eligibility.unlock.text.read_in("en") == "Spend ¥12.00 more to save ¥20.00"
    threshold = next(child for child in eligibility.because.children if child.name == "threshold")
    assert (threshold.required, threshold.actual, threshold.passed) == ("≥ ¥100.00", "¥88.00", False)


def test_the_unlock_of_a_percentage_counts_the_purchase_it_asks_for() -> None:
    coupon = offer(1, "PERCENT_OFF", payable_basis_points=9000, threshold_minor=10_000)
    unlock = explained(coupon, cart(8800)).unlock
    assert isinstance(unlock, Unlock)
    assert (unlock.more.minor, unlock.saving.minor) == (1200, 1000)


def test_there_is_an_unlock_even_when_nothing_in_the_cart_is_in_scope() -> None:
    coupon = replace(B, scope=Scope(product_refs=frozenset({"elsewhere"})))
    eligibility = explained(coupon, cart(20_000))
    assert failed(eligibility.because) == ["scope", "threshold"]
    assert isinstance(eligibility.unlock, Unlock)
    assert eligibility.unlock.more.minor == 9500


def test_an_expired_coupon_has_a_shortfall_and_no_unlock() -> None:
    eligibility = explained(replace(B, valid_until=NOW), cart(100))
    assert eligibility.shortfall_minor == 9400
    assert eligibility.unlock is None


def test_an_applied_coupon_has_its_proof_too() -> None:
    eligibility = explained(B, cart(10_000))
    assert eligibility.eligible
    assert (eligibility.shortfall_minor, eligibility.unlock) == (None, None)
    assert eligibility.because.passed
    assert [child.name for child in eligibility.because.children] == [
        "state", "validity", "currency", "scope", "combines", "exclusive_group", "max_per_order", "threshold", "effect",
    ]  # fmt: skip


# ── who bears it ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_golden_1000_over_three_lines_and_two_funders() -> None:
    halves = (FunderShare(Funder.PLATFORM, 5000), FunderShare(Funder.MERCHANT, 5000))
    pricing = priced(cart(1000, 1000, 1000), [replace(offer(1, "AMOUNT_OFF", amount_minor=1000), funders=halves)])
    rows = [[share.amount_minor for share in line.allocations[0].shares] for line in pricing.lines]
    assert rows == [[167, 167], [167, 166], [166, 167]]
    assert pricing.applied[0].shares == (FunderAmount(Funder.PLATFORM, 500), FunderAmount(Funder.MERCHANT, 500))


def test_who_issues_a_coupon_bears_it_unless_told() -> None:
    platform = priced(cart(1000), [offer(1, "AMOUNT_OFF", amount_minor=100)])
    merchant = priced(cart(1000), [of_merchant(offer(1, "AMOUNT_OFF", amount_minor=100))])
    assert platform.applied[0].shares == (FunderAmount(Funder.PLATFORM, 100),)
    assert merchant.applied[0].shares == (FunderAmount(Funder.MERCHANT, 100),)
