"""What the machine itself allows: the matrix products of one update, and nothing else, timed alone.

They are the products that the engine makes, in its shapes and layouts: of every layer the output, the gradient of its
weights, and, but for the first layer, whose input is the image, the gradient of its input; batched over the M models of
a stack. The time of the products alone over the time of an update is the update's share of the matrix-product rate: at
100 % all else (random numbers, tanh, densities, Adam, Python) would be free.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from iwae.models.architecture import Architecture
from iwae.training.engine import captured


class Product(NamedTuple):
    """One batched product a (M, n, m) @ b (M, m, p) -> out (M, n, p)."""

    a: Tensor
    b: Tensor
    out: Tensor

    @property
    def flop(self) -> int:
        """Floating-point operations, a multiplication and an addition each counted."""
        models, rows, inner = self.a.shape
        return 2 * models * rows * inner * self.b.shape[2]


def products_of_update(layers: int, k: int, models: int, batch: int, device: torch.device) -> list[Product]:
    """All products of one update of a stack, on random numbers."""
    found: list[Product] = []
    for layer, (n_in, n_out) in Architecture.paper(layers).layer_shapes.items():
        rows = batch if layer.startswith("q1.") else k * batch
        x, weight, gradient = (
            torch.randn(models, *shape, device=device) for shape in ((rows, n_in), (n_in, n_out), (rows, n_out))
        )
        found.append(_product(x, weight))
        found.append(_product(x.transpose(1, 2), gradient))
        if layer != "q1.hidden1":
            found.append(_product(gradient, weight.transpose(1, 2)))
    return found


def _product(a: Tensor, b: Tensor) -> Product:
    return Product(a, b, torch.empty(a.shape[0], a.shape[1], b.shape[2], device=a.device))


def runner(products: list[Product], times: int) -> Callable[[], None]:
    """A function that makes all products `times` times; on CUDA as one graph, as the engine makes its updates."""

    def run() -> None:
        for _ in range(times):
            for a, b, out in products:
                torch.bmm(a, b, out=out)

    return captured(run, warm_up=run) if products[0].a.is_cuda else run
