"""Random carts and coupons, priced a second time by slow and plain arithmetic that shares no code with the first."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.coupons.cart import Cart, CartLine, MemberPriceRule, Scope
from domain.coupons.kinds import KINDS
from domain.coupons.kinds.product_exchange import ProductExchange
from domain.coupons.lanes import Lane
from domain.coupons.offer import Funder, FunderShare, Offer, Stacking, ThresholdBase
from domain.coupons.pricing import Pricing, PricingPolicy
from domain.shared.ids import MerchantId
from tests.domain.coupons.carts import offer, priced

MERCHANTS = [MerchantId(UUID(int=number)) for number in (1, 2, 3)]
LANES = ["ITEM", "STORE_ORDER", "PLATFORM_ORDER", "SHIPPING", "POINTS", "TENDER"]
SMALL = st.integers(min_value=0, max_value=3000)
UNIT_KINDS = {"FIXED_PRICE", "BUY_X_GET_Y", "PRODUCT_EXCHANGE"}
SHIPPING_TERMS: list[dict[str, int]] = [{}, {"max_minor": 500}, {"threshold_minor": 2000}]


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
            at_member_price=draw(st.booleans()),
        )
        for place in range(draw(st.integers(min_value=1, max_value=6)))
    ]
    return Cart("CNY", tuple(lines), shipping_minor=draw(SMALL))


@st.composite
def _offers(draw: st.DrawFn, number: int) -> Offer:
    match draw(st.sampled_from([*KINDS])):
        case "AMOUNT_OFF":
            coupon = offer(number, "AMOUNT_OFF", amount_minor=draw(st.integers(1, 4000)))
        case "PERCENT_OFF":
            coupon = offer(number, "PERCENT_OFF", payable_basis_points=draw(st.integers(1, 9999)))
        case "FREE_SHIPPING":
            coupon = offer(number, "FREE_SHIPPING", **draw(st.sampled_from(SHIPPING_TERMS)))
        case "FIXED_PRICE":
            coupon = offer(number, "FIXED_PRICE", price_minor=draw(st.integers(1, 2000)))
        case "BUY_X_GET_Y":
            share = {"payable_basis_points": draw(st.integers(1, 9999))} if draw(st.booleans()) else {}
            bought, got = draw(st.integers(1, 3)), draw(st.integers(1, 3))
            coupon = offer(number, "BUY_X_GET_Y", buy_quantity=bought, get_quantity=got, **share)
        case "PRODUCT_EXCHANGE":
            refs = tuple(sorted(draw(st.frozensets(st.sampled_from("abc"), min_size=1))))
            coupon = replace(offer(number, "AMOUNT_OFF", amount_minor=1), kind="PRODUCT_EXCHANGE")
            coupon = replace(coupon, terms=ProductExchange(refs))
        case "CASH":
            face = draw(st.integers(1, 4000))
            balance = draw(st.none() | st.integers(0, face))
            coupon = replace(offer(number, "CASH", face_minor=face), balance_minor=balance)
        case kind:
            amount = draw(st.integers(1, 2000))
            coupon = offer(number, kind, amount_minor=amount, threshold_minor=amount + draw(SMALL))
    # Half of them consent to each other, so that coupons of one lane often meet.
    tags = st.just(frozenset("p")) | st.frozensets(st.sampled_from("pq"))
    platform = draw(st.integers(0, 10_000))
    return replace(
        coupon,
        merchant_id=draw(st.sampled_from([None, *MERCHANTS])),
        scope=Scope(
            product_refs=draw(st.frozensets(st.sampled_from("abc"), max_size=1)),
            category_refs=draw(st.frozensets(st.sampled_from("xyz"), max_size=1)),
            excluded_product_refs=draw(st.frozensets(st.sampled_from("abc"), max_size=1)),
            with_member_price=draw(st.sampled_from(MemberPriceRule)),
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
    """The oracle's own till: fen as a dictionary of lines, everything by fractions and one fen at a time.

    `touched` are the units of a line that a coupon has acted on one by one, and what is left to pay on them.
    """

    cart: Cart
    least: int
    shipping: int
    left: dict[str, int]
    touched: dict[str, tuple[int, int]]
    acting: list[Offer]
    taken: dict[tuple[int, str], int]

    def lane(self, coupon: Offer) -> str:
        """The lane's name, by the rule of semantics."""
        if coupon.stacking.lane:
            return coupon.stacking.lane.value
        if coupon.kind == "FREE_SHIPPING":
            return "SHIPPING"
        if coupon.kind in UNIT_KINDS:
            return "ITEM"
        if coupon.kind == "CASH":
            return "TENDER"
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
            exchanged = line.product_ref in getattr(coupon.terms, "product_refs", [line.product_ref])
            excluded = line.product_ref in coupon.scope.excluded_product_refs
            spared = line.at_member_price and coupon.scope.with_member_price.value == "EXCLUDED"
            if mine and exchanged and (named or anything) and not excluded and not spared:
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
        if not lines:
            return
        before = sum(self.left[line.id] for line in lines)
        room = max(0, sum(self.left.values()) + self.shipping - self.least)
        units: dict[str, int] = {}
        fee, weights = 0, {line.id: self.left[line.id] for line in lines}
        if coupon.kind == "FREE_SHIPPING":
            most = coupon.terms.max_minor  # type: ignore[attr-defined]
            fee, off = min(self.shipping, self.shipping if most is None else most, room), 0
        elif coupon.kind in UNIT_KINDS:
            weights, units = self.by_units(coupon, lines)
            off = min(sum(weights.values()), room)
        else:
            off = min(self.promise(coupon, before), before, room)
        base = {
            "INITIAL": sum(line.quantity * line.unit_price_minor for line in lines),
            "BEFORE_THIS": before,
            "AFTER_THIS": before - off,
        }[coupon.threshold_base.value]
        blocked = any(self.refuses(coupon, other) for other in self.acting)
        if blocked or not off + fee or base < (getattr(coupon.terms, "threshold_minor", None) or 0):
            return
        self.shipping -= fee
        self.taken[coupon.coupon_id.int, "shipping"] = fee
        self.spend(coupon, shares=self.share(lines, off, weights), units=units)
        self.acting.append(coupon)

    def promise(self, coupon: Offer, before: int) -> int:
        """What the coupon would take off without limits."""
        if coupon.kind == "CASH":
            whole = coupon.terms.face_minor  # type: ignore[attr-defined]
            return int(whole) if coupon.balance_minor is None else coupon.balance_minor
        if coupon.kind != "PERCENT_OFF":
            return int(coupon.terms.amount_minor)  # type: ignore[attr-defined]
        part = Decimal(10_000 - coupon.terms.payable_basis_points) / 10_000  # type: ignore[attr-defined]
        return _rounded(before * part)

    def units(self, line: CartLine) -> list[tuple[Fraction, int, str]]:
        """The open units of a line one by one: the exact price, the price in fen, the line."""
        count, gone = self.touched[line.id]
        number, whole = line.quantity - count, self.left[line.id] - gone
        sums = [_rounded(Decimal(whole) * k / number) for k in range(1, number + 1)]
        return [
            (Fraction(whole, number), there - here, line.id)
            for here, there in zip([0, *sums], sums, strict=False)
            if whole
        ]

    def by_units(self, coupon: Offer, lines: list[CartLine]) -> tuple[dict[str, int], dict[str, int]]:
        """What a kind that acts on units takes off each line, and how many units it touches there."""
        terms: Any = coupon.terms
        pool = [unit for line in lines for unit in self.units(line)]
        dearest = sorted(pool, key=lambda unit: -unit[0])[:1]
        if coupon.kind == "BUY_X_GET_Y":
            pool = sorted(pool, key=lambda unit: unit[0])[: terms.buy_quantity + terms.get_quantity]
            if len(pool) < terms.buy_quantity + terms.get_quantity:
                return {}, {}
            prices = {line.id: 0 for line in lines}
            for _, price, line_id in pool[: terms.get_quantity]:
                prices[line_id] += price
            off = _rounded(Decimal(sum(prices.values())) * (10_000 - (terms.payable_basis_points or 0)) / 10_000)
            weights = self.share(lines, off, prices)
        else:
            price = terms.price_minor if coupon.kind == "FIXED_PRICE" else 0
            weights, pool = {line_id: max(0, unit - price) for _, unit, line_id in dearest}, dearest
        return weights, {line.id: sum(unit[2] == line.id for unit in pool) for line in lines}

    def share(self, lines: list[CartLine], off: int, weights: dict[str, int]) -> dict[str, int]:
        """Largest remainders, one fen at a time: each goes to the line that is furthest below its exact share."""
        whole = sum(weights.values()) or 1
        exact = {line.id: Fraction(off * weights.get(line.id, 0), whole) for line in lines}
        given_ = {line.id: exact[line.id].__floor__() for line in lines}
        served: set[str] = set()
        while sum(given_.values()) < off:
            waiting = [line for line in lines if line.id not in served]
            best = max(
                waiting,
                key=lambda line: (exact[line.id] % 1, weights.get(line.id, 0), -self.cart.lines.index(line)),
            )
            given_[best.id] += 1
            served.add(best.id)
        return given_

    def spend(self, coupon: Offer, *, shares: dict[str, int], units: dict[str, int]) -> None:
        """Take it off the lines; what is taken off whole lines is borne by touched units in proportion."""
        by_id = {line.id: line for line in self.cart.lines}
        for line_id, off in shares.items():
            count, minor = self.touched[line_id]
            if number := units.get(line_id, 0):
                cost = sum(price for _, price, _ in self.units(by_id[line_id])[:number])
                self.touched[line_id] = count + number, minor + cost - off
            elif off:
                rest = Decimal(minor) * (self.left[line_id] - off) / self.left[line_id]
                self.touched[line_id] = count, _rounded(rest)
            self.left[line_id] -= off
            self.taken[coupon.coupon_id.int, line_id] = off


