"""``client.reload()`` over real sockets: what a new models.yaml changes, and all that a bad one leaves as it was."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from client_cases import ask, hello, quick_sandbox, settings_for, text_of, way
from forking import forks, in_a_child, multithreaded

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, errors, route_of, sdk
from chatsheet_llm.models import Registry
from chatsheet_llm.sandbox import Sandbox

EU_KEY = "key-of-the-other-resource"
DEPLOYMENTS = {"mini-1": "gpt-5-mini", "mini-2": "gpt-5-mini", "codex-prod": "gpt-5-codex", "gpt-5": "gpt-5"}
KEPT = "\nnothing was reloaded: what was read before stays in force"
PLAIN = "models:\n  fast: {deployments: {azure: mini-1}, chain: [azure/chat]}\n"
OTHER = "models:\n  fast: {deployments: {azure: mini-2}, chain: [azure/responses]}\n"
FAR = "endpoints:\n  eu: {kind: azure, base_url: '${EU_URL}', api_key: '${EU_KEY}'}\n" + PLAIN


@pytest.fixture(scope="module")
def boxes() -> Iterator[tuple[Sandbox, Sandbox]]:
    """Two Azure resources, each with a key that the other refuses."""
    with quick_sandbox(DEPLOYMENTS) as one, Sandbox(api_key=EU_KEY, deployments=DEPLOYMENTS) as two:
        yield one, two


@pytest.fixture
def box(boxes: tuple[Sandbox, Sandbox]) -> Iterator[Sandbox]:
    boxes[0].forget()
    yield boxes[0]
    boxes[0].clear()


@pytest.fixture
def eu(boxes: tuple[Sandbox, Sandbox], monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The second resource; EU_URL and EU_KEY say where it is."""
    monkeypatch.setenv("EU_URL", boxes[1].azure_url)
    monkeypatch.setenv("EU_KEY", EU_KEY)
    boxes[1].forget()
    yield boxes[1]
    boxes[1].clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models.yaml"


def put(path: Path, text: str) -> None:
    """Change the file in one step, as an editor does: nobody reads half of it."""
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def settings(box: Sandbox, path: Path, text: str = PLAIN) -> Settings:
    put(path, text)
    return settings_for(box, models_file=path)


@pytest.fixture
def client(box: Sandbox, path: Path) -> Iterator[ChatClient]:
    with ChatClient(settings(box, path)) as made:
        yield made


@dataclass(frozen=True)
class Either:
    """A client of either kind, and how to wait for what its methods return."""

    client: Any
    wait: Callable[[Any], Any]


@pytest.fixture(params=[ChatClient, AsyncChatClient], ids=["sync", "async"])
def either(request: pytest.FixtureRequest, box: Sandbox, path: Path) -> Iterator[Either]:
    loop = asyncio.new_event_loop()

    async def waited(value: Any) -> Any:
        return await value

    def wait(value: Any) -> Any:
        return loop.run_until_complete(waited(value)) if inspect.isawaitable(value) else value

    client = request.param(settings(box, path))
    yield Either(client, wait)
    wait(client.close())
    loop.close()


def sent(answer: Any, box: Sandbox) -> tuple[str, str]:
    """How a call went, and the model that the last request to a resource named."""
    return way(route_of(answer)), box.requests[-1].model


def connections(client: Any) -> int:
    return sum(len(pool.connections) for http in client._core.connections.clients() for pool in sdk.pools(http))


def sdks(client: Any) -> dict[str, Any]:
    """The SDK clients by endpoint, of whichever loop they are."""
    held = client._core.connections
    return {name: made for each in (held._sole, *held._by_loop.values()) for name, (_, made) in each.sdks.items()}


# --- what a good file changes


