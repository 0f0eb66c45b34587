"""Where recommendations are shown. Apart from them, since a member, who is asked for them, must not import them."""

from domain.recommendations.model import Placement
from schema.enums import publish_enum

__all__ = ["Placement"]

publish_enum(
    Placement,
    "Where recommendations are shown.",
    values={
        "HOME": "The home page: coupons, rewards and campaigns.",
        "CART": "The cart: coupons.",
        "WALLET": "The wallet: coupons.",
    },
)
