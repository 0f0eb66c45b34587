"""Whether the demo programme is to be loaded: asked at every start, and mostly answered with no.

So it imports nothing of the loading itself, which would take a sixth of the time of a start.
"""

from typing import Final

from app.demo.people import REF_PREFIX
from app.demo.shops import GROCERY
from app.settings import Settings
from persistence.demo.standing import demo_standing

PART_HOUSEHOLDS: Final = 200
"""So many households are loaded by `make run`."""


async def demo_is_wanted(settings: Settings) -> bool:
    """Whether a part of the demo is to be loaded: the setting says so, and nobody is there, or not all of the part.

    The latter is what a load leaves that was killed.
    """
    if not settings.demo:
        return False
    assert settings.database_url is not None, "given, or embedded"
    standing = await demo_standing(settings.database_url.get_secret_value(), merchant_id=GROCERY.id, prefix=REF_PREFIX)
    return not standing.has_members or (standing.has_demo and standing.demo_members < PART_HOUSEHOLDS)
