"""Refusals as clients see them: one interface, one type per refusal, with its facts as typed fields."""

from enum import Enum

import strawberry

from schema.enums import publish_enum


class ProblemCode(Enum):
    """Why a mutation was refused."""

    NOT_FOUND = "NOT_FOUND"
    NOT_STARTED = "NOT_STARTED"
    ENDED = "ENDED"
    SOLD_OUT = "SOLD_OUT"
    CLAIM_LIMIT_REACHED = "CLAIM_LIMIT_REACHED"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    COUPON_NOT_USABLE = "COUPON_NOT_USABLE"
    COUPON_EXPIRED = "COUPON_EXPIRED"
    REDEMPTION_CODE_EXPIRED = "REDEMPTION_CODE_EXPIRED"
    REDEMPTION_CODE_USED = "REDEMPTION_CODE_USED"
    SCAN_TIME_REFUSED = "SCAN_TIME_REFUSED"
    OFFLINE_LIMIT_REACHED = "OFFLINE_LIMIT_REACHED"
    STACKING_CONFLICT = "STACKING_CONFLICT"
    QUOTE_CHANGED = "QUOTE_CHANGED"
    RESERVATION_EXPIRED = "RESERVATION_EXPIRED"
    REFUND_EXCEEDS_ORDER = "REFUND_EXCEEDS_ORDER"
    CODE_USED_UP = "CODE_USED_UP"
    CODE_EXPIRED = "CODE_EXPIRED"
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"
    INVALID_TERMS = "INVALID_TERMS"
    INVALID_STATE_CHANGE = "INVALID_STATE_CHANGE"
    INSUFFICIENT_POINTS = "INSUFFICIENT_POINTS"
    REWARD_OUT_OF_STOCK = "REWARD_OUT_OF_STOCK"
    EXCHANGE_LIMIT_REACHED = "EXCHANGE_LIMIT_REACHED"
    ALREADY_CHECKED_IN = "ALREADY_CHECKED_IN"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    OPERATION_IN_PROGRESS = "OPERATION_IN_PROGRESS"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"


publish_enum(
    ProblemCode,
    "Why a mutation was refused. New codes may be added.",
    values={
        "NOT_FOUND": "There is no such thing, or none that the viewer may see.",
        "NOT_STARTED": "It cannot be had yet.",
        "ENDED": "It can no longer be had.",
        "SOLD_OUT": "The stock is used up.",
        "CLAIM_LIMIT_REACHED": "The member has as many as one may have.",
        "NOT_ELIGIBLE": "A condition is not met; the proof says which.",
        "BUDGET_EXHAUSTED": "The campaign's budget does not cover it.",
        "COUPON_NOT_USABLE": "The coupon is not in a state in which it can be used.",
        "COUPON_EXPIRED": "The coupon's validity is over.",
        "REDEMPTION_CODE_EXPIRED": "The code that was scanned is too old.",
        "REDEMPTION_CODE_USED": "The code that was scanned was used for another order.",
        "SCAN_TIME_REFUSED": "A till says that it scanned a code when that cannot have been.",
        "OFFLINE_LIMIT_REACHED": "As much as a store may redeem without a network on one day was accepted of it.",
        "STACKING_CONFLICT": "Two chosen coupons do not go together.",
        "QUOTE_CHANGED": "The world has changed since the quote; a new one is given.",
        "RESERVATION_EXPIRED": "The reservation is over and its capacity is taken.",
        "REFUND_EXCEEDS_ORDER": "More would be refunded than is left of the order.",
        "CODE_USED_UP": "The code has no use left for this member.",
        "CODE_EXPIRED": "The code is too old.",
        "TOO_MANY_ATTEMPTS": "Too many codes were tried that did not work.",
        "INVALID_TERMS": "The terms are not those of the kind; the path says where.",
        "INVALID_STATE_CHANGE": "That move is not legal from the present state.",
        "INSUFFICIENT_POINTS": "The member has too few points.",
        "REWARD_OUT_OF_STOCK": "The reward is used up.",
        "EXCHANGE_LIMIT_REACHED": "The member has exchanged as many as one may.",
        "ALREADY_CHECKED_IN": "Today's check-in is done.",
        "IDEMPOTENCY_KEY_REUSED": "The key was used before with another input.",
        "OPERATION_IN_PROGRESS": "The same operation is under way.",
        "CONSENT_REQUIRED": "The member has not agreed to it.",
    },
)


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
