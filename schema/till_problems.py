"""Refusals of tills as clients see them."""

from datetime import date, datetime

import strawberry

from schema.money import Money
from schema.problems import Problem


@strawberry.type(description="The code was scanned for another order: each is good for one. The phone shows a new one.")
class RedemptionCodeUsedProblem(Problem):
    pass


@strawberry.type(description="The till says that it scanned the code at a time at which that cannot have been.")
class ScanTimeRefusedProblem(Problem):
    scanned_at: datetime = strawberry.field(description="What the till says.")
    earliest: datetime = strawberry.field(description="From when on it is believed.")
    latest: datetime = strawberry.field(description="Until when: a little after now.")


@strawberry.type(
    description="As much as the store, or one of its tills, may redeem without a network on one day was accepted of it."
)
class OfflineLimitReachedProblem(Problem):
    on_date: date = strawberry.field(description="The programme's day of the scan.")
    per_till: bool = strawberry.field(
        description="Whether it is the limit of the till; if not, that of all tills of the store together."
    )
    max_count: int = strawberry.field(description="How many are accepted of one day.")
    max_amount: Money = strawberry.field(description="Discounts of how much in all.")
