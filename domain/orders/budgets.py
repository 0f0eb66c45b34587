"""What discounts cost the budgets of campaigns: held by reservations, spent by redemptions, given back by refunds.

A budget has an account of all funders, and one of each funder that may bear only so much of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.campaigns.model import ALL_FUNDERS, Budget
from domain.coupons.model import CouponKey
from domain.coupons.offer import Funder
from domain.coupons.pricing import FunderAmount
from domain.orders.model import Redemption
from domain.shared.ids import CampaignId


@dataclass(frozen=True, slots=True)
class Discount:
    """What one coupon takes off an order, and who bears it. `campaign_id` None: no budget is asked."""

    coupon: CouponKey
    campaign_id: CampaignId | None
    currency: str
    shares: tuple[FunderAmount, ...]


def discount_of(redemption: Redemption, *, shares: Sequence[FunderAmount] | None = None) -> Discount:
    """What a redemption took off, or the part of it that these shares make up."""
    borne = redemption.shares if shares is None else tuple(shares)
    return Discount(redemption.coupon, redemption.campaign_id, redemption.currency, borne)


@dataclass(frozen=True, slots=True)
class BudgetChange:
    """How often (1, 0 or -1) the discount is held more, and is spent more."""

    discount: Discount
    held: int
    spent: int


def hold(discount: Discount) -> BudgetChange:
    """Sets the discount aside."""
    return BudgetChange(discount, held=1, spent=0)


def free(discount: Discount) -> BudgetChange:
    """Gives up what was set aside."""
    return BudgetChange(discount, held=-1, spent=0)


def spend(discount: Discount) -> BudgetChange:
    """Spends the discount; together with `free`, what was set aside for it."""
    return BudgetChange(discount, held=0, spent=1)


def give_back(discount: Discount) -> BudgetChange:
    """Takes back what was spent; of a part of a discount the shares are those of the part."""
    return BudgetChange(discount, held=0, spent=-1)


@dataclass(frozen=True, slots=True)
class BudgetPosting:
    """What changes on one account, all told, in minor units of `currency`. `coupon` is one of its campaign.

    `funder` None is the account of all of them.
    """

    campaign_id: CampaignId
    funder: Funder | None
    coupon: CouponKey
    currency: str
    reserved_minor: int
    redeemed_minor: int

    @property
    def account(self) -> str:
        """The account's name."""
        return ALL_FUNDERS if self.funder is None else self.funder.value

    @property
    def drawn_minor(self) -> int:
        """What the account must have left for it; less than nothing: what comes back to it."""
        return self.reserved_minor + self.redeemed_minor


def postings_of(changes: Iterable[BudgetChange]) -> Sequence[BudgetPosting]:
    """One posting for each account that changes, in the order in which everybody takes them.

    What one change gives back another may use: an order that is reserved anew needs room for the difference alone.
    """
    sums: defaultdict[tuple[CampaignId, str, Funder | None], list[int]] = defaultdict(lambda: [0, 0])
    coupons: dict[CampaignId, CouponKey] = {}
    for change in changes:
        discount = change.discount
        if discount.campaign_id is None:
            continue
        coupons[discount.campaign_id] = discount.coupon
        for share in discount.shares:
            for funder in (None, share.funder):
                held_and_spent = sums[discount.campaign_id, discount.currency, funder]
                held_and_spent[0] += change.held * share.amount_minor
                held_and_spent[1] += change.spent * share.amount_minor
    posted = [
        BudgetPosting(campaign_id, funder, coupons[campaign_id], currency, reserved, redeemed)
        for (campaign_id, currency, funder), (reserved, redeemed) in sums.items()
        if reserved or redeemed
    ]
    return sorted(posted, key=lambda one: (str(one.campaign_id), one.account, one.currency))


@dataclass(frozen=True, slots=True)
class Shortage:
    """A posting that an account does not cover; `lapsed`: it would, if what has run out were swept.

    `partial`: there may be something left of which a coupon may take what there is. It has `lapsed` too where there
    would be more.
    """

    posting: BudgetPosting
    lapsed: bool
    partial: bool = False


class Budgets(Protocol):
    """The accounts of campaigns' budgets."""

    async def post(self, changes: Sequence[BudgetChange]) -> Shortage | None:
        """Writes the changes, all of a transaction at once; the first that an account does not cover, or None.

        After one that is not covered the transaction must be given up. A campaign without a budget covers everything,
        a budget of another currency nothing.
        """
        ...

    async def lock_left(self, changes: Sequence[BudgetChange]) -> Mapping[CampaignId, Budget]:
        """What the budgets have left on which these changes would draw, and nobody else draws on until this ends.

        To be asked before anything is posted. What the changes give back counts as left.
        """
        ...
