"""The parameters a model starts from."""

import numpy as np
import torch
from torch import Tensor

from iwae.errors import InputError
from iwae.models.architecture import PIXELS, Architecture
from iwae.study.protocol import Protocol

_PRIOR_STREAM = 1
_CLIP = (0.001, 0.999)  # of the mean image, before its logit (authors' code)


def output_bias(train: np.ndarray) -> np.ndarray:
    """The logit of the mean training image, clipped: uint8 images (N, 784) -> float32 (784,)."""
    mean = np.clip(train.mean(axis=0, dtype=np.float64) / 255, *_CLIP)
    return np.log(mean / (1 - mean)).astype(np.float32)


def initialize(architecture: Architecture, protocol: Protocol, seed: int, train: np.ndarray) -> dict[str, Tensor]:
    """Glorot-uniform weights and zero biases, with the protocol's output bias and the prior's own, float32 on the CPU.

    Under ``shared`` initialisation each layer restarts the same random stream, so layers of one shape start identical,
    as in the authors' code, whose seed 123 is this library's seed 0.

    Args:
        architecture: The model's architecture.
        protocol: Reads ``initialization``, ``initialization_seed`` and ``output_bias``.
        seed: The model's seed, added to the protocol's.
        train: Training images, uint8 (N, 784) of 0..255, for the output bias and the prior.

    Raises:
        InputError: The images are of another size, or not of 0..255; or the prior's parameters are not what it says.
    """
    if train.shape[1:] != (PIXELS,):
        raise InputError(f"training images {train.shape} are impossible: these networks are for (N, {PIXELS}).")
    if train.dtype != np.uint8 or train.max(initial=0) == 1:
        raise InputError(
            f"training images of {train.dtype} up to {train.max(initial=0):g} are impossible: they must be uint8 of "
            "0..255, 255 times binary ones."
        )
    first = protocol.initialization_seed + seed
    random = np.random.RandomState(first)
    parameters: dict[str, Tensor] = {}
    for layer, (n_in, n_out) in architecture.layer_shapes.items():
        if protocol.initialization == "shared":
            random = np.random.RandomState(first)
        limit = np.sqrt(6 / (n_in + n_out))
        weight = random.uniform(-limit, limit, size=(n_in, n_out))
        parameters[f"{layer}.weight"] = torch.from_numpy(weight.astype(np.float32))
        parameters[f"{layer}.bias"] = torch.zeros(n_out)
    (head,) = architecture.decoder.heads
    if protocol.output_bias == "train-mean" and len(parameters[f"{head}.bias"]) == train.shape[1]:
        parameters[f"{head}.bias"] = torch.from_numpy(output_bias(train))
    own = np.random.default_rng((first, _PRIOR_STREAM))  # so that the layers' values do not depend on the prior
    parameters |= architecture.prior.initialize(architecture.latents[-1], own, train)
    found = {name: tuple(value.shape) for name, value in parameters.items() if isinstance(value, Tensor)}
    if found != architecture.parameter_shapes:
        name = min(name for name, _ in found.items() ^ architecture.parameter_shapes.items())
        raise InputError(
            f"the prior's parameter {name} starts as a tensor of {found.get(name)}, its parameter_shapes have "
            f"{architecture.parameter_shapes.get(name)}: they must be the same."
        )
    return parameters
