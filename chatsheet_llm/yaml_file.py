"""Read the nodes of a YAML file, and collect what is wrong with each by its line.  Knows no key and no meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import yaml

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.values import RepeatedError, clean_text, unknown_name

_REFERENCE: Final = re.compile(
    r"\$(?P<escaped>\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{"
)
_MERGE: Final = "tag:yaml.org,2002:merge"
_NULL: Final = "tag:yaml.org,2002:null"

Pairs = dict[str, tuple[yaml.Node, yaml.Node]]
"""Key to (key node, value node)."""

_T = TypeVar("_T")


class YamlFile:
    """One YAML file as nodes, which know their lines.

    What is wrong goes to ``problems`` (``path:line: where: what``), and the reading goes on; so one run finds all.
    ``where`` is the dotted name of a node (``endpoints.azure.api_key``), empty for the file itself.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = Path(path)
        self.environ = environ
        self.problems: list[str] = []

    def fail(self, node: yaml.Node, where: str, what: object) -> None:
        """Add a problem."""
        place = f"{where}: " if where else ""
        self.problems.append(f"{self.path}:{node.start_mark.line + 1}: {place}{what}")

    def by_line(self) -> list[str]:
        """Return the problems in the order of the file, each once."""
        begin = len(f"{self.path}:")
        return sorted(dict.fromkeys(self.problems), key=lambda problem: int(problem[begin:].partition(":")[0]))

    def shown(self, node: yaml.Node, text: str) -> str:
        """Return the text of a node for a sentence: as it is written where it has references, which may be secret."""
        return str(node.value) if _refers(node) else text

    def top(self) -> Pairs:
        """Return the mapping that the file is; empty for an empty file.

        Raises SettingsError for a file that cannot be read, or is not YAML.
        """
        try:
            root = yaml.compose(self.path.read_bytes().decode("utf-8-sig"), Loader=yaml.SafeLoader)
        except FileNotFoundError:
            problem = f"{self.path}: there is no such file"
        except OSError as error:
            problem = f"{self.path}: cannot be read ({error.strerror})"
        except UnicodeDecodeError:
            problem = f"{self.path}: is not UTF-8 text; save it as UTF-8"
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{self.path}:{mark.line + 1}:{mark.column + 1}" if mark else str(self.path)
            problem = f"{place}: is not valid YAML: {error.problem or error.context}"
        except yaml.YAMLError:
            problem = f"{self.path}: holds a character that YAML does not allow"
        else:
            return {} if root is None else self.mapping(root, "")
        # Raised here, outside of the handlers: the error from YAML holds the text of the file, secrets and all.
        raise SettingsError(problem)

    def mapping(self, node: yaml.Node, where: str, within: tuple[yaml.Node, ...] = ()) -> Pairs:
        """Return the pairs of a mapping; ``<<`` merges fill in what the mapping itself does not say.

        ``within`` are the mappings that are being merged already.
        """
        found: Pairs = {}
        if node.tag == _NULL:
            return found
        if not isinstance(node, yaml.MappingNode):
            self.fail(node, where, "must be a mapping (name: value)")
            return found
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                self.fail(key, where, "a name must be plain text")
            elif key.value in found:
                first = found[key.value][0].start_mark.line + 1
                self.fail(key, f"{where}.{key.value}" if where else key.value, f"is given twice; first on line {first}")
            else:
                found[key.value] = (key, value)
        for source in sources_of(node):
            if source in (*within, node):
                self.fail(node, where, "merges itself")
                continue
            for name, pair in self.mapping(source, where, (*within, node)).items():
                found.setdefault(name, pair)
        return found

    def fields(self, node: yaml.Node, where: str, allowed: Iterable[str]) -> Pairs:
        """Return the pairs of a mapping whose keys are known; the others are problems."""
        found = self.mapping(node, where)
        allowed = tuple(allowed)
        for name, (key, _) in found.items():
            if name not in allowed:
                self.fail(key, where, unknown_name(name, allowed))
        return {name: pair for name, pair in found.items() if name in allowed}

    def text(self, node: yaml.Node, where: str) -> str | None:
        """Return a scalar as it is written (so ``2025-04-01`` and ``4.1`` stay text), with its references filled in.

        None where it is not set, or wrong.
        """
        return self.checked(node, where, str)

    def checked(self, node: yaml.Node, where: str, check: Callable[[str], _T]) -> _T | None:
        """Return what ``check`` makes of the text of a node, None where it is not set or wrong.

        ``check`` raises ValueError with the problem.
        """
        if not isinstance(node, yaml.ScalarNode):
            self.fail(node, where, "must be a single value")
            return None
        if node.tag == _NULL:
            return None
        try:
            text = clean_text(self._expanded(node.value))
        except ValueError as problem:
            self.fail(node, where, problem)
            return None
        return None if text is None else self.tried(node, where, text, check)

    def tried(self, node: yaml.Node, where: str, text: str, check: Callable[[str], _T]) -> _T | None:
        """Return what ``check`` makes of a text that stands in this node, None where it is wrong.

        The problem of a text with references is told of the references: what they stand for may be a secret.
        """
        try:
            return check(text)
        except RepeatedError as problem:
            said = _said_of_references(node, check) if _refers(node) else str(problem)
        except ValueError as problem:
            said = str(problem)
        self.fail(node, where, said)
        return None

    def texts(self, node: yaml.Node, where: str) -> dict[str, str | None]:
        """Return the texts of a mapping, by key."""
        return {name: self.text(value, f"{where}.{name}") for name, (_, value) in self.mapping(node, where).items()}

    def names(self, node: yaml.Node, where: str) -> list[tuple[yaml.Node, str]]:
        """Return the items of a list, or of one text with commas, each with its node.  Empty ones are left out."""
        if isinstance(node, yaml.SequenceNode):
            items = [(item, self.text(item, f"{where}[{index}]")) for index, item in enumerate(node.value)]
        else:
            items = [(node, part.strip()) for part in (self.text(node, where) or "").split(",")]
        return [(item, text) for item, text in items if text]

    def tried_each(self, node: yaml.Node, where: str, check: Callable[[str], _T]) -> list[_T]:
        """Return what ``check`` makes of each item, as `tried` does, without those that are wrong."""
        made = [self.tried(item, where, text, check) for item, text in self.names(node, where)]
        return [each for each in made if each is not None]

    def _expanded(self, text: str) -> str:
        def value_of(found: re.Match[str]) -> str:
            if found["escaped"]:
                return "${"
            name, default = found["name"], found["default"]
            if not name:
                raise ValueError(
                    "holds an unfinished reference; write ${NAME} or ${NAME:-default} ($${ for a plain ${)"
                )
            value = self.environ.get(name) or default
            if value is None:
                raise ValueError(f"the variable {name} is not set; set it, or write ${{{name}:-}} to go without")
            return value

        return _REFERENCE.sub(value_of, text)


def is_unset(node: yaml.Node) -> bool:
    """Whether a key stands there without a value."""
    return node.tag == _NULL


def keys_of(node: yaml.Node) -> set[str]:
    """Return the keys of a mapping itself; none of what is no mapping."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return {key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode)}


def sources_of(node: yaml.Node) -> list[yaml.Node]:
    """Return the mappings that this one merges by ``<<``; none of what is no mapping."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    merged = [value for key, value in pairs if key.tag == _MERGE]
    return [each for value in merged for each in (value.value if isinstance(value, yaml.SequenceNode) else [value])]


def _refers(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and any(found["name"] for found in _REFERENCE.finditer(node.value))


def _said_of_references(node: yaml.Node, check: Callable[[str], object]) -> str:
    try:
        check(str(node.value))
    except ValueError as problem:
        return str(problem)
    return f"{node.value!r} stands for a value that does not fit here; correct the variable"