def _rounded(exact: Decimal) -> int:
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _slow(cart: Cart, offers: list[Offer], least: int) -> Slow:
    left = {line.id: line.quantity * line.unit_price_minor for line in cart.lines}
    till = Slow(cart, least, cart.shipping_minor, left, {line.id: (0, 0) for line in cart.lines}, [], {})
    for lane in LANES:
        for priority in (1, 0, -1):
            for coupon in sorted(offers, key=lambda coupon: coupon.coupon_id.int):
                if till.lane(coupon) == lane and coupon.stacking.priority == priority:
                    till.take(coupon)
    return till


def _check_sums(pricing: Pricing) -> None:
    """Row and column sums agree for lines, coupons and funders, and nothing is negative."""
    fee_off = sum(allocation.amount_minor for allocation in pricing.shipping_allocations)
    fee_paid = pricing.shipping_minor - fee_off
    assert fee_paid >= 0
    assert pricing.payable_minor == sum(line.payable_minor for line in pricing.lines) + fee_paid
    assert pricing.discount_minor == sum(line.discount_minor for line in pricing.lines) + fee_off
    for line in pricing.lines:
        assert line.payable_minor >= 0
        for allocation in line.allocations:
            assert allocation.amount_minor == sum(share.amount_minor for share in allocation.shares) > 0
            assert all(share.amount_minor >= 0 for share in allocation.shares)
    for coupon in pricing.applied:
        slots = [*(line.allocations for line in pricing.lines), pricing.shipping_allocations]
        mine = [a for slot in slots for a in slot if a.coupon_id == coupon.offer.coupon_id]
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
    taken |= {(fee.coupon_id.int, "shipping"): fee.amount_minor for fee in pricing.shipping_allocations}
    assert taken == {key: amount for key, amount in slow.taken.items() if amount}
    decided = [coupon.offer for coupon in pricing.applied] + [coupon.offer for coupon in pricing.not_applied]
    assert {coupon.coupon_id for coupon in decided} == {coupon.coupon_id for coupon in offers}
    _check_sums(pricing)
