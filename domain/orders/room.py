"""What limits and budgets that all members share still allow: a quote asks it as redemption does under its locks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from domain.campaigns.model import Budget, RemainderPolicy
from domain.coupons.cart import Cart
from domain.coupons.checks import Admit, Condition, Ruling, admit_all
from domain.coupons.eligibility import Predicate
from domain.coupons.moment import Effect
from domain.coupons.offer import Funder, Offer
from domain.coupons.solver.candidates import UNLIMITED, Limits
from domain.coupons.solver.purses import Purse, most_covered
from domain.coupons.wallet import HeldCoupon
from domain.shared.allocation import split_over_funders
from domain.shared.ids import CampaignId, CouponId, TemplateId
from domain.shared.money import Money, display_text


@dataclass(frozen=True, slots=True)
class Room:
    """What was used of shared limits, read at the instant of a quote and not locked: it may be less a moment later.

    `uses_in_store` are live uses in the cart's store of the templates that limit them; of a cart of no store there are
    none. `budgets` are those of the coupons' campaigns that have one.
    """

    uses_in_store: Mapping[TemplateId, int] = field(default_factory=lambda: MappingProxyType({}))
    budgets: Mapping[CampaignId, Budget] = field(default_factory=lambda: MappingProxyType({}))


AMPLE: Final = Room()


def within_store_limit(uses: int, *, limit: int) -> Predicate:
    """Whether a store may use so many of a template, those asked for among them: for a quote and for its use."""
    return Predicate("limit_per_store", passed=uses <= limit, required=f"≤ {limit}", actual=str(uses))


class Gate:
    """The coupons of one quote, held against the room that there is."""

    def __init__(self, room: Room, held: Sequence[HeldCoupon], *, offers: Sequence[Offer]) -> None:
        self._room = room
        self._limited = {one.coupon.id: one for one in held if self._is_limited(one)}
        self._barred: set[CouponId] = set()
        for offer in offers:
            one = self._limited.get(offer.coupon_id)
            budget = None if one is None else self._budget(one)
            if budget is not None and not _has_any(budget, offer=offer):
                self._barred.add(offer.coupon_id)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What pricing is to ask of each coupon besides; nothing where nothing is limited."""
        return (self._condition,) if self._limited else ()

    def admission(self) -> Admit:
        """Admits coupons one by one as long as there is room for all of them."""
        return _Admission(self._room, self._limited).admit if self._limited else admit_all()

    @property
    def limits(self) -> Limits:
        """The same for a search."""
        if not self._limited:
            return UNLIMITED
        at_most, purses, purse_of = dict[TemplateId, int](), dict[CampaignId, Purse](), dict[CouponId, Purse]()
        for coupon_id, one in self._limited.items():
            left = self._uses_left(one)
            if left is not None:
                at_most[one.template.id] = max(0, left)
            budget, campaign_id = self._budget(one), one.template.campaign_id
            if budget is not None and campaign_id is not None:
                purse = purses.get(campaign_id)
                purse_of[coupon_id] = purses[campaign_id] = purse or _purse(budget, campaign_id=campaign_id)
        return Limits(at_most=at_most, purse_of=purse_of)

    def _is_limited(self, one: HeldCoupon) -> bool:
        return self._budget(one) is not None or self._uses_left(one) is not None

    def _uses_left(self, one: HeldCoupon) -> int | None:
        """How often its template may be used in the store; None: as often as one likes."""
        limit, uses = one.template.limit_per_store, self._room.uses_in_store.get(one.template.id)
        return None if limit is None or uses is None else limit - uses

    def _condition(self, offer: Offer, _cart: Cart) -> Predicate | None:
        if offer.coupon_id in self._barred:
            return _uncovered(1, currency=offer.currency)
        one = self._limited.get(offer.coupon_id)
        if one is None or one.template.limit_per_store is None or one.template.id not in self._room.uses_in_store:
            return None
        return within_store_limit(self._room.uses_in_store[one.template.id] + 1, limit=one.template.limit_per_store)

    def _budget(self, one: HeldCoupon) -> Budget | None:
        campaign_id = one.template.campaign_id
        return None if campaign_id is None else self._room.budgets.get(campaign_id)


