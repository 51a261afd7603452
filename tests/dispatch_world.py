"""Everything that a dispatch is made from: endpoints, chains, models, bodies, lessons.  No network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planning import Clock

from chatsheet_llm.dispatch import dispatch
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import Endpoint, build
from chatsheet_llm.hops import Call, Dispatch
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.origins import Origins
from chatsheet_llm.outlook import Outlooks
from chatsheet_llm.route import Mode

MESSAGES = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
PATHS: Mapping[Mode, str] = {"chat": "/chat/completions", "responses": "/responses"}


def endpoint(name: str, **fields: object) -> Endpoint:
    return build(
        name, EndpointSettings.model_validate({"base_url": f"https://{name}.example", "api_key": "key", **fields})
    )


ENDPOINTS: Mapping[str, Endpoint] = {
    **{name: endpoint(name) for name in ("litellm", "azure", "openai", "anthropic")},
    "eu": endpoint("eu", kind="azure", boundary="eu"),
    "us": endpoint("us", kind="openai", boundary="us"),
    **{f"place{number}": endpoint(f"place{number}", kind="openai") for number in range(20)},
}
CHAINS = (
    ("litellm", "azure/responses", "azure/chat"),
    ("azure/responses", "azure", "litellm", "openai/chat"),
    ("anthropic", "litellm/responses", "nowhere", "azure"),
    ("eu", "us", "azure", "eu/chat", "litellm"),
    ("azure/chat", "anthropic"),
)
MODELS = (
    ModelSpec("fast", base_model="gpt-4.1", deployments={"azure": "prod-7"}, max_tokens=100),
    ModelSpec("coder", base_model="gpt-5-codex", reasoning_effort="low"),
    ModelSpec("thinker", base_model="gpt-5.4", reasoning_effort="high", verbosity_level="low"),
    ModelSpec("own", mode="responses", chain=("azure", "openai/chat")),
    ModelSpec("*", api_model="claude-sonnet-4-5"),
)
REGISTRIES = (Registry(), Registry({spec.alias: spec for spec in MODELS}, chains={"azure": ("eu", "azure")}))
BODIES: tuple[tuple[Mode, Mapping[str, object]], ...] = (
    ("chat", {"messages": MESSAGES}),
    ("chat", {"messages": [], "temperature": 0.2}),
    ("chat", {"messages": MESSAGES, "temperature": 0.5, "reasoning_effort": "minimal", "max_tokens": 50}),
    ("chat", {"messages": MESSAGES, "tools": TOOLS, "reasoning_effort": "low"}),
    ("chat", {"messages": MESSAGES, "n": 2, "logit_bias": {"5": 1}}),
    ("chat", {"messages": [{"role": "alien", "content": "hi"}]}),
    ("chat", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}),
    ("chat", {"messages": [*MESSAGES, {"role": "assistant", "content": "yes", "phase": "final"}, *MESSAGES]}),
    (
        "chat",
        {
            "messages": [
                *MESSAGES,
                {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "thinking", "signature": "sig"}]},
                *MESSAGES,
            ]
        },
    ),
    ("responses", {"input": "hi", "max_output_tokens": 200}),
    ("responses", {"input": "hi", "previous_response_id": "resp_1"}),
    ("responses", {"input": "hi", "background": True, "store": True}),
    ("responses", {"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}, *MESSAGES]}),
)
LESSONS: tuple[tuple[tuple[str, str, Mode, str], ...], ...] = (
    (),
    (("azure", "prod-7", "chat", "capability"), ("litellm", "gpt-5", "chat", "deployment")),
    (("azure", "gpt-5", "chat", "streaming"), ("azure", "gpt-5", "responses", "tools_on_chat")),
    tuple((name, "gpt-5", "chat", "deployment") for name in ENDPOINTS),
)


class World:
    """Everything that a dispatch is made from, with outlooks that are kept from call to call."""

    def __init__(self, registry: Registry = REGISTRIES[0], endpoints: Mapping[str, Endpoint] = ENDPOINTS) -> None:
        self.clock = Clock()
        self.endpoints, self.registry = endpoints, registry
        self.learned, self.origins = Learned(clock=self.clock), Origins()
        self.known = ("nowhere",)
        self.outlooks = Outlooks(endpoints, registry, self.known)

    def asked(
        self, caller: Mode, body: Mapping[str, object], chain: Sequence[str], *, kept: bool = True, **call: object
    ) -> Dispatch:
        fields: dict[str, object] = {"stream": False, **call}
        return dispatch(
            Call("post", PATHS[caller], caller, body, **fields),  # type: ignore[arg-type]
            endpoints=self.endpoints,
            registry=self.registry,
            chain=chain,
            known=self.known,
            origins=self.origins,
            learned=self.learned,
            outlooks=self.outlooks if kept else None,
        )


def listed(found: Dispatch) -> tuple[object, ...]:
    """All of it, read at once."""
    return tuple(found.hops), tuple(found.skipped), tuple(found.losses)
