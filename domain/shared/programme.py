"""The programme that this service runs: its days and its own currency."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Programme:
    """Days and months are counted in `zone`; amounts that belong to nobody's offer are in `currency` (ISO 4217).

    `min_payable_minor` is the least that coupons and points leave to pay of an order that costs anything, 0 or 1.
    """

    zone: ZoneInfo
    currency: str
    min_payable_minor: int = 0
