"""What readers of posts and lectures on the IWAE ask, each answered by a sentence with a measured number."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from iwae.reporting.contrasts import WeightedSum, weighted_sum
from iwae.reporting.statements import NO_VALUES
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells
from iwae.reporting.tables.cells import Part
from iwae.reporting.tables.formats import Table

COVERED, ELSEWHERE = 0.2, -100.0  # share of the posterior where q is, and log w / p(x) of draws of q outside it


class Pair(NamedTuple):
    """The models that are compared, of one data set and one layer: the VAE of k = 1 and the IWAE of the largest k."""

    vae: Kind
    iwae: Kind


Answer = Callable[[StudyResults, Pair | None], str | None]


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each question that the study's measurements answer: ``question``, ``answer``, ``source``."""
    found = [
        {"dataset": dataset, "question": question, "answer": answer, "source": source}
        for dataset in dict.fromkeys(kind.dataset for kind in kinds)
        for question, (answers, source) in QUESTIONS.items()
        if (answer := answers(study, _pair(dataset, kinds)))
    ]
    return pd.DataFrame(found)


def _pair(dataset: str, kinds: Sequence[Kind]) -> Pair | None:
    one = [kind for kind in kinds if kind.dataset == dataset and kind.layers == 1]
    vae = [kind for kind in one if kind.objective == "vae" and kind.k == 1]
    iwae = sorted((kind for kind in one if kind.objective == "iwae"), key=lambda kind: kind.k)
    return Pair(vae[0], iwae[-1]) if vae and iwae else None


def lay_out(part: Part) -> list[Table]:
    """A line for each question."""
    notes = ["In nats per image, over the test images that both sides share; ±: one standard error over them."]
    shown = cells.words("question", "answer", "source")
    return [part.table("{}: questions, and what the models say", shown, lambda part: notes, NO_VALUES)]


def _one_sample(study: StudyResults, pair: Pair | None) -> str | None:
    models = study.of_kinds([pair.vae], "gradients") if pair else []
    if not models or not pair:
        return None
    frame = pd.concat((model.table("gradients") for model in models), ignore_index=True)
    plain = frame[(frame.objective == "vae") & (frame.estimator == "standard")]
    variance = plain.groupby("k").variance.sum()
    if len(variance) < 2:
        return None
    k = variance.index.max()
    other = weighted_sum(study, "nll", {pair.vae._replace(k=int(k)): 1.0, pair.vae: -1.0})
    gain = f", and such a model's nll differs by {_number(other)}" if other.seeds else ""
    return (
        f"For its bound yes: k = {k} only divides the gradient's variance, by {variance.iloc[0] / variance[k]:.1f} at "
        f"the trained VAE, and costs as much more{gain}."
    )


def _slack(study: StudyResults, pair: Pair | None) -> str | None:
    found = [weighted_sum(study, "slack", {kind: 1.0}) for kind in pair or ()]
    if not pair or not all(one.seeds for one in found):
        return None
    return (
        f"log p(x) by annealing lies {_number(found[0])} above L_samples for the VAE, {_number(found[1])} for the IWAE "
        f"with k = {pair.iwae.k}."
    )


def _model_or_posterior(study: StudyResults, pair: Pair | None) -> str | None:
    model, gap = (_difference(study, name, pair) for name in ("annealed_nll", "approximation_gap"))
    if not (pair and model.seeds and gap.seeds):
        return None
    return (
        f"IWAE with k = {pair.iwae.k} minus VAE: -log p(x) by annealing {_number(model)}, the gap of the best diagonal "
        f"q of each image {_number(gap)}."
    )


def _worse_kl(study: StudyResults, pair: Pair | None) -> str | None:
    divergence, model = (_difference(study, name, pair) for name in ("posterior_kl", "annealed_nll"))
    if not (pair and divergence.seeds and model.seeds):
        return None
    return (
        f"IWAE with k = {pair.iwae.k} minus VAE: KL of the encoder's q from the posterior {_number(divergence)}, "
        f"-log p(x) by annealing {_number(model)}."
    )


def _equality(study: StudyResults, pair: Pair | None) -> str | None:
    models = study.of_kinds([pair.vae], "implicit") if pair else []
    if not models:
        return None
    frame = pd.concat((model.table("implicit") for model in models), ignore_index=True)
    several = frame[frame.k > 1]
    if several.empty:
        return None
    k = several.k.min()
    above = (several.lower - several.importance)[several.k == k].groupby(several.image).mean()
    return (
        f"No: with q of the VAE and k = {k} ELBO[q_EW] is at least {above.mean():.3f} ± {above.sem():.3f} above L_{k}; "
        "equal is only a mean over the other samples of an integral over a density that is not normalised."
    )


def _covered(study: StudyResults, pair: Pair | None) -> str:
    values = ", ".join(f"{covered_bound(k):.2f} at k = {k}" for k in (1, 5, 50))
    return (
        f"It pays for the worst draws: where {100 * COVERED:.0f} % of q's are in the posterior and the others have "
        f"weights of exp({ELSEWHERE:.0f}) p(x), L_k - log p(x) is {values} (exact)."
    )


def _isotropic(study: StudyResults, pair: Pair | None) -> str:
    return "No: its q has a deviation of its own for each unit and image, as all models here do; nothing to measure."


def covered_bound(k: int, covered: float = COVERED, elsewhere: float = ELSEWHERE) -> float:
    """L_k - log p(x) where w is p(x) times 1/covered on that share of q, and times exp(elsewhere) on the rest.

    It is the mean over m ~ Binomial(k, covered) of log((m / covered + (k - m) exp(elsewhere)) / k).
    """
    return sum(
        math.comb(k, m)
        * covered**m
        * (1 - covered) ** (k - m)
        * math.log((m / covered + (k - m) * math.exp(elsewhere)) / k)
        for m in range(k + 1)
    )


def _difference(study: StudyResults, quantity: str, pair: Pair | None) -> WeightedSum:
    if pair is None:
        return WeightedSum()
    return weighted_sum(study, quantity, {pair.iwae: 1.0, pair.vae: -1.0})


def _number(found: WeightedSum) -> str:
    return f"{found.value:+.2f} ± {found.se_images:.2f}"


QUESTIONS: dict[str, tuple[Answer, str]] = {
    "Is one sample enough to train a VAE?": (_one_sample, "section gradients; Table 1"),
    "How far is L_samples from log p(x)?": (_slack, "table annealed"),
    "Is the IWAE's model better, or its posterior?": (_model_or_posterior, "tables annealed and inference"),
    "Can a worse KL of q from the posterior go with a better log p(x)?": (_worse_kl, "sections annealed and inference"),
    "Is ELBO[q_EW] = L_k?": (_equality, "table implicit"),
    "What does the VAE's bound do where q covers a part of the posterior?": (_covered, "by its formula"),
    "Is an isotropic Gaussian q what the VAE's paper has?": (_isotropic, "Kingma & Welling 2014, appendix C"),
}
