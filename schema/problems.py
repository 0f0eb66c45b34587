"""Refusals as clients see them: one interface, one type per refusal, with its facts as typed fields."""

from enum import Enum

import strawberry


@strawberry.enum(description="Why a mutation was refused. New codes may be added.")
class ProblemCode(Enum):
    NOT_FOUND = "NOT_FOUND"
    NOT_STARTED = "NOT_STARTED"
    ENDED = "ENDED"
    SOLD_OUT = "SOLD_OUT"
    CLAIM_LIMIT_REACHED = "CLAIM_LIMIT_REACHED"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    COUPON_NOT_USABLE = "COUPON_NOT_USABLE"
    COUPON_EXPIRED = "COUPON_EXPIRED"
    STACKING_CONFLICT = "STACKING_CONFLICT"
    QUOTE_CHANGED = "QUOTE_CHANGED"
    RESERVATION_EXPIRED = "RESERVATION_EXPIRED"
    REFUND_EXCEEDS_ORDER = "REFUND_EXCEEDS_ORDER"
    INVALID_TERMS = "INVALID_TERMS"
    INVALID_STATE_CHANGE = "INVALID_STATE_CHANGE"
    INSUFFICIENT_POINTS = "INSUFFICIENT_POINTS"
    REWARD_OUT_OF_STOCK = "REWARD_OUT_OF_STOCK"
    EXCHANGE_LIMIT_REACHED = "EXCHANGE_LIMIT_REACHED"
    ALREADY_CHECKED_IN = "ALREADY_CHECKED_IN"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    OPERATION_IN_PROGRESS = "OPERATION_IN_PROGRESS"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"


@strawberry.interface(
    description="A refusal: nothing was written. Every refusal implements this, also those added later."
)
class Problem:
    code: ProblemCode = strawberry.field(description="Why, for programs.")
    message: str = strawberry.field(description="Why and what to do, for people, in the viewer's locale.")


@strawberry.type(description="There is no such thing, or none that the viewer may see.")
class NotFoundProblem(Problem):
    noun: str = strawberry.field(description="What was not found: a type of this schema.")


@strawberry.type(
    description="The idempotency key was used before with another input. Make a new key for a new operation."
)
class IdempotencyKeyReusedProblem(Problem):
    idempotency_key: strawberry.ID = strawberry.field(description="The key.")


@strawberry.type(description="The same operation is under way right now. Send it again with the same key.")
class OperationInProgressProblem(Problem):
    idempotency_key: strawberry.ID = strawberry.field(description="The key.")


@strawberry.type(description="The thing is not in a state from which this move is legal.")
class InvalidStateChangeProblem(Problem):
    current: str = strawberry.field(description="The state that it is in.")
    wanted: str = strawberry.field(description="The state that was asked for.")
