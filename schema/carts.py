"""Carts as clients send them. Ids are Laurel's own; refs are the caller's numbers, opaque to Laurel."""

import strawberry

from domain.coupons.cart import MAX_LINES, Cart, CartError, CartLine, Channel
from domain.shared.errors import BadUserInput
from domain.shared.ids import MerchantId, StoreId
from schema.enums import publish_enum
from schema.money import MoneyInput
from schema.node_ids import NodeType, expect_id
from schema.scalars import CurrencyCode

publish_enum(
    Channel,
    "Where the member buys.",
    values={"ONLINE": "In an app, a mini-program or on the web.", "IN_STORE": "At a till."},
)


@strawberry.input(description="Some units of one product at one price, tax included.")
class CartLineInput:
    id: strawberry.ID = strawberry.field(description="The caller's own, unique in its cart.")
    product_ref: str = strawberry.field(description="The caller's product number.")
    merchant_id: strawberry.ID = strawberry.field(description="Who sells it.")
    category_refs: list[str] | None = strawberry.field(default=None, description="The caller's category numbers.")
    quantity: int = strawberry.field(description="How many units.")
    unit_price: MoneyInput = strawberry.field(description="What one unit costs, in the cart's currency.")
    member_price: MoneyInput | None = strawberry.field(
        default=None,
        description="What one unit costs this member, no more than unitPrice: the line is sold at this price, and "
        "everything is computed of it. Coupons may leave such lines out (CouponTemplate.withMemberPrice).",
    )


@strawberry.input(description="What a member is about to buy.")
class CartInput:
    currency_code: CurrencyCode = strawberry.field(description="The currency of every amount in it.")
    lines: list[CartLineInput] = strawberry.field(description=f"1 to {MAX_LINES} lines.")
    shipping: MoneyInput | None = strawberry.field(default=None, description="The shipping fee; none is free.")
    store_id: strawberry.ID | None = strawberry.field(default=None, description="The store, when bought in one.")
    channel: Channel | None = strawberry.field(default=Channel.ONLINE, description="Where the member buys.")

    def to_domain(self, *, argument: str) -> Cart:
        """The domain's cart; BAD_USER_INPUT names what cannot be priced."""
        lines = tuple(self._line(line, argument=f"{argument}.lines.{place}") for place, line in enumerate(self.lines))
        shipping = 0 if self.shipping is None else self._minor(self.shipping, argument=f"{argument}.shipping")
        store = self.store_id and expect_id(self.store_id, NodeType.Store, argument=f"{argument}.storeId")
        try:
            return Cart(
                currency=self.currency_code,
                lines=lines,
                shipping_minor=shipping,
                store_id=StoreId(store.id) if store else None,
                channel=self.channel or Channel.ONLINE,
            )
        except CartError as wrong:
            raise BadUserInput(f"{argument}.{wrong}", path=[*argument.split("."), *wrong.path]) from None

    def _line(self, line: CartLineInput, *, argument: str) -> CartLine:
        merchant = expect_id(line.merchant_id, NodeType.Merchant, argument=f"{argument}.merchantId")
        price = self._minor(line.unit_price, argument=f"{argument}.unitPrice")
        at_member_price = line.member_price is not None
        if line.member_price is not None:
            ordinary, price = price, self._minor(line.member_price, argument=f"{argument}.memberPrice")
            if not 0 <= price <= ordinary:
                path = [*argument.split("."), "memberPrice"]
                raise BadUserInput(f"{argument}.memberPrice is 0 to unitPrice", path=path)
        return CartLine(
            id=line.id,
            product_ref=line.product_ref,
            merchant_id=MerchantId(merchant.id),
            quantity=line.quantity,
            unit_price_minor=price,
            category_refs=frozenset(line.category_refs or ()),
            at_member_price=at_member_price,
        )

    def _minor(self, given: MoneyInput, *, argument: str) -> int:
        if given.currency_code != self.currency_code:
            raise BadUserInput(f"{argument} is not in the cart's currency", path=argument.split("."))
        return given.to_domain(argument=argument).minor
