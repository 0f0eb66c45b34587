"""Random carts and coupons, priced a second time by slow and plain arithmetic that shares no code with the first."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.coupons.cart import Cart, CartLine, Scope
from domain.coupons.lanes import Lane
from domain.coupons.offer import Funder, FunderShare, Offer, Stacking, ThresholdBase
from domain.coupons.pricing import Pricing, PricingPolicy
from domain.shared.ids import MerchantId
from tests.domain.coupons.carts import offer, priced

MERCHANTS = [MerchantId(UUID(int=number)) for number in (1, 2, 3)]
LANES = ["ITEM", "STORE_ORDER", "PLATFORM_ORDER", "SHIPPING", "POINTS", "TENDER"]
SMALL = st.integers(min_value=0, max_value=3000)


@st.composite
def _carts(draw: st.DrawFn) -> Cart:
    lines = [
        CartLine(
            id=str(place),
            product_ref=draw(st.sampled_from("abc")),
            merchant_id=draw(st.sampled_from(MERCHANTS)),
            quantity=draw(st.integers(min_value=1, max_value=4)),
            unit_price_minor=draw(SMALL),
            category_refs=frozenset(draw(st.lists(st.sampled_from("xyz"), max_size=2))),
        )
        for place in range(draw(st.integers(min_value=1, max_value=6)))
    ]
    return Cart("CNY", tuple(lines), shipping_minor=draw(SMALL))


@st.composite
def _offers(draw: st.DrawFn, number: int) -> Offer:
    match draw(st.sampled_from(["AMOUNT_OFF", "THRESHOLD_AMOUNT_OFF", "PERCENT_OFF"])):
        case "AMOUNT_OFF":
            coupon = offer(number, "AMOUNT_OFF", amount_minor=draw(st.integers(1, 4000)))
        case "PERCENT_OFF":
            coupon = offer(number, "PERCENT_OFF", payable_basis_points=draw(st.integers(1, 9999)))
        case kind:
            amount = draw(st.integers(1, 2000))
            coupon = offer(number, kind, amount_minor=amount, threshold_minor=amount + draw(SMALL))
    tags = st.frozensets(st.sampled_from("pq"))
    platform = draw(st.integers(0, 10_000))
    return replace(
        coupon,
        merchant_id=draw(st.sampled_from([None, *MERCHANTS])),
        scope=Scope(
            product_refs=draw(st.frozensets(st.sampled_from("abc"), max_size=1)),
            category_refs=draw(st.frozensets(st.sampled_from("xyz"), max_size=1)),
            excluded_product_refs=draw(st.frozensets(st.sampled_from("abc"), max_size=1)),
        ),
        stacking=Stacking(
            lane=draw(st.sampled_from([None, *Lane])),
            tags=draw(tags),
            combines_with_tags=draw(tags),
            exclusive_group=draw(st.sampled_from([None, None, "g"])),
            priority=draw(st.integers(-1, 1)),
        ),
        threshold_base=draw(st.sampled_from(list(ThresholdBase))),
        funders=(FunderShare(Funder.PLATFORM, platform), FunderShare(Funder.MERCHANT, 10_000 - platform)),
    )


@st.composite
def _wallets(draw: st.DrawFn) -> list[Offer]:
    count = draw(st.integers(min_value=0, max_value=5))
    return [draw(_offers(number)) for number in draw(st.permutations(range(1, count + 1)))]


@dataclass
class Slow:
    """The oracle's own till: fen as a dictionary of lines, everything by fractions and one fen at a time."""

    cart: Cart
    least: int
    left: dict[str, int]
    acting: list[Offer]
    taken: dict[tuple[int, str], int]

    def lane(self, coupon: Offer) -> str:
        """The lane's name, by the rule of semantics."""
        if coupon.stacking.lane:
            return coupon.stacking.lane.value
        return "PLATFORM_ORDER" if coupon.merchant_id is None else "STORE_ORDER"

    def lines(self, coupon: Offer) -> list[CartLine]:
        """The lines in scope."""
        found = []
        for line in self.cart.lines:
            mine = coupon.merchant_id is None or line.merchant_id == coupon.merchant_id
            named = line.product_ref in coupon.scope.product_refs or bool(
                line.category_refs & coupon.scope.category_refs
            )
            anything = not coupon.scope.product_refs and not coupon.scope.category_refs
            if mine and (named or anything) and line.product_ref not in coupon.scope.excluded_product_refs:
                found.append(line)
        return found

    def refuses(self, one: Offer, other: Offer) -> bool:
        """Whether two coupons cannot act together."""
        group = one.stacking.exclusive_group
        if group is not None and group == other.stacking.exclusive_group:
            return True
        if self.lane(one) != self.lane(other):
            return False
        there = any(tag in other.stacking.tags for tag in one.stacking.combines_with_tags)
        back = any(tag in one.stacking.tags for tag in other.stacking.combines_with_tags)
        return not (there and back)

    def take(self, coupon: Offer) -> None:
        """Apply one coupon, or not."""
        lines = self.lines(coupon)
        before = sum(self.left[line.id] for line in lines)
        payable = sum(self.left.values()) + self.cart.shipping_minor
        off = min(self.promise(coupon, before), before, max(0, payable - self.least))
        base = {
            "INITIAL": sum(line.quantity * line.unit_price_minor for line in lines),
            "BEFORE_THIS": before,
            "AFTER_THIS": before - off,
        }[coupon.threshold_base.value]
        blocked = any(self.refuses(coupon, other) for other in self.acting)
        if blocked or not off or base < (getattr(coupon.terms, "threshold_minor", None) or 0):
            return
        self.share(coupon, lines, off, before)
        self.acting.append(coupon)

    def promise(self, coupon: Offer, before: int) -> int:
        """What the coupon would take off without limits."""
        if coupon.kind != "PERCENT_OFF":
            return int(coupon.terms.amount_minor)  # type: ignore[attr-defined]
        part = Decimal(10_000 - coupon.terms.payable_basis_points) / 10_000  # type: ignore[attr-defined]
        return int((Decimal(before) * part).quantize(Decimal(1), rounding=ROUND_HALF_UP))

    def share(self, coupon: Offer, lines: list[CartLine], off: int, before: int) -> None:
        """Largest remainders, one fen at a time: each goes to the line that is furthest below its exact share."""
        exact = {line.id: Fraction(off * self.left[line.id], before) for line in lines}
        given_ = {line.id: exact[line.id].__floor__() for line in lines}
        served: set[str] = set()
        while sum(given_.values()) < off:
            waiting = [line for line in lines if line.id not in served]
            best = max(waiting, key=lambda line: (exact[line.id] % 1, self.left[line.id], -self.cart.lines.index(line)))
            given_[best.id] += 1
            served.add(best.id)
        for line in lines:
            self.left[line.id] -= given_[line.id]
            self.taken[coupon.coupon_id.int, line.id] = given_[line.id]


