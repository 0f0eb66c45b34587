"""Files of documents, read and checked: GraphQL texts, Relay's map of hashes to texts, Apollo's manifest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, validate

from app.documents import digest_of
from app.settings import SettingsError
from domain.shared.errors import CallerError
from resolvers.limits import Limits, parse_within


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document as a file holds it; its hash is that of the very text."""

    text: str
    operations: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 by which clients name it."""
        return digest_of(self.text)


def read_documents(files: Iterable[Path], *, schema: GraphQLSchema, limits: Limits) -> list[ListedDocument]:
    """The documents of these files, each once. One that could not be run raises SettingsError, and none is added."""
    found: dict[str, ListedDocument] = {}
    for file in files:
        for text in _texts(file):
            document = _checked(text, file=file, schema=schema, limits=limits)
            found[document.digest] = document
    return list(found.values())


def _checked(text: str, *, file: Path, schema: GraphQLSchema, limits: Limits) -> ListedDocument:
    try:
        document = parse_within(text, limits=limits)
    except (GraphQLError, CallerError) as error:
        raise SettingsError(f"{file}: {error.message.partition(chr(10))[0]}") from None
    errors = validate(schema, document)
    if errors:
        raise SettingsError(f"{file}: {errors[0].message}")
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    names = tuple(node.name.value for node in operations if node.name is not None)
    if not operations or len(names) != len(operations):
        raise SettingsError(f"{file}: every operation of a trusted document needs a name")
    return ListedDocument(text=text, operations=names)


def _texts(file: Path) -> Iterable[str]:
    content = file.read_text(encoding="utf-8")
    if file.suffix != ".json":
        return [content]
    try:
        manifest: object = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise SettingsError(f"{file}: not valid JSON") from None
    pairs = dict(_pairs(manifest))
    if not pairs:
        raise SettingsError(f"{file}: neither a map of hashes to texts nor an Apollo manifest")
    for given, text in pairs.items():
        if given.removeprefix("sha256:") != digest_of(text):
            raise SettingsError(f"{file}: {given[:80]} is not the SHA-256 of its text")
    return list(pairs.values())


def _pairs(manifest: object) -> Iterable[tuple[str, str]]:
    """Hash and text of each entry, in Relay's form and in Apollo's."""
    if not isinstance(manifest, Mapping):
        return
    operations = manifest.get("operations")
    if isinstance(operations, list):
        for entry in operations:
            if isinstance(entry, Mapping):
                yield str(entry.get("id")), str(entry.get("body"))
        return
    for given, text in manifest.items():
        if isinstance(text, str):
            yield given, text
