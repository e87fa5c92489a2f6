"""Factorisations, solves and Fourier transforms, by the leading term of the usual dense algorithm.

For n rows: Cholesky n³/3, LU 2n³/3, inverse 2n³, triangular solve n² per right-hand side, QR
2mn² - 2n³/3 and as much again for Q, symmetric eigenvalues 4n³/3 (9n³ with vectors), general 25n³, SVD
of m×n with vectors 4m²n + 22n³ (Golub and Van Loan, Matrix Computations, tables 8.6.1 and 7.5).
Transforms of n points: 5·n·log2(n), half of it if one side is real. These run outside the matrix units
as far as this knows: `vector`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2, prod

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import along, axes, replaced, written


def _matrix(call: Call) -> tuple[Operand, int, int, int]:
    """The operand, how many matrices, rows and columns."""
    a = call.operand(0)
    if len(a.shape) < 2:
        raise Unknown(f"{call.name} of {a.shape}")
    return a, prod(a.shape[:-2]), a.shape[-2], a.shape[-1]


def _factor(flops: Callable[[int, int], float]) -> CostFunction:
    """`flops` of rows and columns; outputs as recorded, else one of the input's size."""

    def function(call: Call) -> Cost:
        a, batch, rows, columns = _matrix(call)
        made = written(call, Operand(a.shape, a.dtype))
        return Cost(round(batch * flops(rows, columns)), a.nbytes, made, dtype=a.dtype)

    return function


def _solve(per_column: Callable[[int], float], once: Callable[[int], float]) -> CostFunction:
    """A matrix, and right-hand sides."""

    def function(call: Call) -> Cost:
        a, batch, rows, _ = _matrix(call)
        sides = call.operands[-1]
        columns = sides.elements // max(1, batch * rows)
        made = written(call, Operand(sides.shape, sides.dtype))
        flops = round(batch * (once(rows) + columns * per_column(rows)))
        return Cost(flops, nbytes(*call.operands), made, dtype=a.dtype)

    return function


def _svd_flops(m: int, n: int) -> float:
    m, n = max(m, n), min(m, n)
    return 4.0 * m * m * n + 22.0 * n**3


def _qr_flops(m: int, n: int) -> float:
    short = min(m, n)
    return 2 * (2.0 * m * short * short - 2.0 * short**3 / 3)


def _transform(call: Call) -> Cost:
    self = call.operand(0)
    dims = axes(call.plain(1), len(self.shape))
    points = max(2, prod(self.shape[axis] for axis in dims))
    dtype = {"float64": "complex128"}.get(self.dtype, "complex64")
    shape, full = self.shape, self.elements
    real = {"complex64": "float32", "complex128": "float64"}.get(self.dtype, self.dtype)
    last = dims[-1] if dims else 0
    if call.name == "aten::_fft_r2c" and call.plain(3) is not False:
        shape = replaced(shape, last, along(shape, last) // 2 + 1)
    elif call.name == "aten::_fft_c2r":
        shape = replaced(shape, last, int(call.plain(3, 2 * along(shape, last) - 2)))
        full, dtype = prod(shape), real
    half = 1 if call.name == "aten::_fft_c2c" else 2
    made = written(call, Operand(shape, dtype))
    return Cost(round(5 * full * log2(points) / half), self.nbytes, made, dtype=real)


COSTS: dict[str, CostFunction] = {
    "aten::linalg_cholesky_ex": _factor(lambda m, n: n**3 / 3),
    "aten::cholesky": _factor(lambda m, n: n**3 / 3),
    "aten::cholesky_inverse": _factor(lambda m, n: 2 * n**3 / 3),
    "aten::linalg_lu_factor_ex": _factor(lambda m, n: 2 * n**3 / 3),
    "aten::linalg_lu": _factor(lambda m, n: 2 * n**3 / 3),
    "aten::_linalg_det": _factor(lambda m, n: 2 * n**3 / 3),
    "aten::_linalg_slogdet": _factor(lambda m, n: 2 * n**3 / 3),
    "aten::linalg_inv_ex": _factor(lambda m, n: 2 * n**3),
    "aten::linalg_qr": _factor(_qr_flops),
    "aten::_linalg_eigh": _factor(lambda m, n: 9 * n**3),
    "aten::linalg_eig": _factor(lambda m, n: 25 * n**3),
    "aten::_linalg_eigvals": _factor(lambda m, n: 10 * n**3),
    "aten::_linalg_svd": _factor(_svd_flops),
    "aten::_linalg_solve_ex": _solve(lambda n: 2 * n * n, lambda n: 2 * n**3 / 3),
    "aten::linalg_solve_triangular": _solve(lambda n: n * n, lambda n: 0),
    "aten::linalg_lu_solve": _solve(lambda n: 2 * n * n, lambda n: 0),
    "aten::_fft_c2c": _transform,
    "aten::_fft_r2c": _transform,
    "aten::_fft_c2r": _transform,
}
