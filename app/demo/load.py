"""Loads the demo programme: a part, or all of it, on top of what is there."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.demo.households import Households, Slice, World
from app.demo.offers import history
from app.demo.people import ref_of
from app.demo.points import PointsRules
from app.demo.shops import GROCERY, SHOPS, shop_of
from app.demo.source import Household, Source, find_files, open_source
from app.demo.standing import PART_HOUSEHOLDS
from app.demo.today import bag_id, today
from app.demo.when import Shift
from app.keys import personal_data
from app.settings import Settings
from persistence.demo.rows import CatalogueRows, MerchantRow, StoreRow
from persistence.demo.store import DemoStore, open_demo_store

SLICE_LINES: Final = 20_000
"""A transaction holds about so many order lines, and a slice of this size is what a killed load loses."""

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many order lines are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did."""

    members: int
    lines: int
    already_there: int


async def load_demo(
    settings: Settings,
    *,
    full: bool,
    progress: Progress,
    households: int = PART_HOUSEHOLDS,
    slice_lines: int = SLICE_LINES,
) -> Loaded:
    """Loads what is not there yet. Members who are there, and the catalogue, are left as they are.

    Raises DemoUnavailable where the source is not installed, RegisteredMeanwhile where a member of the demo came first.
    """
    folder = find_files()
    async with open_demo_store(_url(settings)) as store:
        with open_source(folder) as source:
            wanted = source.households(first=None if full else households)
            known = await store.member_refs()
            missing = [number for number in wanted if ref_of(number) not in known]
            total = source.count_lines(missing)
            progress(0, total)
            if not missing and await store.opened_at(GROCERY.id) is not None:
                return Loaded(members=0, lines=0, already_there=len(wanted))
            world = await _prepare(source, store=store, settings=settings)
            slices = _slices(source.people(missing), mapping=Households(world), lines=slice_lines)
            await _write(slices, store=store, progress=lambda done: progress(done, total))
            if missing:
                await store.analyse()
    return Loaded(members=len(missing), lines=total, already_there=len(wanted) - len(missing))


async def _write(slices: Iterator[Slice], *, store: DemoStore, progress: Callable[[int], None]) -> None:
    """Writes slice after slice; the next one is read and mapped while PostgreSQL takes this one."""
    done = 0
    coming = asyncio.create_task(asyncio.to_thread(next, slices, None))
    try:
        while (current := await coming) is not None:
            coming = asyncio.create_task(asyncio.to_thread(next, slices, None))
            await store.add_members(current.rows, claimed=current.claimed, exchanged=current.exchanged)
            done += len(current.rows.order_lines)
            progress(done)
    finally:
        # A thread cannot be stopped, and what it reads from is closed next.
        await asyncio.wait([coming])


def _slices(people: Iterator[Household], *, mapping: Households, lines: int) -> Iterator[Slice]:
    current = Slice()
    for household in people:
        mapping.add(household, to=current)
        if len(current.rows.order_lines) >= lines:
            yield current
            current = Slice()
    if current.rows.members:
        yield current


async def _prepare(source: Source, *, store: DemoStore, settings: Settings) -> World:
    """What the households share; the catalogue is written if this is the first load."""
    zone, currency = settings.zone, settings.programme_currency
    now = await store.now()
    opened_at = await store.opened_at(GROCERY.id)
    shift = Shift.of_first_load(now, zone=zone) if opened_at is None else Shift.of_later_load(opened_at, zone=zone)
    products = source.products()
    past = history(
        source.campaigns(), coupons=source.coupons(), products=products, shift=shift, now=now, currency=currency
    )
    if opened_at is None:
        current = today(now, opened_at=shift.opened_at, zone=zone, currency=currency)
        await store.add_catalogue(
            CatalogueRows(
                merchants=[MerchantRow(shop.id, shop.ref, shop.name, shift.opened_at) for shop in SHOPS],
                stores=_stores(source, shift=shift),
                campaigns=[*past.campaigns, *current.campaigns],
                templates=[*past.published(), *current.templates],
                rewards=current.rewards,
            )
        )
    return World(
        history=past,
        products=products,
        personal_data=personal_data(settings),
        rules=PointsRules(shift=shift, now=now, bag_id=bag_id(shift.opened_at)),
        currency=currency,
    )


def _stores(source: Source, *, shift: Shift) -> list[StoreRow]:
    """A counter of each merchant in each store that sold its goods."""
    counters = {(shop_of(department), store) for department, store in source.stores_of_departments()}
    return [
        StoreRow(shop.store_id(store), shop.id, f"store-{store}", f"{shop.name} {store} 号店", shift.opened_at)
        for shop, store in sorted(counters, key=lambda each: (each[0].code, each[1]))
    ]


def _url(settings: Settings) -> str:
    assert settings.database_url is not None, "given, or embedded"
    return settings.database_url.get_secret_value()
