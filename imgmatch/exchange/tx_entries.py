"""What stands beside a signal in an index of ``tx``, as one line of JSON and back.

``tx`` keeps values of its own classes there and pickles them; a pickle runs what whoever wrote it wants. Here a line
names the class and the fields, and only classes of that kind, which are loaded already, are made from it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from threatexchange.exchanges.fetch_state import FetchedSignalMetadata, SignalOpinion

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT = "threatexchange"
_COLLECTIONS: dict[str, Callable[..., object]] = {"tuple": tuple, "set": set, "frozenset": frozenset}


def to_line(entry: object) -> str:
    """Write an entry.

    Raises:
        TypeError: it holds something that is neither plain data nor one of ``tx``'s records.
    """
    return json.dumps(_plain(entry), separators=(",", ":"))


def from_line(line: str | bytes) -> object:
    """Read what :func:`to_line` wrote; what was equal before is equal again.

    Raises:
        ValueError: it is no such line, or it names a class that is not loaded or not of ``tx``'s kind.
    """
    try:
        return _restored(json.loads(line))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError(f"no entry of an index: {error}") from error


def _plain(value: Any) -> Any:  # noqa: ANN401 -- whatever tx keeps
    """A value as JSON has it; what JSON has not becomes an object with one key, which says what it is."""
    if isinstance(value, Enum):
        return {"member": [_name(type(value)), value.name]}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [_plain(one) for one in value]
    if type(value) in (tuple, set, frozenset):
        parts = [_plain(one) for one in value]
        # Sets have no order of their own: equal ones shall give equal lines.
        return {type(value).__name__: parts if type(value) is tuple else sorted(parts, key=json.dumps)}
    if type(value) is dict:
        return {"dict": [[_plain(key), _plain(one)] for key, one in value.items()]}
    if is_dataclass(type(value)):
        return {"record": [_name(type(value)), {one.name: _plain(getattr(value, one.name)) for one in fields(value)}]}
    raise TypeError(f"an index cannot keep a {type(value).__qualname__}")


def _restored(value: Any) -> Any:  # noqa: ANN401 -- the same
    if isinstance(value, list):
        return [_restored(one) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "member":
        return _class(content[0], Enum)[content[1]]
    if kind == "record":
        return _record(*content)
    if kind == "dict":
        return {_restored(key): _restored(one) for key, one in content}
    return _COLLECTIONS[kind](map(_restored, content))


def _record(name: str, values: dict[str, Any]) -> object:
    """A record with these fields, without running what its class runs when one is made."""
    kind = _class(name, None)
    if values.keys() != {one.name for one in fields(kind)}:
        raise ValueError(f"{name} has other fields")
    made = object.__new__(kind)
    for field, value in values.items():
        object.__setattr__(made, field, _restored(value))
    return made


def _name(kind: type) -> str:
    """What a class is called.

    Raises:
        TypeError: it could not be found again by that name.
    """
    name = f"{kind.__module__}:{kind.__qualname__}"
    try:
        _class(name, Enum if issubclass(kind, Enum) else None)
    except ValueError as error:
        raise TypeError(f"an index cannot keep a {name}: {error}") from error
    return name


def _class(name: str, enumeration: type[Enum] | None) -> Any:  # noqa: ANN401 -- a class, of any kind
    """The class of that name, where it is loaded: an enumeration, or else a record of ``tx``'s kind."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = vars(found).get(part) if found is not None else None  # never asks a module, which might load another
    if not isinstance(found, type):
        raise ValueError(f"{name:.80} is not loaded")  # noqa: TRY004 -- the text is wrong
    if enumeration is not None:
        known = issubclass(found, enumeration)
    else:
        ours = module.partition(".")[0] == _ROOT or issubclass(found, (FetchedSignalMetadata, SignalOpinion))
        known = ours and is_dataclass(found)
    if not known:
        raise ValueError(f"{name:.80} is none of tx's records")
    return found
