"""What is measured of a trained model: an entry for each section of its manifest, and the settings that determine it.

What measures is the function ``write`` (subject, settings) of the module of that name in `iwae.evaluation`, imported
when it is used: so adding a measurement touches its module and this one, where its settings and its entry stand, beside
config.yaml. Standard library only.
"""

from dataclasses import dataclass

from iwae.errors import InputError
from iwae.study.declaration import Settings, setting

_SEED = "Seed of the {}, with the model's name"
_EVENLY = "evenly spaced over the file; all where there are fewer"


@dataclass(frozen=True)
class LikelihoodSettings(Settings):
    """How log p(x) is estimated, by L_samples."""

    samples: int = setting(5000, "Importance samples for each image", source="paper, section 5", least=1)
    test_images: int = setting(10_000, f"Test images, {_EVENLY}", source="paper", least=2)
    train_images: int = setting(60_000, f"Training images, {_EVENLY}", source="paper", least=2)
    seed: int = setting(0, _SEED.format("importance samples"), least=0)


@dataclass(frozen=True)
class RebinarizedSettings(Settings):
    """How other binarizations of the same images are compared."""

    samples: int = setting(50, "Importance samples for each image, the same for each binarization", least=1)
    test_images: int = setting(10_000, f"Test images, {_EVENLY}", least=2)
    train_images: int = setting(60_000, f"Training images, {_EVENLY}", least=2)
    draws: int = setting(5, "Binarizations by other seeds, beside the study's own and the authors'", least=1)
    seed: int = setting(0, _SEED.format("importance samples"), least=0)


ACTIVITY_COLUMNS = {"definition": "activity", "one-sample": "activity_authors"}
"""The column of ``activity.csv`` that a protocol's field ``activity`` names."""


@dataclass(frozen=True)
class ActivitySettings(Settings):
    """How the activity A_u of the latent units is measured."""

    samples: int = setting(100, "Samples of h1 for each image over which the second layer's mean is averaged", least=2)
    authors_images: int = setting(
        500, "Training images, the first of the file, in the authors' estimate", source="authors' code", least=2
    )
    seed: int = setting(0, _SEED.format("samples"), least=0)


@dataclass(frozen=True)
class ChoppedSettings(Settings):
    """How the cost of removing the inactive units is measured; the same samples serve with and without them."""

    images: int = setting(1000, f"Test images, {_EVENLY}", least=2)
    samples: int = setting(5000, "Importance samples for each image", source="paper, section 5", least=1)
    seed: int = setting(0, _SEED.format("importance samples"), least=0)


@dataclass(frozen=True)
class SurgerySettings(Settings):
    """How the terms of the ELBO surgery are estimated."""

    samples: int = setting(
        10_000,
        "Draws of (image, latent), each of another image, over which expectations are averaged",
        least=2,
    )
    sizes: tuple[int, ...] = setting(
        (1000, 10_000),
        "Values of N, beside the whole training set's and below it, for which the terms are computed",
        least=2,
        empty=True,
    )
    seed: int = setting(0, _SEED.format("draws"), least=0)


@dataclass(frozen=True)
class ReplacedSettings(Settings):
    """What other priors would gain in the place of a model's own."""

    components: tuple[int, ...] = setting(
        (10, 100, 500), "Numbers of components of the mixtures, as far as there are training images", least=1
    )
    iterations: int = setting(30, "Iterations of expectation maximisation, each with fresh draws of q(z)", least=1)
    posteriors: int = setting(500, "Training images whose posteriors are one of the priors", least=1)
    images: int = setting(500, f"Test images, and training images, {_EVENLY}", least=2)
    samples: int = setting(50, "Draws of each image, for the ELBO and for L_samples", least=1)
    seed: int = setting(0, _SEED.format("draws"), least=0)


@dataclass(frozen=True)
class PicturesSettings(Settings):
    """Which pictures a model draws."""

    samples: int = setting(100, "Images drawn from the model, as Bernoulli means", source="paper, appendix", least=1)
    reconstructions: int = setting(10, "Test images, the first of the file, that are reconstructed", least=1)
    posterior_images: int = setting(
        6,
        "Training images, the first of the file, whose posterior models with two latent units draw",
        source="paper, appendix",
        least=1,
    )
    posterior_points: int = setting(200, "Points along each axis of an image's window of the latent space", least=2)
    seed: int = setting(0, _SEED.format("draws"), least=0)


@dataclass(frozen=True)
class AnnealedSettings(Settings):
    """How log p(x) is estimated by annealed importance sampling."""

    images: int = setting(200, f"Test images, {_EVENLY}", least=2)
    simulated: int = setting(100, "Images drawn from the model, which have an upper bound too", least=2)
    temperatures: int = setting(150, "Temperatures between q and the posterior; 1 gives L_chains", least=1)
    chains: int = setting(16, "Chains for each image", source="Wu et al. 2017", least=1)
    leapfrogs: int = setting(5, "Leapfrog steps of one move", least=1)
    seed: int = setting(0, _SEED.format("chains"), least=0)


