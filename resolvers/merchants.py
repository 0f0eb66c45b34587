"""Merchants: who may, which use-case."""

from typing import Annotated

import strawberry

from domain.merchants.use_cases import CreateMerchant, CreateStore, create_merchant, create_store
from domain.shared.ids import MerchantId
from resolvers.context import Info
from resolvers.inputs import merchant_id_of, name_of, ref_of
from resolvers.once import once
from schema.merchants import (
    CreateMerchantInput,
    CreateMerchantResult,
    CreateMerchantSuccess,
    CreateStoreInput,
    CreateStoreResult,
    CreateStoreSuccess,
    Merchant,
    load_merchant,
    load_store,
)
from schema.node_ids import NodeType, expect_id


@strawberry.type
class MerchantsQuery:
    @strawberry.field(description="A merchant by id; null when there is none.")
    async def merchant(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of a Merchant.")]
    ) -> Merchant | None:
        """A merchant by id."""
        return await load_merchant(info.context, MerchantId(expect_id(id, NodeType.Merchant, argument="id").id))


@strawberry.type
class MerchantsMutation:
    @strawberry.mutation(description="Makes a merchant.")
    async def create_merchant(self, info: Info, input: CreateMerchantInput) -> CreateMerchantResult:
        """Makes a merchant."""
        command = CreateMerchant(
            name=name_of(input.name), external_ref=ref_of(input.external_ref), once=once(info, input)
        )
        done = await create_merchant(command, begin=info.context.begin)
        merchant = await load_merchant(info.context, done.result.merchant_id)
        assert merchant is not None, "a merchant that was made is there"
        return CreateMerchantSuccess(merchant=merchant, replayed=done.replayed)

    @strawberry.mutation(description="Makes a store of a merchant that the caller manages.")
    async def create_store(self, info: Info, input: CreateStoreInput) -> CreateStoreResult:
        """Makes a store."""
        merchant_id = merchant_id_of(input.merchant_id)
        assert merchant_id is not None, "the schema asks for it"
        command = CreateStore(
            merchant_id=merchant_id,
            name=name_of(input.name),
            external_ref=ref_of(input.external_ref),
            once=once(info, input),
        )
        done = await create_store(command, begin=info.context.begin)
        store = await load_store(info.context, done.result.store_id)
        assert store is not None, "a store that was made is there"
        return CreateStoreSuccess(store=store, replayed=done.replayed)
