"""The benchmark of quotes runs, and its wallets are what it says; nothing here depends on how fast anything is."""

from dataclasses import replace
from random import Random
from typing import cast

from benchmarks.options import small
from benchmarks.place import Place
from benchmarks.quote import quote
from benchmarks.quote_wallets import COUPONS, LINES, MIXES, random_cart, random_wallet
from benchmarks.results import Results


def test_a_run_finds_the_median_and_says_how_much_of_it_is_proven() -> None:
    results = Results()
    quote(cast("Place", None), replace(small(), seconds=0.1), results)
    assert results.ratios["quote_ms_median"] > 0
    found = cast("dict[str, dict[str, float]]", results.details["quote"])
    assert set(found) == {*MIXES, "all"}
    assert all(0 <= facts["proven"] <= 1 for facts in found.values())


def test_every_wallet_has_as_many_coupons_as_it_says_and_is_the_same_again() -> None:
    for stacking in MIXES.values():
        wallet = random_wallet(Random(1), stacking=stacking)
        assert len(wallet) == COUPONS
        assert [one.offer for one in wallet] == [one.offer for one in random_wallet(Random(1), stacking=stacking)]
    assert len(random_cart(Random(1)).lines) == LINES
