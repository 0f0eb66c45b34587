"""The names of merchants and stores that published rules speak of."""

from collections.abc import Collection, Mapping
from uuid import UUID

from domain.shared.ids import MerchantId, StoreId
from schema.context import Context


def names_at_hand(context: Context, places: Collection[UUID]) -> Mapping[UUID, str]:
    """The names that the catalogue has, without reading."""
    merchants, stores = context.catalogue.merchants, context.catalogue.stores
    found: dict[UUID, str] = {}
    for place in places:
        listed = merchants.get(MerchantId(place)) or stores.get(StoreId(place))
        if listed is not None:
            found[place] = listed.thing.name
    return found


async def read_names(context: Context, places: Collection[UUID]) -> Mapping[UUID, str]:
    """The same, read: a place may be newer than the catalogue."""
    merchants = await context.load.merchants.load_many([MerchantId(place) for place in places])
    names: dict[UUID, str] = {merchant.id: merchant.name for merchant in merchants if merchant is not None}
    others = [StoreId(place) for place in places if place not in names]
    stores = await context.load.stores.load_many(others) if others else ()
    names.update((store.id, store.name) for store in stores if store is not None)
    return names
