"""The fields of an operation by runtime type, collected once by graphql-core's own rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLList,
    GraphQLNamedOutputType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    is_abstract_type,
    is_object_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from graphql.language import DirectiveNode

from execution.access import Access, Accesses, Way
from execution.asked import Asked
from execution.places import FieldPlace, ItemPlace, Place
from execution.variables import VariableCoercer

MOST_FIELDS: Final = 1_000
INTROSPECTION: Final = frozenset({"__schema", "__type"})


class UnsupportedError(Exception):
    """The compiler does not know this; graphql-core runs the operation. The message is the reason that is counted."""


@dataclass(slots=True)
class FieldNodeOf:
    """A field in the tree: its place, its access, and the selections below it by runtime type.

    The writer notes the functions it wrote for the selections, for the lists by the depth of their level, for the list
    that the items of this one wrap (`wrapped`), and for items that are known by column (`by_column`); the field's name
    in the generated code, the coroutine that awaits it, and whether it is loaded in a batch (asked for) or begins a
    region.
    """

    place: FieldPlace
    access: Access
    levels: list[Place]
    leaf: GraphQLNamedOutputType
    selections: dict[str, "Selection"] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    lists: dict[int, str] = field(default_factory=dict)
    name: str = ""
    runner: str = ""
    wrapped: str = ""
    by_column: str = ""
    is_asked: bool = False
    is_region: bool = False

    @property
    def waits(self) -> bool:
        """Whether the field's value must be awaited."""
        return self.access.waits

    def below(self) -> tuple[bool, bool]:
        """Whether anything below waits, and whether anything below is loaded in batches."""
        parts = [selection.nature() for selection in self.selections.values()]
        return any(waits for waits, _ in parts), any(batched for _, batched in parts)


@dataclass(slots=True)
class Selection:
    """The fields that are asked of one object type."""

    type: GraphQLObjectType
    where: str
    fields: list[FieldNodeOf] = field(default_factory=list)
    _nature: tuple[bool, bool] | None = None

    def nature(self) -> tuple[bool, bool]:
        """Whether anything in here waits for itself, and whether anything is loaded in batches."""
        if self._nature is None:
            waits = batched = False
            for node in self.fields:
                below_waits, below_batched = node.below()
                waits = waits or below_waits or (node.waits and node.place.batch is None)
                batched = batched or below_batched or node.place.batch is not None
            self._nature = waits, batched
        return self._nature


def wraps_alone(node: FieldNodeOf) -> bool:
    """Whether the items of the field's list are asked for nothing but what each wraps, and their type's name."""
    wraps = node.place.wraps
    if wraps is None or len(node.levels) != len(("the list", "its items")) or not is_object_type(node.leaf):
        return False
    return all(
        field.access.way is Way.TYPENAME
        or (field.access.way is Way.ATTRIBUTE and field.access.attribute == wraps.field)
        for field in node.selections[node.leaf.name].fields
    )


def unwrapped(node: FieldNodeOf) -> Selection:
    """What is asked of the items of such a list, as it is asked of what each wraps."""
    selection = node.selections[node.leaf.name]
    fields = [
        field if field.access.way is Way.TYPENAME else replace(field, access=replace(field.access, way=Way.ITSELF))
        for field in selection.fields
    ]
    return replace(selection, fields=fields)


