"""Two bridges in a row: whose words a loss is told in, and how often."""

import pytest

from chatsheet_llm.formats.compose import ComposedStream, composed, joined, origin
from chatsheet_llm.route import Loss

PLACES = {
    "input[3]": "messages[2].tool_calls[0]",
    "reasoning.effort": "reasoning_effort",
    "input[3].output": "x.content",
}


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("input[3]", "messages[2].tool_calls[0]"),
        ("input[3].name", "messages[2].tool_calls[0].name"),
        ("input[3].output[1].detail", "x.content[1].detail"),
        ("input[31].name", "input[31].name"),
        ("reasoning.effort", "reasoning_effort"),
        ("reasoning.efforts", "reasoning.efforts"),
        ("reasoning", "reasoning"),
        ("", ""),
    ],
)
def test_a_path_of_the_pivot_is_told_in_the_words_of_the_source(path, told):
    assert origin(path, PLACES) == told


def test_what_the_first_leg_lost_is_lost_to_the_target():
    losses = joined([Loss("responses", "seed", "Responses has no seed")], [], {}, "messages")

    assert losses == [Loss("messages", "seed", "Messages has no seed")]


def test_a_loss_that_both_legs_found_is_told_once_by_the_second():
    early = [Loss("responses", "content[1]", "Responses has no 'x', kept as an item")]
    late = [Loss("chat", "output[0]", "Chat has no 'x', attached as message.provider_items")]

    assert joined(early, late, {"output[0]": "content[1]"}, "chat") == [
        Loss("chat", "content[1]", "Chat has no 'x', attached as message.provider_items")
    ]


def test_a_minor_loss_stays_minor():
    early = [Loss("responses", "a", "x", minor=True)]
    late = [Loss("messages", "b", "y", minor=True)]

    assert all(loss.minor for loss in joined(early, late, {}, "messages"))


def test_a_request_goes_through_both_legs():
    def first(body, places):
        places["b"] = "a"
        return {"b": body["a"]}, [Loss("responses", "c", "Responses has no c")]

    def second(body):
        return {"d": body["b"] + 1}, [Loss("messages", "b.x", "Messages has no x")]

    assert composed(first, second, "messages")({"a": 1}) == (
        {"d": 2},
        [Loss("messages", "c", "Messages has no c"), Loss("messages", "a.x", "Messages has no x")],
    )


class Doubling:
    """A stream bridge that says everything twice, and one thing more at the end."""

    def __init__(self, name):
        self.name = name
        self.losses = []

    def feed(self, event):
        self.losses.append(Loss("responses", self.name, "x"))
        return [{**event, self.name: number} for number in range(2)]

    def end(self):
        return [{"end": self.name}]


def test_every_event_of_the_first_leg_goes_through_the_second_and_both_end():
    stream = ComposedStream(Doubling("a"), Doubling("b"), "chat")
    told = stream.losses

    assert stream.feed({}) == [{"a": a, "b": b} for a in range(2) for b in range(2)]
    assert stream.end() == [{"end": "a", "b": 0}, {"end": "a", "b": 1}, {"end": "b"}]
    assert told is stream.losses
    assert {loss.path for loss in told} == {"a", "b"}
