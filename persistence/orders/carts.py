"""Carts as they are stored with what was reserved for them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain.coupons.cart import Cart, CartLine, Channel
from domain.shared.events import JSON
from domain.shared.ids import MerchantId, StoreId


def cart_document(cart: Cart) -> dict[str, JSON]:
    """A cart as its document."""
    return {
        "currency": cart.currency,
        "shippingMinor": cart.shipping_minor,
        "storeId": None if cart.store_id is None else str(cart.store_id),
        "channel": cart.channel.value,
        "lines": [
            {
                "id": line.id,
                "productRef": line.product_ref,
                "merchantId": str(line.merchant_id),
                "quantity": line.quantity,
                "unitPriceMinor": line.unit_price_minor,
                "categoryRefs": sorted(line.category_refs),
                "atMemberPrice": line.at_member_price,
            }
            for line in cart.lines
        ],
    }


def cart_of(document: Mapping[str, Any]) -> Cart:
    """A cart from its document."""
    store_id = document["storeId"]
    return Cart(
        currency=document["currency"],
        lines=tuple(
            CartLine(
                id=line["id"],
                product_ref=line["productRef"],
                merchant_id=MerchantId(UUID(line["merchantId"])),
                quantity=line["quantity"],
                unit_price_minor=line["unitPriceMinor"],
                category_refs=frozenset(line["categoryRefs"]),
                # Carts of before say nothing of it.
                at_member_price=line.get("atMemberPrice", False),
            )
            for line in document["lines"]
        ),
        shipping_minor=document["shippingMinor"],
        store_id=None if store_id is None else StoreId(UUID(store_id)),
        channel=Channel(document["channel"]),
    )