class _Admission:
    """Counts what the coupons that were admitted use and draw."""

    def __init__(self, room: Room, limited: Mapping[CouponId, HeldCoupon]) -> None:
        self._budgets = room.budgets
        self._limited = limited
        self._uses = Counter(room.uses_in_store)
        self._drawn = Counter[tuple[CampaignId, str]]()

    def admit(self, offer: Offer, effect: Effect) -> Ruling | None:
        """Whether there is room for it; then it counts. Of a budget that allows it a coupon takes what there is."""
        one = self._limited.get(offer.coupon_id)
        if one is None:
            return None
        template, found, full_minor = one.template, None, effect.amount_minor
        if template.limit_per_store is not None and template.id in self._uses:
            found = within_store_limit(self._uses[template.id] + 1, limit=template.limit_per_store)
        if found is not None and not found.passed:
            return Ruling(0, full_minor, found)
        ruling = self._draw(one, offer=offer, full_minor=full_minor)
        if ruling is None or not ruling.forbids:
            self._uses[template.id] += found is not None
        return ruling

    def _draw(self, one: HeldCoupon, *, offer: Offer, full_minor: int) -> Ruling | None:
        """Draws the discount, or what there is of it, on the accounts of its budget."""
        campaign_id = one.template.campaign_id
        budget = None if campaign_id is None else self._budgets.get(campaign_id)
        if budget is None or campaign_id is None:
            return None

        def left_of(funder: Funder | None) -> int | None:
            account = _account(funder)
            left = _left_minor(budget, account=account)
            return None if left is None else left - self._drawn[campaign_id, account]

        most_minor = most_covered(full_minor, funders=offer.borne_by, left_of=left_of)
        if most_minor < full_minor and budget.remainder is RemainderPolicy.REJECT:
            most_minor = 0
        if most_minor:
            funders = offer.borne_by
            (row,) = split_over_funders([most_minor], basis_points=[share.basis_points for share in funders])
            self._drawn[campaign_id, _account(None)] += most_minor
            for share, part in zip(funders, row, strict=True):
                self._drawn[campaign_id, _account(share.funder)] += part
        if most_minor == full_minor:
            return None
        if not most_minor:
            return Ruling(0, full_minor, _uncovered(full_minor, currency=offer.currency))
        return Ruling(most_minor, full_minor, _remainder(most_minor, of_minor=full_minor, currency=offer.currency))


def _purse(budget: Budget, *, campaign_id: CampaignId) -> Purse:
    """What a budget has left, as a search draws on it."""
    by_funder = {funder: one.available_minor for funder in Funder if (one := budget.by_funder.get(funder.value))}
    return Purse(campaign_id, budget.available_minor, by_funder, budget.remainder is RemainderPolicy.PARTIAL)


def _account(funder: Funder | None) -> str:
    return "" if funder is None else funder.value


def _left_minor(budget: Budget, *, account: str) -> int | None:
    """What an account has left, in minor units; None: it is not limited. The account of all funders has no name."""
    if not account:
        return budget.available_minor
    of_funder = budget.by_funder.get(account)
    return None if of_funder is None else of_funder.available_minor


def _has_any(budget: Budget, *, offer: Offer) -> bool:
    """Whether there is anything left of what the coupon would draw on."""
    bearing = [share.funder.value for share in offer.borne_by if share.basis_points]
    lefts = [_left_minor(budget, account=account) for account in ("", *bearing)]
    return budget.currency == offer.currency and all(left is None or left > 0 for left in lefts)


def _uncovered(amount_minor: int, *, currency: str) -> Predicate:
    # How much is left is the campaign's own affair.
    return Predicate("budget", passed=False, required=f"≥ {display_text(Money(amount_minor, currency))}", actual="less")


def _remainder(minor: int, *, of_minor: int, currency: str) -> Predicate:
    """That a coupon acts with what its budget has left, which is less than it would take off."""
    least, taken, full = (display_text(Money(one, currency)) for one in (0, minor, of_minor))
    return Predicate("budget_remainder", passed=True, required=f"> {least}", actual=f"{taken} of {full}")
