"""What the merchants slice needs of the world."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.merchants.model import Merchant, Store
from domain.shared.ids import MerchantId, StoreId
from domain.shared.paging import Page, PageRequest
from domain.shared.transaction import Transaction


class Merchants(Protocol):
    """Merchants and stores, written."""

    async def add(self, merchant: Merchant) -> bool:
        """Stores a merchant; False when its external reference is taken."""
        ...

    async def add_store(self, store: Store) -> bool:
        """Stores a store; False when its merchant has one of this external reference."""
        ...

    async def exists(self, merchant_id: MerchantId) -> bool:
        """Whether there is such a merchant."""
        ...


class MerchantsTransaction(Transaction, Protocol):
    """A transaction of the merchants slice."""

    @property
    def merchants(self) -> Merchants:
        """The merchants."""
        ...


class MerchantReads(Protocol):
    """Merchants and stores, read. Their names are public."""

    async def merchants_by_id(self, merchant_ids: Sequence[MerchantId]) -> Mapping[MerchantId, Merchant]:
        """The merchants of these ids."""
        ...

    async def stores_by_id(self, store_ids: Sequence[StoreId]) -> Mapping[StoreId, Store]:
        """The stores of these ids."""
        ...

    async def stores_of(
        self, merchant_ids: Sequence[MerchantId], *, page: PageRequest
    ) -> Mapping[MerchantId, Page[Store]]:
        """The same page of each merchant's stores."""
        ...

    async def merchants_within(self, merchant_ids: Sequence[MerchantId] | None, *, page: PageRequest) -> Page[Merchant]:
        """A page of these merchants; None means of all."""
        ...
