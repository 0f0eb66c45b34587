"""Batches of coupons and codes as clients send and see them."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.coupons import distribution
from domain.coupons.codes import MAX_CODES
from domain.coupons.issuing import MAX_ROWS
from domain.shared.errors import Refusal
from schema.context import Context
from schema.coupon_problems import (
    ClaimLimitReachedProblem,
    CodeExpiredProblem,
    CodeUsedUpProblem,
    EndedProblem,
    InvalidTermsProblem,
    NotStartedProblem,
    SoldOutProblem,
    TooManyAttemptsProblem,
)
from schema.coupon_templates import CouponTemplate
from schema.coupons import Coupon
from schema.node_ids import NodeType, node_id
from schema.problems import IdempotencyKeyReusedProblem, NotFoundProblem, OperationInProgressProblem, Problem


@strawberry.input(description="Coupons to give to members.")
class IssueCouponsInput:
    coupon_template_id: strawberry.ID = strawberry.field(description="What to give a coupon of; it is published.")
    member_ids: list[strawberry.ID] = strawberry.field(
        description=f"To whom, 1 to {MAX_ROWS}; who is named twice is given two. Operators name any member, a "
        "merchant those who have used a coupon at it: any other is NOT_FOUND."
    )
    reason: str = strawberry.field(description="Why, 1 to 200 characters; the members read it in the coupon's history.")
    idempotency_key: strawberry.ID = strawberry.field(
        description="Made by the client before it sends. The same key goes on with a batch that was interrupted."
    )


@strawberry.type(description="What became of one row: a coupon, or why there is none.")
class IssueOutcome:
    member_id: strawberry.ID = strawberry.field(description="The row's member.")
    coupon: Coupon | None = strawberry.field(description="The coupon as it is now; null where there is a problem.")
    problem: Problem | None = strawberry.field(
        description="Why there is none: NOT_FOUND, CLAIM_LIMIT_REACHED, SOLD_OUT, NOT_STARTED or ENDED. It stays so "
        "under this key; send the rows again under another one."
    )

    @staticmethod
    def of(outcome: distribution.IssueOutcome, *, context: Context) -> "IssueOutcome":
        """The domain's outcome as clients see it."""
        answer = outcome.answer
        member_id = node_id(NodeType.Member, outcome.member_id)
        if isinstance(answer, Refusal):
            return IssueOutcome(member_id=member_id, coupon=None, problem=context.problem_of(answer))
        return IssueOutcome(member_id=member_id, coupon=Coupon.from_domain(answer), problem=None)


@strawberry.type(description="Every row has its answer.")
class IssueCouponsSuccess:
    outcomes: list[IssueOutcome] = strawberry.field(description="One for each row, in the order of memberIds.")
    replayed: bool = strawberry.field(description="Whether all of it had been done before.")


@strawberry.input(description="Codes to make: a pattern and a count, or the codes themselves.")
class CreateCouponCodesInput:
    coupon_template_id: strawberry.ID = strawberry.field(description="What a code gives a coupon of.")
    pattern: str | None = strawberry.field(
        default=None,
        description="As in TEA-####-****: # is a digit, ? a letter (without I, L, O, U), * either, A-Z, 0-9 and - "
        "stand for themselves. Of 10000 guesses at most one may find a code of the batch.",
    )
    count: int | None = strawberry.field(default=None, description=f"How many by the pattern, 1 to {MAX_CODES}.")
    codes: list[str] | None = strawberry.field(
        default=None,
        description=f"Codes to bring along, 1 to {MAX_CODES}: 4 to 64 letters A-Z and digits; case, blanks and hyphens "
        "do not count.",
    )
    uses_per_code: int | None = strawberry.field(
        default=1, description="How many members can use each of them; each member once."
    )
    expires_at: datetime | None = strawberry.field(default=None, description="They work before this instant.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The codes are made.")
class CreateCouponCodesSuccess:
    coupon_template: CouponTemplate = strawberry.field(description="What they give a coupon of.")
    codes: list[str] = strawberry.field(description="All of them, as they are printed, in the order given.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="A code to redeem.")
class RedeemCodeInput:
    code: str = strawberry.field(description="As the member types it: case, blanks and hyphens do not count.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The coupon is in the wallet.")
class RedeemCodeSuccess:
    coupon: Coupon = strawberry.field(description="The coupon.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


IssueCouponsResult = Annotated[
    IssueCouponsSuccess | NotFoundProblem | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("IssueCouponsResult", description="The outcome of each row, or why there is none."),
]
CreateCouponCodesResult = Annotated[
    CreateCouponCodesSuccess
    | NotFoundProblem
    | InvalidTermsProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("CreateCouponCodesResult", description="The codes, or why not."),
]
RedeemCodeResult = Annotated[
    RedeemCodeSuccess
    | NotFoundProblem
    | CodeUsedUpProblem
    | CodeExpiredProblem
    | TooManyAttemptsProblem
    | NotStartedProblem
    | EndedProblem
    | ClaimLimitReachedProblem
    | SoldOutProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("RedeemCodeResult", description="The coupon, or why not."),
]
