"""Find in a request what an earlier reply left and only its maker can read, and take it out.  Decides no return.

Encrypted reasoning, signatures, and the ids of responses, conversations, items and files are at home in one format of
one endpoint.  A request is read in its caller's format, before any bridge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from chatsheet_llm.formats.seals import open_reasoning, open_thinking
from chatsheet_llm.route import Loss, Mode

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Seal:
    """One piece of state in a request.

    ``at`` leads to what is taken out, a whole item or a single field.  ``token`` is what its maker is remembered by:
    the seal itself, or an id.  ``home`` is the format that it is at home in, None where every format of its endpoint
    takes it.  ``holds`` says that the request means something else without it, so that it cannot be taken out.
    ``instead`` is what stands there after, where the shape needs something.  ``says`` marks what others could have
    read: the result of a tool, say.  To take that out is no minor loss.
    """

    at: Path
    token: str
    home: Mode | None
    holds: bool = False
    instead: str | None = None
    says: bool = False

    @property
    def path(self) -> str:
        """Where it stands, in the words of the body."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.at).lstrip(".")


def seals(caller: Mode, body: Mapping[str, object]) -> list[Seal]:
    """Return every piece of state in a request, in order."""
    return list(_READERS[caller](body))


def tokens(mode: Mode, reply: Mapping[str, object]) -> Iterator[str]:
    """Yield what a reply, or an event of a stream, is remembered by: its id, its items' ids and its seals."""
    for holder in (reply, reply.get("response"), reply.get("message")):
        if isinstance(holder, Mapping):
            yield from _own(holder)
    for item in (reply.get("item"), reply.get("content_block"), reply.get("delta")):
        if isinstance(item, Mapping):
            yield from _tokens_of(item)
    if mode == "chat":
        for choice in _list(reply.get("choices")):
            for said in (_get(choice, "message"), _get(choice, "delta")):
                for block in _list(_get(said, "thinking_blocks")):
                    yield from _tokens_of(block)
                yield from _strings(_get(said, "audio"), ("id",))


def without(body: Mapping[str, object], found: Sequence[Seal], mode: Mode) -> tuple[Mapping[str, object], list[Loss]]:
    """Return the request without these pieces, and a loss for each; the very same body where there are none."""
    if not found:
        return body, []
    made = body
    # From the end, so that what is taken out of a list moves nothing that is still to come.
    for seal in reversed(found):
        cut = _cut(made, seal.at, seal.instead)
        assert isinstance(cut, Mapping)
        made = cut
    reason = "only the endpoint that made it takes it back"
    return made, [Loss(mode, seal.path, reason, minor=not seal.says) for seal in found]


_EVENTS: Mapping[Mode, frozenset[str]] = MappingProxyType(
    {
        "chat": frozenset(),
        "responses": frozenset(
            {"response.created", "response.output_item.done", "response.completed", "response.incomplete"}
        ),
        "messages": frozenset({"message_start", "content_block_start", "content_block_delta"}),
    }
)
"""The events that may bring something to remember."""


def tells(mode: Mode, event: Mapping[str, object]) -> bool:
    """Whether an event may bring something that :func:`tokens` finds; most bring text alone."""
    if mode == "chat":
        return any(
            "thinking_blocks" in delta or "audio" in delta
            for choice in _list(event.get("choices"))
            if isinstance(delta := _get(choice, "delta"), Mapping)
        )
    return event.get("type") in _EVENTS[mode] and _get(event.get("delta"), "type") not in _PLAIN


_PLAIN = ("text_delta", "input_json_delta", "thinking_delta", "citations_delta")
_IN_MESSAGES = ("thinking", "redacted_thinking")
_NAMED = frozenset(
    {
        *("message", "function_call", "custom_tool_call"),
        *("computer_call", "local_shell_call", "shell_call", "apply_patch_call"),
    }
)
"""Items that mean the same without their id."""
_HOSTED = frozenset(
    {
        *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call"),
        *("mcp_approval_request", "mcp_list_tools", "tool_search_call", "tool_search_output"),
        *("program", "program_output"),
    }
)
"""Items that a hosted tool left; their ids are looked up."""
_NEED_ID = frozenset({"computer_call", "local_shell_call"})
_RESULTS = ("result", "results", "output", "outputs")
_BLOCKS = ("server_tool_use", "_tool_result", "mcp_tool_use", "container_upload")
"""How the types of Claude's own blocks end, which stand among the items of an answer that was bridged."""
_LATER = frozenset({"previous_response_id", "conversation", "prompt"})


