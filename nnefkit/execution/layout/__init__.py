"""The layout of networks: an order of the axes for every operation, with few transpositions.

Spatial operations (`conv`, pooling, resizing, ...) compute in the order of a `LayoutTarget`:
channels after the batch, as NNEF has them, or channels last, as TFLite has them. From them the
order spreads to all operations that can be computed in any order (`orders`), by rules of what they
read and compute then (`rules`). Transpositions of the given graph are views of their inputs
(`views`); the new graph has those that remain where two orders meet (`rewriting`).

The readers of channels-last formats use it to store networks channels-first
(`nnefkit.exchange.layout`); engines that compute channels-last use it the other way round.
"""
