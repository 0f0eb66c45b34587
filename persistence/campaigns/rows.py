"""Campaigns from their rows."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from domain.campaigns.model import (
    ALL_FUNDERS,
    Budget,
    BudgetAccount,
    Campaign,
    CampaignGoal,
    CampaignState,
    RemainderPolicy,
)
from domain.shared.ids import CampaignId
from domain.shared.money import Money
from persistence.base import Row


def deal(minor: int, *, shards: int) -> list[int]:
    """An amount in as many parts: the same for each, and one more for the first of them."""
    each, more = divmod(minor, shards)
    return [each + (place < more) for place in range(shards)]


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
        limit_per_member=row["limit_per_member"],
        remainder=RemainderPolicy(row["budget_remainder"]),
    )


def budgets_of(rows: Sequence[Row], *, lapsed: Sequence[Row]) -> dict[CampaignId, Budget]:
    """Budgets from the rows of their accounts, without what is held by reservations whose time is over.

    Of an account that is missing nobody knows what is left: all of it counts as spent.
    """
    freed: defaultdict[CampaignId, Counter[str]] = defaultdict(Counter)
    for row in lapsed:
        freed[row["id"]].update(row["shares"])
        freed[row["id"]][ALL_FUNDERS] += sum(row["shares"].values())
    accounts: defaultdict[CampaignId, dict[str, BudgetAccount]] = defaultdict(dict)
    for row in rows:
        limits: dict[str, int] = {ALL_FUNDERS: row["budget_minor"], **(row["funder_budgets"] or {})}
        for name, limit in limits.items():
            accounts[row["id"]].setdefault(name, BudgetAccount(limit, 0, limit))
        funder = row["funder"]
        if funder in limits:
            reserved = row["reserved_minor"] - freed[row["id"]][funder]
            accounts[row["id"]][funder] = BudgetAccount(limits[funder], reserved, row["redeemed_minor"])
    currencies = {row["id"]: row["budget_currency"] for row in rows}
    remainders = {row["id"]: RemainderPolicy(row["budget_remainder"]) for row in rows}
    return {
        campaign_id: Budget(
            currency=currencies[campaign_id],
            limit_minor=of_funder[ALL_FUNDERS].limit_minor,
            reserved_minor=of_funder[ALL_FUNDERS].reserved_minor,
            redeemed_minor=of_funder[ALL_FUNDERS].redeemed_minor,
            by_funder={funder: account for funder, account in of_funder.items() if funder != ALL_FUNDERS},
            remainder=remainders[campaign_id],
        )
        for campaign_id, of_funder in accounts.items()
    }
