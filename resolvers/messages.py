"""What refusals say to people, in zh-CN and en. The words are chosen by the refusal's class; facts are filled in."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from enum import Enum
from functools import lru_cache

from domain.shared.errors import Refusal

LOCALES = ("zh-CN", "en")
DEFAULT_LOCALE = "zh-CN"

_TEXTS: Mapping[str, tuple[str, str]] = {
    "NotFound": ("没有找到，请检查后重试。", "Not found. Check the id and try again."),
    "IdempotencyKeyReused": (
        "这个幂等键已用于另一个请求，请换一个新键。",
        "This idempotency key was used for another request. Make a new one.",
    ),
    "OperationInProgress": (
        "操作正在处理中，请稍后用同一个键重试。",
        "The operation is under way. Try again with the same key.",
    ),
    "InsufficientPoints": (
        "积分不足，还差 {shortfall} 积分。",
        "Not enough points: {shortfall} more are needed.",
    ),
    "RewardOutOfStock": (
        "库存不足，还剩 {remaining} 份。",
        "Out of stock: {remaining} are left.",
    ),
    "ExchangeLimitReached": ("每人限兑 {limit} 份，已达上限。", "Each member may exchange {limit}, and you have."),
    "AlreadyCheckedIn": ("今天已签到，明天再来吧。", "You have checked in today. Come back tomorrow."),
    "InvalidStateChange": (
        "当前状态为 {current}，不能变为 {wanted}。",
        "It is {current} and cannot become {wanted}.",
    ),
    "NotStarted": ("领取尚未开始，{opens_at} 开始。", "Claiming has not started. It opens at {opens_at}."),
    "Ended": ("领取已结束。", "Claiming is over."),
    "SoldOut": ("已被领完。", "None is left."),
    "ClaimLimitReached": (
        "已达到领取上限 {limit} 张。",
        "You have as many as one may have: {limit}.",
    ),
    "CodeUsedUp": ("兑换码已被使用。", "The code has been used."),
    "CodeExpired": ("兑换码已于 {expired_at} 过期。", "The code expired at {expired_at}."),
    "TooManyAttempts": (
        "尝试次数过多，请于 {retry_at} 后再试。",
        "Too many codes that did not work. Try again after {retry_at}.",
    ),
    "RedemptionCodeExpired": (
        "核销码已过期，请会员刷新后重新出示。",
        "The code is too old. Ask the member to show a new one.",
    ),
    "RedemptionCodeUsed": (
        "核销码已用于其他订单，请会员刷新后重新出示。",
        "The code was used for another order. Ask the member to show a new one.",
    ),
    "ScanTimeRefused": (
        "扫码时间 {scanned_at} 不可信，应在 {earliest} 至 {latest} 之间，请检查收银台时钟。",
        "The time of the scan, {scanned_at}, is not between {earliest} and {latest}. Check the till's clock.",
    ),
    "OfflineLimitReached": (
        "{on_date} 的离线核销已达上限（{max_count} 笔）或将超出金额上限。",
        "{max_count} are accepted without a network on {on_date}, up to an amount: this would be more.",
    ),
    "CouponNotUsable": (
        "优惠券当前状态为 {state}，不能使用。",
        "The coupon is {state} and cannot be used.",
    ),
    "CouponExpired": ("优惠券已于 {expired_at} 过期。", "The coupon expired at {expired_at}."),
    "NotEligible": ("当前商品不满足用券条件。", "The coupon does not act on this cart."),
    "StackingConflict": ("所选优惠券不能同时使用。", "The coupons do not go together."),
    "QuoteChanged": ("价格已变化，请确认新的价格。", "The price has changed. Look at the new one."),
    "ReservationExpired": (
        "锁定已于 {expired_at} 失效，请重新下单。",
        "The reservation ran out at {expired_at}. Price the order anew.",
    ),
    "BudgetExhausted": ("活动预算已用完。", "The campaign's budget is used up."),
    "RefundExceedsOrder": (
        "可退数量不足，还剩 {remaining} 件可退。",
        "No more than what is left can be refunded: {remaining} units.",
    ),
    "InvalidTerms": ("券模板有误：{path} {reason}", "The template cannot be: {path} {reason}."),
}


@lru_cache(maxsize=256)
def locale_of(accept_language: str | None) -> str:
    """The locale to speak: English for those who prefer it, zh-CN otherwise."""
    for part in (accept_language or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh-CN"
        if tag.startswith("en"):
            return "en"
    return DEFAULT_LOCALE


def message_of(refusal: Refusal, *, locale: str) -> str:
    """What a refusal says, with its facts filled in."""
    chinese, english = _TEXTS[type(refusal).__name__]
    text = english if locale == "en" else chinese
    return text.format_map({f.name: _shown(getattr(refusal, f.name)) for f in fields(refusal)})  # type: ignore[arg-type]


def texts() -> Mapping[str, tuple[str, str]]:
    """Every text, for the test that each refusal has one in each locale."""
    return _TEXTS


def _shown(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat(timespec="seconds")
        case Enum():
            return str(value.value)
        case tuple():
            return ".".join(map(str, value))
        case _:
            return str(value)
