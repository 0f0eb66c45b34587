"""Every Refusal → its Problem, on one page. A test fails for a refusal that is missing here, or that has two."""

from collections.abc import Callable, Mapping
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField

import domain.points.errors as points_errors
import domain.rewards.errors as rewards_errors
from domain.coupons import errors as coupon_errors
from domain.orders import errors as order_errors
from domain.shared import errors
from domain.shared.errors import Refusal
from resolvers.context import Info
from resolvers.messages import message_of
from schema import coupon_problems, order_problems, problems, till_problems
from schema.money import Money
from schema.points import AlreadyCheckedInProblem, InsufficientPointsProblem
from schema.problems import Problem, ProblemCode
from schema.rewards import ExchangeLimitReachedProblem, RewardOutOfStockProblem
from schema.scalars import SafeInt

Build = Callable[[Any, str], Problem]


def _not_found(r: errors.NotFound, message: str) -> Problem:
    return problems.NotFoundProblem(code=ProblemCode.NOT_FOUND, message=message, noun=r.noun)


def _key_reused(r: errors.IdempotencyKeyReused, message: str) -> Problem:
    return problems.IdempotencyKeyReusedProblem(
        code=ProblemCode.IDEMPOTENCY_KEY_REUSED, message=message, idempotency_key=strawberry.ID(r.idempotency_key)
    )


def _in_progress(r: errors.OperationInProgress, message: str) -> Problem:
    return problems.OperationInProgressProblem(
        code=ProblemCode.OPERATION_IN_PROGRESS, message=message, idempotency_key=strawberry.ID(r.idempotency_key)
    )


def _state_change(r: errors.InvalidStateChange, message: str) -> Problem:
    return problems.InvalidStateChangeProblem(
        code=ProblemCode.INVALID_STATE_CHANGE, message=message, current=r.current, wanted=r.wanted
    )


def _insufficient_points(r: points_errors.InsufficientPoints, message: str) -> Problem:
    return InsufficientPointsProblem(
        code=ProblemCode.INSUFFICIENT_POINTS,
        message=message,
        required=SafeInt(r.required),
        available=SafeInt(r.available),
        shortfall=SafeInt(r.shortfall),
    )


def _already_checked_in(r: points_errors.AlreadyCheckedIn, message: str) -> Problem:
    return AlreadyCheckedInProblem(code=ProblemCode.ALREADY_CHECKED_IN, message=message, next_at=r.next_at)


def _not_started(r: coupon_errors.NotStarted, message: str) -> Problem:
    return coupon_problems.NotStartedProblem(code=ProblemCode.NOT_STARTED, message=message, opens_at=r.opens_at)


def _ended(r: coupon_errors.Ended, message: str) -> Problem:
    return coupon_problems.EndedProblem(code=ProblemCode.ENDED, message=message, closed_at=r.closed_at)


def _sold_out(_: coupon_errors.SoldOut, message: str) -> Problem:
    return coupon_problems.SoldOutProblem(code=ProblemCode.SOLD_OUT, message=message)


def _claim_limit(r: coupon_errors.ClaimLimitReached, message: str) -> Problem:
    return coupon_problems.ClaimLimitReachedProblem(
        code=ProblemCode.CLAIM_LIMIT_REACHED, message=message, limit=r.limit, resets_at=r.resets_at
    )


def _code_used_up(_: coupon_errors.CodeUsedUp, message: str) -> Problem:
    return coupon_problems.CodeUsedUpProblem(code=ProblemCode.CODE_USED_UP, message=message)


def _coupon_code_expired(r: coupon_errors.CodeExpired, message: str) -> Problem:
    return coupon_problems.CodeExpiredProblem(code=ProblemCode.CODE_EXPIRED, message=message, expired_at=r.expired_at)


def _too_many_attempts(r: coupon_errors.TooManyAttempts, message: str) -> Problem:
    return coupon_problems.TooManyAttemptsProblem(
        code=ProblemCode.TOO_MANY_ATTEMPTS, message=message, retry_at=r.retry_at
    )


