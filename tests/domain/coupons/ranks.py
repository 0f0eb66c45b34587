"""The order of combinations by the rule of ties, said once more for tests: the least is the best."""

from collections.abc import Sequence
from datetime import datetime

from domain.coupons.offer import Offer
from domain.shared.ids import CouponId

Rank = tuple[int, int, list[datetime], list[CouponId]]


def rank(saving_minor: int, offers: Sequence[Offer]) -> Rank:
    """Larger saving, fewer coupons, earliest expiring, lowest ids."""
    return (
        -saving_minor,
        len(offers),
        sorted(offer.valid_until for offer in offers),
        sorted(offer.coupon_id for offer in offers),
    )
