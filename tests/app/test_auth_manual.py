"""docs/security.md promises a test for each threat."""

import re
from pathlib import Path

from app.auth.verifier import FORBIDDEN_HEADERS

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_the_manual_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", MANUAL))
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    existing = set(re.findall(r"def (test_\w+)\(", sources))
    assert len(named) > 40
    assert named <= existing, named - existing


def test_every_attack_that_is_tested_is_in_the_manual() -> None:
    attacks = (ROOT / "tests" / "app" / "test_auth_attacks.py").read_text(encoding="utf-8")
    behaviour = {
        "test_signed_claims_that_are_no_json_object_are_refused",
        "test_text_that_is_no_token_is_refused",
        "test_token_without_key_id_is_refused_while_there_are_several_keys_of_its_algorithm",
    }
    tested = set(re.findall(r"def (test_\w+)\(", attacks)) - behaviour
    assert tested <= set(re.findall(r"`(test_\w+)`", MANUAL))


def test_every_forbidden_header_is_in_the_manual() -> None:
    assert {name for name in FORBIDDEN_HEADERS if f"`{name}`" not in MANUAL} == set()
