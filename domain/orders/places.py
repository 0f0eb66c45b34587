"""Where an order is told from: the order system, or a till in a merchant's store."""

from dataclasses import dataclass
from uuid import UUID

from domain.coupons.cart import Cart
from domain.orders.model import ORDER_SYSTEM
from domain.orders.ports import OrdersTransaction
from domain.orders.rules import Seller, at_store, till_cart
from domain.shared.errors import BadUserInput, NotFound
from domain.shared.ids import MerchantId, StoreId


@dataclass(frozen=True, slots=True)
class Place:
    """Whose reference an order has, whose store it was bought in (None: in no store), and its cart there."""

    source_id: UUID
    store_merchant: MerchantId | None
    cart: Cart


async def find_place(tx: OrdersTransaction, seller: Seller, *, cart: Cart, store_id: StoreId | None) -> Place:
    """Where the cart was bought, if the seller may sell there.

    Refusals: NotFound.
    """
    cart = at_store(cart, store_id)
    store_merchant = await _store_merchant(tx, seller, store_id=cart.store_id)
    if seller.is_order_system:
        return Place(ORDER_SYSTEM, store_merchant, cart)
    merchant_id = store_merchant or _only_merchant(seller)
    return Place(merchant_id, store_merchant, till_cart(cart, merchant_id=merchant_id))


async def _store_merchant(tx: OrdersTransaction, seller: Seller, *, store_id: StoreId | None) -> MerchantId | None:
    if store_id is None:
        return None
    merchant_id = (await tx.templates.merchants_of_stores([store_id])).get(store_id)
    if merchant_id is None or not seller.sells_in(store_id, of=merchant_id):
        raise NotFound("Store")
    return merchant_id


def _only_merchant(seller: Seller) -> MerchantId:
    """The merchant of staff that name no store: clear where they have one merchant and no store of their own."""
    if seller.store_ids or len(seller.scope.merchant_ids) != 1:
        raise BadUserInput("name the store in which it was bought", path=["input", "cart", "storeId"])
    return seller.scope.merchant_ids[0]
