"""What readers of posts and lectures on the IWAE ask, each answered by a sentence with a measured number."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import binom

from iwae.reporting.contrasts import WeightedSum, weighted_sum
from iwae.reporting.statements import NO_VALUES
from iwae.reporting.study import Kind, StudyResults
from iwae.reporting.tables import cells, implicit
from iwae.reporting.tables.cells import Part
from iwae.reporting.tables.formats import Table

COVERED, ELSEWHERE = 0.2, -100.0  # share of the posterior where q is, and log w / p(x) of draws of q outside it

# From a study, its VAE of k = 1 and its IWAE of the largest k, both with one layer.
Answer = Callable[[StudyResults, Kind, Kind], str | None]


def rows(study: StudyResults, kinds: Sequence[Kind]) -> pd.DataFrame:
    """One row for each question that the study's measurements answer: ``question``, ``answer``, ``source``."""
    found = []
    for dataset in dict.fromkeys(kind.dataset for kind in kinds):
        one = [kind for kind in kinds if kind.dataset == dataset and kind.layers == 1]
        vae = [kind for kind in one if kind.objective == "vae" and kind.k == 1]
        iwae = sorted((kind for kind in one if kind.objective == "iwae"), key=lambda kind: kind.k)
        iwae = [kind for kind in iwae if study.of_kinds([kind], "annealed")] or iwae  # in interim results perhaps a few
        for question, (given, source) in QUESTIONS.items():
            answer = given if isinstance(given, str) else given(study, vae[0], iwae[-1]) if vae and iwae else None
            if answer:
                found.append({"dataset": dataset, "question": question, "answer": answer, "source": source})
    return pd.DataFrame(found)


def lay_out(part: Part) -> list[Table]:
    """A line for each question."""
    notes = ["In nats per image, over the test images that both sides share; ±: one standard error over them."]
    shown = cells.words("question", "answer", "source")
    return [part.table("{}: questions, and what the models say", shown, notes, NO_VALUES)]


def _one_sample(study: StudyResults, vae: Kind, iwae: Kind) -> str | None:
    tables = [model.table("gradients") for model in study.of_kinds([vae], "gradients")]
    if not tables:
        return None
    variance = pd.concat(tables).query("objective == 'vae' and estimator == 'standard'").groupby("k").variance.sum()
    if len(variance) < 2:
        return None
    k = variance.index.max()
    other = weighted_sum(study, "nll", {replace(vae, k=int(k)): 1.0, vae: -1.0})
    gain = f", and training so changes the nll by {_number(other)}" if other.seeds else ""
    return (
        f"Its bound has the same mean with any number. But k = {k} divides the gradient's variance by "
        f"{variance.iloc[0] / variance[k]:.1f} at the trained VAE{gain}."
    )


def _slack(study: StudyResults, vae: Kind, iwae: Kind) -> str | None:
    found = [weighted_sum(study, "slack", {kind: 1.0}) for kind in (vae, iwae)]
    if not all(one.seeds for one in found):
        return None
    return (
        f"log p(x) by annealing lies {_number(found[0])} above L_samples for the VAE, {_number(found[1])} for the IWAE "
        f"with k = {iwae.k}."
    )


def _minus_vae(first: tuple[str, str], second: tuple[str, str]) -> Answer:
    """The IWAE minus the VAE of the same k in two quantities, each with its name."""

    def answer(study: StudyResults, vae: Kind, iwae: Kind) -> str | None:
        other = replace(iwae, objective="vae")
        found = {words: weighted_sum(study, name, {iwae: 1.0, other: -1.0}) for words, name in (first, second)}
        if not all(one.seeds for one in found.values()):
            return None
        differences = ", ".join(f"{words} {_number(one)}" for words, one in found.items())
        return f"IWAE minus VAE, both with k = {iwae.k}: {differences}."

    return answer


def _equality(study: StudyResults, vae: Kind, iwae: Kind) -> str | None:
    frame = implicit.rows(study, [vae])
    several = frame[frame.samples > 1]
    if several.empty:
        return None
    least = several.iloc[0]
    above = f"{least.lower:.3f} ± {least.lower_se_images:.3f} above L_{least.samples:.0f}"
    return (
        f"No: with q of the VAE and k = {least.samples:.0f} ELBO[q_EW] is at least {above}; what equals L_k is the "
        "mean, over the other samples, of an integral over a density that is not normalised."
    )


def covered_bound(k: int, covered: float = COVERED, elsewhere: float = ELSEWHERE) -> float:
    """L_k - log p(x) where w is p(x) times 1/covered on that share of q, and times exp(elsewhere) on the rest.

    It is the mean over m ~ Binomial(k, covered) of log((m / covered + (k - m) exp(elsewhere)) / k).
    """
    m = np.arange(k + 1)
    return float(binom.pmf(m, k, covered) @ np.log((m / covered + (k - m) * np.exp(elsewhere)) / k))


def _number(found: WeightedSum) -> str:
    seeds = "" if np.isnan(found.sd_seeds) else f" (sd over {len(found.seeds)} seeds: {found.sd_seeds:.2f})"
    return f"{found.value:+.2f} ± {found.se_images:.2f}{seeds}"


_ANNEALED = ("-log p(x) by annealing", "annealed_nll")
QUESTIONS: dict[str, tuple[Answer | str, str]] = {
    "Is one sample enough to train a VAE?": (_one_sample, "section gradients; Table 1"),
    "How far is L_samples from log p(x)?": (_slack, "table annealed"),
    "Is the IWAE's model better, or its posterior?": (
        _minus_vae(_ANNEALED, ("the gap of the best diagonal q of each image", "approximation_gap")),
        "tables annealed and inference",
    ),
    "Can a worse KL of q from the posterior go with a better log p(x)?": (
        _minus_vae(("KL of the encoder's q from the posterior", "posterior_kl"), _ANNEALED),
        "sections annealed and inference",
    ),
    "Is ELBO[q_EW] = L_k?": (_equality, "table implicit"),
    "What does the VAE's bound do where q covers a part of the posterior?": (
        f"It pays for the worst draws: where {100 * COVERED:.0f} % of q's are in the posterior and the others have "
        f"weights of exp({ELSEWHERE:.0f}) p(x), L_k - log p(x) is "
        f"{', '.join(f'{covered_bound(k):.2f} at k = {k}' for k in (1, 5, 50))} (exact).",
        "by its formula",
    ),
    "Is an isotropic Gaussian q what the VAE's paper has?": (
        "No: its q has a deviation of its own for each unit and image, as all models here do; nothing to measure.",
        "Kingma & Welling 2014, appendix C",
    ),
}
