"""The programme that this service runs: its days and its own currency."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Programme:
    """Days and months are counted in `zone`; amounts that belong to nobody's offer are in `currency` (ISO 4217)."""

    zone: ZoneInfo
    currency: str
