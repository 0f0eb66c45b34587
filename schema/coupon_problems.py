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
    resets_at: datetime | None = strawberry.field(description="When a limit by day, week or month begins anew.")


@strawberry.type(description="The code was used as often as it may be, or by this member before.")
class CodeUsedUpProblem(Problem):
    pass


@strawberry.type(description="The code is too old.")
class CodeExpiredProblem(Problem):
    expired_at: datetime = strawberry.field(description="Until when it could be used.")


@strawberry.type(description="The member has tried too many codes that did not work.")
class TooManyAttemptsProblem(Problem):
    retry_at: datetime = strawberry.field(description="From when on another can be tried.")


@strawberry.type(description="The template cannot be as it was described.")
class InvalidTermsProblem(Problem):
    path: list[str] = strawberry.field(description="Where in the input: terms, amountMinor.")
    reason: str = strawberry.field(description="What is wrong there.")
