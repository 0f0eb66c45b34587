"""Writes the Python of a plan: one function for each selection, each list and each resolver that waits."""

from copy import deepcopy
from math import isfinite
from typing import Any, Final

from graphql import GraphQLObjectType, Undefined, is_abstract_type, is_leaf_type, is_object_type
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.utils.await_maybe import await_maybe

from execution.access import Way
from execution.calls import always_awaitable, attribute_text, call_text, optional_arguments_text, takes_arguments
from execution.columns import ByColumn, by_column_first
from execution.completion import AbstractCompleter, leaf_completer, listed, object_completer, plain_class
from execution.frames import At, Frame, Scope, uses_variables
from execution.handlers import handled
from execution.inputs import InputConverters
from execution.leaves import leaf_lines
from execution.places import Place
from execution.shared import SharedSelection, Shelf, can_be_shared
from execution.state import Coroutine, abandon, fail, guard, join, odd
from execution.tree import FieldNodeOf, Selection, unwrapped, wraps_alone
from execution.waves import in_region

HEAD: Final = (
    "# o: the parent object; p, q: response paths (of the parent, of the field); d: what is done; w: keys that wait;\n"
    "# V: the variables; X: the state of the execution; F, I: places (a field, an item of a list).\n"
)


class Writer:
    """Writes one plan's functions and keeps what they refer to."""

    def __init__(self, converters: InputConverters, *, shelf: Shelf | None) -> None:
        self._shelf = shelf
        self._functions: list[str] = []
        self._count = 0
        self._regions = 0
        self._late: list[Any] = []
        self.loads_in_batches = False
        self.namespace: dict[str, Any] = {
            "Coroutine": Coroutine,
            "abandon": abandon,
            "await_maybe": await_maybe,
            "by_strawberry": converters.by_strawberry,
            "deepcopy": deepcopy,
            "fail": fail,
            "guard": guard,
            "handled": handled,
            "Undefined": Undefined,
            "isfinite": isfinite,
            "join": join,
            "listed": listed,
            "odd": odd,
        }

    def bind(self, prefix: str, value: object) -> str:
        """A name of the generated code for a value."""
        self._count += 1
        name = f"{prefix}{self._count}"
        self.namespace[name] = value
        return name

    def write(self, root: Selection, *, serially: bool, in_region: bool) -> str:
        """Write the plan; returns the name of the root selection's function."""
        return self.selection(root, Scope(in_region), serially=serially)

    def load(self, label: str) -> str:
        """Compile what was written and put it in its places; returns the source."""
        source = HEAD + "\n\n" + "\n\n\n".join(self._functions) + "\n"
        exec(compile(source, label, "exec"), self.namespace)  # noqa: S102  (the source is written here; no text of a client but names and quoted strings gets in)
        for put in self._late:
            put()
        return source

    def selection(self, selection: Selection, scope: Scope, *, serially: bool = False) -> str:
        """Write the function of a selection set; returns its name."""
        self._count += 1
        name = f"{selection.type.name}_{self._count}"
        for node in selection.fields:
            self._prepare(node, scope)
        frame = Frame.of_function()
        body: list[str] = []
        for node in selection.fields:
            body += self._field(node, frame, serially=serially)
        lines = [f"{'async ' if serially else ''}def {name}(o, p, X):"]
        lines.append(f'    """{selection.where or "the operation"}: {selection.type.name}"""')
        if uses_variables(body):
            lines.append("    V = X.variables")
        lines += ["    d = {}", "    w = ()", *(f"    {line}" for line in body)]
        lines.append("    return d" if serially else "    return join(d, w) if w else d")
        self._functions.append("\n".join(lines))
        return self._shared(selection, name)

    def _shared(self, selection: Selection, name: str) -> str:
        """The name under which the selection is used: its own, or one that keeps its answers."""
        if self._shelf is None or not can_be_shared(selection):
            return name
        shared = f"{name}_shared"
        keeper = SharedSelection(self._shelf)
        self.namespace[shared] = keeper
        self._late.append(lambda: keeper.select_by(self.namespace[name]))
        return shared

    def _prepare(self, node: FieldNodeOf, scope: Scope) -> None:
        """Write what stands below a field: once, however often the field itself is written."""
        place, access = node.place, node.access
        if access.way is Way.TYPENAME:
            return
        place.null_up = scope.null_up(place)
        node.name = self.bind("F", place)
        node.is_asked = scope.in_region and place.batch is not None
        node.is_region = self._completion(node, scope)
        if access.is_async and not node.is_asked:
            node.runner = self._runner(node)

    def _field(self, node: FieldNodeOf, frame: Frame, *, serially: bool = False) -> list[str]:
        place, access = node.place, node.access
        key, parent = repr(place.key), place.parent.name
        lines = [f"# {place.key}: {place.definition.type} ({access.way.value})"]
        if access.way is Way.TYPENAME:
            return [*lines, f"{frame.d}[{key}] = {parent!r}"]
        path = f"({frame.p}, {key}, {parent!r})"  # where it is needed only when something is odd: not made before
        if not frame.inline and not (access.way is Way.ATTRIBUTE and len(node.levels) == 1 and is_leaf_type(node.leaf)):
            lines.append(f"q = {path}")
            path = "q"
        if node.is_asked:
            return [*lines, *self._ask(node, frame, path)]
        if access.is_async:
            return [*lines, *self._start(node, frame, path, serially=serially)]
        lines += ["try:", *(f"    {line}" for line in self._arguments(node, frame, path))]
        call = call_text(access, place=place, name=node.name, bind=self.bind, o=frame.o, q=path)
        completed = self._completed(node, frame, f"v = {call}", path)
        if node.wrapped:
            completed = self._unwrapped(node, frame, path, completed)
        if node.by_column:
            completed = by_column_first(node, frame.o, completed)
        lines += [f"    {line}" for line in completed]
        lines += ["except Exception as e:", f"    v = fail({node.name}, e, {path}, X, {frame.d})"]
        if serially:
            lines += ["if v.__class__ is Coroutine:", "    v = await v"]
        return [*lines, f"{frame.d}[{key}] = v"]

    def _completed(self, node: FieldNodeOf, frame: Frame, resolve: str, path: str) -> list[str]:
        """Statements that resolve a field's value and complete it: from the shelf, where it may stand there."""
        at = At(node.name, path, frame.waits(repr(node.place.key)))
        completing = self._inline(node, 0, at, frame, region=node.is_region)
        function = node.functions.get(node.leaf.name, "")
        kept = node.place.kept
        if kept is None or not frame.inline or len(node.levels) > 1 or not function.endswith("_shared"):
            return [resolve, *completing]
        keeper = self.namespace[function]
        shelf = self.bind("K", None)
        frame.shelves.append(f"{shelf} = {self.bind('B', keeper.of_field(kept))}(X)")
        on_shelf = [line.replace(f"{function}(v, ", f"{function}.keep({shelf}, k, v, ") for line in completing]
        return [
            f"k = {attribute_text(kept.key, frame.o)}",
            f"v = {shelf}.get(k)",
            "if v is None:",
            *(f"    {line}" for line in (resolve, *on_shelf)),
        ]

    def _unwrapped(self, node: FieldNodeOf, frame: Frame, path: str, otherwise: list[str]) -> list[str]:
        """Statements that take what the items would wrap, as they will not be looked at, and make none."""
        wraps = node.place.wraps
        assert wraps is not None, "only such a list was written twice"
        return [
            f"v = {attribute_text(wraps.items, frame.o)}",
            "if v.__class__ is list:",
            f"    v = {node.wrapped}(v, {path}, X)",
            "    if v.__class__ is Coroutine:",
            f"        v = guard({node.name}, v, {path}, X)",
            f"        {frame.waits(repr(node.place.key))}",
            "else:",
            *(f"    {line}" for line in otherwise),
        ]

    def _ask(self, node: FieldNodeOf, frame: Frame, path: str) -> list[str]:
        self.loads_in_batches = True
        batch, key, name = node.place.batch, repr(node.place.key), node.name
        assert batch is not None, "only a batched field is asked for"
        if isinstance(batch.key, str):
            value = attribute_text(batch.key, frame.o)
        else:
            value = f"{self.bind('B', batch.key)}({frame.o})"
        return [
            "# loaded with those of all parents on this level",
            f"{frame.d}[{key}] = None",
            "try:",
            f"    X.ask({name}, {frame.o}, {value}, {frame.d}, {path})",
            "except Exception as e:",
            f"    X.ask_in_vain({name}, e, {frame.d}, {path})",
        ]

    def _start(self, node: FieldNodeOf, frame: Frame, path: str, *, serially: bool) -> list[str]:
        """Start a resolver that waits, in a coroutine that completes its value."""
        key, name, d = repr(node.place.key), node.name, frame.d
        known = node.access.arguments is not None and node.access.way is Way.RESOLVER
        wait = "await " if serially else ""
        note = [] if serially else [frame.waits(key)]
        checks = self._null_checks(node, frame)
        known = known or not takes_arguments(node.place)
        if known and not checks:
            return [f"{d}[{key}] = {wait}{node.runner}({frame.o}, {path}, X, None)", *note]
        arguments = "None" if known else f"X.arguments({name})"
        return [
            "try:",
            *(f"    {line}" for line in checks),
            f"    v = {node.runner}({frame.o}, {path}, X, {arguments})",
            *(f"    {line}" for line in note),
            "except Exception as e:",
            f"    v = fail({name}, e, {path}, X, {d})",
            *(["if v is not None:", "    v = await v"] if serially else []),
            f"{d}[{key}] = v",
        ]

    def _runner(self, node: FieldNodeOf) -> str:
        access, place, name = node.access, node.place, node.name
        self._count += 1
        runner = f"{place.key}_{self._count}"
        call = call_text(access, place=place, name=name, bind=self.bind)
        awaited = call if always_awaitable(access) else f"await_maybe({call})"
        body = [*self._runner_arguments(node, name), f"v = await {awaited}"]
        if access.handlers:
            handlers = self.bind("H", access.handlers)
            body = ["try:", *(f"    {line}" for line in body), "except Exception as e:"]
            body.append(f"    v = await handled({name}, e, {handlers}, q, X)")
        lines = [f"async def {runner}(o, q, X, a):", f'    """{place.parent.name}.{place.name}"""', "    try:"]
        if uses_variables(body):
            lines.append("        V = X.variables")
        lines += [f"        {line}" for line in body]
        lines += [f"        v = {name}.complete(v, q, X)", "        return await v if v.__class__ is Coroutine else v"]
        lines += ["    except Exception as e:", f"        return fail({name}, e, q, X, None)"]
        self._functions.append("\n".join(lines))
        return runner

    def _runner_arguments(self, node: FieldNodeOf, name: str) -> list[str]:
        """What is left to do for the arguments when the coroutine runs: Strawberry converts them there."""
        access = node.access
        if access.way is not Way.RESOLVER:
            return []
        if access.arguments is None:
            return [f"a = by_strawberry(a, {name}.strawberry_field.arguments, X.info({name}, q))"]
        return self._collected(node)

    def _arguments(self, node: FieldNodeOf, frame: Frame, path: str) -> list[str]:
        """The arguments of a resolver that does not wait."""
        access, name = node.access, node.name
        if access.way is Way.CHAIN:
            return [f"a = X.arguments({name})"] if takes_arguments(node.place) else []
        if access.way is not Way.RESOLVER:
            return []
        if access.arguments is None:
            info = f"X.info({name}, {path})"
            return [f"a = by_strawberry(X.arguments({name}), {name}.strawberry_field.arguments, {info})"]
        return [*self._null_checks(node, frame), *self._collected(node)]

    def _null_checks(self, node: FieldNodeOf, frame: Frame) -> list[str]:
        """Statements that raise graphql-core's error for a null where an argument refuses it."""
        lines = []
        for argument in node.access.arguments or ():
            if argument.refuses_null:
                # whatever stands for "missing" here is not null
                lines += [f"if V.get({argument.variable!r}, {frame.d}) is None:", f"    X.arguments({node.name})"]
        return lines

    def _collected(self, node: FieldNodeOf) -> list[str]:
        if any(argument.optional for argument in node.access.arguments or ()):
            return optional_arguments_text(node.access, self.bind)
        return []

    def _completion(self, node: FieldNodeOf, scope: Scope) -> bool:
        """Write what completes the field's value; returns whether that is a region of its own."""
        waits, batched = node.below()
        region = not scope.in_region and batched and not waits
        above = () if region else (*scope.chain, not node.place.non_null)
        chain = (*above, *(not level.non_null for level in node.levels[1:]))
        inner = Scope(scope.in_region or region, scope.in_list or len(node.levels) > 1, chain)
        for name, selection in node.selections.items():
            node.functions[name] = self.selection(selection, inner)
        self._complete_named(node)
        for depth in range(len(node.levels) - 2, -1, -1):
            self._complete_list(node, depth)
        if not region and wraps_alone(node):
            self._complete_list(node, 0, wrapped=True)
        if not region and node.place.columns is not None:
            self._complete_by_column(node)
        if region:
            self._regions += 1
            self._late.append(lambda: self._begin_region(node.place, in_list=scope.in_list))
        return region

    def _begin_region(self, place: Place, *, in_list: bool) -> None:
        is_alone = self._regions == 1 and not in_list
        place.complete = in_region(place.complete, is_alone=is_alone)

    def _complete_named(self, node: FieldNodeOf) -> None:
        place, leaf = node.levels[-1], node.leaf
        if is_leaf_type(leaf):
            place.complete = leaf_completer(place, leaf)
        elif is_abstract_type(leaf):
            selects: dict[str, Any] = {}
            place.complete = AbstractCompleter(place, leaf, selects)
            self._late.append(
                lambda: selects.update({name: self.namespace[function] for name, function in node.functions.items()})
            )
        elif is_object_type(leaf):
            self._late.append(
                lambda: setattr(
                    place, "complete", object_completer(place, leaf, self.namespace[node.functions[leaf.name]])
                )
            )

    def _complete_list(self, node: FieldNodeOf, depth: int, *, wrapped: bool = False) -> None:
        """Write the function of a list; `wrapped`: of the list that its items wrap."""
        level, item = node.levels[depth], node.levels[depth + 1]
        self._count += 1
        name = f"{node.place.key}_{self._count}"
        place_name, item_name = self.bind("L", level), self.bind("I", item)
        at = At(item_name, "(q, i, None)", "w.append(i)")
        frame = Frame.of_items()
        if wrapped:
            node.wrapped = name
            fields = unwrapped(node).fields
            body = self._inline_fields(fields, at, frame)
        else:
            node.lists[depth] = name
            self._late.append(lambda: setattr(level, "complete", self.namespace[name]))
            body = self._inline(node, depth + 1, at, frame, region=False)
        lines = [
            f"def {name}(v, q, X):",
            f'    """{node.place.key}: [{item.type}{"!" if item.non_null else ""}]"""',
            "    if v.__class__ is not list:",
            f"        v = listed({place_name}, {item_name}, v, q, X)",
            "        if v is None or v.__class__ is Coroutine:",
            "            return v",
            *(["    V = X.variables"] if uses_variables(body) else []),
            "    d = []",
            "    w = []",
            "    rest = iter(v)",
            "    try:",
            *(f"        {line}" for line in frame.shelves),
            "        for i, v in enumerate(rest):",
            "            try:",
            *(f"                {line}" for line in body),
            "            except Exception as e:",
            f"                v = fail({item_name}, e, {at.path}, X, None)",
            "            d.append(v)",
            "    except Exception:",
            "        abandon(d, rest, X)",
            "        raise",
            "    return join(d, w) if w else d",
        ]
        self._functions.append("\n".join(lines))

    def _complete_by_column(self, node: FieldNodeOf) -> None:
        """Write the function of a list's items by column, if what is asked of them can be had so."""
        self._count += 1
        written = ByColumn(self.bind, self.namespace).write(node, name=f"{node.place.key}_{self._count}_by_column")
        self._functions += [] if written is None else [written]

    def _inline(self, node: FieldNodeOf, depth: int, at: At, frame: Frame, *, region: bool) -> list[str]:
        """Statements that complete `v`, a value on the given level of the field's type."""
        place, leaf = node.levels[depth], node.leaf
        waits = ["if v.__class__ is Coroutine:", f"    v = guard({at.name}, v, {at.path}, X)", f"    {at.waits}"]
        odd_one = f"v = odd({at.name}, v, {at.path}, X)"
        if region:
            return [odd_one, *waits]
        if depth < len(node.levels) - 1:
            quick = f"{node.lists[depth]}(v, {at.path}, X) if v.__class__ is list else "
            return [f"v = {quick}odd({at.name}, v, {at.path}, X)", *waits]
        if is_leaf_type(leaf):
            otherwise = [odd_one, "if v.__class__ is Coroutine:", f"    {at.waits}"]
            return leaf_lines(leaf, otherwise, non_null=place.non_null, bind=self.bind)
        if is_abstract_type(leaf):
            complete = self.bind("A", place.complete)
            known = f"{complete}(v, {at.path}, X) if v.__class__ in {complete}.known else "
            return [f"v = {known}odd({at.name}, v, {at.path}, X)", *waits]
        assert is_object_type(leaf), "every output type has been considered"
        return self._inline_object(node, leaf, at, frame, [odd_one, *waits], non_null=place.non_null)

    def _inline_object(
        self,
        node: FieldNodeOf,
        leaf: GraphQLObjectType,
        at: At,
        frame: Frame,
        otherwise: list[str],
        *,
        non_null: bool,
    ) -> list[str]:
        class_ = plain_class(leaf)
        if class_ is None:
            return otherwise
        test = f"v.__class__ is {self.bind('C', class_)}"
        if leaf.is_type_of:
            test += f" and getattr(v, {TYPE_CAST_ATTRIBUTE!r}, None) is None"
        function = node.functions[leaf.name]
        last = "else:" if non_null else "elif v is not None:"
        if frame.deepest or function.endswith("_shared"):
            odd_one, *waits = otherwise
            return [f"if {test}:", f"    v = {function}(v, {at.path}, X)", last, f"    {odd_one}", *waits]
        body = self._inline_fields(node.selections[leaf.name].fields, at, frame)
        return [f"if {test}:", *(f"    {line}" for line in body), last, *(f"    {line}" for line in otherwise)]

    def _inline_fields(self, fields: list[FieldNodeOf], at: At, frame: Frame) -> list[str]:
        """Statements that select the fields of `v`, an object of the expected class."""
        inner = frame.within(at.path)
        body = [line for field in fields for line in self._field(field, inner)]
        return [
            f"{inner.o} = v",
            f"{inner.d} = {{}}",
            f"{inner.w} = ()",
            *body,
            f"v = {inner.d}",
            f"if {inner.w}:",
            f"    v = guard({at.name}, join({inner.d}, {inner.w}), {at.path}, X)",
            f"    {at.waits}",
        ]