def _invalid_terms(r: coupon_errors.InvalidTerms, message: str) -> Problem:
    return coupon_problems.InvalidTermsProblem(
        code=ProblemCode.INVALID_TERMS, message=message, path=list(r.path), reason=r.reason
    )


def _out_of_stock(r: rewards_errors.RewardOutOfStock, message: str) -> Problem:
    return RewardOutOfStockProblem(
        code=ProblemCode.REWARD_OUT_OF_STOCK, message=message, remaining=SafeInt(r.remaining)
    )


def _exchange_limit(r: rewards_errors.ExchangeLimitReached, message: str) -> Problem:
    return ExchangeLimitReachedProblem(code=ProblemCode.EXCHANGE_LIMIT_REACHED, message=message, limit=r.limit)


def _code_expired(r: order_errors.RedemptionCodeExpired, message: str) -> Problem:
    return order_problems.RedemptionCodeExpiredProblem(
        code=ProblemCode.REDEMPTION_CODE_EXPIRED, message=message, expired_at=r.expired_at
    )


def _code_used(_: order_errors.RedemptionCodeUsed, message: str) -> Problem:
    return till_problems.RedemptionCodeUsedProblem(code=ProblemCode.REDEMPTION_CODE_USED, message=message)


def _scan_time(r: order_errors.ScanTimeRefused, message: str) -> Problem:
    return till_problems.ScanTimeRefusedProblem(
        code=ProblemCode.SCAN_TIME_REFUSED,
        message=message,
        scanned_at=r.scanned_at,
        earliest=r.earliest,
        latest=r.latest,
    )


def _offline_limit(r: order_errors.OfflineLimitReached, message: str) -> Problem:
    return till_problems.OfflineLimitReachedProblem(
        code=ProblemCode.OFFLINE_LIMIT_REACHED,
        message=message,
        on_date=r.on_date,
        max_count=r.max_count,
        max_amount=Money.of(r.max_minor, r.currency),
        per_till=r.per_till,
    )


def _not_usable(r: order_errors.CouponNotUsable, message: str) -> Problem:
    return order_problems.CouponNotUsableProblem(code=ProblemCode.COUPON_NOT_USABLE, message=message, state=r.state)


def _coupon_expired(r: order_errors.CouponExpired, message: str) -> Problem:
    return order_problems.CouponExpiredProblem(
        code=ProblemCode.COUPON_EXPIRED, message=message, expired_at=r.expired_at
    )


def _not_eligible(r: order_errors.NotEligible, message: str) -> Problem:
    return order_problems.NotEligibleProblem(
        code=ProblemCode.NOT_ELIGIBLE, message=message, decision=r.eligibility, currency=r.currency
    )


def _budget_exhausted(r: order_errors.BudgetExhausted, message: str) -> Problem:
    return order_problems.BudgetExhaustedProblem(
        code=ProblemCode.BUDGET_EXHAUSTED,
        message=message,
        required=Money.of(r.required_minor, r.currency),
        funder=r.funder,
    )


def _stacking_conflict(r: order_errors.StackingConflict, message: str) -> Problem:
    return order_problems.StackingConflictProblem(
        code=ProblemCode.STACKING_CONFLICT,
        message=message,
        decision=r.eligibility,
        currency=r.currency,
        key=r.coupon,
        rival=r.conflicts_with,
    )


def _quote_changed(r: order_errors.QuoteChanged, message: str) -> Problem:
    return order_problems.QuoteChangedProblem(code=ProblemCode.QUOTE_CHANGED, message=message, changed=r.quote)


def _reservation_expired(r: order_errors.ReservationExpired, message: str) -> Problem:
    return order_problems.ReservationExpiredProblem(
        code=ProblemCode.RESERVATION_EXPIRED, message=message, expired_at=r.expired_at
    )


def _refund_exceeds(r: order_errors.RefundExceedsOrder, message: str) -> Problem:
    return order_problems.RefundExceedsOrderProblem(
        code=ProblemCode.REFUND_EXCEEDS_ORDER,
        message=message,
        line_id=None if r.line_id is None else strawberry.ID(r.line_id),
        requested=r.requested,
        remaining=r.remaining,
    )


