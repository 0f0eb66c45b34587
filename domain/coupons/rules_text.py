"""The whole conditions of a template, as they are published: what is enforced is written here, nothing is hidden."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from domain.coupons.cart import Channel
from domain.coupons.model import CouponTemplate, RefundPolicy
from domain.coupons.offer import ThresholdBase
from domain.shared.text import Text

_CHANNELS: Final = {Channel.ONLINE: Text("线上", "online"), Channel.IN_STORE: Text("门店", "in store")}
_REFUNDS: Final = {
    RefundPolicy.KEEP_ALLOCATION: Text(
        "部分退款时，各商品按其分摊的优惠后金额退款，优惠券不退回；整单退款时退回优惠券，有效期不变。",
        "On a partial refund each item is refunded at what was paid for it after its part of the discount, and the "
        "coupon stays used; a full refund returns the coupon with its validity unchanged.",
    ),
    RefundPolicy.REPRICE: Text(
        "部分退款后，剩余商品按是否仍满足条件重新计算优惠；不再满足的，退款扣除已享优惠，优惠券退回，有效期不变。",
        "After a partial refund the remaining items are priced anew; if they no longer qualify, the refund is less the "
        "discount and the coupon is returned with its validity unchanged.",
    ),
    RefundPolicy.CLAWBACK: Text(
        "部分退款后不再满足条件的，已享优惠记为应收，优惠券不退回。",
        "If the remaining items no longer qualify after a partial refund, the discount that they enjoyed becomes due.",
    ),
}
_BASES: Final = {
    ThresholdBase.INITIAL: Text(
        "门槛按适用商品优惠前金额计算。", "The threshold counts the items before any discount."
    ),
    ThresholdBase.BEFORE_THIS: Text(
        "门槛按其他优惠之后、本券之前的适用商品金额计算，不含运费和积分。",
        "The threshold counts the items after other offers and before this one, without shipping and points.",
    ),
    ThresholdBase.AFTER_THIS: Text(
        "门槛按本券优惠之后的适用商品金额计算。", "The threshold counts the items after this coupon's discount."
    ),
}


def rules_text(template: CouponTemplate, *, zone: ZoneInfo) -> Text:
    """Every condition, one sentence each; times are those of the programme's zone."""
    sentences = list(_sentences(template, zone=zone))
    return Text("\n".join(s.zh_cn for s in sentences), "\n".join(s.en for s in sentences))


def _sentences(template: CouponTemplate, *, zone: ZoneInfo) -> Iterator[Text]:
    yield template.coupon_kind.rules_text(template.terms, template.currency)
    if template.coupon_kind.threshold(template.terms):
        yield _BASES[template.threshold_base]
    yield from _claiming(template, zone=zone)
    yield _validity(template, zone=zone)
    yield from _scope(template)
    if template.conditions is not None:
        yield template.conditions.text(template.currency)
    yield from _stacking(template)
    yield _REFUNDS[template.refund_policy]


def _claiming(template: CouponTemplate, *, zone: ZoneInfo) -> Iterator[Text]:
    opens, closes = _at(template.claim_opens_at, zone=zone), _at(template.claim_closes_at, zone=zone)
    yield Text(
        f"领取时间：{opens} 至 {closes}（不含），数量有限，领完为止。",
        f"Claim from {opens} until before {closes}, while stock lasts.",
    )
    if template.campaign_id is not None:
        yield Text("仅在所属活动进行期间可领取。", "Claim only while its campaign is running.")
    if template.limit_per_member is not None:
        limit = template.limit_per_member
        yield Text(f"每位会员限领 {limit} 张。", f"At most {limit} per member.")
    if template.limit_per_member_per_day is not None:
        limit = template.limit_per_member_per_day
        yield Text(f"每位会员每天限领 {limit} 张。", f"At most {limit} per member and day ({zone.key}).")


def _validity(template: CouponTemplate, *, zone: ZoneInfo) -> Text:
    period, days = template.validity.period, template.validity.days_after_claim
    if period is None:
        return Text(f"领取当天起 {days} 天内有效（含当天）。", f"Valid for {days} days, the day of the claim included.")
    starts, ends = _at(period.starts_at, zone=zone), _at(period.ends_at, zone=zone)
    return Text(f"使用时间：{starts} 至 {ends}（不含）。", f"Valid from {starts} until before {ends}.")


def _scope(template: CouponTemplate) -> Iterator[Text]:
    scope = template.scope
    products, categories = ", ".join(sorted(scope.product_refs)), ", ".join(sorted(scope.category_refs))
    if products:
        yield Text(f"适用商品：{products}。", f"Eligible products: {products}.")
    if categories:
        yield Text(f"适用品类：{categories}。", f"Eligible categories: {categories}.")
    if excluded := ", ".join(sorted(scope.excluded_product_refs)):
        yield Text(f"不适用商品：{excluded}。", f"Excluded products: {excluded}.")
    if scope.merchant_ids:
        count = len(scope.merchant_ids)
        yield Text(f"仅限指定的 {count} 家商户的商品。", f"Only for the goods of the {count} named merchants.")
    elif template.merchant_id is not None:
        yield Text("仅限本商户的商品。", "Only for this merchant's goods.")
    if scope.store_ids:
        count = len(scope.store_ids)
        yield Text(f"仅限指定的 {count} 家门店使用。", f"Only in the {count} named stores.")
    if scope.channels:
        named = [_CHANNELS[channel] for channel in sorted(scope.channels, key=lambda c: c.value)]
        yield Text(f"仅限{'、'.join(n.zh_cn for n in named)}使用。", f"Only {', '.join(n.en for n in named)}.")


def _stacking(template: CouponTemplate) -> Iterator[Text]:
    stacking = template.stacking
    yield Text(f"每单限用 {stacking.max_per_order} 张。", f"At most {stacking.max_per_order} per order.")
    if stacking.combines_with_tags:
        tags = ", ".join(sorted(stacking.combines_with_tags))
        yield Text(
            f"可与互相允许的同类优惠（{tags}）叠加。", f"Combines with offers of its stage that allow it too ({tags})."
        )
    else:
        yield Text("不可与同类优惠叠加。", "Does not combine with other offers of its stage.")
    if stacking.exclusive_group is not None:
        group = stacking.exclusive_group
        yield Text(f"与同组（{group}）优惠每单限用一张。", f"One offer of the group {group} per order.")


def _at(instant: datetime, *, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
