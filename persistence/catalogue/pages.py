"""Pages of what the catalogue lists: the same as those of the statements `*_page`, cursors included, without one."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeAlias, TypeVar

from domain.campaigns.model import Campaign, CampaignQuery
from domain.coupons.model import CouponTemplate, TemplateQuery
from domain.rewards.model import Reward
from domain.shared.listed import Listed
from domain.shared.paging import Page, PageRequest
from persistence.paging import after_id, after_instant_and_id, after_number_and_id, page_of

Thing = TypeVar("Thing")
Place: TypeAlias = tuple[datetime, int] | tuple[int, int] | tuple[int]

# Of a kind of which there are more, pages are read: putting so many in order, or looking through them for the few that
# a filter wants, would hold up everything else.
MOST_IN_ORDER: Final = 5_000


@dataclass(frozen=True, slots=True)
class InOrder(Generic[Thing]):
    """The things of one kind, in the order of their list; places ascend, and a list may begin at the last."""

    places: list[Place]
    things: list[Listed[Thing]]
    from_the_last: bool

    @staticmethod
    def of(
        things: Collection[Listed[Thing]], place: Callable[[Thing], Place], *, from_the_last: bool
    ) -> "InOrder[Thing]":
        """These things, by their places."""
        ordered = sorted(things, key=lambda listed: place(listed.thing))
        return InOrder([place(listed.thing) for listed in ordered], ordered, from_the_last)

    def page(
        self,
        request: PageRequest,
        *,
        after: Place | None,
        key: Callable[[Thing], tuple[str, ...]],
        wanted: Callable[[Thing], bool] | None = None,
    ) -> Page[Listed[Thing]]:
        """The first of the wanted ones after a place."""
        if self.from_the_last:
            end = len(self.places) if after is None else bisect_left(self.places, after)
            rest = range(end - 1, -1, -1)
        else:
            start = 0 if after is None else bisect_right(self.places, after)
            rest = range(start, len(self.places))
        found: list[Listed[Thing]] = []
        for number in rest:
            listed = self.things[number]
            if wanted is None or wanted(listed.thing):
                found.append(listed)
                if len(found) > request.first:
                    break
        return page_of(found, request=request, item=None, key=lambda listed: key(listed.thing))


def campaigns_in_order(campaigns: Collection[Listed[Campaign]]) -> InOrder[Campaign]:
    """The newest start first."""
    return InOrder.of(campaigns, lambda campaign: (campaign.starts_at, campaign.id.int), from_the_last=True)


def campaigns_page(campaigns: InOrder[Campaign], query: CampaignQuery, *, page: PageRequest) -> Page[Listed[Campaign]]:
    """A page of campaigns, in their states of the edition. Refusals: BadUserInput."""
    at, id_ = after_instant_and_id(page)

    def wanted(campaign: Campaign) -> bool:
        return (
            (query.states is None or campaign.state in query.states)
            and (query.goal is None or campaign.goal is query.goal)
            and (query.merchant_id is None or campaign.merchant_id == query.merchant_id)
        )

    return campaigns.page(
        page,
        after=None if at is None or id_ is None else (at, id_.int),
        key=lambda campaign: (campaign.starts_at.isoformat(), str(campaign.id)),
        wanted=None if query == CampaignQuery() else wanted,
    )


def templates_in_order(templates: Collection[Listed[CouponTemplate]]) -> InOrder[CouponTemplate]:
    """The newest first."""
    return InOrder.of(templates, lambda template: (template.id.int,), from_the_last=True)


def templates_page(
    templates: InOrder[CouponTemplate], query: TemplateQuery, *, page: PageRequest
) -> Page[Listed[CouponTemplate]]:
    """A page of templates; whether they can be claimed is no matter of the catalogue. Refusals: BadUserInput."""
    assert query.claimable_now is None, "the stock is not listed"
    id_ = after_id(page)

    def wanted(template: CouponTemplate) -> bool:
        return (query.merchant_id is None or template.merchant_id == query.merchant_id) and (
            query.campaign_id is None or template.campaign_id == query.campaign_id
        )

    return templates.page(
        page,
        after=None if id_ is None else (id_.int,),
        key=lambda template: (str(template.id),),
        wanted=None if query == TemplateQuery() else wanted,
    )


def rewards_in_order(rewards: Collection[Listed[Reward]]) -> InOrder[Reward]:
    """The cheapest first."""
    return InOrder.of(rewards, lambda reward: (reward.points_price, reward.id.int), from_the_last=False)


def rewards_page(rewards: InOrder[Reward], *, page: PageRequest) -> Page[Listed[Reward]]:
    """A page of the mall. Refusals: BadUserInput."""
    price, id_ = after_number_and_id(page)
    return rewards.page(
        page,
        after=None if price is None or id_ is None else (price, id_.int),
        key=lambda reward: (str(reward.points_price), str(reward.id)),
    )
