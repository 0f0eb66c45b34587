"""`documents add`: what may be listed, and in which files it is looked for."""

from pathlib import Path

import orjson
import pytest

from app.document_files import read_documents
from app.documents import digest_of
from app.settings import SettingsError
from execution.reference import core_schema
from resolvers.limits import Limits
from tests.app.small import SCHEMA

HELLO = "query Hello($n: String!) { hello(name: $n) }\n"


def read(*files: Path, limits: Limits | None = None) -> list[str]:
    found = read_documents(files, schema=core_schema(SCHEMA), limits=limits or Limits())
    return [f"{document.digest} {' '.join(document.operations)}" for document in found]


def written(folder: Path, name: str, content: str | object) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else orjson.dumps(content))
    return file


def test_a_file_is_one_document_and_its_hash_is_that_of_the_very_text(tmp_path: Path) -> None:
    file = written(tmp_path, "hello.graphql", HELLO)
    assert read(file, file) == [f"{digest_of(HELLO)} Hello"]


@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_manifests_of_relay_and_of_apollo_are_read(tmp_path: Path, prefix: str) -> None:
    relay = written(tmp_path, "relay.json", {prefix + digest_of(HELLO): HELLO})
    entry = {"id": prefix + digest_of(HELLO), "name": "Hello", "type": "query", "body": HELLO}
    apollo = written(
        tmp_path, "apollo.json", {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [entry]}
    )
    assert read(relay) == read(apollo) == [f"{digest_of(HELLO)} Hello"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.graphql", "{", "Syntax Error"),
        ("a.graphql", "query A { nothing }", "Cannot query field"),
        ("a.graphql", "{ hello }", "needs a name"),
        ("a.graphql", "fragment F on Query { hello }", "never used"),
        ("a.graphql", "query A { shop { branches { nodes { branches { nodes { name } } } } } }", "depth"),
        ("a.json", "[", "not valid JSON"),
        ("a.json", "[]", "neither"),
        ("a.json", {"0" * 64: HELLO}, "is not the SHA-256"),
    ],
)
def test_what_could_not_be_run_is_refused_with_its_file_and_reason(
    tmp_path: Path, name: str, content: object, reason: str
) -> None:
    file = written(tmp_path, name, content)
    with pytest.raises(SettingsError, match=reason) as refused:
        read(file, limits=Limits(depth=4))
    assert str(refused.value).startswith(f"{file}: ")
    assert "\n" not in str(refused.value)
