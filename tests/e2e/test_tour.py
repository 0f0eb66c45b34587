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
from tests.laurel import STOP_SECONDS, free_port, start
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


def test_the_printed_line_claims_a_coupon(started: Started) -> None:
    (line,) = re.findall(r"^  (curl .*)$", started.said, re.MULTILINE)
    printed = subprocess.run(shlex.split(line), capture_output=True, check=True, timeout=20).stdout
    claimed = orjson.loads(printed)["data"]["claimCoupon"]
    assert claimed["__typename"] == "ClaimCouponSuccess"
    assert claimed["coupon"]["code"]


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
        body = {"query": service["query"], "variables": service["variables"], "operationName": operation}
        answers |= httpx.post(f"{started.base}/graphql", json=body, headers=service["headers"]).json()["data"]
    assert answers["recordOrder"]["state"] == "PAID"
    assert answers["refundOrder"]["refund"]["amount"] == "30.00", "one of two units at 30.00"
    assert answers["refundOrder"]["restored"] == []
