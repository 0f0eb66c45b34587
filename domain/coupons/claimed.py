"""A claim that was granted, with the coupon that it handed out: nobody needs to read back what was just written."""

from dataclasses import dataclass, field

from domain.coupons.model import Coupon, CouponClaimed, Issue
from domain.coupons.register import coupons_of
from domain.shared.idempotency import Done


@dataclass(frozen=True, slots=True, eq=False)
class Claimed(Done[CouponClaimed]):
    """The first answer to a claim. A replay is a plain `Done`: its coupon may have been used since."""

    issue: Issue = field(repr=False)
    place: int
    """Where it stands in what its set handed out."""

    @property
    def coupon(self) -> Coupon:
        """The coupon as it was handed out."""
        issue, place = self.issue, self.place
        alone = Issue(
            issue.template,
            claimed_at=issue.claimed_at,
            claimed_on=issue.claimed_on,
            period=issue.period,
            member_ids=[issue.member_ids[place]],
            ids=[issue.ids[place]],
            ordinals=[issue.ordinals[place]],
        )
        return coupons_of(alone)[0]


def handed_out(done: Done[CouponClaimed]) -> Coupon | None:
    """The coupon that this very claim handed out; None for a replay."""
    return done.coupon if isinstance(done, Claimed) else None
