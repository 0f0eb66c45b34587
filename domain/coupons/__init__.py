"""Coupons 优惠券: templates, claims, quotes, redemption."""