@pytest.mark.parametrize(
    ("text", "model", "expected"),
    [
        ("models:\n  swift: {deployments: {azure: mini-1}, chain: [azure/chat]}\n", "swift", ("azure/chat", "mini-1")),
        ("models:\n  fast: {deployments: {azure: mini-2}, chain: [azure/chat]}\n", "fast", ("azure/chat", "mini-2")),
        ("models:\n  fast: {deployments: {azure: mini-1}, chain: [azure]}\n", "fast", ("azure/chat", "mini-1")),
        ("models:\n  fast: {deployments: {azure: mini-1}}\n", "fast", ("litellm/chat", "fast")),
        (
            "chains: {c: [azure/responses]}\nmodels:\n  fast: {deployments: {azure: mini-1}, chain: c}\n",
            "fast",
            ("azure/responses", "mini-1"),
        ),
        (
            "models:\n  fast: {deployments: {azure: mini-1}, chain: [azure], mode: responses}\n",
            "fast",
            ("azure/responses", "mini-1"),
        ),
        (
            "endpoints: {azure: {deployment: mini-2}}\nmodels:\n  x: {chain: [azure/chat]}\n",
            "x",
            ("azure/chat", "mini-2"),
        ),
        ("fast: {backend: azure, api_model: mini-2}\n", "fast", ("azure/responses", "mini-2")),
        ("", "gpt-5", ("litellm/chat", "gpt-5")),
    ],
    ids=["alias", "deployment", "chain", "no chain", "named chain", "mode", "endpoint", "flat form", "nothing"],
)
def test_a_call_after_a_reload_goes_by_the_new_file(
    either: Either, box: Sandbox, path: Path, text: str, model: str, expected: tuple[str, str]
) -> None:
    if "backend" in text:
        box.inject("litellm", "503")
    before = sent(either.wait(hello(either.client, model="fast")), box)
    put(path, text)
    unread = sent(either.wait(hello(either.client, model="fast")), box)
    told = either.client.reload()
    hop, name = sent(either.wait(hello(either.client, model=model)), box)

    assert before == unread == ("azure/chat 200", "mini-1")
    assert isinstance(told, Registry)
    assert told.get("fast") == either.client._core.setup.registry.get("fast")
    assert (hop.removeprefix("litellm/chat 503 -> ").removesuffix(" 200"), name) == expected


def test_an_alias_that_is_gone_is_unknown(client: ChatClient, path: Path) -> None:
    hello(client, model="fast")
    put(path, "models: {swift: {}}\n")
    client.reload()

    with pytest.raises(errors.UnknownModelError, match=r"'fast'; it has swift"):
        hello(client, model="fast")


def test_a_new_endpoint_is_asked_with_its_own_key(either: Either, box: Sandbox, eu: Sandbox, path: Path) -> None:
    either.wait(hello(either.client, model="fast"))
    put(path, FAR.replace("[azure/chat]", "[eu/chat]").replace("{azure: mini-1}", "{eu: mini-2}"))
    either.client.reload()
    answer = either.wait(hello(either.client, model="fast"))

    assert sent(answer, eu) == ("eu/chat 200", "mini-2")
    assert eu.requests[-1].keys == [EU_KEY]
    assert {key for request in box.requests for key in request.keys} == {box.api_key}


def test_a_key_changed_in_the_file_is_the_one_that_is_sent(box: Sandbox, eu: Sandbox, path: Path) -> None:
    text = FAR.replace("[azure/chat]", "[eu/chat]").replace("{azure: mini-1}", "{eu: mini-1}")
    with ChatClient(settings(box, path, text.replace("${EU_KEY}", "stale-key"))) as client:
        with pytest.raises(errors.AuthenticationError):
            hello(client, model="fast")
        put(path, text)
        client.reload()
        route = way(route_of(hello(client, model="fast")))

    assert [request.keys for request in eu.requests] == [["stale-key"], [EU_KEY]]
    assert route == "eu/chat 200"


