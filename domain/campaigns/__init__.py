"""Campaigns 营销活动: goal, period, state, budget."""
