"""Merchants 商户 and their stores 门店."""
