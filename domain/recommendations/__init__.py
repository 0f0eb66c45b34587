"""Recommendations 推荐: what to show a member next."""
