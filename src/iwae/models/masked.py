"""A decoder that draws one pixel after another, p(x | h) = prod_i p(x_i | x_1..i-1, h), by masked convolutions.

The latents enter as maps of 28 x 28, one for each layer, through an unmasked convolution: every pixel sees all of them.
A convolution's weights are (taps C_in, C_out), so that output = patch @ weight + bias, as in any other layer. A patch
lists its channels one after another, and of each the first 4, 5 or 9 taps of 3 x 3 pixels in reading order.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, pad

from iwae.models.architecture import PIXELS, Conditional
from iwae.models.networks import Parameters, linear

_SIDE = math.isqrt(PIXELS)
_BEFORE, _UP_TO, _ALL = 4, 5, 9  # taps: the pixels before this one; and itself, above the first layer; all


@dataclass(frozen=True)
class MaskedDecoder(Conditional):
    """The network of p(x | h) as convolutions with `widths` channels, each 3 x 3 and followed by a ReLU.

    Its layers are a gated ``map.{variable}`` for each layer of latents, ``hidden1`` of the image and those maps,
    ``hidden2`` and so on, and ``logits`` of each pixel.
    """

    gated: bool = True

    @property
    def first_layers(self) -> dict[str, str]:
        """The layer that each variable given enters."""
        return {variable: f"{self.name}.map.{variable}" for variable in self.given}

    @property
    def units(self) -> int:
        """Hidden values of one sample."""
        return PIXELS * sum(self.widths)

    def layer_shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """(in, out) of every layer by its name, for variables of these sizes."""
        maps = {layer: (sizes[variable], PIXELS) for variable in self.given for layer in self.readers(variable)}
        first = {f"{self.name}.hidden1": (_BEFORE + _ALL * len(self.given), self.widths[0])}
        steps = zip(self.joint_layers, self.widths, self.widths[1:], strict=False)
        above = {layer: (_UP_TO * below, width) for layer, below, width in steps}
        return maps | first | above | {head: (self.widths[-1], 1) for head in self.heads}


def pixel_logits(decoder: MaskedDecoder, parameters: Parameters, x: Tensor, values: Mapping[str, Tensor]) -> Tensor:
    """Logits of p(x_i = 1 | x_1..i-1, h): images x (B, 784) and latents (..., B, D) by variable -> (..., B, 784)."""
    units = _from_image(decoder, parameters, x) + _from_latents(decoder, parameters, values)
    return _above(decoder, parameters, units.flatten(0, -4)).reshape(*units.shape[:-3], PIXELS)


def draw_pixels(
    decoder: MaskedDecoder, parameters: Parameters, values: Mapping[str, Tensor], generator: Generator | None
) -> tuple[Tensor, Tensor]:
    """N images drawn pixel after pixel, and the mean of each pixel given those drawn before it.

    Args:
        decoder: The decoder.
        parameters: The model's parameters.
        values: Latents (n, D) by variable.
        generator: Draws the pixels.

    Returns:
        The images, (n, 784) of 0 and 1, and the means, (n, 784).
    """
    latents = _from_latents(decoder, parameters, values)
    x, means = (latents.new_zeros(len(latents), _SIDE, _SIDE) for _ in range(2))
    for row in range(_SIDE):
        rows = slice(max(0, row - len(decoder.widths)), row + 1)  # a pixel depends on no row above these
        for column in range(_SIDE):
            units = _from_image(decoder, parameters, x[:, rows].flatten(1)) + latents[:, :, rows]
            means[:, row, column] = torch.sigmoid(_above(decoder, parameters, units)[:, -1, column])
            x[:, row, column] = torch.bernoulli(means[:, row, column], generator=generator)
    return x.flatten(1), means.flatten(1)


def _from_image(decoder: MaskedDecoder, parameters: Parameters, x: Tensor) -> Tensor:
    """The image's part of the first layer: whole rows (B, 28 H) -> (B, C, H, 28)."""
    weight, bias = (parameters[f"{decoder.name}.hidden1.{kind}"] for kind in ("weight", "bias"))
    return _convolve(x.reshape(len(x), 1, -1, _SIDE), weight[:_BEFORE], _BEFORE) + bias[:, None, None]


def _from_latents(decoder: MaskedDecoder, parameters: Parameters, values: Mapping[str, Tensor]) -> Tensor:
    """The latents' part of the first layer: (..., D) by variable -> (..., C, 28, 28)."""
    maps = []
    for variable in decoder.given:
        layer, gate = decoder.readers(variable)
        value = values[variable]
        maps.append(linear(parameters, layer, value) * torch.sigmoid(linear(parameters, gate, value)))
    stacked = torch.stack(maps, dim=-2).unflatten(-1, (_SIDE, _SIDE))
    found = _convolve(stacked.flatten(0, -4), parameters[f"{decoder.name}.hidden1.weight"][_BEFORE:], _ALL)
    return found.reshape(*stacked.shape[:-3], *found.shape[1:])


def _above(decoder: MaskedDecoder, parameters: Parameters, units: Tensor) -> Tensor:
    """What follows the first layer's sums: (n, C, H, 28) -> logits (n, H, 28)."""
    for layer in decoder.joint_layers:
        convolved = _convolve(torch.relu(units), parameters[f"{layer}.weight"], _UP_TO)
        units = convolved + parameters[f"{layer}.bias"][:, None, None]
    (head,) = decoder.heads
    return linear(parameters, head, torch.relu(units).movedim(1, -1)).squeeze(-1)


def _convolve(x: Tensor, weight: Tensor, taps: int) -> Tensor:
    """A 3 x 3 convolution of the first taps alone: (n, C_in, H, W) -> (n, C_out, H, W)."""
    kernel = weight.T.unflatten(1, (-1, taps))
    return conv2d(x, pad(kernel, (0, _ALL - taps)).unflatten(-1, (3, 3)), padding=1)
