"""Chat Completions reply -> Responses reply.  Attaches and lists what Responses has no place for; drops nothing."""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.formats.chat_responses_reply import INCOMPLETE_REASONS
from chatsheet_llm.formats.errors import FormatError, elements, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.responses_chat_items import (
    call_ids,
    call_item,
    call_kind,
    empty_response,
    flat_annotation,
    message_item,
    reasoning_item,
    response_logprob,
    split_content,
    text_part,
)
from chatsheet_llm.formats.responses_chat_tables import RESPONSE_FIELDS
from chatsheet_llm.formats.seals import REASONING_BREAK
from chatsheet_llm.formats.shapes import integer
from chatsheet_llm.route import Loss

FINISH_REASONS: Mapping[str, str | None] = {
    **dict.fromkeys(("stop", "tool_calls", "function_call")),
    # What other servers call a stop.
    **dict.fromkeys(("end_turn", "eos", "eos_token", "stop_sequence")),
    **{finish: reason for reason, finish in INCOMPLETE_REASONS.items()},
}
"""Finish reason of Chat -> why a Response is incomplete, None for a complete one.

Any other is itself the reason why the Response is incomplete: it may be an ``error`` as well as anything else.
"""

_REPLY = frozenset(
    {
        *("choices", "created", "id", "metadata", "model", "moderation", "object", "response_fields", "response_id"),
        *("response_status", "service_tier", "usage"),
        # Padding of stream chunks, without meaning.
        "obfuscation",
    }
)
_MESSAGE = frozenset(
    {
        *("annotations", "content", "function_call", "phase", "phases", "provider_annotations", "provider_items"),
        *("provider_parts", "reasoning", "reasoning_content", "reasoning_items", "refusal", "role", "tool_calls"),
    }
)
_USAGE: Mapping[str, str] = {
    "input_tokens": "prompt_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens": "completion_tokens",
    "output_tokens_details": "completion_tokens_details",
    "total_tokens": "total_tokens",
}


def chat_to_responses_reply(
    reply: Mapping[str, object], places: dict[str, str] | None = None
) -> tuple[dict[str, object], list[Loss]]:
    """Return the Response that says what a ChatCompletion says, and what it had to attach.

    The output is the reasoning, one message, then the calls, as Chat tells no order; the first choice is the answer.
    Reasoning text of any provider becomes the summary of a reasoning item.  An empty text says nothing, so it makes no
    message.  What ``responses_to_chat`` attached (``reasoning_items``, ``provider_*``, ``phase``, ``response_*``) goes
    back to its place.  Anything else without a place is attached to the Response under its own name, or under
    ``chat_`` and its name where that is taken; other choices as ``choices``.  A finish reason that nobody knows is why
    the Response is incomplete, and a call whose id an earlier one has gets another.  Each of these is listed as a loss.
    What only the request knows (tools, temperature, ...) has the neutral value that the type requires.

    ``places`` takes where each thing stood: path in the result -> path in ``reply``.  Raises FormatError for what is
    no ChatCompletion.
    """
    choices = objects(reply.get("choices"), "choices")
    if not choices:
        raise FormatError("choices", "is empty, so there is no answer")
    at, choice = choices[0]
    fields = reply.get("response_fields")
    response = empty_response(reply) | (dict(fields) if isinstance(fields, Mapping) else {})
    answer = _Answer(response, {} if places is None else places)
    answer.finish(choice, at)
    response["output"] = answer.output(mapping(choice.get("message"), f"{at}.message"), choice, at)
    for name in ("metadata", "service_tier"):
        if reply.get(name) is not None:
            response[name] = reply[name]
    if isinstance(reply.get("moderation"), Mapping):
        response["moderation"] = answer.moderation(mapping(reply["moderation"], "moderation"))
    if isinstance(reply.get("usage"), Mapping):
        response["usage"] = answer.usage(mapping(reply["usage"], "usage"))
    answer.attach_rest(choice, {"index", "message", "finish_reason", "logprobs"}, at)
    known = _REPLY if isinstance(fields, Mapping) else _REPLY - {"response_fields"}
    answer.attach_rest(reply, known, "")
    if others := [dict(other) for _, other in choices[1:]]:
        response["choices"] = others
        answer.places["choices"] = choices[1][0]
        for index, (path, _) in enumerate(choices[1:]):
            answer.places[f"choices[{index}]"] = path
            answer.ledger.lose(path, "Responses has one answer, attached as choices")
    return response, answer.ledger.losses


