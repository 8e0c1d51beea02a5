"""LSTM, GRU and simple recurrent networks, unrolled into a fragment call for each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nnefkit.exchange.names import identifier
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import channels, reshaped
from nnefkit.exchange.source_graph import Value
from nnefkit.exchange.torch.call import Call, operator

MOST_STEPS = 1000
"""Maximum number of steps that are unrolled."""

State = list[Value]
Step = Callable[[Value, State, list[Any]], State]


@operator("lstm")
def lstm(
    c: Call,
    input: Value,
    hx: Sequence[Value],
    params: Sequence[Value],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
) -> list[Value | None]:
    """Return one ``lstm_step`` for each step."""
    per = 4 if has_biases else 2
    if len(params) != per * num_layers * (2 if bidirectional else 1):
        refuse("it projects its hidden states", "Use proj_size=0.")

    def step(x: Value, state: State, weights: list[Any]) -> State:
        shapes = [state[0].shape, state[1].shape]
        return c.graph.fragment("lstm_step", [x, *state, *weights], shapes)

    return _Unrolled(c, step, params, per, num_layers, bidirectional, dropout, train).run(
        input, hx, batch_first
    )


@operator("gru", "rnn_tanh", "rnn_relu")
def with_one_state(
    c: Call,
    input: Value,
    hx: Value,
    params: Sequence[Value],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
) -> list[Value | None]:
    """Return one ``gru_step``, ``rnn_tanh_step`` or ``rnn_relu_step`` for each step."""
    step = _simple(c, f"{c.operator}_step")
    per = 4 if has_biases else 2
    return _Unrolled(c, step, params, per, num_layers, bidirectional, dropout, train).run(
        input, [hx], batch_first
    )


@operator("lstm_cell")
def lstm_cell(
    c: Call,
    input: Value,
    hx: Sequence[Value],
    w_ih: Value,
    w_hh: Value,
    b_ih: Value | None = None,
    b_hh: Value | None = None,
) -> list[Value]:
    """Return ``lstm_step``."""
    biases = [channels(c, bias) for bias in (b_ih, b_hh)]
    given = [input, *hx, w_ih, w_hh, *biases]
    return c.graph.fragment("lstm_step", given, c.shapes)


@operator("gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def cell(
    c: Call,
    input: Value,
    hx: Value,
    w_ih: Value,
    w_hh: Value,
    b_ih: Value | None = None,
    b_hh: Value | None = None,
) -> Value:
    """Return ``gru_step``, ``rnn_tanh_step`` or ``rnn_relu_step``."""
    biases = [channels(c, bias) for bias in (b_ih, b_hh)]
    name = c.operator.replace("cell", "step")
    return c.fragment(name, c.shape, input, hx, w_ih, w_hh, *biases)


def _simple(c: Call, name: str) -> Step:
    def step(x: Value, state: State, weights: list[Any]) -> State:
        return c.graph.fragment(name, [x, *state, *weights], [state[0].shape])

    return step


class _Unrolled:
    """The layers of a network, each with one direction or two."""

    def __init__(
        self,
        c: Call,
        step: Step,
        params: Sequence[Value],
        per: int,
        layers: int,
        both: bool,
        dropout: float,
        train: bool,
    ) -> None:
        if dropout and train and layers > 1:
            refuse(
                "it drops elements at random in training", "Call module.eval() before the export."
            )
        self.c = c
        self.step = step
        self.params = [[*params[i : i + per]] for i in range(0, len(params), per)]
        self.layers = layers
        self.directions = 2 if both else 1

    def run(self, input: Value, states: Sequence[Value], batch_first: bool) -> list[Value | None]:
        c = self.c
        if input.rank != 3:
            refuse(
                "its input has no batch axis",
                "Pass three axes: batch, steps, features.",
            )
        axis = 1 if batch_first else 0
        count = input.shape[axis]
        if count > MOST_STEPS:
            refuse(
                f"it has {count} steps, each of which would be unrolled",
                f"Export at most {MOST_STEPS} steps, or a module that computes a single step.",
            )
        xs: list[Value] = c.ops("unstack", input, axis=axis)
        for number, x in enumerate(xs):
            self._call(x, f"x{number}")
        begins = [self._begins(state) for state in states]
        last: list[State] = []
        for layer in range(self.layers):
            rows: list[list[Value]] = []
            for way in range(self.directions):
                number = layer * self.directions + way
                outputs, state = self._pass(xs, [b[number] for b in begins], number, bool(way))
                rows.append(outputs)
                last.append(state)
            if len(rows) == 1:
                xs = rows[0]
            else:
                pairs = enumerate(zip(*rows, strict=True))
                xs = [self._joined(pair, f"l{layer}_h{step}_both") for step, pair in pairs]
        results: list[Value | None] = [c.op("stack", xs, axis=axis)]
        for i in range(len(states)):
            wanted = i + 1 in c.wanted
            results.append(c.op("stack", [state[i] for state in last], axis=0) if wanted else None)
        return results

    def _begins(self, state: Value) -> list[Value]:
        found: list[Value] = []
        for i in range(state.shape[0]):
            if state.data is not None:
                # Parts that repeat one number are the same constant.
                how = "first" if state.filler else i
                found.append(self.c.graph.derived(state, how, lambda data, i=i: data[i]))  # type: ignore[misc]
            else:
                part = self.c.op("slice", state, axes=[0], begin=[i], end=[i + 1])
                found.append(reshaped(self.c, part, state.shape[1:]))
        return found

    def _pass(
        self, xs: list[Value], state: State, number: int, backwards: bool
    ) -> tuple[list[Value], State]:
        filters = self.params[number][:2]
        biases = [channels(self.c, bias) for bias in self.params[number][2:]] or [0.0, 0.0]
        outputs = []
        layer = f"l{number // self.directions}{'_reverse' if backwards else ''}"
        for place, x in reversed([*enumerate(xs)]) if backwards else enumerate(xs):
            state = self.step(x, state, [*filters, *biases])
            for word, value in zip("hc", state, strict=False):
                self._call(value, f"{layer}_{word}{place}")
            outputs.append(state[0])
        return outputs[::-1] if backwards else outputs, state

    def _call(self, value: Value, word: str) -> None:
        """Name a tensor after its layer and step."""
        if value.data is None and not value.name:
            value.name = self.c.graph.names.unused(identifier(f"{self.c.name}.{word}"))

    def _joined(self, pair: Sequence[Value], word: str) -> Value:
        result: Value = self.c.op("concat", [*pair], axis=1)
        self._call(result, word)
        return result
