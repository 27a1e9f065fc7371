"""The models of Tomczak & Welling (2018) with two layers that see each other: HVAE and PixelHVAE.

q(h2 | x) q(h1 | x, h2) and p(h2) p(h1 | h2) p(x | h1, h2), gated layers of 300 units, 40 latent units in each layer. As
q(h2 | x) is a Gaussian, h2 may have a VampPrior, which it may not in the paper's model of two layers.
"""

from iwae.models.architecture import Architecture, Conditional
from iwae.models.masked import MaskedDecoder
from iwae.models.priors import Prior
from iwae.models.priors.standard import STANDARD

_UNITS = (300, 300)
_LATENTS = (40, 40)


def hvae(scale: str = "log-deviation", prior: Prior = STANDARD) -> Architecture:
    """The hierarchical VAE."""
    return _hierarchical(Conditional("px", "x", ("h1", "h2"), _UNITS, gated=True), scale, prior)


def pixelhvae(
    scale: str = "log-deviation", prior: Prior = STANDARD, channels: int = 16, layers: int = 5
) -> Architecture:
    """The same with a decoder of masked convolutions, by default of a size that a CPU can train."""
    return _hierarchical(MaskedDecoder("px", "x", ("h1", "h2"), (channels,) * layers), scale, prior)


def authors_pixelhvae(scale: str = "log-deviation", prior: Prior = STANDARD) -> Architecture:
    """`pixelhvae` of the authors' size; where they have batch normalisation, it has biases."""
    return pixelhvae(scale, prior, channels=64, layers=8)


def _hierarchical(decoder: Conditional, scale: str, prior: Prior) -> Architecture:
    rows = (("q2", "h2", ("x",)), ("q1", "h1", ("x", "h2")), ("p1", "h1", ("h2",)))
    q2, q1, p1 = (Conditional(name, drawn, given, _UNITS, gated=True) for name, drawn, given in rows)
    return Architecture((q2, q1), (p1,), decoder, _LATENTS, prior, scale)
