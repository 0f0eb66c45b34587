"""The source's campaigns and coupons, as campaigns and templates of the platform."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from app.demo.shops import shop_of
from app.demo.source import SourceCampaign, SourceCoupon, SourceProduct
from app.demo.when import Shift, digest, identity
from domain.coupons.drafts import ScopeDraft, TemplateDraft, ValidityDraft, template_of
from domain.coupons.model import CouponTemplate, TemplateState
from domain.coupons.offer import Funder, FunderShare
from domain.coupons.terms import MAX_REFS
from domain.shared.allocation import WHOLE_BASIS_POINTS
from domain.shared.ids import CampaignId, MerchantId, TemplateId
from domain.shared.money import half_up
from persistence.demo.rows import CampaignRow, PublishedTemplate

SPARE_STOCK: Final = 1_000
MOST_PER_MEMBER: Final = 2

_PLANNED_AHEAD: Final = timedelta(days=14)
_WIDE: Final = 400
"""A coupon for more products than this is a percentage."""
_LARGE_MINOR: Final = 100
"""A coupon that takes off as much asks for a threshold."""
_TIMES: Final = 5
_STEP_MINOR: Final = 5
_UNSEEN_MINOR: Final = (50, 75, 100, 150, 200)
_SHARE_STEP: Final = 500
_UNSEEN_PLATFORM: Final = 8_500
"""What manufacturers bore of all coupon discounts of the source: 85.3 %."""

_KINDS_OF_CAMPAIGN: Final[Mapping[str, tuple[str, str]]] = {
    "Type A": ("会员专享", "RETENTION"),
    "Type B": ("品类促销", "CONVERSION"),
    "Type C": ("长期唤醒", "ACTIVATION"),
}


@dataclass(frozen=True, slots=True)
class HistoricOffer:
    """A template of the source, with what its coupons are made of."""

    template: CouponTemplate
    campaign: int
    upc: int
    products: frozenset[int]
    amount_minor: int
    terms: str
    opens_at: datetime
    closes_at: datetime
    first_day: date
    stock: int


@dataclass(frozen=True, slots=True)
class History:
    """All campaigns and offers of the source, moved."""

    campaigns: Sequence[CampaignRow]
    offers: Mapping[tuple[int, int], HistoricOffer]
    of_campaign: Mapping[int, Sequence[HistoricOffer]]

    def published(self) -> list[PublishedTemplate]:
        """The templates as they are stored."""
        return [
            PublishedTemplate(offer.template, offer.stock, offer.opens_at - _PLANNED_AHEAD)
            for offer in self.offers.values()
        ]


def history(
    campaigns: Sequence[SourceCampaign],
    *,
    coupons: Sequence[SourceCoupon],
    products: Mapping[int, SourceProduct],
    shift: Shift,
    now: datetime,
    currency: str,
) -> History:
    """Campaigns and offers of the source."""
    by_number = {campaign.campaign: campaign for campaign in campaigns}
    offers = {
        (coupon.campaign, coupon.upc): _offer(
            coupon, campaign=by_number[coupon.campaign], products=products, shift=shift, currency=currency
        )
        for coupon in coupons
    }
    of_campaign: dict[int, list[HistoricOffer]] = {campaign.campaign: [] for campaign in campaigns}
    for offer in offers.values():
        of_campaign[offer.campaign].append(offer)
    return History([_campaign(campaign, shift=shift, now=now) for campaign in campaigns], offers, of_campaign)


def _campaign(source: SourceCampaign, *, shift: Shift, now: datetime) -> CampaignRow:
    name, goal = _KINDS_OF_CAMPAIGN[source.type]
    starts_at, ends_at = _window(source, shift=shift)
    return CampaignRow(
        id=campaign_id(source, shift=shift),
        merchant_id=None,
        name=f"{name} 第{source.campaign}期",
        goal=goal,
        state="ENDED" if ends_at <= now else "RUNNING",
        starts_at=starts_at,
        ends_at=ends_at,
        created_at=starts_at - _PLANNED_AHEAD,
    )


def campaign_id(source: SourceCampaign, *, shift: Shift) -> UUID:
    """The id of a campaign of the source."""
    return identity(shift.start_of(source.first_day) - _PLANNED_AHEAD, "campaign", source.campaign)


def _window(source: SourceCampaign, *, shift: Shift) -> tuple[datetime, datetime]:
    return shift.start_of(source.first_day), shift.start_of(source.last_day + timedelta(days=1))


def _offer(
    coupon: SourceCoupon,
    *,
    campaign: SourceCampaign,
    products: Mapping[int, SourceProduct],
    shift: Shift,
    currency: str,
) -> HistoricOffer:
    opens_at, closes_at = _window(campaign, shift=shift)
    known = [products[number] for number in coupon.products if number in products]
    amount = _amount(coupon)
    kind, terms = _terms(amount, width=len(coupon.products))
    stock = campaign.households * MOST_PER_MEMBER + SPARE_STOCK
    draft = TemplateDraft(
        name=f"{_subject(known)} 第{coupon.campaign}期 {coupon.upc}",
        kind=kind,
        terms=terms,
        currency=currency,
        campaign_id=CampaignId(campaign_id(campaign, shift=shift)),
        merchant_id=None,
        stock=stock,
        limit_per_member=MOST_PER_MEMBER,
        limit_per_member_per_day=None,
        claim_opens_at=opens_at,
        claim_closes_at=closes_at,
        validity=ValidityDraft(starts_at=opens_at, ends_at=closes_at),
        scope=_scope(coupon, products=known),
        funders=_funders(coupon),
    )
    key = identity(opens_at - _PLANNED_AHEAD, "template", coupon.campaign, coupon.upc)
    template = replace(template_of(draft, id=TemplateId(key)), state=TemplateState.PUBLISHED)
    return HistoricOffer(
        template=template,
        campaign=coupon.campaign,
        upc=coupon.upc,
        products=frozenset(coupon.products),
        amount_minor=amount,
        terms=orjson.dumps(template.coupon_kind.terms_to_json(template.terms)).decode(),
        opens_at=opens_at,
        closes_at=closes_at,
        first_day=campaign.first_day,
        stock=stock,
    )


def _amount(coupon: SourceCoupon) -> int:
    """What it takes off, to the nearest 5 minor units: the median that was seen, or one of five by its number."""
    if not coupon.median_coupon:
        return _UNSEEN_MINOR[digest("amount", coupon.upc) % len(_UNSEEN_MINOR)]
    return max(_STEP_MINOR, half_up(coupon.median_coupon, _STEP_MINOR) * _STEP_MINOR)


def _terms(amount: int, *, width: int) -> tuple[str, dict[str, int]]:
    if width > _WIDE:
        return "PERCENT_OFF", {"payableBasisPoints": 9000, "maxDiscountMinor": amount * _TIMES}
    if amount >= _LARGE_MINOR:
        return "THRESHOLD_AMOUNT_OFF", {"thresholdMinor": amount * _TIMES, "amountMinor": amount}
    return "AMOUNT_OFF", {"amountMinor": amount}


def _subject(products: Sequence[SourceProduct]) -> str:
    """The category that most of its products are of."""
    counted = Counter(product.category or "" for product in products).most_common(1)
    subject = counted[0][0] if counted else ""
    return subject.capitalize() or "Everything"


def _scope(coupon: SourceCoupon, *, products: Sequence[SourceProduct]) -> ScopeDraft:
    """Its products; their categories where they are more than a scope may name."""
    departments = {product.department for product in products}
    merchants = {MerchantId(shop_of(department).id) for department in departments}
    of_one = sorted(merchants) if len(merchants) == 1 else None
    if len(coupon.products) <= MAX_REFS:
        return ScopeDraft(product_refs=[str(number) for number in coupon.products], merchant_ids=of_one)
    return ScopeDraft(category_refs=sorted({p.category for p in products if p.category}), merchant_ids=of_one)


def _funders(coupon: SourceCoupon) -> tuple[FunderShare, ...]:
    """The manufacturer's part is the platform's to collect; the retailer's match is the merchant's."""
    total = coupon.coupon_total + coupon.match_total
    seen = half_up(coupon.coupon_total * WHOLE_BASIS_POINTS, total * _SHARE_STEP) * _SHARE_STEP if total else 0
    platform = seen or _UNSEEN_PLATFORM
    return FunderShare(Funder.PLATFORM, platform), FunderShare(Funder.MERCHANT, WHOLE_BASIS_POINTS - platform)
