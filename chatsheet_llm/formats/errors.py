"""The one error of the bridges, and the readers that raise it.  They check shapes and convert nothing."""

from __future__ import annotations

from collections.abc import Mapping


class FormatError(ValueError):
    """A body, reply or event that is not of its wire format.

    ``path`` is where it went wrong, in the words of that format (``messages[2].role``), and empty for the whole;
    ``reason`` is one sentence that holds no content of the conversation.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[FormatError], tuple[str, str]]:
        # The default rebuilds an exception from args, which holds the one joined text.
        return type(self), (self.path, self.reason)


def mapping(value: object, path: str) -> Mapping[str, object]:
    """Return ``value`` if it is a JSON object.  Raises FormatError."""
    if not isinstance(value, Mapping):
        raise FormatError(path, f"must be an object, not {_kind(value)}")
    return value


def string(given: Mapping[str, object], name: str, path: str) -> str:
    """Return the text at ``name`` of an object that stands at ``path``.  Raises FormatError."""
    value = given.get(name)
    if not isinstance(value, str):
        raise FormatError(f"{path}.{name}" if path else name, f"must be a string, not {_kind(value)}")
    return value


def elements(value: object, path: str) -> list[object]:
    """Return the elements of a JSON list.  Raises FormatError."""
    if not isinstance(value, (list, tuple)):
        raise FormatError(path, f"must be a list, not {_kind(value)}")
    return list(value)


def objects(value: object, path: str) -> list[tuple[str, Mapping[str, object]]]:
    """Return each object of a JSON list with its own path.  Raises FormatError."""
    paths = [f"{path}[{index}]" for index in range(len(elements(value, path)))]
    return [(at, mapping(element, at)) for at, element in zip(paths, elements(value, path), strict=True)]


def named(value: object) -> str:
    """Return how a message quotes a role or type: a name as it is, anything else by its kind, as it may be content."""
    return repr(value[:40]) if isinstance(value, str) else _kind(value)


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__
