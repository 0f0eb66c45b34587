"""What can be done with merchants."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from domain.merchants.model import Merchant, MerchantCreated, Store, StoreCreated
from domain.merchants.ports import MerchantsTransaction
from domain.merchants.rules import manages
from domain.shared.errors import BadUserInput, NotFound
from domain.shared.idempotency import Done, Once, do_once
from domain.shared.ids import MerchantId, StoreId

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[MerchantsTransaction]]


@dataclass(frozen=True, slots=True)
class CreateMerchant:
    """Makes a merchant."""

    name: str
    external_ref: str
    once: Once


@dataclass(frozen=True, slots=True)
class CreateStore:
    """Makes a store of a merchant."""

    merchant_id: MerchantId
    name: str
    external_ref: str
    once: Once


async def create_merchant(command: CreateMerchant, *, begin: Begin) -> Done[MerchantCreated]:
    """Makes a merchant; its external reference is its own alone.

    Refusals: IdempotencyKeyReused.
    """

    async def decide(tx: MerchantsTransaction) -> MerchantCreated:
        merchant_id = MerchantId(tx.ids.new())
        merchant = Merchant(id=merchant_id, external_ref=command.external_ref, name=command.name, created_at=tx.now)
        if not await tx.merchants.add(merchant):
            raise BadUserInput("another merchant has this externalRef", path=["input", "externalRef"])
        return MerchantCreated(merchant_id)

    return await do_once(command.once, begin=begin, decide=decide, result_type=MerchantCreated)


async def create_store(command: CreateStore, *, begin: Begin) -> Done[StoreCreated]:
    """Makes a store of a merchant that the caller manages.

    Refusals: NotFound, IdempotencyKeyReused.
    """

    async def decide(tx: MerchantsTransaction) -> StoreCreated:
        if not manages(tx.scope, command.merchant_id) or not await tx.merchants.exists(command.merchant_id):
            raise NotFound("Merchant")
        store_id = StoreId(tx.ids.new())
        store = Store(
            id=store_id, merchant_id=command.merchant_id, external_ref=command.external_ref, name=command.name
        )
        if not await tx.merchants.add_store(store):
            raise BadUserInput("another store of this merchant has this externalRef", path=["input", "externalRef"])
        return StoreCreated(store_id)

    return await do_once(command.once, begin=begin, decide=decide, result_type=StoreCreated)
