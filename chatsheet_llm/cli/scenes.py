"""The scenes of the demo, as data: what is broken, and how the call must end then.  Plays none of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatsheet_llm.route import Route


@dataclass(frozen=True, slots=True)
class Scene:
    """One call and how it must go.

    ``faults`` are hop label and fault of the sandbox, ``hops`` every attempt as the route prints it, ``untouched`` the
    labels that no request may reach.  ``error`` is the class that the caller must get, None for a whole answer, which
    ``answered_by`` must have given.  ``waited`` is the least time slept before the last attempt, in seconds.
    """

    title: str
    tells: str
    hops: tuple[str, ...]
    answered_by: str
    model: str = "gpt-5"
    faults: tuple[tuple[str, str], ...] = ()
    untouched: tuple[str, ...] = ()
    error: str | None = None
    waited: float = 0.0


SCENES = (
    Scene(
        "healthy chain",
        "Everything is up: the first hop answers, the others are not asked.",
        hops=("litellm/chat 200",),
        answered_by="litellm/chat",
        untouched=("azure",),
    ),
    Scene(
        "proxy down",
        "The LiteLLM proxy refuses connections: Azure is asked directly.",
        faults=(("litellm", "refuse"),),
        hops=("litellm/chat refused", "azure/responses 200"),
        answered_by="azure/responses",
    ),
    Scene(
        "Responses only",
        "gpt-5-codex speaks only Responses: the chat call is translated, there and back.",
        model="gpt-5-codex",
        faults=(("litellm", "refuse"),),
        hops=("litellm/responses refused", "azure/responses 200"),
        answered_by="azure/responses",
        untouched=("azure/chat",),
    ),
    Scene(
        "unknown name",
        "The name tells nothing and the model has no chat: the same hop is asked again.",
        model="team-coder",
        faults=(("litellm/chat", "400:OperationNotSupported"),),
        hops=("litellm/chat 400", "litellm/responses 200"),
        answered_by="litellm/responses",
        untouched=("azure",),
    ),
    Scene(
        "Azure throttled",
        "Proxy down, and Azure says 429 with Retry-After 1: the call waits that long.",
        faults=(("litellm", "refuse"), ("azure", "429;retry-after=1;times=1")),
        hops=("litellm/chat refused", "azure/responses 429", "azure/responses 200"),
        answered_by="azure/responses",
        waited=1.0,
    ),
    Scene(
        "cut before text",
        "The stream ends before its first token: nobody saw it, so the next hop answers.",
        faults=(("litellm", "cut:0"),),
        hops=("litellm/chat truncated", "azure/responses 200"),
        answered_by="azure/responses",
    ),
    Scene(
        "cut amid text",
        "The stream ends after some tokens: no other model may finish that answer.",
        faults=(("litellm", "cut:8"),),
        hops=("litellm/chat truncated",),
        answered_by="litellm/chat",
        untouched=("azure",),
        error="StreamTruncated",
    ),
)
"""In the order of playing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scene went: what the caller got, and in ``wrong`` what should have been otherwise."""

    scene: Scene
    text: str
    partial: str | None
    error: str | None
    route: Route
    seconds: float
    wrong: tuple[str, ...] = field(default=())

    @property
    def got(self) -> str:
        """What the caller got, in a few words."""
        if self.error is None:
            return "whole answer"
        return f"{len((self.partial or '').split())} words, then {self.error}"


def signature(scene: Scene) -> str:
    """Return the words with which the sandbox ends an answer of the hop that must give it."""
    return f"Answered by {scene.answered_by} as {scene.model}."


def judged(scene: Scene, outcome: Outcome, prompt: str, hits: dict[str, int]) -> tuple[str, ...]:
    """Return what is wrong with an outcome, in sentences; nothing where the scene ended as it should.

    ``hits`` is the number of requests that reached each label of ``scene.untouched``.
    """
    hops = tuple(map(str, outcome.route.attempts))
    slept = outcome.route.attempts[-1].waited if outcome.route.attempts else 0.0
    whole = f"You said: {prompt}\n{signature(scene)}"
    if scene.error is None:
        right_text = outcome.text == whole
    else:
        right_text = whole.startswith(outcome.text) and 0 < len(outcome.text) < len(whole)
    checks = (
        (hops == scene.hops, f"hops were {' -> '.join(hops) or 'none'}, not {' -> '.join(scene.hops)}"),
        (outcome.error == scene.error, f"the caller got {outcome.error or 'an answer'}, not {scene.error or 'one'}"),
        (right_text, f"the text was {outcome.text!r}"),
        (outcome.partial == (outcome.text if scene.error else None), f"the partial text was {outcome.partial!r}"),
        (slept >= scene.waited, f"the last attempt came after {slept:.2f} s, not {scene.waited:g} s"),
        *((hits[label] == 0, f"{hits[label]} requests reached {label}") for label in scene.untouched),
    )
    return tuple(sentence for holds, sentence in checks if not holds)
