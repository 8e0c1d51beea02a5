"""LSTM, GRU and simple recurrent networks, unrolled into a fragment call for each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnefkit.exchange.compositions.recurrent import (
    States,
    fragment_step,
    initial_states,
    layer,
    steps,
)
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import channels
from nnefkit.exchange.source_value import Argument, Value
from nnefkit.exchange.torch.call import Call, operator

_UNPROJECTED = 4
"""The number of weights of a direction without a projection of its hidden states."""


@operator("lstm", "gru", "rnn_tanh", "rnn_relu")
def recurrent(
    c: Call,
    input: Value,
    hx: Value | Sequence[Value],
    params: Sequence[Value],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
) -> list[Value | None]:
    """Return a call of the operator's fragment, such as ``lstm_step``, for each step."""
    directions = 2 if bidirectional else 1
    # An LSTM may have a projection of its hidden states as its last weight.
    per = len(params) // (num_layers * directions)
    if dropout and train and num_layers > 1:
        refuse("it drops elements at random in training", "Call module.eval() before the export.")
    if input.rank != 3:
        refuse("its input has no batch axis", "Pass three axes: batch, steps, features.")
    weights = [_weights(c, params[i : i + per], has_biases) for i in range(0, len(params), per)]
    layers = [weights[i : i + directions] for i in range(0, len(weights), directions)]
    states = [hx] if isinstance(hx, Value) else [*hx]
    return _RecurrentNetwork(c, layers).results(input, states, 1 if batch_first else 0)


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


def _weights(c: Call, params: Sequence[Value], has_biases: bool) -> list[Argument]:
    """Return the filters and the biases of a direction as its fragment takes them."""
    biases: list[Argument] = [0.0, 0.0]
    if has_biases:
        biases = [channels(c, bias) for bias in params[2:4]]
    return [*params[:2], *biases, *params[4 if has_biases else 2 :]]


@dataclass(frozen=True)
class _RecurrentNetwork:
    """Layers, each with one direction or two."""

    c: Call
    layers: list[list[list[Argument]]]
    """The weights of each direction of each layer."""

    def results(self, input: Value, states: Sequence[Value], axis: int) -> list[Value | None]:
        """Return the results of all steps, and the last states that are read."""
        c = self.c
        xs = steps(c, input, axis, c.name)
        first = [*zip(*(initial_states(c, state) for state in states), strict=True)]
        last: list[States] = []
        for number, directions in enumerate(self.layers):
            xs, final = self._layer(xs, first[number * len(directions) :], number)
            last += final
        results: list[Value | None] = [c.op("stack", xs, axis=axis)]
        for i in range(len(states)):
            wanted = i + 1 in c.wanted
            results.append(c.op("stack", [state[i] for state in last], axis=0) if wanted else None)
        return results

    def _layer(
        self, xs: Sequence[Value], first: Sequence[Sequence[Value]], number: int
    ) -> tuple[list[Value], list[States]]:
        """Return the results of the steps of a layer, and the last states of its directions."""
        directions = [
            fragment_step(self.c, self._fragment(weights), weights)
            for weights in self.layers[number]
        ]
        return layer(self.c, directions, xs, first, f"{self.c.name}.l{number}")

    def _fragment(self, weights: Sequence[Argument]) -> str:
        is_projected = len(weights) > _UNPROJECTED
        return "lstm_projected_step" if is_projected else f"{self.c.operator}_step"
