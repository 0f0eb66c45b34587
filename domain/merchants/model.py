"""Merchants 商户 and stores 门店 as the domain knows them."""

from dataclasses import dataclass
from datetime import datetime

from domain.shared.ids import MerchantId, StoreId


@dataclass(frozen=True, slots=True)
class Merchant:
    """One who sells, and may bear coupons of its own."""

    id: MerchantId
    external_ref: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Store:
    """A place of a merchant where coupons are redeemed."""

    id: StoreId
    merchant_id: MerchantId
    external_ref: str
    name: str


@dataclass(frozen=True, slots=True)
class MerchantCreated:
    """The result of making a merchant."""

    merchant_id: MerchantId


@dataclass(frozen=True, slots=True)
class StoreCreated:
    """The result of making a store."""

    store_id: StoreId