def _own(holder: Mapping[str, object]) -> Iterator[str]:
    yield from _strings(holder, ("id",))
    for field in ("output", "content", "data"):
        for item in _list(holder.get(field)):
            yield from _tokens_of(item)
    for field in ("conversation", "container"):
        yield from _strings(holder.get(field), ("id",))


def _tokens_of(item: object) -> Iterator[str]:
    yield from _strings(item, ("id", "encrypted_content", "signature", "data", "container_id", "tool_use_id"))
    for part in _list(_get(item, "content")):
        for note in _list(_get(part, "annotations")):
            yield from _strings(note, ("container_id", "file_id"))


def _strings(holder: object, names: Sequence[str]) -> Iterator[str]:
    if isinstance(holder, Mapping):
        for name in names:
            value = holder.get(name)
            if isinstance(value, str) and value:
                yield value


# --- readers, one for each caller's format ---------------------------------------------------------------------------


def _chat(body: Mapping[str, object]) -> Iterator[Seal]:
    for index, message in enumerate(_list(body.get("messages"))):
        if not isinstance(message, Mapping):
            continue
        at: Path = ("messages", index)
        for number, item in enumerate(_list(message.get("reasoning_items"))):
            yield from _reasoning((*at, "reasoning_items", number), item)
        extras = message.get("provider_specific_fields")
        for holder, where in ((message, at), (extras, (*at, "provider_specific_fields"))):
            for number, block in enumerate(_list(_get(holder, "thinking_blocks"))):
                for token in _strings(block, ("signature", "data")):
                    yield Seal((*where, "thinking_blocks", number), token, "chat")
        for token in _strings(message.get("audio"), ("id",)):
            yield Seal((*at, "audio"), token, "chat", holds=True)
        for number, part in enumerate(_list(message.get("content"))):
            for token in _strings(_get(part, "file"), ("file_id",)):
                yield Seal((*at, "content", number, "file", "file_id"), token, None, holds=True)


def _responses(body: Mapping[str, object]) -> Iterator[Seal]:
    for name in body:
        if name in _LATER:
            value = body[name]
            for token in _strings({"id": value} if isinstance(value, str) else value, ("id",)):
                yield Seal((name,), token, "responses", holds=True)
    for index, tool in enumerate(_list(body.get("tools"))):
        yield from _tool(("tools", index), tool)
    for index, item in enumerate(_list(body.get("input"))):
        if isinstance(item, Mapping):
            yield from _item(("input", index), item)


def _tool(at: Path, tool: object) -> Iterator[Seal]:
    """The container, files and vector stores that a hosted tool works on."""
    container = _get(tool, "container")
    named = [((*at, "container"), token) for token in _strings(tool, ("container",))]
    named += [((*at, "container", "id"), token) for token in _strings(container, ("id",))]
    yield from (Seal(path, token, "responses", holds=True) for path, token in named)
    lists = ((("vector_store_ids",), tool), (("container", "file_ids"), container))
    for where, holder in lists:
        for number, token in enumerate(_list(_get(holder, where[-1]))):
            if isinstance(token, str):
                yield Seal((*at, *where, number), token, None, holds=True)


