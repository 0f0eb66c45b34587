"""What is invented so that there is something to do today: running campaigns, coupons to claim, rewards to exchange."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app.demo.shops import GROCERY, SHOPS, Shop
from app.demo.when import identity
from domain.coupons.drafts import TemplateDraft, ValidityDraft, template_of
from domain.coupons.model import TemplateState
from domain.coupons.offer import Funder, FunderShare
from domain.shared.ids import CampaignId, MerchantId, TemplateId
from domain.shared.time import local_date, start_of_day
from persistence.demo.rows import CampaignRow, PublishedTemplate, RewardRow

TOUR_STOCK: Final = 100_000
BAG_POINTS: Final = 500
BAG_NAME: Final = "帆布购物袋"

_SINCE: Final = timedelta(days=7)
_DAYS: Final = 365
_VALID_DAYS: Final = 30
_BY_MERCHANT: Final = (FunderShare(Funder.MERCHANT, 10_000),)
_BY_PLATFORM: Final = (FunderShare(Funder.PLATFORM, 10_000),)
_BY_BOTH: Final = (FunderShare(Funder.PLATFORM, 5_000), FunderShare(Funder.MERCHANT, 5_000))


@dataclass(frozen=True, slots=True)
class Today:
    """What runs from a week before the first load until a year after it."""

    campaigns: Sequence[CampaignRow]
    templates: Sequence[PublishedTemplate]
    rewards: Sequence[tuple[RewardRow, int]]


@dataclass(frozen=True, slots=True)
class _Idea:
    name: str
    kind: str
    terms: dict[str, int]
    stock: int
    limit: int
    funders: tuple[FunderShare, ...]
    per_day: int | None = None


_OF_PLATFORM: Final = (
    _Idea(
        "全场通用 满200减30",
        "THRESHOLD_AMOUNT_OFF",
        {"thresholdMinor": 20_000, "amountMinor": 3_000},
        50_000,
        2,
        _BY_PLATFORM,
        per_day=1,
    ),
    _Idea("全场9折", "PERCENT_OFF", {"payableBasisPoints": 9_000, "maxDiscountMinor": 2_000}, 20_000, 1, _BY_PLATFORM),
    _Idea("限量秒杀 立减25", "AMOUNT_OFF", {"amountMinor": 2_500}, 100, 1, _BY_PLATFORM),
)
_OF_MALL: Final = _Idea("积分商城 立减20", "AMOUNT_OFF", {"amountMinor": 2_000}, 20_000, 5, _BY_PLATFORM)


def bag_id(opened_at: datetime) -> UUID:
    """The reward that members exchanged in the year."""
    return identity(opened_at, "reward", "bag")


def today(now: datetime, *, opened_at: datetime, zone: ZoneInfo, currency: str) -> Today:
    """The invented part, as of the first load."""
    starts_at = start_of_day(local_date(now - _SINCE, zone=zone), zone=zone)
    ends_at = start_of_day(local_date(now, zone=zone) + timedelta(days=_DAYS), zone=zone)
    window = _Window(starts_at, ends_at, currency)
    campaigns = [window.campaign(None)]
    templates = [window.template(idea, shop=None, campaign=campaigns[0]) for idea in (*_OF_PLATFORM, _OF_MALL)]
    for shop in SHOPS:
        campaign = window.campaign(shop)
        campaigns.append(campaign)
        templates.extend(window.template(idea, shop=shop, campaign=campaign) for idea in _ideas_of(shop))
    of_mall = templates[len(_OF_PLATFORM)].template.id
    return Today(campaigns, templates, _rewards(starts_at, opened_at=opened_at, coupon=of_mall))


def _ideas_of(shop: Shop) -> tuple[_Idea, ...]:
    # The greatest stock of all is what the tour claims: good for any cart of the merchant, from the first fen on.
    stock = TOUR_STOCK if shop is GROCERY else 10_000
    return (
        _Idea("会员立减5元", "AMOUNT_OFF", {"amountMinor": 500}, stock, 1, _BY_MERCHANT),
        _Idea(
            "满100减20",
            "THRESHOLD_AMOUNT_OFF",
            {"thresholdMinor": 10_000, "amountMinor": 2_000},
            5_000,
            3,
            _BY_BOTH,
            per_day=1,
        ),
        _Idea("8.5折", "PERCENT_OFF", {"payableBasisPoints": 8_500, "maxDiscountMinor": 5_000}, 1_000, 1, _BY_MERCHANT),
    )


def _rewards(at: datetime, *, opened_at: datetime, coupon: TemplateId) -> list[tuple[RewardRow, int]]:
    bag = RewardRow(bag_id(opened_at), BAG_NAME, "GOODS", BAG_POINTS, 5, None, opened_at)
    return [
        (bag, 20_000),
        (RewardRow(identity(at, "reward", "coupon"), "立减20元券", "COUPON", 800, 3, coupon, at), 5_000),
        (RewardRow(identity(at, "reward", "cup"), "保温杯", "GOODS", 1_500, 2, None, at), 500),
        (RewardRow(identity(at, "reward", "wash"), "免费洗车一次", "SERVICE", 1_000, 2, None, at), 200),
    ]


@dataclass(frozen=True, slots=True)
class _Window:
    starts_at: datetime
    ends_at: datetime
    currency: str

    def campaign(self, shop: Shop | None) -> CampaignRow:
        code = shop.code if shop else "platform"
        return CampaignRow(
            id=identity(self.starts_at, "today", code),
            merchant_id=None if shop is None else shop.id,
            name=f"{shop.name} 会员季" if shop else "全城会员季",
            goal="CONVERSION" if shop else "ACTIVATION",
            state="RUNNING",
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            created_at=self.starts_at,
        )

    def template(self, idea: _Idea, *, shop: Shop | None, campaign: CampaignRow) -> PublishedTemplate:
        draft = TemplateDraft(
            name=idea.name,
            kind=idea.kind,
            terms=idea.terms,
            currency=self.currency,
            campaign_id=CampaignId(campaign.id),
            merchant_id=None if shop is None else MerchantId(shop.id),
            stock=idea.stock,
            limit_per_member=idea.limit,
            limit_per_member_per_day=idea.per_day,
            claim_opens_at=self.starts_at,
            claim_closes_at=self.ends_at,
            validity=ValidityDraft(days_after_claim=_VALID_DAYS),
            funders=idea.funders,
        )
        key = identity(self.starts_at, "today", shop.code if shop else "platform", idea.name)
        template = replace(template_of(draft, id=TemplateId(key)), state=TemplateState.PUBLISHED)
        return PublishedTemplate(template, idea.stock, self.starts_at)
