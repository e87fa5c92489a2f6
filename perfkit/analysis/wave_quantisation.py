"""How well a matrix product fills the units of a device: tile and wave quantisation, as a range.

A library cuts the output into tiles and gives each to a unit (SM or CU). Two things go to waste: tiles
that hang over the edges of the output, and units without a tile in the last round, the last wave
(NVIDIA, "Matrix Multiplication Background User's Guide", 2023: 1793 x 1793 in tiles of 256 x 128 is
120 tiles, so an A100 with 108 units works two rounds, the second on 12 of them).

Per tile size: filled = batch * rows * columns / (tiles * area), waves = tiles / units, efficiency =
filled * waves / ceil(waves). Which size the library takes is not known, nor whether it cuts the inner
side as well, so that more units have work: the efficiency is the range over `TILES`, its upper end
with the inner side cut into parts of at least `SLICE`.

Not modelled: several tiles at once on a unit, kernels that share the last wave out, other tile sizes.
Knows matrix products whose shapes stand in the signature; neither convolutions nor attention.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

from perfkit.model.costs import OpCost

TILES = ((256, 128), (128, 256), (128, 128), (64, 64))
"""Rows and columns of the output that one unit computes; sizes that libraries commonly have."""

WIDE_TILES = (*TILES, (32, 32))
"""The same for 4- and 8-byte types: without tensor cores, smaller tiles cost less."""

SLICE = 256
"""The least part of the inner side that is worth a tile of its own: a few turns of a kernel's loop."""

_OPERAND = re.compile(r"\w+\[([\d,]*)\]")
_Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sizes:
    """A product of `batch` matrices: [rows, inner] x [inner, columns]."""

    batch: int
    rows: int
    inner: int
    columns: int

    @property
    def outputs(self) -> int:
        return self.batch * self.rows * self.columns


@dataclass(frozen=True)
class Tiling:
    """One product cut into tiles of one size.

    Attributes:
        tiles: how many, of all batches and parts of the inner side together.
        units: of the device.
        filled: share of the tiles' area that is output.
    """

    tiles: int
    units: int
    filled: float

    @property
    def waves(self) -> float:
        return self.tiles / self.units

    @property
    def efficiency(self) -> float:
        """Share of the units' time that goes into the product."""
        return self.filled * (self.waves / ceil(self.waves))  # rounds to `filled` at most

    def self_check(self) -> None:
        """Shares are shares.

        Raises:
            AssertionError: they are not.
        """
        assert 0 < self.filled <= 1 and 0 < self.efficiency <= self.filled, self


@dataclass(frozen=True)
class Filling:
    """The efficiency of a product on a device: `low` to `high`, over what the library may do."""

    low: float
    high: float


def filling(cost: OpCost, units: int | None) -> Filling | None:
    """How well a product fills a device of so many units; None where either is not known."""
    sizes = product_sizes(cost)
    if sizes is None or not units:
        return None
    tiles = WIDE_TILES if cost.dtype in ("float32", "float64") else TILES
    plain = [tiling(sizes, tile, units) for tile in tiles]
    cut = [split(each, sizes.inner) for each in plain]
    return Filling(min(t.efficiency for t in plain), max(t.efficiency for t in [*plain, *cut]))


def tiling(sizes: Sizes, tile: tuple[int, int], units: int) -> Tiling:
    """The product in tiles of one size."""
    tiles = sizes.batch * ceil(sizes.rows / tile[0]) * ceil(sizes.columns / tile[1])
    return Tiling(tiles, units, sizes.outputs / (tiles * prod(tile)))


def split(plain: Tiling, inner: int) -> Tiling:
    """The same with the inner side cut so that the units are filled best, if there are too few tiles.

    One wave is the most that is tried: with more, libraries leave the inner side whole.
    """
    most = max(1, min(inner // SLICE, plain.units // plain.tiles))
    return Tiling(plain.tiles * most, plain.units, plain.filled)


def product_sizes(cost: OpCost) -> Sizes | None:
    """The sizes of one call, read off its signature.

    None where the operator is no plain product, a shape is not recorded, or the sizes do not make the
    FLOPs that were counted.
    """
    read = _READERS.get(cost.op)
    if read is None or cost.unit != "matmul" or not cost.flops:
        return None
    shapes = [_shape(found) for found in _OPERAND.findall(cost.signature)]
    try:
        sizes = read(shapes)
    except (IndexError, ValueError):
        return None
    flops = 2 * sizes.outputs * sizes.inner * cost.calls
    return sizes if flops == cost.flops else None


def _shape(text: str) -> _Shape:
    return tuple(int(side) for side in text.split(",") if side)


def _matrices(a: _Shape, b: _Shape) -> Sizes:
    """`a` and `b` with the same leading dimensions, or none."""
    (rows, inner), (_, columns) = a[-2:], b[-2:]
    return Sizes(prod(a[:-2]), rows, inner, columns)


def _linear(shapes: list[_Shape]) -> Sizes:
    x, weight = shapes[0], shapes[1]
    return Sizes(1, prod(x[:-1]), x[-1], prod(weight[:-1]))


def _first(shapes: list[_Shape]) -> Sizes:
    return _matrices(shapes[0], shapes[1])


def _after_bias(shapes: list[_Shape]) -> Sizes:
    return _matrices(shapes[1], shapes[2])


_READERS: dict[str, Callable[[list[_Shape]], Sizes]] = {
    **dict.fromkeys(("aten::mm", "aten::bmm", "aten::_int_mm", "aten::_scaled_mm"), _first),
    **dict.fromkeys(
        ("aten::addmm", "aten::addmm_", "aten::_addmm_activation", "aten::baddbmm",
         "aten::baddbmm_"),
        _after_bias,
    ),
    "aten::linear": _linear,
}  # fmt: skip
