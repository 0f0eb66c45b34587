"""A newcomer's first five minutes: one command, a coupon claimed by the printed line, another live in the browser."""

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from tests.e2e.graphiql.browser import assert_newcomer_is_well_served, browse
from tests.laurel import REPOSITORY, STOP_SECONDS, free_port, start
from tests.servers import quick_folder

READY_SECONDS = 120

pytestmark = [pytest.mark.timeout(400)]


@dataclass(frozen=True, slots=True)
class Started:
    """What `serve` has said by the time it is ready."""

    base: str
    said: str


@pytest.fixture(scope="module")
def started() -> Iterator[Started]:
    port = free_port()
    given = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL", "DEMO"}}
    folder = quick_folder("tour")
    said = folder / "said"
    with said.open("wb") as out:
        process = start(
            "serve",
            environment={**given, "DATA_DIR": str(folder / "data"), "PORT": str(port), "WORKERS": "2"},
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while b"Ctrl-C stops everything." not in said.read_bytes():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.1)
        yield Started(base=f"http://127.0.0.1:{port}", said=said.read_text())
    finally:
        process.terminate()
        process.wait(timeout=STOP_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _run_printed_line(started: Started) -> Any:
    (line,) = re.findall(r"^  (curl .*)$", started.said, re.MULTILINE)
    printed = subprocess.run(shlex.split(line), capture_output=True, check=True, timeout=20).stdout
    return orjson.loads(printed)["data"]["claimCoupon"]


def _ask(started: Started, title: str, operation: str, **changed: Any) -> Any:
    """The data of an operation of a tab, with the variables that it is loaded with but for these."""
    tabs = httpx.get(f"{started.base}/graphiql/tabs.json", headers={"Sec-Fetch-Site": "same-origin"}).json()
    (tab,) = [tab for tab in tabs if tab["title"] == title]
    body = {"query": tab["query"], "variables": {**tab["variables"], **changed}, "operationName": operation}
    answer = httpx.post(f"{started.base}/graphql", json=body, headers=tab["headers"]).json()
    assert "errors" not in answer, answer
    return answer["data"]


def test_the_printed_line_claims_a_coupon(started: Started) -> None:
    claimed = _run_printed_line(started)
    assert claimed["__typename"] == "ClaimCouponSuccess"
    assert claimed["coupon"]["code"]


def test_what_was_claimed_is_redeemed_at_the_till_for_what_the_readme_says(started: Started) -> None:
    """One coupon claimed by the printed line, one in the page, which is none for the till's cart."""
    assert _run_printed_line(started)["coupon"]["code"]
    assert _ask(started, "Member", "ClaimCoupon")["claimCoupon"]["coupon"]["state"] == "CLAIMED"
    (shown,) = _ask(started, "Member", "CodeForTheTill")["me"]["wallet"]["coupons"]["nodes"]
    redeemed = _ask(started, "Till", "Redeem", redemptionToken=shown["redemptionCode"]["token"])["redeemCoupons"]
    said = re.search(r"¥(\d+) off ¥(\d+), ¥(\d+) to pay", (REPOSITORY / "README.md").read_text())
    assert said is not None
    off, of, to_pay = (f"{amount}.00" for amount in said.groups())
    quote = redeemed["quote"]
    assert [quote[name]["amount"] for name in ("discount", "subtotal", "payable")] == [off, of, to_pay]
    (first, *_) = _ask(started, "Merchant", "OurRedemptions")["merchant"]["redemptions"]["nodes"]
    assert first["coupon"]["headline"] == shown["headline"]


def test_a_token_is_printed_for_each_audience(started: Started) -> None:
    tokens = dict(re.findall(r"^  (member|till|merchant|operator|service) +(\S+)$", started.said, re.MULTILINE))
    assert sorted(tokens) == ["member", "merchant", "operator", "service", "till"]


@pytest.mark.chromium
@pytest.mark.node
def test_a_newcomer_claims_in_graphiql_and_sees_the_coupon_arrive_live(started: Started) -> None:
    assert_newcomer_is_well_served(browse(started.base))


def test_the_order_service_of_the_tabs_records_an_order_and_takes_a_unit_back(started: Started) -> None:
    tabs = httpx.get(f"{started.base}/graphiql/tabs.json", headers={"Sec-Fetch-Site": "same-origin"}).json()
    (service,) = [tab for tab in tabs if tab["title"] == "Order service"]
    answers: dict[str, dict[str, Any]] = {}
    for operation in ("RecordOrder", "Refund"):
        answers |= _ask(started, "Order service", operation, **service["variables"])
    assert answers["recordOrder"]["state"] == "PAID"
    assert answers["refundOrder"]["refund"]["amount"] == "30.00", "one of two units at 30.00"
    assert answers["refundOrder"]["restored"] == []
