"""Orders, quotes and redemptions from their rows, and into them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.coupons.cart import Channel
from domain.coupons.model import RefundPolicy
from domain.coupons.offer import Funder
from domain.coupons.pricing import Allocation, FunderAmount
from domain.orders.model import (
    AppliedCoupon,
    Order,
    OrderKey,
    OrderLine,
    OrderRef,
    OrderState,
    Quote,
    QuotedLine,
    QuoteTerms,
    Redemption,
)
from domain.shared.events import JSON
from domain.shared.ids import CouponId, MemberId, OrderId, StoreId
from persistence.base import Row

ORDER_COLUMNS: Final = (
    "member_id", "id", "source_id", "order_ref", "state", "store_id", "currency", "subtotal_minor", "discount_minor",
    "shipping_minor", "paid_minor", "points_pending", "points_earned", "quote", "paid_at", "received_at",
    "cancelled_at", "points_used", "points_minor",
)  # fmt: skip
REDEMPTION_COLUMNS: Final = (
    "member_id", "id", "coupon_id", "template_id", "campaign_id", "merchant_id", "store_id", "order_id", "order_ref",
    "currency", "discount_minor", "shares", "redeemed_at", "reversed_at", "from_balance",
    "refund_policy", "merchant_fault_grace_days",
)  # fmt: skip

# A document as PostgreSQL gave it back: its shape is that of the writer beside each reader.
Document = Mapping[str, Any]


def order_of(row: Row) -> Order:
    """An order from its row."""
    document: Document | None = row["quote"]
    return Order(
        key=OrderKey(MemberId(row["member_id"]), OrderId(row["id"])),
        ref=OrderRef(row["source_id"], row["order_ref"]),
        state=OrderState(row["state"]),
        store_id=row["store_id"],
        currency=row["currency"],
        subtotal_minor=row["subtotal_minor"],
        discount_minor=row["discount_minor"],
        shipping_minor=row["shipping_minor"],
        paid_minor=row["paid_minor"],
        points_pending=row["points_pending"],
        points_earned=row["points_earned"],
        cart_hash=None if document is None else document["cartHash"],
        quote=None if document is None else quote_of(document, row=row, store_id=row["store_id"]),
        paid_at=row["paid_at"],
        received_at=row["received_at"],
        cancelled_at=row["cancelled_at"],
        points_used=row["points_used"],
        points_minor=row["points_minor"],
    )


def order_row(order: Order) -> dict[str, object]:
    """An order as its row."""
    return {
        "member_id": order.key.member_id,
        "id": order.key.order_id,
        "source_id": order.ref.source_id,
        "order_ref": order.ref.ref,
        "state": order.state.value,
        "store_id": order.store_id,
        "currency": order.currency,
        "subtotal_minor": order.subtotal_minor,
        "discount_minor": order.discount_minor,
        "shipping_minor": order.shipping_minor,
        "paid_minor": order.paid_minor,
        "points_pending": order.points_pending,
        "points_earned": order.points_earned,
        "quote": None if order.quote is None else quote_document(order.quote, cart_hash=order.cart_hash),
        "paid_at": order.paid_at,
        "received_at": order.received_at,
        "cancelled_at": order.cancelled_at,
        "points_used": order.points_used,
        "points_minor": order.points_minor,
    }


def line_row(order: Order, given: OrderLine, *, position: int) -> dict[str, object]:
    """A line of an order as its row."""
    line = given.line
    return {
        "member_id": order.key.member_id,
        "order_id": order.key.order_id,
        "position": position,
        "line_id": line.id,
        "product_ref": line.product_ref,
        "merchant_id": line.merchant_id,
        "quantity": line.quantity,
        "unit_price_minor": line.unit_price_minor,
        "subtotal_minor": line.subtotal_minor,
        "discount_minor": given.discount_minor,
        "payable_minor": given.payable_minor,
        "points_minor": given.points_minor,
        "at_member_price": line.at_member_price,
    }


def redemption_of(row: Row) -> Redemption:
    """A redemption from its row."""
    return Redemption(
        id=row["id"],
        member_id=row["member_id"],
        coupon_id=row["coupon_id"],
        template_id=row["template_id"],
        campaign_id=row["campaign_id"],
        merchant_id=row["merchant_id"],
        store_id=row["store_id"],
        order_id=row["order_id"],
        order_ref=row["order_ref"],
        currency=row["currency"],
        discount_minor=row["discount_minor"],
        shares=_shares_of(row["shares"]),
        redeemed_at=row["redeemed_at"],
        reversed_at=row["reversed_at"],
        from_balance=row["from_balance"],
        refund_policy=RefundPolicy(row["refund_policy"]),
        refunded_minor=row["refunded_minor"],
        merchant_fault_grace_days=row["merchant_fault_grace_days"],
    )


def redemption_row(redemption: Redemption) -> dict[str, object]:
    """A redemption as its row."""
    plain = {name: getattr(redemption, name) for name in REDEMPTION_COLUMNS}
    shares, policy = shares_document(redemption.shares), redemption.refund_policy.value
    return {**plain, "shares": shares, "refund_policy": policy}


def quote_document(quote: Quote, *, cart_hash: str | None = None) -> dict[str, JSON]:
    """A quote of coupons that act, as it is stored with its order or its reservation."""
    # What was not applied is left out: an order is stored only with coupons that act.
    return {
        "cartHash": cart_hash or quote.cart_hash,
        "lines": [
            {
                "id": line.id,
                "quantity": line.quantity,
                "subtotalMinor": line.subtotal_minor,
                "allocations": _allocations_document(line.allocations),
                "pointsMinor": line.points_minor,
            }
            for line in quote.lines
        ],
        "shippingAllocations": _allocations_document(quote.shipping_allocations),
        "applied": [
            {
                "couponId": str(one.coupon_id),
                "amountMinor": one.amount_minor,
                "shares": shares_document(one.shares),
                # Where it took all of that there is nothing to be said, as ever.
                **({} if one.full_minor is None else {"fullMinor": one.full_minor}),
            }
            for one in quote.applied
        ],
        "pointsEarned": quote.points_earned,
        "pointsUsed": quote.points_used,
        "validUntil": quote.valid_until.isoformat(),
        "terms": None if quote.terms is None else _terms_document(quote.terms),
    }


def quote_of(document: Document, *, row: Row, store_id: StoreId | None) -> Quote:
    """A quote from its document and the row that it stands in, whose store is that of quotes that do not say theirs."""
    return Quote(
        member_id=MemberId(row["member_id"]),
        currency=row["currency"],
        lines=tuple(
            QuotedLine(
                line["id"],
                line["quantity"],
                line["subtotalMinor"],
                _allocations_of(line["allocations"]),
                line.get("pointsMinor", 0),
            )
            for line in document["lines"]
        ),
        shipping_minor=row["shipping_minor"],
        shipping_allocations=_allocations_of(document["shippingAllocations"]),
        applied=tuple(
            AppliedCoupon(
                _coupon_id(one), one["amountMinor"], _shares_of(one["shares"]), full_minor=one.get("fullMinor")
            )
            for one in document["applied"]
        ),
        not_applied=(),
        points_earned=document["pointsEarned"],
        valid_until=datetime.fromisoformat(document["validUntil"]),
        cart_hash=document["cartHash"] or "",
        # Quotes of the first version have none.
        terms=_terms_of(document["terms"], store_id=store_id) if document.get("terms") else None,
        points_used=document.get("pointsUsed", 0),
    )


def _terms_document(terms: QuoteTerms) -> dict[str, JSON]:
    return {
        "channel": terms.channel.value,
        "pricedAt": terms.priced_at.isoformat(),
        "points": terms.points,
        "perMinor": terms.per_minor,
        "minPayableMinor": terms.min_payable_minor,
        "bonusBasisPoints": terms.bonus_basis_points,
        "storeId": None if terms.store_id is None else str(terms.store_id),
    }


def _terms_of(document: Document, *, store_id: StoreId | None) -> QuoteTerms:
    stored = document.get("storeId", store_id)
    return QuoteTerms(
        channel=Channel(document["channel"]),
        priced_at=datetime.fromisoformat(document["pricedAt"]),
        points=document["points"],
        per_minor=document["perMinor"],
        min_payable_minor=document.get("minPayableMinor", 0),
        bonus_basis_points=document["bonusBasisPoints"],
        store_id=None if stored is None else StoreId(UUID(str(stored))),
    )


def _allocations_document(allocations: Sequence[Allocation]) -> list[JSON]:
    return [
        {"couponId": str(a.coupon_id), "amountMinor": a.amount_minor, "shares": shares_document(a.shares)}
        for a in allocations
    ]


def _allocations_of(documents: Sequence[Document]) -> tuple[Allocation, ...]:
    return tuple(Allocation(_coupon_id(d), d["amountMinor"], _shares_of(d["shares"])) for d in documents)


def _coupon_id(document: Document) -> CouponId:
    return CouponId(UUID(document["couponId"]))


def shares_document(shares: Sequence[FunderAmount]) -> dict[str, JSON]:
    """What each funder bears, as it is stored."""
    return {share.funder.value: share.amount_minor for share in shares}


def _shares_of(document: Document) -> tuple[FunderAmount, ...]:
    return tuple(FunderAmount(funder, document[funder.value]) for funder in Funder if funder.value in document)
