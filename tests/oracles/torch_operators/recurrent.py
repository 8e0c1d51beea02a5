"""Calls of recurrent operators: common forms, and edge cases."""

import torch
from torch import nn

from oracles.torch_operators.drawn import x


class Recurrent(nn.Module):
    def __init__(self, kind, *args, states=False, **kwargs):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.states = getattr(nn, kind)(*args, **kwargs), states

    def forward(self, a, *states):
        if len(states) == 2:
            states = (tuple(states),)
        outputs, last = self.layer(a, *states)
        return (outputs, last) if self.states else outputs


CELL, GRU_CELL = nn.LSTMCell(3, 4), nn.GRUCell(3, 4, bias=False)
RNN_CELL, RELU_CELL = nn.RNNCell(3, 4), nn.RNNCell(3, 4, nonlinearity="relu")

CASES = {
    "lstm": (Recurrent("LSTM", 3, 4, states=True), (x(5, 2, 3),)),
    "lstm_batch_first": (Recurrent("LSTM", 3, 4, batch_first=True), (x(2, 5, 3),)),
    "lstm_both_ways": (Recurrent("LSTM", 3, 4, 2, bidirectional=True, states=True), (x(4, 2, 3),)),
    "lstm_no_bias": (Recurrent("LSTM", 3, 4, bias=False), (x(3, 2, 3),)),
    "lstm_one_step": (Recurrent("LSTM", 3, 4), (x(1, 2, 3),)),
    "lstm_state": (
        Recurrent("LSTM", 3, 4, 2, states=True), (x(3, 2, 3), x(2, 2, 4), x(2, 2, 4, seed=1))),
    "gru": (Recurrent("GRU", 3, 4, states=True), (x(5, 2, 3),)),
    "gru_unbatched": (Recurrent("GRU", 3, 4), (x(3, 3),)),
    "gru_both_ways": (Recurrent("GRU", 3, 4, 2, bidirectional=True), (x(4, 2, 3),)),
    "gru_state": (Recurrent("GRU", 3, 4, bias=False), (x(3, 2, 3), x(1, 2, 4))),
    "rnn": (Recurrent("RNN", 3, 4, states=True), (x(5, 2, 3),)),
    "rnn_relu": (Recurrent("RNN", 3, 4, 2, nonlinearity="relu"), (x(5, 2, 3),)),
    "lstm_projected": (Recurrent("LSTM", 3, 4, proj_size=2, states=True), (x(3, 2, 3),)),
    "lstm_projected_both_ways": (
        Recurrent("LSTM", 3, 5, 2, proj_size=2, bidirectional=True, states=True), (x(4, 2, 3),)),
    "lstm_projected_no_bias": (
        Recurrent("LSTM", 3, 5, 2, proj_size=3, bias=False, batch_first=True), (x(2, 3, 3),)),
    "lstm_projected_state": (
        Recurrent("LSTM", 3, 4, proj_size=3, states=True),
        (x(3, 2, 3), x(1, 2, 3), x(1, 2, 4, seed=1))),
    "lstm_cell": (lambda a, h, c: CELL(a, (h, c)), (x(2, 3), x(2, 4), x(2, 4, seed=1))),
    "rnn_cells": (
        lambda a, h: RNN_CELL(a, h) + RELU_CELL(a, h), (x(2, 3), x(2, 4))),
    "gru_cell": (lambda a, h: GRU_CELL(a, h), (x(2, 3), x(2, 4))),
}  # fmt: skip


REFUSED = {
    "long": (Recurrent("GRU", 1, 1), (x(1001, 1, 1),), "1001 steps"),
}  # fmt: skip
