"""The benchmark tells the truth: its arithmetic on given numbers, its provider, its turns.  No times."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anthropic
import openai
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from bench import alone
from bench.bodies import deltas_of, text_of
from bench.cases import BARS, GROWTH, QUICK, Case, Row, most, ports, scaled
from bench.clients import AsyncClient, SyncClient, client_class
from bench.figures import Bar, Figure, half_range, ratios, slope, spread
from bench.jobs import Job, Port, prompt
from bench.lanes import Lane, LaneError, Provider, Track, in_turn

ANSWER, CHUNKS = 40, 5


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    usual = Port(answer=ANSWER, chunks=CHUNKS)
    names = ("control", "ok", "second", "third")
    apart = {
        "numbered": replace(usual, numbered=True),
        "paced": replace(usual, interval=0.001),
        "refused": Port(does="refuse"),
        "hang": Port(does="hang"),
    }
    with Provider({**dict.fromkeys(names, usual), **apart}) as made:
        yield made


@pytest.fixture(scope="module")
def lane(provider: Provider) -> Iterator[Lane]:
    made = Lane("ours", provider)
    yield made
    made.close()


def sdk(provider: Provider, port: str = "ok", **more: object) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{provider.urls[port]}/v1", api_key="key", max_retries=0, **more)  # type: ignore[arg-type]


# --- arithmetic


def test_a_ratio_is_that_of_each_round() -> None:
    assert ratios([2.0, 9.0], [4.0, 3.0]) == [0.5, 3.0]


def test_rounds_of_different_number_are_no_pairs() -> None:
    with pytest.raises(ValueError):
        ratios([1.0], [1.0, 2.0])


def test_the_spread_is_half_the_interquartile_range_over_the_median() -> None:
    assert half_range([1.0, 2.0, 3.0, 4.0, 5.0]) == 1.0
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(1 / 3)
    assert spread([7.0]) == 0.0


def test_a_slope_is_the_rise_from_one_value_to_the_next() -> None:
    assert slope([3.0, 5.0, 7.0, 9.0]) == pytest.approx(2.0)
    assert slope([4.0, 4.0, 4.0]) == 0.0


@pytest.mark.parametrize(
    ("value", "bar", "shown"),
    [
        (0.2507, Bar(0.25), "0.251"),
        (0.2493, Bar(0.25), "0.25"),
        (4.9996, Bar(5, least=True), "4.9996"),
        (100.2, Bar(100), "100.2"),
        (0.2507, None, "0.25"),
        (0.31, Bar(0.25), "0.31"),
    ],
)
def test_a_figure_has_the_digits_that_its_verdict_needs(value: float, bar: Bar | None, shown: str) -> None:
    assert Figure("a call", "CPU", (value,), bar).cells()[2] == shown


@pytest.mark.parametrize(
    ("bar", "value", "met"),
    [(Bar(0.6), 0.6, True), (Bar(0.6), 0.61, False), (Bar(2, least=True), 2.0, True), (Bar(2, least=True), 1.9, False)],
)
def test_a_bar_is_met_at_its_limit_and_not_beyond(bar: Bar, value: float, met: bool) -> None:
    assert bar.met(value) is met


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("c", "CPU", (0.9, 0.5, 0.4), most(0.6)), "met"),
        (Figure("c", "CPU", (0.7, 0.8, 0.1), most(0.6)), "NOT MET"),
        (Figure("c", "CPU", (), most(0.6)), "not run"),
        (Figure("c", "CPU", (9.0,), most(0.6), judged=False), ""),
        (Figure("c", "CPU", (9.0,)), ""),
    ],
)
def test_a_verdict_goes_by_the_median_and_only_where_there_is_something_to_judge(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def test_every_other_round_is_backwards() -> None:
    assert [in_turn(["a", "b"], number) for number in range(3)] == [["a", "b"], ["b", "a"], ["a", "b"]]


# --- tables


def test_every_case_asks_ports_that_there_are_of_clients_that_it_compares() -> None:
    known = ports(QUICK).keys()

    for case in (*BARS, *GROWTH):
        assert {job.port for job in case.jobs.values()} <= known
        assert {client for row in case.rows for client in (row.of, row.to)} <= case.jobs.keys()


def test_the_rows_of_one_case_are_told_apart() -> None:
    for table in (BARS, GROWTH):
        names = [(case.name, row.quantity, row.of, row.to) for case in table for row in case.rows]

        assert len(set(names)) == len(names)


def test_a_prompt_has_as_many_messages_and_characters_as_asked() -> None:
    told = prompt(20, 4000)

    assert len(told) == 20
    assert sum(len(each["content"]) for each in told) == 4000
    assert {each["role"] for each in told} == {"system", "user", "assistant"}


def test_only_clients_that_stream_are_measured_with_streams() -> None:
    streamed = {client for case in (*BARS, *GROWTH) for client, job in case.jobs.items() if job.stream}

    assert {"sdk", "ours", "litellm", "pydantic-ai", "langchain"} <= streamed
    assert all(issubclass(client_class(client), AsyncClient) for client in streamed)


@pytest.mark.parametrize("client", ["sdk sync", "ours sync"])
def test_a_client_that_blocks_has_nothing_to_await(client: str) -> None:
    assert issubclass(client_class(client), SyncClient)
    assert not {"whole", "streamed"} & set(dir(client_class(client)))


def test_a_quick_batch_has_never_fewer_calls_than_are_in_flight() -> None:
    assert scaled(Job(count=100), QUICK.share).count == 10
    assert scaled(Job(count=100, at_once=64), QUICK.share).count == 64
    assert scaled(Job(count=100), 1.0).count == 100


# --- provider


@pytest.mark.parametrize("port", ["ok", "paced", "numbered"])
def test_the_sdk_reads_what_the_provider_answers(provider: Provider, port: str) -> None:
    with sdk(provider, port) as client:
        completion = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
        response = client.responses.create(model="m", input="?")

    assert completion.choices[0].message.content == text_of(ANSWER)
    assert response.output_text == text_of(ANSWER)


@pytest.mark.parametrize("port", ["ok", "paced", "numbered"])
def test_the_sdk_reads_what_the_provider_streams(provider: Provider, port: str) -> None:
    with sdk(provider, port) as client:
        with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "?"}]) as chunks:
            completion = chunks.get_final_completion()
        with client.responses.stream(model="m", input="?") as events:
            response = events.get_final_response()

    assert completion.choices[0].message.content == "".join(deltas_of(CHUNKS))
    assert response.output_text == "".join(deltas_of(CHUNKS))


def test_the_provider_speaks_messages(provider: Provider) -> None:
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}
    with anthropic.Anthropic(base_url=provider.urls["ok"], api_key="key") as client:
        whole = client.messages.create(**asked)  # type: ignore[call-overload]
        with client.messages.stream(**asked) as stream:  # type: ignore[arg-type]
            streamed = stream.get_final_text()

    assert whole.content[0].text == text_of(ANSWER)
    assert streamed == "".join(deltas_of(CHUNKS))


def test_a_numbered_port_gives_every_answer_an_id_of_its_own(provider: Provider) -> None:
    with sdk(provider, "numbered") as client:
        ids = [client.responses.create(model="m", input="?").id for _ in range(2)]

    assert ids[0] != ids[1]


def test_the_provider_refuses_and_hangs_where_it_shall(provider: Provider) -> None:
    with sdk(provider, "refused") as client, pytest.raises(openai.APIConnectionError):
        client.responses.create(model="m", input="?")
    with sdk(provider, "hang", timeout=0.2) as client, pytest.raises(openai.APITimeoutError):
        client.responses.create(model="m", input="?")

    assert provider.counts("hang")[1] == 1


def test_the_provider_counts_connections_and_requests(provider: Provider) -> None:
    before = provider.counts("third")
    with sdk(provider, "third") as client:
        for _ in range(3):
            client.responses.create(model="m", input="?")
    after = provider.counts("third")

    assert (after[0] - before[0], after[1] - before[1]) == (1, 3)


# --- runs


def test_clients_take_turns_and_their_ratio_is_read_from_it(provider: Provider) -> None:
    track = Track(provider, watched=False)
    jobs = {"sdk": Job(count=2), "ours": Job(count=2), "langchain that is not there": Job(count=2)}
    rows = (Row("CPU", "ours", bar=most(1e9)), Row("calls/s", "ours"))
    try:
        track.absent["langchain that is not there"] = LaneError("langchain that is not there", "is not installed")
        figures = Case("a call", jobs, (*rows, Row("CPU", "langchain that is not there"))).figures(track, QUICK)
    finally:
        track.close()

    assert [len(figure.values) for figure in figures] == [QUICK.rounds, QUICK.rounds, 0]
    assert [figure.verdict for figure in figures] == ["met", "", "not run"]


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_batch_tells_what_it_took(lane: Lane, api: str, stream: bool) -> None:
    told = lane.run(Job(api=api, stream=stream, count=3, at_once=2))  # type: ignore[arg-type]

    assert told["wall"] > 0
    assert told["cpu"] > 0
    assert (told["first"] > 0) is stream


@pytest.mark.parametrize(("hops", "models"), [(1, 0), (20, 0), (3, 30)])
def test_a_chain_may_have_any_number_of_hops_and_models(lane: Lane, hops: int, models: int) -> None:
    assert lane.run(Job(count=1, hops=hops, models=models))["wall"] > 0


def test_an_answer_of_another_length_is_no_measurement(lane: Lane) -> None:
    with pytest.raises(LaneError, match="40 characters where 1 were sent"):
        lane.ask("batch", job={"count": 1}, characters=1)


def test_decisions_are_measured_by_parts(lane: Lane) -> None:
    told = lane.ask("decisions", models=10, hops=3, count=10)

    assert set(told) == {"dispatch", "plan", "judge", "a refusal"}


def test_an_outage_is_measured_until_its_breaker_opens_and_after(lane: Lane) -> None:
    told = lane.ask("outage", turns=2, count=1)

    assert told["asked"] >= 1
    assert len(told["later"]) == 2


def test_what_a_finished_call_keeps_is_measured(lane: Lane) -> None:
    assert isinstance(lane.run(Job(count=2, port="numbered"), "kept")["bytes"], float)


def test_an_interpreter_is_charged_for_what_it_runs() -> None:
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()

    busy, bare = alone.compared("sum(range(3_000_000))", "pass", rounds=1)

    assert busy[0][1] > bare[0][1]
    assert (os.sched_getaffinity(0) if before else set()) == before