class _Answer:
    """Fills one Response, and keeps what it had to attach and where everything stood."""

    def __init__(self, response: Object, places: dict[str, str]) -> None:
        self.response = response
        self.ledger = Ledger("responses")
        self.places = places
        places["created_at"] = "created"

    def finish(self, choice: Mapping[str, object], at: str) -> None:
        reason, path = choice.get("finish_reason") or None, f"{at}.finish_reason"
        if reason is not None and not isinstance(reason, str):
            raise FormatError(path, f"must be a string, not {named(reason)}")
        # Vision previews told it here alone, as recorded.
        details = choice.get("finish_details")
        if reason is None and isinstance(details, Mapping) and details.get("type") == "max_tokens":
            reason = "length"
        elif reason is None:
            self.ledger.lose(path, "it did not come, so the answer is taken for a whole one")
        incomplete = None if reason is None else FINISH_REASONS.get(reason, reason)
        self.response["status"] = "completed" if incomplete is None else "incomplete"
        if incomplete is not None:
            self.response["incomplete_details"] = {"reason": incomplete}
        if reason is not None and reason not in FINISH_REASONS:
            self.ledger.lose(path, f"Responses has no {named(reason)}, it is the reason of an incomplete answer")
        self.places |= dict.fromkeys(("status", "incomplete_details", "incomplete_details.reason"), path)

    def output(self, message: Mapping[str, object], choice: Mapping[str, object], at: str) -> list[Object]:
        path = f"{at}.message"
        items = self._reasoning(message, path)
        for where, item in objects(message.get("provider_items") or [], f"{path}.provider_items"):
            self.places[f"output[{len(items)}]"] = where
            items.append(dict(item))
        items += self._messages(message, choice, path, len(items))
        items += self._calls(message, path, len(items))
        if items and "status" in items[-1] and self.response["status"] == "incomplete":
            items[-1]["status"] = "incomplete"
        self.attach_rest(message, _MESSAGE, path)
        return items

    def _calls(self, message: Mapping[str, object], path: str, place: int) -> list[Object]:
        calls = objects(message.get("tool_calls") or [], f"{path}.tool_calls")
        tools = [f"{at}.{call_kind(call)}" for at, call in calls]
        if message.get("function_call"):
            tools.append(f"{path}.function_call")
            calls.append((tools[-1], {"function": mapping(message["function_call"], tools[-1])}))
        items, reply_id = [], self.response["id"]
        ids = call_ids((call for _, call in calls), reply_id)
        for number, ((at, call), tool) in enumerate(zip(calls, tools, strict=True)):
            here = f"output[{place + number}]"
            self.places |= {here: at, f"{here}.call_id": f"{at}.id"}
            self.places |= {f"{here}.{name}": f"{tool}.{name}" for name in ("name", "arguments", "input")}
            items.append(call_item(call, ids[number], reply_id, number, at, self.ledger))
        return items

    def _reasoning(self, message: Mapping[str, object], path: str) -> list[Object]:
        items = objects(message.get("reasoning_items") or [], f"{path}.reasoning_items")
        texts = {name: message[name] for name in ("reasoning_content", "reasoning") if message.get(name)}
        shown = next((text for text in texts.values() if isinstance(text, str)), None)
        made: list[Object] = [dict(item) for _, item in items]
        for index, (at, _) in enumerate(items):
            self.places[f"output[{index}]"] = at
        if made:
            shown = _told(items)
        elif shown is not None:
            name = next(name for name, text in texts.items() if text == shown)
            self.places |= dict.fromkeys(("output[0]", "output[0].summary[0].text"), f"{path}.{name}")
            made = [reasoning_item(self.response["id"], shown)]
        for name, text in texts.items():
            if text != shown:
                self._attach(name, text, f"{path}.{name}")
        return made

    def _messages(
        self, message: Mapping[str, object], choice: Mapping[str, object], path: str, place: int
    ) -> list[Object]:
        text, others = split_content(message.get("content"), f"{path}.content")
        parts: list[Object] = [text_part(text, [], [])] if text else []
        phases = elements(message.get("phases") or [message.get("phase")], f"{path}.phases")
        here, at = f"output[{place + len(phases) - 1}]", path.removesuffix(".message")
        self._annotate(message, parts, path, f"{here}.content[0]")
        self._add_logprobs(choice.get("logprobs"), parts, at)
        if parts:
            self.places[f"{here}.content[0].text"] = f"{path}.content"
            self.places[f"{here}.content[0].logprobs"] = f"{at}.logprobs.content"
        if message.get("refusal"):
            refused = f"{here}.content[{len(parts)}]"
            self.places |= dict.fromkeys((refused, f"{refused}.refusal"), f"{path}.refusal")
            parts.append({"type": "refusal", "refusal": string(message, "refusal", path)})
        for where, _ in others:
            self.ledger.lose(where, "Responses has no such part, attached to the message as it is")
        for where, part in others + objects(message.get("provider_parts") or [], f"{path}.provider_parts"):
            self.places[f"{here}.content[{len(parts)}]"] = where
            parts.append(dict(part))
        if not parts and not any(phases):
            return []
        self.places[here] = path
        if len(phases) > 1:
            self.ledger.lose(f"{path}.phases", "it is not told whose text is whose, so the last message has it all")
        items = [message_item(self.response["id"], [], phase, number) for number, phase in enumerate(phases[:-1], 2)]
        return [*items, message_item(self.response["id"], parts, phases[-1])]

    def _annotate(self, message: Mapping[str, object], parts: list[Object], path: str, here: str) -> None:
        """Put the annotations on the text, which stands ``here``; those of the provider go back to it as they were."""
        flat: list[object] = []
        others: list[Object] = []
        for at, annotation in objects(message.get("annotations") or [], f"{path}.annotations"):
            made = flat_annotation(annotation)
            if made is None:
                others.append(dict(annotation))
                continue
            cited = f"{here}.annotations[{len(flat)}]"
            self.places |= {cited: at, **{f"{cited}.{name}": f"{at}.url_citation.{name}" for name in made}}
            flat.append(made)
        if others:
            self._attach("annotations", others, f"{path}.annotations")
        for at, kept in objects(message.get("provider_annotations") or [], f"{path}.provider_annotations"):
            if kept.get("annotation") is not None:
                self.places[f"{here}.annotations[{len(flat)}]"] = f"{at}.annotation"
                flat.append(kept["annotation"])
        if flat:
            # Citations without a text still have to stand somewhere.
            parts[:] = [text_part("", flat, [])] if not parts else [parts[0] | {"annotations": flat}, *parts[1:]]

    def _add_logprobs(self, given: object, parts: list[Object], at: str) -> None:
        if not isinstance(given, Mapping):
            return
        tokens = elements(given.get("content") or [], f"{at}.logprobs.content")
        if parts:
            parts[0]["logprobs"] = [response_logprob(entry) for entry in tokens]
        kept = {
            name: value for name, value in given.items() if not (is_nothing(value) or (parts and name == "content"))
        }
        if kept:
            self._attach("logprobs", kept, f"{at}.logprobs")

    def usage(self, given: Mapping[str, object]) -> Object:
        """The token counts by the names of Responses; details that it requires are zero where Chat says nothing."""
        prompt, answer = (integer(given.get(name)) for name in ("prompt_tokens", "completion_tokens"))
        total = given.get("total_tokens")
        counted: Object = {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": answer,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + answer if total is None else integer(total),
        }
        for ours in ("input_tokens_details", "output_tokens_details"):
            details, zeros = given.get(_USAGE[ours]), counted[ours]
            if isinstance(details, Mapping) and isinstance(zeros, dict):
                counted[ours] = zeros | {name: value for name, value in details.items() if value is not None}
        for name, value in given.items():
            if name not in _USAGE.values() and value is not None:
                counted[name] = value
                # A count of zero says as much as no count.
                if value:
                    self.ledger.lose(f"usage.{name}", "Responses has no such count, attached to the usage")
        self.places |= {f"usage.{ours}": f"usage.{theirs}" for ours, theirs in _USAGE.items()}
        return counted

    def moderation(self, given: Mapping[str, object]) -> Object:
        """Both verdicts; Chat has a list of results on each side, Responses one."""
        verdicts: Object = dict(given)
        for side, verdict in given.items():
            results = verdict.get("results") if isinstance(verdict, Mapping) else None
            if isinstance(results, list) and len(results) == 1:
                verdicts[side] = results[0]
            elif isinstance(results, list):
                self.ledger.lose(f"moderation.{side}", "Responses has one result, the list is attached as it is")
        return verdicts

    def attach_rest(self, given: Mapping[str, object], known: frozenset[str] | set[str], path: str) -> None:
        for name, value in given.items():
            if name not in known and not is_nothing(value):
                self._attach(name, value, f"{path}.{name}" if path else name)

    def _attach(self, name: str, value: object, path: str) -> None:
        key = name
        while key in RESPONSE_FIELDS or key in self.response:
            key = f"chat_{key}"
        self.response[key] = value
        self.places[key] = path
        self.ledger.lose(path, f"Responses has no place for {name!r} here, attached as {key!r}")


def _told(items: list[tuple[str, Mapping[str, object]]]) -> str:
    """The reasoning text that ``responses_to_chat`` shows of these items."""
    fields = [(f"{at}.{name}", item.get(name) or []) for at, item in items for name in ("summary", "content")]
    parts = [part for at, given in fields for part in elements(given, at)]
    return REASONING_BREAK.join(str(part["text"]) for part in parts if isinstance(part, Mapping) and part.get("text"))
