"""What limits and budgets that all members share still allow: a quote asks it as redemption does under its locks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from domain.campaigns.model import Budget
from domain.coupons.cart import Cart
from domain.coupons.decision import Condition
from domain.coupons.eligibility import Predicate
from domain.coupons.offer import Offer
from domain.coupons.pricing import AppliedOffer
from domain.coupons.wallet import HeldCoupon
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
    """The coupons of one quote, held against the room that there is; those that find none are barred, one by one."""

    def __init__(self, room: Room, held: Sequence[HeldCoupon]) -> None:
        self._room = room
        self._held = {one.coupon.id: one for one in held}
        self._barred: dict[CouponId, Predicate] = {}
        for one in held:
            budget = self._budget(one)
            if budget is not None and not _has_any(budget, offer=one.offer):
                self._barred[one.coupon.id] = _uncovered(1, currency=one.offer.currency)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What pricing is to ask besides; nothing where nothing is limited."""
        return (self._condition,) if self._room.uses_in_store or self._barred else ()

    def bar_beyond(self, applied: Sequence[AppliedOffer], *, currency: str, at_once: bool) -> bool:
        """Bar the first of these, in pricing order, that finds no room after those before it; whether there was one.

        `at_once`: bar all that find none, which is quicker and may bar one that would find room without the others.
        """
        uses, drawn = Counter(self._room.uses_in_store), Counter[tuple[CampaignId, str]]()
        barred = False
        for one in applied:
            found = self._beyond(one, uses=uses, drawn=drawn, currency=currency)
            if found is not None:
                self._barred[one.offer.coupon_id] = found
                barred = True
                if not at_once:
                    break
        return barred

    def _beyond(
        self, one: AppliedOffer, *, uses: Counter[TemplateId], drawn: Counter[tuple[CampaignId, str]], currency: str
    ) -> Predicate | None:
        held = self._held[one.offer.coupon_id]
        limit, template_id = held.template.limit_per_store, held.template.id
        if limit is not None and template_id in self._room.uses_in_store:
            uses[template_id] += 1
            found = within_store_limit(uses[template_id], limit=limit)
            if not found.passed:
                return found
        budget, campaign_id = self._budget(held), held.template.campaign_id
        if budget is None or campaign_id is None:
            return None
        for account, amount_minor in (("", one.amount_minor), *((s.funder.value, s.amount_minor) for s in one.shares)):
            drawn[campaign_id, account] += amount_minor
            left = _left_minor(budget, account=account)
            covered = budget.currency == currency and (left is None or drawn[campaign_id, account] <= left)
            if amount_minor and not covered:
                return _uncovered(one.amount_minor, currency=currency)
        return None

    def _condition(self, offer: Offer, _cart: Cart) -> Predicate | None:
        barred = self._barred.get(offer.coupon_id)
        if barred is not None:
            return barred
        template = self._held[offer.coupon_id].template
        if template.limit_per_store is None or template.id not in self._room.uses_in_store:
            return None
        return within_store_limit(self._room.uses_in_store[template.id] + 1, limit=template.limit_per_store)

    def _budget(self, held: HeldCoupon) -> Budget | None:
        campaign_id = held.template.campaign_id
        return None if campaign_id is None else self._room.budgets.get(campaign_id)


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