class ConditionFinder(Visitor):
    """Finds the variables that @skip and @include depend on, and directives that are not known here."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        """Take the variable of a condition.

        Refusals: UnsupportedError.
        """
        if node.name.value not in {"skip", "include"}:
            raise UnsupportedError("directive")
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.variables.add(argument.value.name.value)


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The document's fragments by name."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def conditions_of(document: DocumentNode, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """The variables that decide which fields are there at all.

    Refusals: UnsupportedError.
    """
    finder = ConditionFinder()
    for node in (operation, *fragments_of(document).values()):
        if isinstance(node, FragmentDefinitionNode) and node.variable_definitions:
            raise UnsupportedError("fragment variables")
        visit(node, finder)
    return tuple(sorted(finder.variables))


class TreeBuilder:
    """Builds the tree of one operation for one set of conditions."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        *,
        accesses: Accesses,
        coercer: VariableCoercer,
        conditions: Mapping[str, bool],
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._accesses = accesses
        self._coercer = coercer
        self._values = VariableValues({}, dict(conditions))
        self._fragments = {name: FragmentDetails(node) for name, node in fragments_of(document).items()}
        self._count = 0

    def build(self) -> Selection:
        """The root selection.

        Refusals: UnsupportedError.
        """
        root = self._schema.get_root_type(self._operation.operation)
        if root is None:
            raise UnsupportedError("no root type")
        collected = collect_fields(self._schema, self._fragments, self._values, root, self._operation)
        is_event = self._operation.operation is OperationType.SUBSCRIPTION
        return self._selection(root, collected.grouped_field_set, "", is_event=is_event)

    def _selection(
        self,
        object_type: GraphQLObjectType,
        grouped: Mapping[str, list[FieldDetails]],
        where: str,
        *,
        is_event: bool = False,
    ) -> Selection:
        selection = Selection(object_type, where)
        for key, details in grouped.items():
            name = details[0].node.name.value
            if name in INTROSPECTION:
                raise UnsupportedError("introspection")
            definition = self._schema.get_field(object_type, name)
            if definition is None:
                raise UnsupportedError("unknown field")
            path = f"{where}.{key}" if where else key
            selection.fields.append(self._field(object_type, definition, key, details, path, is_event=is_event))
        return selection

    def _field(
        self,
        parent: GraphQLObjectType,
        definition: GraphQLField,
        key: str,
        details: list[FieldDetails],
        where: str,
        *,
        is_event: bool,
    ) -> FieldNodeOf:
        self._count += 1
        if self._count > MOST_FIELDS:
            raise UnsupportedError("too large")
        levels, leaf = _levels(parent, definition, key, [detail.node for detail in details])
        place = cast("FieldPlace", levels[0])
        access = self._accesses.of(place, coercer=self._coercer, is_event=is_event)
        if access.way is Way.RESOLVER and not is_event:
            place.batch = self._accesses.batch(place)
            place.kept = self._accesses.kept(place)
            place.wraps = self._accesses.wraps(place)
        if access.way in {Way.RESOLVER, Way.ATTRIBUTE} and not is_event:
            place.columns = self._accesses.columns(place)
        node = FieldNodeOf(place, access, levels, leaf)
        place.asked = Asked(node)
        for object_type in self._possible(leaf):
            collected = collect_subfields(
                self._schema, self._fragments, self._values, self._operation, object_type, details
            )
            node.selections[object_type.name] = self._selection(object_type, collected.grouped_field_set, where)
        return node

    def _possible(self, leaf: Any) -> Sequence[GraphQLObjectType]:
        if is_object_type(leaf):
            return [leaf]
        return list(self._schema.get_possible_types(leaf)) if is_abstract_type(leaf) else []


def _levels(
    parent: GraphQLObjectType, definition: GraphQLField, key: str, nodes: list[Any]
) -> tuple[list[Place], GraphQLNamedOutputType]:
    """The places of a field's type, from the field inwards, and the named type in the middle."""
    non_null, output_type = _unwrap(definition.type)
    field_place = FieldPlace(output_type, non_null=non_null, key=key, parent=parent, definition=definition, nodes=nodes)
    levels: list[Place] = [field_place]
    while isinstance(output_type, GraphQLList):
        non_null, output_type = _unwrap(output_type.of_type)
        levels.append(ItemPlace(output_type, non_null=non_null, field=field_place))
    return levels, cast("GraphQLNamedOutputType", output_type)


def _unwrap(output_type: GraphQLOutputType) -> tuple[bool, GraphQLOutputType]:
    if isinstance(output_type, GraphQLNonNull):
        return True, output_type.of_type
    return False, output_type
