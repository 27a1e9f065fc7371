"""The VampPrior of Tomczak & Welling (2018): the posteriors of K pseudo-inputs, which are parameters of the model."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from iwae.errors import InputError
from iwae.models.densities import Gaussian
from iwae.models.mixtures import Mixture
from iwae.models.priors import Prior

_INPUTS = "prior.inputs"
_MARGIN = 0.02  # of the first pseudo-pixels from 0 and 1, where no gradient would be left


def pseudo_inputs(parameters: Mapping[str, Tensor]) -> Tensor:
    """The pseudo-inputs u = sigmoid(v) of a model with this prior, pixels in (0, 1): (K, 784).

    The authors clip v to [0, 1], where black and white pixels get no gradient and stay as they are for ever.
    """
    return torch.sigmoid(parameters[_INPUTS])


class VampPrior(Prior):
    """(1/K) sum_j q(z | u_j), with the parameter ``prior.inputs``, v of (K, 784)."""

    def parameter_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        """As many pixels as an image has."""
        return {_INPUTS: (self.components, 784)}

    def initialize(self, units: int, random: np.random.Generator, train: np.ndarray) -> dict[str, Tensor]:
        """Distinct training images, grey, a little away from black and white.

        Raises:
            InputError: There are more pseudo-inputs than images.
        """
        if self.components > len(train):
            raise InputError(
                f"vamp{self.components} is impossible: its pseudo-inputs start from training images, and there are "
                f"{len(train)}."
            )
        chosen = random.choice(len(train), self.components, replace=False)
        pixels = torch.from_numpy(train[chosen]).float() / 255
        return {_INPUTS: torch.logit(_MARGIN + (1 - 2 * _MARGIN) * pixels)}

    def density(self, parameters: Mapping[str, Tensor], posterior: Callable[[Tensor], Gaussian]) -> Mixture:
        """The mixture of the pseudo-inputs' posteriors; derivatives reach q by it too."""
        return Mixture.of(posterior(pseudo_inputs(parameters)))
