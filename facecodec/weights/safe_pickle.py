"""Read pickles as data: a walk over the opcodes that can build values and nothing else.

Python's own unpickler imports and calls whatever a file names. This one never imports: a global is
looked up in a table of the caller's own functions, and one that is not in the table is refused by
name. Values are numbers, strings, bytes, lists, tuples, dicts, sets and what the table's functions
return. There is no attribute access, no class instantiation and no recursion, and every length is
checked against the bytes that are there. The work is bounded by the size of the file: a value may
be referred to many times, so what the table's functions are given is counted, and whoever looks at
a value must not follow it into its depths (a list of lists of lists ... of two memoised lists each
is small, and its text is not). `shown` is the one way to print a value.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from facecodec.errors import ModelError

MAX_OPCODES = 1_000_000
MAX_INTEGER_BYTES = 32
ITEMS_PER_OPCODE = 64  # that calls may take in, beside the text and bytes of the file

# (module, name) -> what stands for it when it is called or its instances are built
Table = Mapping[tuple[str, str], Callable[..., Any]]

_PUSH = {
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MAKE: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_SIZED = (str, bytes, list, tuple, dict, set)
_MARK = object()


@dataclass(frozen=True)
class Global:
    """An allowed global as it lies on the stack: its name, and the caller's stand-in for it."""

    module: str
    name: str
    stand_in: Callable[..., Any]


@dataclass
class Instance:
    """An object of a class the reader has no use for: its arguments, and the state it was given."""

    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


def inert(*arguments: Any) -> Instance:
    """Stand for a class whose instances are carried along and never looked into."""
    return Instance(arguments)


def load(
    file: BinaryIO,
    table: Table,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the value of the pickle that begins at `file`'s position, and leave `file` after it.

    `persistent` turns the persistent identifiers of torch's formats into values. Raises ModelError
    for a global that is not in `table`, naming it, and for anything malformed or out of bounds.
    """
    machine = _Machine(table, persistent)
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if number >= MAX_OPCODES:
                raise ModelError(f"the pickle has more than {MAX_OPCODES} opcodes: refused")
            machine.step(opcode.name, argument)
    except ModelError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, MemoryError) as error:
        raise ModelError(f"the pickle is malformed or cut short: {error}") from error
    return machine.result()


class _Machine:
    """The stack, the memo, and one method that obeys an opcode."""

    def __init__(self, table: Table, persistent: Callable[[Any], Any] | None) -> None:
        self._table, self._persistent = table, persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._allowance = 0  # what calls may still take in: text and bytes by length, items by one

    def result(self) -> Any:
        """Return the one value that is left at the end.

        Raises ModelError where there is not exactly one.
        """
        if len(self._stack) != 1 or self._stack[0] is _MARK:
            raise ModelError("the pickle does not end with one value")
        return self._stack[0]

    def step(self, name: str, argument: Any) -> None:
        """Execute one opcode.

        Raises ModelError for an opcode that no checkpoint needs.
        """
        stack = self._stack
        self._allowance += ITEMS_PER_OPCODE
        if name in _PUSH:
            if isinstance(argument, str | bytes):
                self._allowance += 2 * len(argument)  # text to bytes, bytes to a storage
            if isinstance(argument, int) and argument.bit_length() > 8 * MAX_INTEGER_BYTES:
                raise ModelError("the pickle holds an integer longer than 32 bytes: refused")
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _MAKE:
            stack.append(_MAKE[name]())
        elif name in _TUPLES:
            stack.append(tuple(reversed([self._pop() for _ in range(_TUPLES[name])])))
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "TUPLE":
            stack.append(tuple(self._pop_to_mark()))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._top()
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._top()
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "GLOBAL":
            module, _, attribute = argument.partition(" ")
            stack.append(self._find(module, attribute))
        elif name == "STACK_GLOBAL":
            attribute, module = self._pop(), self._pop()
            stack.append(self._find(module, attribute))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = self._pop(), self._pop()
            stack.append(self._call(function, arguments))
        elif name == "BUILD":
            state = self._pop()
            self._build(self._top(), state)
        elif name == "APPEND":
            item = self._pop()
            self._extend([item])
        elif name == "APPENDS":
            self._extend(self._pop_to_mark())
        elif name == "SETITEM":
            value, key = self._pop(), self._pop()
            self._set([key, value])
        elif name == "SETITEMS":
            self._set(self._pop_to_mark())
        elif name == "ADDITEMS":
            self._add(self._pop_to_mark())
        elif name == "BINPERSID":
            stack.append(self._resolve(self._pop()))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise ModelError(
                f"the pickle uses the opcode {name}, which no checkpoint needs: refused"
            )

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise ModelError("the pickle takes a value from an empty stack")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise ModelError("the pickle takes a value from an empty stack")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while self._stack:
            item = self._stack.pop()
            if item is _MARK:
                return items[::-1]
            items.append(item)
        raise ModelError("the pickle closes a group it never opened")

    def _find(self, module: Any, name: Any) -> Global:
        key = (module, name)
        if not isinstance(module, str) or not isinstance(name, str) or key not in self._table:
            raise ModelError(f"it asks for {shown(module)}.{shown(name)}, which is not allowed")
        return Global(module, name, self._table[key])

    def _call(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise ModelError("the pickle calls something that is no function: refused")
        sized = [item for item in arguments if isinstance(item, _SIZED)]
        self._allowance -= len(arguments) + sum(map(len, sized))
        if self._allowance < 0:
            raise ModelError("the pickle uses its values far more often than it holds: refused")
        return function.stand_in(*arguments)

    @staticmethod
    def _build(target: Any, state: Any) -> None:
        """Give an object its state; containers have none that matters to a reader of tensors."""
        if isinstance(target, Instance):
            target.state = state
        elif not isinstance(target, dict | list):
            raise ModelError("the pickle gives a state to something that has none: refused")

    def _extend(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise ModelError("the pickle appends to something that is no list")
        target.extend(items)

    def _set(self, items: list[Any]) -> None:
        target = self._top()
        if isinstance(target, Instance):
            target = target.items
        if not isinstance(target, dict) or len(items) % 2:
            raise ModelError("the pickle sets items of something that is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = value

    def _add(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, set):
            raise ModelError("the pickle adds to something that is no set")
        target.update(_key(item) for item in items)

    def _resolve(self, identifier: Any) -> Any:
        if self._persistent is None:
            raise ModelError("the pickle refers to a storage outside itself, and there is none")
        return self._persistent(identifier)


def _key(value: Any) -> Any:
    """Return a key of a dict or set: plain values alone, as nested tuples take forever to hash."""
    if value is None or isinstance(value, str | int | float | bool | bytes):
        return value
    raise ModelError(f"the pickle uses a {type(value).__name__} as a key: refused")


def shown(value: Any) -> str:
    """Return a value as an error may print it: short, on one line, harmless to a terminal.

    Of anything but text and numbers, only the type is shown.
    """
    if value is None or isinstance(value, int | float):
        return repr(value)[:80]
    text = value if isinstance(value, str) else type(value).__name__
    return text[:80].encode("unicode_escape").decode("ascii")