@dataclass(frozen=True)
class InferenceSettings(Settings):
    """How the ELBO of the encoder is compared with those of the best Gaussians of each image."""

    images: int = setting(200, f"Test images, {_EVENLY}", least=2)
    samples: int = setting(8, "Draws of each image at each step", least=1)
    diagonal_steps: int = setting(400, "Steps of Adam for a diagonal Gaussian", least=1)
    full_steps: int = setting(800, "Steps more for one of full covariance", least=1)
    elbo_samples: int = setting(1000, "Draws by which an ELBO is estimated at the end, a multiple of samples", least=8)
    seed: int = setting(0, _SEED.format("draws"), least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.elbo_samples % self.samples:
            raise InputError(
                f"elbo_samples = {self.elbo_samples} is impossible: it is a multiple of samples, {self.samples}."
            )


@dataclass(frozen=True)
class ImplicitSettings(Settings):
    """How q_EW is measured, the distribution of a sample that is picked from k by its weight."""

    images: int = setting(200, f"Test images, {_EVENLY}", least=2)
    ks: tuple[int, ...] = setting((1, 10, 100), "Samples k from which one is picked", least=1)
    sets: int = setting(100, "Sets of k - 1 fresh samples over which its density is averaged", least=1)
    groups: int = setting(20, "Groups of k samples from which one is picked, in every way", least=1)
    reconstructions: int = setting(10, "Test images, the first of the file, that it reconstructs", least=1)
    posterior_images: int = setting(
        6, "Training images, the first of the file, for which models with two latent units draw it", least=1
    )
    seed: int = setting(0, _SEED.format("samples"), least=0)


@dataclass(frozen=True)
class GradientsSettings(Settings):
    """How the noise of the gradients is measured."""

    images: int = setting(20, "Training images of the minibatch, the first of the file", least=2)
    ks: tuple[int, ...] = setting((1, 5, 50), "Importance samples of the bounds", least=1)
    replicates: int = setting(100, "Draws of each gradient", least=5)
    seed: int = setting(0, _SEED.format("draws"), least=0)


@dataclass(frozen=True)
class Measurement:
    """A section of a model's manifest that is measured.

    Attributes:
        about: What is measured, as a phrase.
        settings: The record of what determines the result.
        files: The files of the model's folder that it writes.
        reads: The sections whose files it reads; their settings determine its result too.
        optional: Whether a configuration may turn it off, or ask for it of some seeds alone.
        of_convergence: Whether models are measured by it that are trained for other numbers of passes.
    """

    about: str
    settings: type[Settings]
    files: tuple[str, ...]
    reads: tuple[str, ...] = ()
    optional: bool = False
    of_convergence: bool = False


MEASUREMENTS = {
    "likelihood": Measurement(
        "log p(x) of test and training images by L_k, with its curve over k",
        LikelihoodSettings,
        ("likelihood.npz", "likelihood.csv"),
        of_convergence=True,
    ),
    "rebinarized": Measurement(
        "what other binarizations of the same images change, the authors' own among them",
        RebinarizedSettings,
        ("rebinarized.csv",),
        optional=True,
    ),
    "activity": Measurement(
        "the activity A_u of the latent units",
        ActivitySettings,
        ("activity.csv",),
        of_convergence=True,
    ),
    "chopped": Measurement(
        "what log p(x) loses when the inactive units are removed",
        ChoppedSettings,
        ("chopped.npz", "chopped.csv"),
        reads=("activity",),
        optional=True,
        of_convergence=True,
    ),
    "surgery": Measurement(
        "the ELBO split into reconstruction, index-code mutual information and marginal KL",
        SurgerySettings,
        ("surgery.csv",),
        of_convergence=True,
    ),
    "replaced": Measurement(
        "what another prior in the place of the model's own would gain",
        ReplacedSettings,
        ("replaced.npz", "replaced.csv"),
        optional=True,
    ),
    "pictures": Measurement(
        "samples, reconstructions, and posteriors of models with two latent units",
        PicturesSettings,
        ("pictures.npz",),
    ),
    "annealed": Measurement(
        "log p(x) of test images by annealed importance sampling, and of the model's own images between two bounds",
        AnnealedSettings,
        ("annealed.csv",),
        optional=True,
    ),
    "inference": Measurement(
        "the ELBO of the encoder's q and of the best Gaussians of each image",
        InferenceSettings,
        ("inference.csv",),
        optional=True,
    ),
    "gradients": Measurement(
        "the signal to noise of the gradients of both bounds, by estimator and k",
        GradientsSettings,
        ("gradients.csv",),
        optional=True,
    ),
    "implicit": Measurement(
        "q_EW, from which one of k samples is picked by its weight: its ELBO between two bounds, and pictures",
        ImplicitSettings,
        ("implicit.csv", "implicit.npz"),
        optional=True,
    ),
}
"""The measurements by their section's name, in their order: each after those that it reads."""
