"""The merchants: the source's departments, as shops of one mall."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid5

_NAMES: Final = UUID("5d1f6c0e-3f0b-4c62-9f52-6c1b7a0c9a31")


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant of the demo, and the departments that it runs."""

    code: str
    name: str
    departments: tuple[str, ...]
    id: UUID = field(init=False)
    """Of no time: it is what later loads find the first one by."""

    def __post_init__(self) -> None:
        """Its id follows from its code."""
        object.__setattr__(self, "id", uuid5(_NAMES, self.ref))

    @property
    def ref(self) -> str:
        """Its external reference."""
        return f"demo-{self.code}"

    def store_id(self, store: int) -> UUID:
        """The id of its counter in a store of the source."""
        return uuid5(_NAMES, f"{self.ref} {store}")


GROCERY: Final = Shop(
    "grocery",
    "百味食品 Grocery",
    ("GROCERY", "FROZEN GROCERY", "GM MERCH EXP", "CNTRL/STORE SUP", "PROD-WHS SALES", "HOUSEWARES"),
)
SERVICES: Final = Shop("services", "生活服务台 Services", ())
"""Also sells what the source knows no department of."""

SHOPS: Final = (
    GROCERY,
    Shop("drugstore", "康宁药妆 Drugstore", ("DRUG GM",)),
    Shop("produce", "青禾果蔬 Produce", ("PRODUCE", "SALAD BAR")),
    Shop("butcher", "牧野鲜肉 Butcher", ("MEAT", "MEAT-PCKGD")),
    Shop("deli", "巷口熟食 Deli", ("DELI", "CHEF SHOPPE", "RESTAURANT")),
    Shop("bakery", "麦田烘焙 Bakery", ("PASTRY",)),
    Shop("nutrition", "轻养营养 Nutrition", ("NUTRITION",)),
    Shop("seafood", "渔港海鲜 Seafood", ("SEAFOOD", "SEAFOOD-PCKGD")),
    Shop("beauty", "花颜美妆 Beauty", ("COSMETICS",)),
    Shop("garden", "一枝花艺 Flowers and garden", ("FLORAL", "GARDEN CENTER")),
    Shop("spirits", "陈酿酒行 Wine and spirits", ("SPIRITS",)),
    Shop("fuel", "顺途加油站 Fuel", ("FUEL", "AUTOMOTIVE")),
    SERVICES,
)

SHOP_OF: Final[Mapping[str, Shop]] = {department: shop for shop in SHOPS for department in shop.departments}


def shop_of(department: str | None) -> Shop:
    """The merchant of a department."""
    return SHOP_OF.get(department or "", SERVICES)
