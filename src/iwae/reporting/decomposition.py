"""The ELBO surgery (Hoffman & Johnson 2016) as data: elbo = reconstruction - I(n; z) - KL(q(z) || p(z))."""

import numpy as np
import pandas as pd

from iwae.reporting.statements import schedule
from iwae.reporting.study import StudyResults

KEYS = ["dataset", "layers", "objective", "k", "stages"]


def surgery(study: StudyResults) -> pd.DataFrame:
    """The terms of the surgery, averaged over seeds: one row for each kind of model, N and term.

    Returns:
        Columns dataset, layers, objective, k, stages, schedule, seeds, images (N), log_images (log N, nats), term,
        value (nats per image), se_draws (standard error over Monte-Carlo draws), sd_seeds (over two or more seeds).
    """
    terms = study.grid.concat("surgery", "surgery.csv")
    groups = terms.groupby([*KEYS, "images", "term"], sort=False)
    frame = groups.agg(
        seeds=("seed", "nunique"),
        value=("value", "mean"),
        se_draws=("se", lambda errors: float(np.sqrt((errors**2).sum()) / len(errors))),
        sd_seeds=("value", "std"),
    ).reset_index()
    frame.insert(KEYS.index("stages") + 1, "schedule", [schedule(stages) for stages in frame.stages])
    frame.insert(list(frame.columns).index("images") + 1, "log_images", np.log(frame.images))
    return frame
