"""The clients of docs/client-guide.md against Laurel itself."""

import pytest

from tests.clients.test_clients import passed, run_node
from tests.clients.test_laurel_clients import Laurel
from tests.clients.test_laurel_clients import laurel as laurel  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.node


def test_the_mini_program_claims_once_and_misses_nothing(laurel: Laurel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUREL_OPERATOR_TOKEN", laurel.operator_token)
    assert passed(run_node("weapp.test.mjs", server=laurel.server)) == 10


def test_the_examples_for_browsers_claim_and_are_told(laurel: Laurel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUREL_OPERATOR_TOKEN", laurel.operator_token)
    assert passed(run_node("examples.test.mjs", server=laurel.server)) == 2
