"""Regions of interest (4.6)."""

import math

import numpy as np

from oracles.formulas.elementwise import array_of
from oracles.formulas.reductions import largest
from oracles.formulas.reductions import total as added


def row_of(rois, n):
    """Return the corners of a region: where it starts and stops in each dimension."""
    row = [value.item() for value in rois[n]]
    return row[: len(row) // 2], row[len(row) // 2 :]


def pooled(function):
    """Return the formula of the cells of a region in the map; 0 for cells outside of it."""

    def formula(input, rois, batch_index, output_size):
        def at(index):
            n, c, *cell = index
            starts, stops = row_of(rois, n)
            ranges = []
            for i, cells, a, b, extent in zip(
                cell, output_size, starts, stops, input.shape[2:], strict=True
            ):
                start, stop = math.floor(a + 0.5), math.floor(b + 0.5)
                region = max(stop - start, 1)
                first = start + i * math.floor(region / cells)
                places = range(first, first + math.ceil(region / cells))
                ranges.append([k for k in places if 0 <= k < extent])
            plane = input[int(batch_index.reshape(-1)[n]), c]
            items = [
                plane[tuple(r[k] for r, k in zip(ranges, place, strict=True))].item()
                for place in np.ndindex(*[len(r) for r in ranges])
            ]
            return function(items) if items else 0.0

        return array_of(at, (len(rois), input.shape[1], *output_size))

    return formula


def position(i, count, start, stop, method):
    """Return the position of output `i` in the map: 4.3.4 for the factor count / (stop - start)."""
    extent = stop - start
    if method == "asymmetric":
        return start + i * extent / count
    if method == "symmetric":
        return start + (i + 0.5) * extent / count - 0.5
    return start + (i * max(extent - 1, 0) / (count - 1) if count > 1 else 0)


def roi_resample(input, rois, batch_index, output_size, method):
    def at(index):
        n, c, *outputs = index
        starts, stops = row_of(rois, n)
        neighbors = []
        for i, count, a, b, extent in zip(
            outputs, output_size, starts, stops, input.shape[2:], strict=True
        ):
            place = min(max(position(i, count, a, b, method), 0), extent - 1)
            j = math.floor(place)
            neighbors.append((j, min(j + 1, extent - 1), place - j))
        plane = input[int(batch_index.reshape(-1)[n]), c]
        result = 0.0
        for corner in np.ndindex(*[2] * len(outputs)):
            weight = math.prod(
                u if side else 1 - u for side, (_, _, u) in zip(corner, neighbors, strict=True)
            )
            if weight:
                place = tuple(pair[side] for side, pair in zip(corner, neighbors, strict=True))
                result += weight * plane[place].item()
        return result

    return array_of(at, (len(rois), input.shape[1], *output_size))


def aligned(function):
    def formula(input, rois, batch_index, output_size, sampling_rate, resize_method):
        size = [n * rate for n, rate in zip(output_size, sampling_rate, strict=True)]
        fine = roi_resample(input, rois, batch_index, size, resize_method)

        def at(index):
            n, c, *cell = index
            items = [
                fine[
                    (
                        n,
                        c,
                        *(
                            i * rate + k
                            for i, rate, k in zip(cell, sampling_rate, inner, strict=True)
                        ),
                    )
                ].item()
                for inner in np.ndindex(*sampling_rate)
            ]
            return function(items)

        return array_of(at, (len(rois), input.shape[1], *output_size))

    return formula


def mean(items):
    return added(items) / len(items)


def highest(items):
    return items[largest(items)]


FORMULAS = {
    "avg_roi_pool": pooled(mean),
    "max_roi_pool": pooled(highest),
    "roi_resample": roi_resample,
    "avg_roi_align": aligned(mean),
    "max_roi_align": aligned(highest),
}
