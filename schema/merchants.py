"""Merchants and stores as clients see them."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.merchants import model
from domain.shared.ids import MerchantId
from schema.context import Context, Info
from schema.node_ids import NodeType, node_id
from schema.nodes import Node
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, connection, page_request
from schema.problems import IdempotencyKeyReusedProblem, NotFoundProblem

if TYPE_CHECKING:
    from schema.campaigns import Campaign, CampaignFilter
    from schema.orders import Redemption


@strawberry.type(description="A merchant 商户: sells, and may bear coupons of its own.")
class Merchant(Node):
    name: str = strawberry.field(description="Its name, public.")
    entity: strawberry.Private[model.Merchant]

    @staticmethod
    def from_domain(merchant: model.Merchant) -> "Merchant":
        """The domain's merchant as clients see it."""
        return Merchant(id=node_id(NodeType.Merchant, merchant.id), name=merchant.name, entity=merchant)

    @strawberry.field(description="Its stores.")
    async def stores(self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None) -> Connection["Store"]:
        """A page of its stores."""
        page = await info.context.load.stores_of_merchant.load((self.entity.id, page_request(first, after)))
        return connection(page, nodes=[Store.from_domain(s) for s in page.items])

    @strawberry.field(description="Its campaigns, newest start first; drafts are shown to their managers alone.")
    async def campaigns(
        self,
        info: Info,
        first: First = PAGE_SIZE_DEFAULT,
        after: After = None,
        filter: Annotated[
            Annotated["CampaignFilter", strawberry.lazy("schema.campaigns")] | None,
            strawberry.argument(description="Which of them; merchantId is this merchant's in any case."),
        ] = None,
    ) -> Connection[Annotated["Campaign", strawberry.lazy("schema.campaigns")]]:
        """A page of its campaigns."""
        from schema.campaigns import CampaignFilter, campaigns_page

        given = filter or CampaignFilter()
        given.merchant_id = self.id
        return await campaigns_page(info.context, given, page=page_request(first, after))

    @strawberry.field(description="What was redeemed at it, newest first; its staff see that of their own stores.")
    async def redemptions(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[Annotated["Redemption", strawberry.lazy("schema.orders")]]:
        """A page of its redemptions."""
        from schema.orders import redemptions_page

        return await redemptions_page(info.context, self.entity.id, page=page_request(first, after))


@strawberry.type(description="A store 门店 of a merchant: where coupons are redeemed.")
class Store(Node):
    name: str = strawberry.field(description="Its name, public.")
    entity: strawberry.Private[model.Store]

    @staticmethod
    def from_domain(store: model.Store) -> "Store":
        """The domain's store as clients see it."""
        return Store(id=node_id(NodeType.Store, store.id), name=store.name, entity=store)

    @strawberry.field(description="Whose it is.")
    async def merchant(self, info: Info) -> Merchant:
        """Its merchant."""
        merchant = await load_merchant(info.context, self.entity.merchant_id)
        assert merchant is not None, "a store has a merchant"
        return merchant


async def load_merchant(context: Context, merchant_id: MerchantId | None) -> Merchant | None:
    """A merchant by id; None for the platform's own."""
    if merchant_id is None:
        return None
    merchant = await context.load.merchants.load(merchant_id)
    return None if merchant is None else Merchant.from_domain(merchant)


@strawberry.input(description="A merchant to make.")
class CreateMerchantInput:
    name: str = strawberry.field(description="1 to 128 characters.")
    external_ref: str = strawberry.field(description="What its own system calls it; no other merchant's.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The merchant is made.")
class CreateMerchantSuccess:
    merchant: Merchant = strawberry.field(description="The merchant.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="A store to make.")
class CreateStoreInput:
    merchant_id: strawberry.ID = strawberry.field(description="Its merchant.")
    name: str = strawberry.field(description="1 to 128 characters.")
    external_ref: str = strawberry.field(description="What its merchant's system calls it; unique within the merchant.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The store is made.")
class CreateStoreSuccess:
    store: Store = strawberry.field(description="The store.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


CreateMerchantResult = Annotated[
    CreateMerchantSuccess | IdempotencyKeyReusedProblem,
    strawberry.union("CreateMerchantResult", description="The merchant, or why not."),
]
CreateStoreResult = Annotated[
    CreateStoreSuccess | NotFoundProblem | IdempotencyKeyReusedProblem,
    strawberry.union("CreateStoreResult", description="The store, or why not."),
]
