"""Campaigns from their rows."""

from domain.campaigns.model import Campaign, CampaignGoal, CampaignState
from domain.shared.money import Money
from persistence.base import Row


def campaign_of(row: Row) -> Campaign:
    """A campaign from its row."""
    return Campaign(
        id=row["id"],
        merchant_id=row["merchant_id"],
        name=row["name"],
        goal=CampaignGoal(row["goal"]),
        state=CampaignState(row["state"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        budget=None if row["budget_minor"] is None else Money(row["budget_minor"], row["budget_currency"]),
    )