def _slow(cart: Cart, offers: list[Offer], least: int) -> Slow:
    till = Slow(cart, least, {line.id: line.quantity * line.unit_price_minor for line in cart.lines}, [], {})
    for lane in LANES:
        for priority in (1, 0, -1):
            for coupon in sorted(offers, key=lambda coupon: coupon.coupon_id.int):
                if till.lane(coupon) == lane and coupon.stacking.priority == priority:
                    till.take(coupon)
    return till


def _check_sums(pricing: Pricing) -> None:
    """Row and column sums agree for lines, coupons and funders, and nothing is negative."""
    assert pricing.payable_minor == sum(line.payable_minor for line in pricing.lines) + pricing.shipping_minor
    assert pricing.discount_minor == sum(line.discount_minor for line in pricing.lines)
    for line in pricing.lines:
        assert line.payable_minor >= 0
        for allocation in line.allocations:
            assert allocation.amount_minor == sum(share.amount_minor for share in allocation.shares) > 0
            assert all(share.amount_minor >= 0 for share in allocation.shares)
    for coupon in pricing.applied:
        mine = [a for line in pricing.lines for a in line.allocations if a.coupon_id == coupon.offer.coupon_id]
        assert coupon.amount_minor == sum(a.amount_minor for a in mine)
        for place, share in enumerate(coupon.shares):
            assert share.amount_minor == sum(a.shares[place].amount_minor for a in mine)
            exact = Fraction(coupon.amount_minor * coupon.offer.funders[place].basis_points, 10_000)
            assert abs(share.amount_minor - exact) <= Fraction(1, 2)


@given(cart=_carts(), offers=_wallets(), least=st.integers(min_value=0, max_value=1))
def test_pricing_agrees_with_plain_arithmetic(cart: Cart, offers: list[Offer], least: int) -> None:
    pricing = priced(cart, offers, policy=PricingPolicy(min_payable_minor=least))
    slow = _slow(cart, offers, least)
    assert [coupon.offer for coupon in pricing.applied] == slow.acting
    taken = {
        (allocation.coupon_id.int, line.line.id): allocation.amount_minor
        for line in pricing.lines
        for allocation in line.allocations
    }
    assert taken == {key: amount for key, amount in slow.taken.items() if amount}
    decided = [coupon.offer for coupon in pricing.applied] + [coupon.offer for coupon in pricing.not_applied]
    assert {coupon.coupon_id for coupon in decided} == {coupon.coupon_id for coupon in offers}
    _check_sums(pricing)
