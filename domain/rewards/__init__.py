"""Rewards 权益: the points mall, where points become coupons, goods and services."""
