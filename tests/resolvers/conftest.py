"""What tests of the schema may ask for besides a world."""

from tests.resolvers.coupon_desk import laurel

__all__ = ["laurel"]