def _item(at: Path, item: Mapping[str, object]) -> Iterator[Seal]:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if not isinstance(kind, str):
        return
    for token in _strings(item.get("output"), ("file_id",)):
        yield Seal((*at, "output", "file_id"), token, None, holds=True)
    for field in ("content", "output"):
        for number, part in enumerate(_list(item.get(field))):
            for token in _strings(part, ("file_id",)):
                yield Seal((*at, field, number, "file_id"), token, None, holds=True)
    if kind == "reasoning":
        yield from _reasoning(at, item)
    elif kind == "compaction":
        for token in _strings(item, ("encrypted_content", "id")):
            yield Seal(at, token, "responses", holds=True)
            return
    elif kind == "item_reference":
        yield from (Seal(at, token, "responses", holds=True) for token in _strings(item, ("id",)))
    elif kind == "mcp_approval_response":
        for token in _strings(item, ("approval_request_id",)):
            yield Seal(at, token, "responses", holds=True)
    elif kind in _NAMED:
        # An answer in parts must have an id; one that names its place is nobody's.
        needs = kind in _NEED_ID or (kind == "message" and _list(item.get("content")))
        instead = f"msg_{at[-1]}" if needs else None
        if item.get("id") != instead:
            yield from (Seal((*at, "id"), token, "responses", instead=instead) for token in _strings(item, ("id",)))
    elif kind in _HOSTED:
        says = any(item.get(name) for name in _RESULTS)
        yield from (Seal(at, token, "responses", says=says) for token in _strings(item, ("id",)))
    elif kind.endswith(_BLOCKS):
        for token in _strings(item, ("tool_use_id", "id")):
            yield Seal(at, token, "messages", says=kind.endswith("_tool_result"))
            return


def _reasoning(at: Path, item: object) -> Iterator[Seal]:
    if not isinstance(item, Mapping):
        return
    opened = open_thinking(item.get("encrypted_content"))
    if opened is not None:
        yield Seal(at, opened[1], "messages")
        return
    for token in _strings(item, ("encrypted_content", "id")):
        yield Seal(at, token, "responses")
        return


def _messages(body: Mapping[str, object]) -> Iterator[Seal]:
    container = body.get("container")
    for token in _strings({"id": container} if isinstance(container, str) else container, ("id",)):
        yield Seal(("container",), token, "messages", holds=True)
    turns = _list(body.get("messages"))
    # With a thinking budget, a turn that waits for the results of its tools must still begin with its thinking.
    waits = _get(body.get("thinking"), "type") == "enabled" and any(
        _get(block, "type") == "tool_result" for block in _list(_get(turns[-1], "content") if turns else None)
    )
    for index, message in enumerate(turns):
        for number, block in enumerate(_list(_get(message, "content"))):
            at: Path = ("messages", index, "content", number)
            if _get(block, "type") in _IN_MESSAGES:
                yield from _thinking(at, block, holds=waits and index == len(turns) - 2)
            for token in _strings(_get(block, "source"), ("file_id",)):
                yield Seal((*at, "source", "file_id"), token, None, holds=True)


def _thinking(at: Path, block: object, *, holds: bool) -> Iterator[Seal]:
    item = open_reasoning(_get(block, "signature"))
    if item is not None:
        yield from _reasoning(at, item)
        return
    for token in _strings(block, ("signature", "data")):
        yield Seal(at, token, "messages", holds)


_READERS: Mapping[Mode, Callable[[Mapping[str, object]], Iterator[Seal]]] = MappingProxyType(
    {"chat": _chat, "responses": _responses, "messages": _messages}
)


# --- JSON ------------------------------------------------------------------------------------------------------------


_GONE = object()
"""Stands for something that said nothing but what was taken out of it."""


def _cut(node: object, at: Path, instead: str | None) -> object:
    step, rest = at[0], at[1:]
    if isinstance(step, int):
        items = list(node) if isinstance(node, (list, tuple)) else []
        left = _cut(items[step], rest, instead) if rest else _GONE
        items[step : step + 1] = [] if left is _GONE else [left]
        return items
    fields = dict(node) if isinstance(node, Mapping) else {}
    left = _cut(fields[step], rest, instead) if rest else instead
    if left == [] and step == "content":
        return _GONE
    if left in (None, []) and step not in ("messages", "input"):
        del fields[step]
    else:
        fields[step] = left
    return fields


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def _get(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, Mapping) else None
