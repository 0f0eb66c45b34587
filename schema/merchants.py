"""Merchants and stores as clients see them."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.merchants import model
from domain.shared.ids import MerchantId, StoreId
from domain.shared.listed import Listed
from schema.catalogue import PURE, FromCatalogue, now, read, shown
from schema.context import Context, Info, Later
from schema.node_ids import NodeType, node_id
from schema.nodes import Node
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, connection, page_request
from schema.problems import IdempotencyKeyReusedProblem, NotFoundProblem, OperationInProgressProblem

if TYPE_CHECKING:
    from schema.campaigns import Campaign, CampaignFilter
    from schema.orders import Redemption


@strawberry.type(description="A merchant 商户: sells, and may bear coupons of its own.")
class Merchant(FromCatalogue, Node):
    name: str = strawberry.field(description="Its name, public.")
    entity: strawberry.Private[model.Merchant]

    @staticmethod
    def from_domain(merchant: model.Merchant) -> "Merchant":
        """The domain's merchant as clients see it."""
        return Merchant(id=node_id(NodeType.Merchant, merchant.id), name=merchant.name, entity=merchant)

    @staticmethod
    def of(listed: Listed[model.Merchant]) -> "Merchant":
        """The catalogue's merchant as clients see it."""
        return shown(listed, Merchant, Merchant.from_domain)

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
        from schema.campaigns import campaigns_of

        return await campaigns_of(info.context, self.entity.id, filter, page=page_request(first, after))

    @strawberry.field(description="What was redeemed at it, newest first; its staff see that of their own stores.")
    async def redemptions(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[Annotated["Redemption", strawberry.lazy("schema.orders")]]:
        """A page of its redemptions."""
        from schema.orders import redemptions_page

        return await redemptions_page(info.context, self.entity.id, page=page_request(first, after))


@strawberry.type(description="A store 门店 of a merchant: where coupons are redeemed.")
class Store(FromCatalogue, Node):
    name: str = strawberry.field(description="Its name, public.")
    entity: strawberry.Private[model.Store]

    @staticmethod
    def from_domain(store: model.Store) -> "Store":
        """The domain's store as clients see it."""
        return Store(id=node_id(NodeType.Store, store.id), name=store.name, entity=store)

    @staticmethod
    def of(listed: Listed[model.Store]) -> "Store":
        """The catalogue's store as clients see it."""
        return shown(listed, Store, Store.from_domain)

    @strawberry.field(description="Whose it is.", graphql_type=Merchant, metadata=PURE)
    def merchant(self, info: Info) -> Later[Merchant | None]:
        """Its merchant."""
        return find_merchant(info.context, self.entity.merchant_id)


def find_merchant(context: Context, merchant_id: MerchantId | None) -> Later[Merchant | None]:
    """A merchant by id; None for the platform's own."""
    if merchant_id is None:
        return None
    listed = context.catalogue.merchants.get(merchant_id)
    return read(context.load.merchants, merchant_id, Merchant.from_domain) if listed is None else Merchant.of(listed)


async def load_merchant(context: Context, merchant_id: MerchantId) -> Merchant | None:
    """The same, waited for."""
    return await now(find_merchant(context, merchant_id))


def find_store(context: Context, store_id: StoreId | None) -> Later[Store | None]:
    """A store by id."""
    if store_id is None:
        return None
    listed = context.catalogue.stores.get(store_id)
    return read(context.load.stores, store_id, Store.from_domain) if listed is None else Store.of(listed)


async def load_store(context: Context, store_id: StoreId) -> Store | None:
    """The same, waited for."""
    return await now(find_store(context, store_id))


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
    CreateMerchantSuccess | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("CreateMerchantResult", description="The merchant, or why not."),
]
CreateStoreResult = Annotated[
    CreateStoreSuccess | NotFoundProblem | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("CreateStoreResult", description="The store, or why not."),
]
