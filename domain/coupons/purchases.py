"""The cheapest purchase after which a coupon would act: how many units, at what price, and what it then takes off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.coupons.cart import CartLine
from domain.coupons.checks import lines_in_scope
from domain.coupons.eligibility import Hint, Unlock
from domain.coupons.facts import NO_PIVOTS
from domain.coupons.goods import cheapest_price, sorts_of_goods
from domain.coupons.trials import Outcome, Trials
from domain.shared.money import SAFE_INT_MAX, Money, display_text
from domain.shared.text import Text

MAX_COUNTS: Final = 3
MAX_IN_VAIN: Final = 8
MAX_GUESSES: Final = 4
_MUCH_DEARER: Final = 1000


@dataclass(frozen=True, slots=True)
class Purchase:
    """So many units at so much each: what it costs, and what is told of it."""

    cost_minor: int
    told: Unlock | Hint


class Purchases:
    """Purchases of goods in one coupon's scope, each tried before it is told.

    `failed` names the checks that it does not pass, `likely_minor` is what its threshold probably needs (0: nothing).
    """

    def __init__(self, trials: Trials, *, failed: frozenset[str], likely_minor: int) -> None:
        self._trials = trials
        self._likely_minor = likely_minor
        required = trials.offer.coupon_kind.threshold(trials.offer.terms)
        self._lacking_minor = max(0, required - trials.now.base_minor)
        # There is nothing yet that it acts on, or too little.
        self._needs_goods = bool(failed & {"scope", "quantity", "threshold"})
        offer, cart = trials.offer, trials.cart
        lines = lines_in_scope(offer, cart)
        self._amount_minor = sum(line.subtotal_minor for line in lines)
        self._pivots = NO_PIVOTS if offer.conditions is None else offer.conditions.pivots
        units = offer.coupon_kind.units(offer.terms)
        self._lacking_units = max(0, units - trials.now.reach.open_units)
        quantity = sum(line.quantity for line in lines)
        more = sorted(bound - quantity for bound in self._pivots.quantities if bound > quantity)
        least = max(1, self._lacking_units)
        self._counts = sorted({least, *(count for count in more if count > least)})[:MAX_COUNTS]
        dearer = any(bound > self._amount_minor for bound in self._pivots.amounts_minor)
        self._asks_for_money = dearer or self._lacking_minor > 0
        self._may_help = bool(more) or dearer or self._needs_goods

    def cheapest(self) -> Purchase | None:
        """The purchase that costs least; None where none helps."""
        if not self._may_help:
            return None
        trials = self._trials
        sorts = sorts_of_goods(trials.offer, beside=trials.beside, cart=trials.cart, that_it_acts_on=self._needs_goods)
        found = [self._of_count(count, sorts) for count in self._counts] if sorts else []
        return min((one for one in found if one is not None), key=lambda one: one.cost_minor, default=None)

    def _of_count(self, count: int, sorts: Sequence[CartLine]) -> Purchase | None:
        floor = self._floor_for_all(count, sorts)
        if floor is None:
            return None
        price, outcomes = floor
        if count == 1 and not self._lacking_units and self._is_about_money(price):
            currency = self._trials.offer.currency
            savings = sorted({outcome.taken_minor for outcome in outcomes})
            more, saving = Money(price, currency), Money(savings[0], currency)
            return Purchase(price, Unlock(more=more, saving=saving, at_least=len(savings) > 1))
        usual = max(price, cheapest_price(self._trials.offer, cart=self._trials.cart) or price)
        ceiling = self._ceiling(count, sorts, acts_at=price, usual=usual)
        return Purchase(
            count * (usual if ceiling is None else min(usual, ceiling)),
            Hint(_units_text(count, floor=price, ceiling=ceiling, currency=self._trials.offer.currency)),
        )

    def _is_about_money(self, price: int) -> bool:
        """Whether the amount of the purchase is what helps, and not that there is one unit more."""
        reached = self._amount_minor + price
        return self._lacking_minor > 0 or any(
            self._amount_minor < bound <= reached for bound in self._pivots.amounts_minor
        )

    def _floor_for_all(self, count: int, sorts: Sequence[CartLine]) -> tuple[int, list[Outcome]] | None:
        """The least price at which the purchase helps, whichever goods of the scope are bought."""
        least = max(1, -(-self._lacking_minor // count))
        price = max(least, -(-self._likely_minor // count))
        found: list[tuple[int, Outcome]] = []
        for goods in sorts:
            floor = _Floor(self._trials, goods=goods, count=count, purchases=self).find(least, guess=price)
            if floor is None:
                return None
            found.append(floor)
            least = price = floor[0]
        outcomes = [
            outcome if at == price else self.tried(goods, count=count, price=price)
            for goods, (at, outcome) in zip(sorts, found, strict=True)
        ]
        sound = [outcome for outcome in outcomes if outcome is not None and self.helps(outcome, count=count)]
        return (price, sound) if len(sound) == len(sorts) else None

    def _ceiling(self, count: int, sorts: Sequence[CartLine], *, acts_at: int, usual: int) -> int | None:
        """The highest price at which the purchase helps, None where any will do."""
        helps, fails = acts_at, None
        dearest = (SAFE_INT_MAX - self._trials.cart.total_minor) // count
        for price in (usual, min(usual * _MUCH_DEARER, dearest), dearest):
            if price > acts_at and not self._helps(count, sorts, price=price):
                fails = price
                break
            helps = price
        if fails is None:
            return None
        # Where an amount is bounded, so is the price; whether it is that bound is tried like any other price.
        bounds = {(bound - 1 - self._amount_minor) // count for bound in self._pivots.amounts_minor}
        guesses = sorted((bound for bound in bounds if helps < bound < fails), reverse=True)
        while fails - helps > 1 and self._trials.left:
            price = guesses.pop() if guesses else (helps + fails) // 2
            if not helps < price < fails:
                continue
            if self._helps(count, sorts, price=price):
                helps = price
                guesses = [helps + 1] if helps in bounds else guesses
            else:
                fails = price
        return helps

    def _helps(self, count: int, sorts: Sequence[CartLine], *, price: int) -> bool:
        outcomes = (self.tried(goods, count=count, price=price) for goods in sorts)
        return all(outcome is not None and self.helps(outcome, count=count) for outcome in outcomes)

    def helps(self, outcome: Outcome, *, count: int) -> bool:
        """Whether such a purchase helps; where any price from some price on is told, for all of these prices.

        What earlier offers take off is rounded, so that at a dearer price there may be a minor unit less.
        """
        if not self._trials.keeps(outcome):
            return False
        is_exact = count == 1 and not self._lacking_units and self._asks_for_money
        if is_exact or not outcome.others:
            return True
        required = self._trials.offer.coupon_kind.threshold(self._trials.offer.terms)
        return outcome.taken_minor > 1 and (not required or outcome.base_minor > required)

    def tried(self, goods: CartLine, *, count: int, price: int) -> Outcome | None:
        """What would be with so many of these goods; None where that cannot be."""
        cart = self._trials.with_goods(goods, count=count, price_minor=price)
        return None if cart is None else self._trials.run(cart=cart)

    def next_bound(self, price: int, *, count: int) -> int | None:
        """The next higher price at which the conditions on amounts may answer otherwise."""
        reached = self._amount_minor + count * price
        bounds = [bound for bound in self._pivots.amounts_minor if bound > reached]
        return -(-(min(bounds) - self._amount_minor) // count) if bounds else None


class _Floor:
    """The least price at which so many units of these goods help: guessed by what is lacking, then made sure of."""

    def __init__(self, trials: Trials, *, goods: CartLine, count: int, purchases: Purchases) -> None:
        self._trials, self._goods, self._count, self._purchases = trials, goods, count, purchases
        offer = trials.offer
        rule = None if offer.coupon_kind.on_units is None else offer.coupon_kind.on_units(offer.terms)
        likely = (rule.price_minor + 1 if rule else 0, cheapest_price(offer, cart=trials.cart) or 0)
        self._likely = sorted(likely, reverse=True)
        self._required = offer.coupon_kind.threshold(offer.terms)
        self._bases = {0: trials.now.base_minor}
        self._in_vain, self._guesses, self._was_made_sure_of = 0, 0, False

    def find(self, least: int, *, guess: int) -> tuple[int, Outcome] | None:
        """The price, `least` or more, with what would be; None where none was found."""
        fails, price = least - 1, guess
        helps: tuple[int, Outcome] | None = None
        while (outcome := self._purchases.tried(self._goods, count=self._count, price=price)) is not None:
            before, self._bases[price] = max(at for at in self._bases if at <= fails or not at), outcome.base_minor
            if self._purchases.helps(outcome, count=self._count):
                helps = price, outcome
            else:
                fails = price
            following = self._dearer(price, outcome, before=before) if helps is None else self._between(fails, helps[0])
            if following is None:
                break
            price = following
        return helps

    def _dearer(self, price: int, outcome: Outcome, *, before: int) -> int | None:
        failed = outcome.failed
        if "threshold" in failed:
            return self._by_what_is_lacking(price, before=before)
        if "conditions" in failed:
            return self._purchases.next_bound(price, count=self._count)
        if failed or outcome.effect is not None:
            return None
        # All that is asked for is there, and yet it takes nothing off: dearer units may do.
        while self._likely:
            if (likely := self._likely.pop()) > price:
                return likely
        return None

    def _by_what_is_lacking(self, price: int, *, before: int) -> int | None:
        """A higher price, by how much of the last addition counted; None where nothing of several did."""
        lacking, gained = self._required - self._bases[price], self._bases[price] - self._bases[before]
        if gained > 0:
            return price + max(1, -(-lacking * (price - before) // gained))
        self._in_vain += 1
        return 2 * price if self._in_vain <= MAX_IN_VAIN else None

    def _between(self, fails: int, helps: int) -> int | None:
        if helps - fails <= 1:
            return None
        low, high = self._bases.get(fails), self._bases[helps]
        self._guesses += 1
        if low is not None and low < self._required < high and self._guesses <= MAX_GUESSES:
            likely = fails + -(-(self._required - low) * (helps - fails) // (high - low))
            return max(fails + 1, min(likely, helps - 1))
        if not self._was_made_sure_of:
            self._was_made_sure_of = True
            return helps - 1
        return (fails + helps) // 2


def _units_text(count: int, *, floor: int, ceiling: int | None, currency: str) -> Text:
    least, most = (display_text(Money(price, currency)) for price in (floor, ceiling or 0))
    zh_cn, en = "", ""
    if floor > 1 and ceiling is not None:
        zh_cn, en = f"（单价 {least} 至 {most}）", f" at {least} to {most} each"
    elif floor > 1:
        zh_cn, en = f"（单价不低于 {least}）", f" at {least} or more each"
    elif ceiling is not None:
        zh_cn, en = f"（单价不高于 {most}）", f" at {most} or less each"
    units = "unit" if count == 1 else "units"
    return Text(f"再买 {count} 件{zh_cn}即可使用", f"Add {count} more eligible {units}{en} to use it")