# refusal → (its type in the schema, how it is built)
PROBLEMS: Mapping[type[Refusal], tuple[type[Problem], Build]] = {
    errors.NotFound: (problems.NotFoundProblem, _not_found),
    errors.IdempotencyKeyReused: (problems.IdempotencyKeyReusedProblem, _key_reused),
    errors.OperationInProgress: (problems.OperationInProgressProblem, _in_progress),
    points_errors.InsufficientPoints: (InsufficientPointsProblem, _insufficient_points),
    rewards_errors.RewardOutOfStock: (RewardOutOfStockProblem, _out_of_stock),
    rewards_errors.ExchangeLimitReached: (ExchangeLimitReachedProblem, _exchange_limit),
    points_errors.AlreadyCheckedIn: (AlreadyCheckedInProblem, _already_checked_in),
    errors.InvalidStateChange: (problems.InvalidStateChangeProblem, _state_change),
    coupon_errors.NotStarted: (coupon_problems.NotStartedProblem, _not_started),
    coupon_errors.Ended: (coupon_problems.EndedProblem, _ended),
    coupon_errors.SoldOut: (coupon_problems.SoldOutProblem, _sold_out),
    coupon_errors.ClaimLimitReached: (coupon_problems.ClaimLimitReachedProblem, _claim_limit),
    order_errors.RedemptionCodeExpired: (order_problems.RedemptionCodeExpiredProblem, _code_expired),
    order_errors.RedemptionCodeUsed: (till_problems.RedemptionCodeUsedProblem, _code_used),
    order_errors.ScanTimeRefused: (till_problems.ScanTimeRefusedProblem, _scan_time),
    order_errors.OfflineLimitReached: (till_problems.OfflineLimitReachedProblem, _offline_limit),
    order_errors.CouponNotUsable: (order_problems.CouponNotUsableProblem, _not_usable),
    order_errors.CouponExpired: (order_problems.CouponExpiredProblem, _coupon_expired),
    order_errors.NotEligible: (order_problems.NotEligibleProblem, _not_eligible),
    order_errors.BudgetExhausted: (order_problems.BudgetExhaustedProblem, _budget_exhausted),
    order_errors.StackingConflict: (order_problems.StackingConflictProblem, _stacking_conflict),
    order_errors.QuoteChanged: (order_problems.QuoteChangedProblem, _quote_changed),
    order_errors.ReservationExpired: (order_problems.ReservationExpiredProblem, _reservation_expired),
    coupon_errors.CodeUsedUp: (coupon_problems.CodeUsedUpProblem, _code_used_up),
    coupon_errors.CodeExpired: (coupon_problems.CodeExpiredProblem, _coupon_code_expired),
    coupon_errors.TooManyAttempts: (coupon_problems.TooManyAttemptsProblem, _too_many_attempts),
    order_errors.RefundExceedsOrder: (order_problems.RefundExceedsOrderProblem, _refund_exceeds),
    coupon_errors.InvalidTerms: (coupon_problems.InvalidTermsProblem, _invalid_terms),
}


def problem_of(refusal: Refusal, *, locale: str) -> Problem:
    """A refusal as the viewer sees it."""
    _, build = PROBLEMS[type(refusal)]
    return build(refusal, message_of(refusal, locale=locale))


class _Handler:
    """Turns one kind of refusal into its union member, wherever a field's union holds it."""

    def __init__(self, refusal: type[Refusal], problem: type[Problem]) -> None:
        self.exception_type = refusal
        self.error_type = problem

    def handle(self, exception: Refusal, *, field: StrawberryField, info: Info) -> Problem:
        """The union member."""
        del field
        return problem_of(exception, locale=info.context.locale)


def refusal_handlers() -> list[_Handler]:
    """One handler per refusal, for `strawberry.Schema(exception_handlers=…)`."""
    return [_Handler(refusal, problem) for refusal, (problem, _) in PROBLEMS.items()]
