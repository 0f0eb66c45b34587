"""The whole conditions of a template, as they are published: what is enforced is written here, nothing is hidden."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.campaigns.model import RemainderPolicy
from domain.coupons.cart import Channel
from domain.coupons.facts import NO_NAMES
from domain.coupons.lanes import Lane
from domain.coupons.model import CouponTemplate, RefundPolicy
from domain.coupons.offer import MAX_COUPONS_PER_ORDER, PercentBase, ThresholdBase
from domain.coupons.terms import amount_text
from domain.shared.text import Text

_CHANNELS: Final = {Channel.ONLINE: Text("线上", "online"), Channel.IN_STORE: Text("门店", "in store")}
_REFUNDS: Final = {
    RefundPolicy.KEEP_ALLOCATION: Text(
        "退款时，各商品按其分摊优惠后的金额退款，剩余商品优惠不变；享受本券优惠的商品全部退款后，优惠券退回，有效期不变。",
        "Each item is refunded at what was paid for it after its part of the discount, and the others keep theirs; "
        "once all items that it discounted are refunded, the coupon is returned with its validity unchanged.",
    ),
    RefundPolicy.REPRICE: Text(
        "部分退款后，剩余商品重新计算优惠，不超过原分摊金额；不再满足条件的，从退款中扣除其已享优惠，扣完后优惠券退回，有效期不变。",
        "After a partial refund the remaining items are priced anew, at no more than the discount that they had; what "
        "they no longer qualify for is deducted from the refund, at most all of it, and with nothing left of its "
        "discount the coupon is returned with its validity unchanged.",
    ),
    RefundPolicy.CLAWBACK: Text(
        "部分退款后，剩余商品不再满足条件的，其已享优惠记为应收；这些商品全部退款后应收取消，优惠券退回，有效期不变。",
        "If the remaining items no longer qualify after a partial refund, the discount that they enjoyed becomes due; "
        "once they are refunded too nothing is, and the coupon is returned with its validity unchanged.",
    ),
}
_BALANCE_REFUND: Final = Text(
    "退款时，退款商品中由本券余额抵付的部分退回余额，有效期不变。",
    "A refund gives the part of the returned items that the balance paid for back to the balance, with its validity "
    "unchanged.",
)
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


_PERCENT_BASES: Final = {
    PercentBase.REMAINING: Text(
        "折扣按适用商品在其他优惠之后的应付金额计算。",
        "The share is taken of what is left to pay for the items after earlier offers.",
    ),
    PercentBase.INITIAL: Text(
        "折扣按适用商品优惠前金额计算，以应付金额为限。",
        "The share is taken of the price of the items before any discount; no more is taken off than is left to pay.",
    ),
}
_BUDGETS: Final = {
    RemainderPolicy.REJECT: Text(
        "所属活动设有预算的，预算（含各承担方的部分）须足以支付本次优惠方可使用，先到先得。",
        "Where its campaign has a budget, it is used only while that, and each funder's part of it, covers the "
        "whole discount: first come, first served.",
    ),
    RemainderPolicy.PARTIAL: Text(
        "所属活动设有预算，先到先得：剩余预算（含各承担方的部分）不足以支付本次优惠时，以剩余部分为限优惠，实际优惠可能减少；预算用完后不可使用。",
        "Its campaign has a budget, first come, first served: where what is left of it, or of a funder's part of it, "
        "does not cover the whole discount, it takes off as much as that covers, so that the discount may be less when "
        "the budget runs out; once it is used up the coupon is not used.",
    ),
}
_LANES: Final = {
    Lane.ITEM: Text("单品优惠", "items"),
    Lane.STORE_ORDER: Text("商户优惠", "the merchant's offers"),
    Lane.PLATFORM_ORDER: Text("平台优惠", "the platform's offers"),
    Lane.SHIPPING: Text("运费优惠", "shipping"),
    Lane.POINTS: Text("积分抵扣", "points"),
    Lane.TENDER: Text("支付抵扣", "payment"),
}


def places_named(template: CouponTemplate) -> frozenset[UUID]:
    """The merchants and stores that its rules speak of, whose names make them readable."""
    conditions = () if template.conditions is None else template.conditions.stores
    own = () if template.merchant_id is None else (template.merchant_id,)
    return frozenset({*template.scope.merchant_ids, *template.scope.store_ids, *(id_ for _, id_ in conditions), *own})


def rules_text(
    template: CouponTemplate, *, zone: ZoneInfo, names: Mapping[UUID, str] = NO_NAMES, min_payable_minor: int = 0
) -> Text:
    """Every condition, one sentence each; times are those of the programme's zone, `names` those of places.

    `min_payable_minor` is what the programme leaves to pay of every order.
    """
    sentences = [*_sentences(template, zone=zone, names=names), *_floor(template, min_payable_minor=min_payable_minor)]
    return Text("\n".join(s.zh_cn for s in sentences), "\n".join(s.en for s in sentences))


def _sentences(template: CouponTemplate, *, zone: ZoneInfo, names: Mapping[UUID, str]) -> Iterator[Text]:
    yield template.coupon_kind.rules_text(template.terms, template.currency)
    currency = template.currency
    yield Text(f"仅限以 {currency} 结算的订单。", f"For orders in {currency} only.")
    if template.coupon_kind.threshold(template.terms):
        yield _BASES[template.threshold_base]
    if template.coupon_kind.takes_share:
        yield _PERCENT_BASES[template.percent_base]
    yield from _claiming(template, zone=zone)
    yield _validity(template, zone=zone)
    yield from _scope(template, names=names)
    if template.conditions is not None:
        yield template.conditions.text(template.currency, names=names)
    yield from _stacking(template)
    has_balance = template.coupon_kind.balance(template.terms) is not None
    yield _BALANCE_REFUND if has_balance else _REFUNDS[template.refund_policy]
    if days := template.merchant_fault_grace_days:
        yield Text(
            f"但因商户责任退款或取消订单而退回的，自退回当天起至少 {days} 天内有效（含当天）。",
            "Where the merchant is at fault for the refund or the cancellation, what is returned is valid for at least "
            f"{days} days, the day of the return included.",
        )


def _floor(template: CouponTemplate, *, min_payable_minor: int) -> Iterator[Text]:
    if min_payable_minor:
        least = amount_text(min_payable_minor, template.currency)
        yield Text(
            f"各种优惠与积分抵扣后，每单（含运费）至少支付{least.en}，超出部分不减；本券因此无可减金额的，不予使用。",
            f"After all offers and points at least {least.en} of every order, shipping included, is left to pay; what "
            "would go below it is not taken off, and with nothing to take off the coupon is not used.",
        )


def _claiming(template: CouponTemplate, *, zone: ZoneInfo) -> Iterator[Text]:
    opens, closes = _at(template.claim_opens_at, zone=zone), _at(template.claim_closes_at, zone=zone)
    yield Text(
        f"领取时间：{opens} 至 {closes}（不含），数量有限，领完为止。",
        f"Claim from {opens} until before {closes}, while stock lasts.",
    )
    if template.campaign_id is not None:
        yield Text("仅在所属活动进行期间可领取。", "Claim only while its campaign is running.")
        yield _BUDGETS[template.budget_remainder]
    if not template.self_claim:
        yield Text(
            "不可自行领取，由系统发放、凭兑换码或积分兑换获得。", "Not claimed: issued, had for a code or for points."
        )
    yield from _limits(template, zone=zone)


def _limits(template: CouponTemplate, *, zone: ZoneInfo) -> Iterator[Text]:
    if (limit := template.limit_per_member) is not None:
        yield Text(f"每位会员限领 {limit} 张。", f"At most {limit} per member.")
    if (limit := template.limit_per_member_in_campaign) is not None:
        yield Text(
            f"同一活动的各种券，每位会员共限领 {limit} 张。",
            f"At most {limit} per member of all coupons of its campaign together.",
        )
    if (limit := template.limit_per_member_per_month) is not None:
        yield Text(
            f"每位会员每个自然月限领 {limit} 张。", f"At most {limit} per member and calendar month ({zone.key})."
        )
    if (limit := template.limit_per_member_per_week) is not None:
        yield Text(
            f"每位会员每周（周一起）限领 {limit} 张。",
            f"At most {limit} per member and week, Monday to Sunday ({zone.key}).",
        )
    if (limit := template.limit_per_member_per_day) is not None:
        yield Text(f"每位会员每天限领 {limit} 张。", f"At most {limit} per member and day ({zone.key}).")
    if (limit := template.limit_per_store) is not None:
        yield Text(
            f"每家门店限核销 {limit} 张，退回的不计，用完为止。",
            f"At most {limit} are used in one store; what is given back does not count.",
        )


def _validity(template: CouponTemplate, *, zone: ZoneInfo) -> Text:
    period, days = template.validity.period, template.validity.days_after_claim
    if period is None:
        return Text(f"领取当天起 {days} 天内有效（含当天）。", f"Valid for {days} days, the day of the claim included.")
    starts, ends = _at(period.starts_at, zone=zone), _at(period.ends_at, zone=zone)
    return Text(f"使用时间：{starts} 至 {ends}（不含）。", f"Valid from {starts} until before {ends}.")


def _scope(template: CouponTemplate, *, names: Mapping[UUID, str]) -> Iterator[Text]:
    scope = template.scope
    products, categories = ", ".join(sorted(scope.product_refs)), ", ".join(sorted(scope.category_refs))
    if products:
        yield Text(f"适用商品：{products}。", f"Eligible products: {products}.")
    if categories:
        yield Text(f"适用品类：{categories}。", f"Eligible categories: {categories}.")
    if excluded := ", ".join(sorted(scope.excluded_product_refs)):
        yield Text(f"不适用商品：{excluded}。", f"Excluded products: {excluded}.")
    if scope.spares_member_prices:
        yield Text(
            "已享会员价的商品不适用，也不计入门槛。",
            "Items that are sold at a member's price are not eligible, and count towards no threshold.",
        )
    if scope.merchant_ids:
        named = _named(scope.merchant_ids, names=names)
        yield Text(f"仅限以下商户的商品：{named}。", f"Only for the goods of these merchants: {named}.")
    elif template.merchant_id is not None:
        name = _named([template.merchant_id], names=names)
        yield Text(f"仅限本商户（{name}）的商品。", f"Only for this merchant's goods ({name}).")
    if scope.store_ids:
        named = _named(scope.store_ids, names=names)
        yield Text(f"仅限在以下门店使用：{named}。", f"Only in these stores: {named}.")
    if scope.channels:
        words = [_CHANNELS[channel] for channel in sorted(scope.channels, key=lambda c: c.value)]
        yield Text(f"仅限{'、'.join(w.zh_cn for w in words)}使用。", f"Only {', '.join(w.en for w in words)}.")


def _named(ids: Collection[UUID], *, names: Mapping[UUID, str]) -> str:
    """Names in their order; where one is not known the id itself, so that nothing is left out."""
    return ", ".join(sorted(names.get(id_, str(id_)) for id_ in ids))


def _stacking(template: CouponTemplate) -> Iterator[Text]:
    stacking = template.stacking
    lane = _LANES[template.lane]
    yield Text(
        "优惠按单品、商户、平台、运费、积分、支付抵扣的先后计算；"
        f"本券属于“{lane.zh_cn}”阶段，同阶段优先级 {stacking.priority}，数值大者先用。",
        f"Offers act in the order items, merchant, platform, shipping, points, payment; this one is of {lane.en}, with "
        f"priority {stacking.priority} there, the higher first.",
    )
    if stacking.tags:
        own = ", ".join(sorted(stacking.tags))
        yield Text(f"本券的叠加标签：{own}。", f"Its own tags for combining: {own}.")
    yield Text(
        f"每单限用 {stacking.max_per_order} 张，各种券合计不超过 {MAX_COUPONS_PER_ORDER} 张。",
        f"At most {stacking.max_per_order} per order, and {MAX_COUPONS_PER_ORDER} coupons of all kinds.",
    )
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