def test_a_file_that_was_not_there_at_the_start_is_found(
    box: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with ChatClient(settings_for(box)) as client:
        before = client.models_known()
        put(path, PLAIN)
        client.reload()

        assert before == ()
        assert [view.alias for view in client.models_known()] == ["fast"]


@pytest.mark.parametrize("where", ["environment", ".env"])
def test_a_reference_means_what_the_variable_is_at_the_reload(
    box: Sandbox, path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = path.with_name("some.env")

    def tell(name: str) -> None:
        if where == ".env":
            env.write_text(f"THE_DEPLOYMENT={name}\n")
        else:
            monkeypatch.setenv("THE_DEPLOYMENT", name)

    env.write_text("")
    tell("mini-1")
    put(path, PLAIN.replace("mini-1", "'${THE_DEPLOYMENT}'"))
    urls = {"azure_openai_endpoint": box.azure_url, "azure_openai_api_key": box.api_key}
    with ChatClient(Settings(_env_file=env, models_file=path, **urls)) as client:
        first = sent(hello(client, model="fast"), box)
        tell("mini-2")
        unread = sent(hello(client, model="fast"), box)
        client.reload()
        second = sent(hello(client, model="fast"), box)

    assert (first[1], unread[1], second[1]) == ("mini-1", "mini-1", "mini-2")


def test_copies_go_by_the_new_file_whoever_read_it(client: ChatClient, box: Sandbox, path: Path) -> None:
    before, chained = client.copy(deadline=4), client.with_chain("azure/responses")
    put(path, "models:\n  fast: {deployments: {azure: mini-2}}\n")
    before.reload()

    assert sent(hello(chained, model="fast"), box) == ("azure/responses 200", "mini-2")
    assert sent(hello(client.with_chain("azure/chat"), model="fast"), box) == ("azure/chat 200", "mini-2")
    assert client.models_known()[0].source == "models.yaml:2"
    assert [hop.deployment for hop in client.models_known()[0].hops] == ["fast", "mini-2", "mini-2"]


# --- what a bad file leaves

BAD = {
    "YAML": ("models:\n\tfast: {}\n", "models.yaml:2:1: is not valid YAML: found character"),
    "unknown field": ("models:\n  fast:\n    api_modle: x\n", "models.yaml:3: models.fast: unknown field 'api_modle'"),
    "unknown section": ("models: {}\nmodells: {}\n", "models.yaml:2: unknown section 'modells'"),
    "value": ("models:\n  fast: {mode: chatt}\n", "models.yaml:2: models.fast.mode: 'chatt' is not a mode"),
    "variable": ("models:\n  fast: {api_model: '${NOT_SET}'}\n", "models.yaml:2: models.fast.api_model: the variable"),
    "capability": (
        "models:\n  fast:\n    capabilities: {apis: [talk]}\n",
        "models.yaml:3: models.fast.capabilities.apis: 'talk' is not a mode",
    ),
    "endpoint of a chain": ("models:\n  fast: {chain: [nowhere/chat]}\n", "there is no endpoint 'nowhere'"),
    "mode of a chain": ("models:\n  fast: {chain: [azure/messages]}\n", "speaks responses, chat, not 'messages'"),
    "kind": ("endpoints:\n  eu:\n    kind: azur\n    base_url: https://eu.example.com\n", "of kind 'azur', which"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_a_bad_file_changes_nothing_and_says_so(either: Either, box: Sandbox, path: Path, text: str, says: str) -> None:
    client, wait = either.client, either.wait
    wait(hello(client, model="fast"))
    known, setup = client.models_known(), client._core.setup
    put(path, text)
    with pytest.raises(errors.SettingsError) as caught:
        client.reload()

    assert says in str(caught.value)
    assert str(caught.value).endswith(KEPT)
    assert caught.value.__cause__ is None
    assert client._core.setup is setup
    assert client.models_known() == known
    assert sent(wait(hello(client, model="fast")), box) == ("azure/chat 200", "mini-1")


@pytest.mark.parametrize("how", ["deleted", "a directory", "not UTF-8", "not to be read"])
def test_a_file_that_cannot_be_read_changes_nothing_and_says_so(client: ChatClient, path: Path, how: str) -> None:
    known = client.models_known()
    path.unlink()
    if how == "a directory":
        path.mkdir()
    elif how == "not UTF-8":
        path.write_bytes(b"models: \xff")
    elif how == "not to be read":
        if not sys.platform.startswith("linux"):
            pytest.skip("a file that nobody may read, root neither, is known on Linux only")
        path.symlink_to("/proc/self/mem")
    with pytest.raises(errors.SettingsError) as caught:
        client.reload()

    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(KEPT)
    assert client.models_known() == known


def test_a_file_that_was_found_and_is_gone_is_missed(box: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    put(path, PLAIN)
    with ChatClient(settings_for(box)) as client:
        path.unlink()
        with pytest.raises(errors.SettingsError, match=r"no file '.*models\.yaml' any more\nnothing was reloaded"):
            client.reload()

        assert [view.alias for view in client.models_known()] == ["fast"]


def test_a_good_file_is_taken_after_a_bad_one(client: ChatClient, box: Sandbox, path: Path) -> None:
    put(path, "models: [")
    with pytest.raises(errors.SettingsError):
        client.reload()
    put(path, OTHER)
    client.reload()

    assert sent(hello(client, model="fast"), box) == ("azure/responses 200", "mini-2")


def test_a_file_without_the_endpoint_of_the_client_s_own_chain_is_refused(
    box: Sandbox, eu: Sandbox, path: Path
) -> None:
    with ChatClient(settings(box, path, FAR), chain="eu/chat") as client:
        put(path, PLAIN)
        with pytest.raises(errors.SettingsError, match="there is no endpoint 'eu'") as caught:
            client.reload()

        assert str(caught.value).endswith(KEPT)
        assert list(client._core.setup.endpoints) == ["litellm", "azure", "eu"]


def test_a_copy_whose_endpoint_is_gone_says_so_and_sends_nothing(box: Sandbox, eu: Sandbox, path: Path) -> None:
    with ChatClient(settings(box, path, FAR)) as client:
        far = client.with_chain("eu/chat")
        put(path, "endpoints: {azure: {label: home}}\n")
        client.reload()
        with pytest.raises(errors.SettingsError, match="there is no endpoint 'eu'"):
            hello(far)

    assert box.requests == eu.requests == []


# --- what goes on


@pytest.mark.parametrize("call", [hello, ask])
def test_a_running_stream_ends_as_it_began_though_its_endpoint_is_gone(
    box: Sandbox, eu: Sandbox, path: Path, call: Callable[..., Any]
) -> None:
    eu.pace = 0.02
    try:
        with ChatClient(settings(box, path, FAR.replace("azure/chat", "eu").replace("azure:", "eu:"))) as client:
            stream = call(client, model="fast", stream=True)
            parts = [next(iter(stream))]
            put(path, "models: {other: {}}\n")
            client.reload()
            parts += list(stream)
            with pytest.raises(errors.UnknownModelError):
                call(client, model="fast", stream=True)
    finally:
        eu.pace = 0.0

    assert text_of(parts).startswith("You said: hello there\nAnswered by azure/")
    assert text_of(parts).endswith("as mini-1.")


def test_a_call_that_waits_for_its_second_try_goes_on_where_it_began(box: Sandbox, eu: Sandbox, path: Path) -> None:
    eu.inject("azure/chat", "429;retry-after-ms=300", times=1)
    routes: list[str] = []
    with ChatClient(settings(box, path, FAR.replace("azure/chat", "eu/chat").replace("azure:", "eu:"))) as client:
        thread = threading.Thread(target=lambda: routes.append(way(route_of(hello(client, model="fast")))))
        thread.start()
        while not eu.requests:
            time.sleep(0.001)
        put(path, "models: {other: {}}\n")
        client.reload()
        thread.join()

    assert routes == ["eu/chat 429 -> eu/chat 200"]


def test_what_did_not_change_keeps_its_client_and_its_connection(
    either: Either, box: Sandbox, eu: Sandbox, path: Path
) -> None:
    client, wait = either.client, either.wait
    text = FAR.replace("{azure: mini-1}", "{azure: mini-1, eu: mini-1}")
    far = {"model": "fast", "extra_body": {"chatsheet": {"chain": ["eu/chat"]}}}
    put(path, text)
    client.reload()
    wait(hello(client, model="fast"))
    wait(hello(client, **far))
    before, held = sdks(client), connections(client)
    put(path, text.replace("kind: azure", "kind: azure, headers: {x-team: blue}").replace("mini-1", "mini-2"))
    client.reload()
    wait(hello(client, model="fast"))
    wait(hello(client, **far))
    kept = sdks(client)

    assert sorted(before) == sorted(kept) == ["azure", "eu"]
    assert [name for name in before if kept[name] is before[name]] == ["azure"]
    assert (held, connections(client)) == (2, 2)
    assert [request.headers.get("x-team") for request in eu.requests] == [None, "blue"]
    assert [request.model for request in (*box.requests, *eu.requests)] == ["mini-1", "mini-2"] * 2


def test_what_was_learned_stays(box: Sandbox, path: Path) -> None:
    text = "models:\n  coder: {deployments: {azure: codex-prod}, chain: [azure]}\n"
    with ChatClient(settings(box, path, text)) as client:
        first = way(route_of(hello(client, model="coder")))
        before = [str(lesson) for lesson in client.learned()]
        put(path, text.replace("coder", "other"))
        client.reload()
        after = [str(lesson) for lesson in client.learned()]
        second = way(route_of(hello(client, model="other")))

    assert first == "azure/chat 400 -> azure/responses 200"
    assert len(before) == 2
    assert after == before
    assert second == "azure/responses 200"


def test_a_hop_that_was_closed_stays_closed(box: Sandbox, path: Path) -> None:
    box.inject("litellm", "401")
    with ChatClient(settings(box, path, "models: {gpt-5: {}}\n")) as client:
        hello(client)
        put(path, "models: {gpt-5: {max_tokens: 100}}\n")
        client.reload()
        hello(client)

    assert box.hits("litellm") == 1


# --- while others call

FLIPS = 51
BROKEN = "models:\n  fast: {mode: chatt}\n"
SAID = ["", "", f":2: models.fast.mode: 'chatt' is not a mode; use chat, responses or messages{KEPT}"] * (FLIPS // 3)
STATES = {("azure/chat 200", "as mini-1."), ("azure/responses 200", "as mini-2.")}
"""How a call goes by each of the two valid files; neither half of one goes with a half of the other."""


def seen(answer: Any) -> tuple[str, str]:
    return way(route_of(answer)), "as " + text_of(answer).rpartition("as ")[2]


def flipped(client: Any, path: Path, number: int) -> str:
    """Put the next of the three files in its place and read it; what is said of it, if it is not taken."""
    put(path, (PLAIN, OTHER, BROKEN)[number % 3])
    try:
        client.reload()
    except errors.SettingsError as error:
        return str(error).partition("models.yaml")[2]
    return ""


def test_threads_that_call_meanwhile_see_one_valid_file_or_the_other(client: ChatClient, path: Path) -> None:
    answers: list[object] = []
    listed: set[tuple[str, ...]] = set()
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            try:
                answers.append(seen(hello(client, model="fast")))
                hops = client.models_known()[0].hops
                listed.add(tuple(f"{hop.name} {hop.deployment}" for hop in hops))
            except BaseException as error:
                answers.append(repr(error))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    said = []
    for number in range(FLIPS):
        heard = len(answers)
        said.append(flipped(client, path, number))
        while len(answers) == heard:
            time.sleep(0.0005)
    over.set()
    for thread in threads:
        thread.join()

    assert said == SAID
    assert set(answers) == STATES
    assert listed == {("azure/chat mini-1",), ("azure/responses mini-2",)}


def test_tasks_that_call_meanwhile_see_one_valid_file_or_the_other(box: Sandbox, path: Path) -> None:
    async def flip() -> tuple[list[str], list[object]]:
        answers: list[object] = []
        async with AsyncChatClient(settings(box, path)) as client:

            async def call() -> None:
                while True:
                    try:
                        answers.append(seen(await hello(client, model="fast")))
                    except Exception as error:
                        answers.append(repr(error))

            tasks = [asyncio.create_task(call()) for _ in range(8)]
            said = []
            for number in range(FLIPS):
                heard = len(answers)
                said.append(flipped(client, path, number))
                while len(answers) == heard:
                    await asyncio.sleep(0.0005)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return said, answers

    said, answers = asyncio.run(flip())

    assert said == SAID
    assert set(answers) == STATES


# --- a process of its own


@forks
@multithreaded
def test_a_child_reads_the_file_for_itself(client: ChatClient, box: Sandbox, path: Path) -> None:
    def reread() -> list[tuple[str, str]]:
        unread = seen(hello(client, model="fast"))
        client.reload()
        return [unread, seen(hello(client, model="fast"))]

    before = seen(hello(client, model="fast"))
    put(path, OTHER)
    childs = in_a_child(reread)()
    parents = seen(hello(client, model="fast"))

    assert before == parents == ("azure/chat 200", "as mini-1.")
    assert childs == [["azure/chat 200", "as mini-1."], ["azure/responses 200", "as mini-2."]]


@forks
@multithreaded
def test_a_child_of_a_parent_that_reloaded_goes_by_what_the_parent_read(client: ChatClient, path: Path) -> None:
    put(path, OTHER)
    client.reload()
    childs = in_a_child(lambda: seen(hello(client, model="fast")))()

    assert childs == ["azure/responses 200", "as mini-2."]
