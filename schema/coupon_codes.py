"""Codes as those who manage their template see them."""

from datetime import datetime

import strawberry

from domain.coupons import distribution
from schema.scalars import SafeInt


@strawberry.type(description="A code 兑换码 that members redeem for a coupon. Its managers see it.")
class CouponCode:
    code: str = strawberry.field(description="As it is printed.")
    uses_limit: SafeInt = strawberry.field(description="How many members can use it, each once.")
    uses: SafeInt = strawberry.field(description="How many have.")
    expires_at: datetime | None = strawberry.field(description="It works before this instant; null: without end.")
    created_at: datetime = strawberry.field(description="When it was made.")

    @staticmethod
    def from_domain(code: distribution.CouponCode) -> "CouponCode":
        """The domain's code as clients see it."""
        return CouponCode(
            code=code.printed,
            uses_limit=SafeInt(code.uses_limit),
            uses=SafeInt(code.uses),
            expires_at=code.expires_at,
            created_at=code.created_at,
        )
