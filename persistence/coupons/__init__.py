"""Coupons in PostgreSQL: templates, stock, coupons, redemptions."""
