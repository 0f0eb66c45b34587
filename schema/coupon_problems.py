"""Refusals of claims and of templates as clients see them."""

from datetime import datetime

import strawberry

from schema.problems import Problem


@strawberry.type(description="Claiming opens later.")
class NotStartedProblem(Problem):
    opens_at: datetime = strawberry.field(description="When it opens.")


@strawberry.type(description="Claiming is over.")
class EndedProblem(Problem):
    closed_at: datetime = strawberry.field(description="When it closed.")


@strawberry.type(description="No coupon is left.")
class SoldOutProblem(Problem):
    pass


@strawberry.type(description="The member has as many as one may have.")
class ClaimLimitReachedProblem(Problem):
    limit: int = strawberry.field(description="How many one may have.")
    resets_at: datetime | None = strawberry.field(description="When a limit by the day begins anew; null: never.")


@strawberry.type(description="The template cannot be as it was described.")
class InvalidTermsProblem(Problem):
    path: list[str] = strawberry.field(description="Where in the input: terms, amountMinor.")
    reason: str = strawberry.field(description="What is wrong there.")
