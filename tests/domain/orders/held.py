"""Coupons in a member's hand, made of what pricing sees of them."""

from datetime import UTC, datetime
from uuid import UUID

from domain.coupons.model import Coupon, CouponTemplate, RefundPolicy, TemplateState, Validity, code_of
from domain.coupons.offer import Offer
from domain.coupons.wallet import HeldCoupon
from domain.orders.quotes import Buyer
from domain.shared.ids import CampaignId, MemberId
from domain.shared.time import Interval
from tests.domain.coupons.carts import NOW

MEMBER = MemberId(UUID(int=1))
BUYER = Buyer(MEMBER, bonus_basis_points=0, points_currency="CNY")
YEAR = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def held(offer: Offer, *, campaign_id: CampaignId | None = None, limit_per_store: int | None = None) -> HeldCoupon:
    """The coupon with a template of its own."""
    template = CouponTemplate(
        id=offer.template_id,
        merchant_id=offer.merchant_id,
        campaign_id=campaign_id,
        name=offer.kind,
        state=TemplateState.PUBLISHED,
        kind=offer.kind,
        terms=offer.terms,
        currency=offer.currency,
        scope=offer.scope,
        limit_per_member=None,
        limit_per_member_per_day=None,
        claim_opens_at=YEAR.starts_at,
        claim_closes_at=YEAR.ends_at,
        validity=Validity(YEAR, None),
        threshold_base=offer.threshold_base,
        percent_base=offer.percent_base,
        stacking=offer.stacking,
        funders=offer.borne_by,
        refund_policy=RefundPolicy.KEEP_ALLOCATION,
        limit_per_store=limit_per_store,
    )
    coupon = Coupon(
        id=offer.coupon_id,
        member_id=MEMBER,
        template_id=offer.template_id,
        merchant_id=offer.merchant_id,
        ordinal=1,
        code=code_of(offer.coupon_id),
        state=offer.state,
        kind=offer.kind,
        terms=offer.terms,
        claimed_at=YEAR.starts_at,
        claimed_on=YEAR.starts_at.date(),
        valid_from=offer.valid_from,
        valid_until=offer.valid_until,
        read_at=NOW,
        balance_minor=offer.balance_minor,
    )
    return HeldCoupon(coupon, template)
