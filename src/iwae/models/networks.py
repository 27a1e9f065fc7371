"""What the networks of an architecture compute: Gaussians, and the last hidden units of the decoder."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from iwae.models.architecture import Architecture, Conditional
from iwae.models.densities import Gaussian

Parameters = Mapping[str, Tensor]


def linear(parameters: Parameters, layer: str, *inputs: Tensor) -> Tensor:
    """A layer's output for inputs that stand side by side along the last axis: (..., D_in) each -> (..., D_out).

    Each input has leading axes of its own: what comes from the images (B, D_in) alone is not repeated for their k
    samples (k, B, D_in).
    """
    weights = parameters[f"{layer}.weight"].split([x.shape[-1] for x in inputs])
    biases: tuple[Tensor | float, ...] = (parameters[f"{layer}.bias"], *[0.0] * (len(inputs) - 1))
    first, *others = (_affine(*each) for each in zip(inputs, weights, biases, strict=True))
    return sum(others, start=first)


def _affine(x: Tensor, weight: Tensor, bias: Tensor | float) -> Tensor:
    # All leading axes become rows of one matrix: under vmap this is one batched product, where a product with more
    # axes would copy the weights for each of them. The bias is added to the rows, which the compiler makes one step.
    return (x.reshape(-1, x.shape[-1]) @ weight + bias).reshape(*x.shape[:-1], weight.shape[-1])


def hidden(
    parameters: Parameters,
    network: Conditional,
    values: Mapping[str, Tensor],
    activation: Callable[[Tensor], Tensor] = torch.tanh,
) -> Tensor:
    """The last hidden units of a network, (..., D_hidden).

    Args:
        parameters: The model's parameters.
        network: The network.
        values: The variables by name, those that it is given among them, (..., D_variable).
        activation: What follows each layer that has no gate.
    """

    def units(layer: str, *inputs: Tensor) -> Tensor:
        output = linear(parameters, layer, *inputs)
        for gate in network.gates(layer):
            return output * torch.sigmoid(linear(parameters, gate, *inputs))
        return activation(output)

    found = [units(layer, values[name]) for name, layer in network.first_layers.items()]
    for layer in network.joint_layers:
        found = [units(layer, *found)]
    return found[0]


def gaussian(
    architecture: Architecture, parameters: Parameters, network: Conditional, values: Mapping[str, Tensor]
) -> Gaussian:
    """The distribution of what a network draws, given the values of variables; arguments as for `hidden`."""
    units = hidden(parameters, network, values)
    mean, scale = (linear(parameters, head, units) for head in network.heads)
    return Gaussian(mean, scale if architecture.scale == "log-deviation" else 0.5 * scale)
