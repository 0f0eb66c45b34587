"""An edition of the catalogue: everything public as it stands at an instant. Requests look things up in it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from domain.campaigns.model import Campaign, CampaignQuery, CampaignState
from domain.campaigns.rules import state_at
from domain.coupons.model import CouponTemplate, TemplateQuery
from domain.merchants.model import Merchant, Store
from domain.rewards.model import Reward
from domain.shared.ids import CampaignId, MerchantId, RewardId, StoreId, TemplateId
from domain.shared.listed import Listed
from domain.shared.paging import Page, PageRequest
from persistence.catalogue.pages import (
    MOST_IN_ORDER,
    InOrder,
    campaigns_in_order,
    campaigns_page,
    rewards_in_order,
    rewards_page,
    templates_in_order,
    templates_page,
)
from persistence.catalogue.reads import Facts, Stored

Thing = TypeVar("Thing")
Key = TypeVar("Key")
References = tuple[Listed[object] | None, ...]

NEVER: Final = datetime.max.replace(tzinfo=UTC)


class World:
    """Names an edition as it reads in one locale: whoever shows it keeps what it made for as long as this lives."""

    __slots__ = ("__weakref__",)


@dataclass(frozen=True, slots=True)
class Edition:
    """What is listed from `at` on; at `until` a campaign's period moves it, and another edition is due."""

    at: datetime
    until: datetime
    merchants: Mapping[MerchantId, Listed[Merchant]] = field(default_factory=dict)
    stores: Mapping[StoreId, Listed[Store]] = field(default_factory=dict)
    campaigns: Mapping[CampaignId, Listed[Campaign]] = field(default_factory=dict)
    templates: Mapping[TemplateId, Listed[CouponTemplate]] = field(default_factory=dict)
    rewards: Mapping[RewardId, Listed[Reward]] = field(default_factory=dict)
    _worlds: dict[str, World] = field(default_factory=dict, compare=False, repr=False)
    _in_order: dict[str, InOrder[Any]] = field(default_factory=dict, compare=False, repr=False)

    def world(self, locale: str) -> World:
        """What stands for the edition in a locale; another edition has another one."""
        found = self._worlds.get(locale)
        if found is None:
            found = self._worlds[locale] = World()
        return found

    def campaigns_page(self, query: CampaignQuery, *, page: PageRequest) -> Page[Listed[Campaign]] | None:
        """A page of campaigns as all may see it; None where it must be read. Refusals: BadUserInput."""
        ordered = self._ordered("campaigns", self.campaigns, campaigns_in_order)
        return None if ordered is None else campaigns_page(ordered, query, page=page)

    def templates_page(self, query: TemplateQuery, *, page: PageRequest) -> Page[Listed[CouponTemplate]] | None:
        """A page of templates as all may see it; None where it must be read. Refusals: BadUserInput."""
        if query.claimable_now is not None:
            return None
        ordered = self._ordered("templates", self.templates, templates_in_order)
        return None if ordered is None else templates_page(ordered, query, page=page)

    def rewards_page(self, *, page: PageRequest) -> Page[Listed[Reward]] | None:
        """A page of rewards; None where it must be read. Refusals: BadUserInput."""
        ordered = self._ordered("rewards", self.rewards, rewards_in_order)
        return None if ordered is None else rewards_page(ordered, page=page)

    def _ordered(
        self,
        kind: str,
        things: Mapping[Any, Listed[Thing]],
        in_order: Callable[[Collection[Listed[Thing]]], InOrder[Thing]],
    ) -> InOrder[Thing] | None:
        """All of a kind in order, put so when they are first asked for; None where not all of it may be listed."""
        if self.at == NEVER or len(things) > MOST_IN_ORDER:
            return None
        found = self._in_order.get(kind)
        if found is None:
            found = self._in_order[kind] = in_order(things.values())
        return found

    @property
    def things(self) -> int:
        """How many are listed."""
        kinds = (self.merchants, self.stores, self.campaigns, self.templates, self.rewards)
        return sum(len(kind) for kind in kinds)


NOTHING_LISTED: Final = Edition(at=NEVER, until=NEVER)


def edition_of(facts: Facts, *, at: datetime, before: Edition, new_version: Callable[[], int]) -> Edition:
    """The edition of an instant. What stands as it stood before keeps its version and what was made of it."""

    def listed(
        stored: Mapping[Key, Stored[Thing]],
        old: Mapping[Key, Listed[Thing]],
        refers_to: Callable[[Thing], References],
        as_of: Callable[[Thing], Thing] = lambda thing: thing,
    ) -> Mapping[Key, Listed[Thing]]:
        found: dict[Key, Listed[Thing]] = {}
        for key, fact in stored.items():
            thing, was = as_of(fact.thing), old.get(key)
            references = refers_to(thing)
            if was is None or not _same(was.thing, thing) or not _same_references(was.refers_to, references):
                was = Listed(thing, new_version(), references)
            found[key] = was
        return found

    def merchant(merchant_id: MerchantId | None) -> Listed[Merchant] | None:
        return None if merchant_id is None else merchants.get(merchant_id)

    def campaign(campaign_id: CampaignId | None) -> Listed[Campaign] | None:
        return None if campaign_id is None else campaigns.get(campaign_id)

    def template(template_id: TemplateId | None) -> Listed[CouponTemplate] | None:
        return None if template_id is None else templates.get(template_id)

    merchants = listed(facts.merchants, before.merchants, lambda _: ())
    stores = listed(facts.stores, before.stores, lambda store: (merchant(store.merchant_id),))
    campaigns = listed(
        facts.campaigns, before.campaigns, lambda c: (merchant(c.merchant_id),), lambda c: campaign_at(c, at)
    )
    templates = listed(facts.templates, before.templates, lambda t: (merchant(t.merchant_id), campaign(t.campaign_id)))
    rewards = listed(facts.rewards, before.rewards, lambda reward: (template(reward.template_id),))
    return Edition(
        at=at,
        until=min((_moves_at(stored.thing, after=at) for stored in facts.campaigns.values()), default=NEVER),
        merchants=merchants,
        stores=stores,
        campaigns=campaigns,
        templates=templates,
        rewards=rewards,
    )


def campaign_at(campaign: Campaign, at: datetime) -> Campaign:
    """A stored campaign in its state of an instant."""
    state = state_at(campaign.state, starts_at=campaign.starts_at, ends_at=campaign.ends_at, now=at)
    return campaign if state is campaign.state else replace(campaign, state=state)


def _moves_at(campaign: Campaign, *, after: datetime) -> datetime:
    """When its period moves a stored campaign next."""
    if campaign.state is CampaignState.SCHEDULED and campaign.starts_at > after:
        return campaign.starts_at
    if campaign.state is not CampaignState.ENDED and campaign.ends_at > after:
        return campaign.ends_at
    return NEVER


def _same(one: object, other: object) -> bool:
    return one is other or one == other


def _same_references(some: References, others: References) -> bool:
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))
