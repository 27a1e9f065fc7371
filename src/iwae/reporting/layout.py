"""Tables laid out for people: which columns, how many digits, and the sentences above and below."""

from collections.abc import Callable, Sequence

import pandas as pd

from iwae.reporting.formats import EMPTY, Column, Table
from iwae.reporting.results import ACTIVE, SURGERY_TERMS
from iwae.reporting.statements import PAPER, comparison_lines, counted, likelihood_line, schedule_lines
from iwae.reporting.study import Model, Study
from iwae.specification import OBJECTIVES

Cells = list[tuple[Column, Callable[[pd.Series], str]]]  # a column, and a row's cell in it

ORIENTATION = "not comparable with the paper; the paper's values are shown for orientation"
_VARIANTS = {
    "one-sample": "the authors' variant (the first {images} training images, or all of fewer; "
    "the second layer's mean at one sampled h1)",
    "definition": "the text's definition, over the whole training set",
}


def table1_tables(frame: pd.DataFrame, study: Study) -> list[Table]:
    """`comparison.table1` laid out: a table of nll and active units, and one of IWAE minus VAE, for each data set."""
    tables = []
    for dataset, rows in frame.groupby("dataset", sort=False):
        models = [model for model in study.models if model.spec.dataset == dataset]
        tables.append(_nll_table(rows, models))
        if rows.minus_vae.notna().any():
            tables.append(_paired_table(rows, models))
    return tables


def _nll_table(rows: pd.DataFrame, models: Sequence[Model]) -> Table:
    keys, values = _key_cells(rows, ("layers", "k")), _nll_cells(rows)
    columns = [column for column, _ in keys]
    for objective in OBJECTIVES:
        columns += [Column(column.label, objective.upper(), column.paper) for column, _ in values]
    body = []
    for _, group in rows.groupby(["layers", "k", "stages"]):
        line = [cell(group.iloc[0]) for _, cell in keys]
        for objective in OBJECTIVES:
            found = group[group.objective == objective]
            line += [EMPTY if found.empty else cell(found.iloc[0]) for _, cell in values]
        body.append(line)
    title = f"Table 1: {rows.dataset.iloc[0]}, negative log-likelihood and active units"
    return Table(title, comparison_lines(models, ORIENTATION), columns, body, _nll_notes(rows, models))


def _nll_cells(rows: pd.DataFrame) -> Cells:
    cells: Cells = [
        (Column("nll"), lambda row: number(row.nll)),
        (Column("se_images"), lambda row: number(row.se_images)),
    ]
    if rows.sd_seeds.notna().any():
        cells.append((Column("sd_seeds"), lambda row: number(row.sd_seeds)))
    cells.append((Column("paper's nll", paper=True), lambda row: number(row.paper_nll)))
    if rows.comparable.any():
        cells.append((Column("difference"), _difference))
    ours = "active_units_authors" if rows.activity_variant.iloc[0] == "one-sample" else "active_units"
    cells.append((Column("active"), lambda row: units(row[f"{ours}_1"], row[f"{ours}_2"])))
    cells.append((Column("paper's active", paper=True), lambda row: units(row.paper_active_1, row.paper_active_2)))
    return cells


def _difference(row: pd.Series) -> str:
    if pd.isna(row.difference):
        return EMPTY
    ratios = [f"{abs(row.difference_per_se_images):.1f} se"]
    if pd.notna(row.difference_per_sd_seeds):
        ratios.append(f"{abs(row.difference_per_sd_seeds):.1f} sd")
    return f"{row.difference:+.2f} ({', '.join(ratios)})"


def _nll_notes(rows: pd.DataFrame, models: Sequence[Model]) -> list[str]:
    notes = [likelihood_line(models), f"se_images: standard error over test images.{_seeds_note(rows)}"]
    if rows.comparable.any():
        notes.append(
            "difference: ours minus the paper's, in nats, and in parentheses its size in units of se_images (se)"
            f"{' and of sd_seeds (sd)' if rows.sd_seeds.notna().any() else ''}."
        )
        notes.append(_largest_difference(rows))
    images = {model.settings("activity")["authors_images"] for model in models}
    variant = _VARIANTS[rows.activity_variant.iloc[0]].format(images=" or ".join(map(str, sorted(images))))
    notes.append(f"active: units with A_u > {ACTIVE} (layer 1 + layer 2), by {variant}; the CSV has both variants.")
    if (rows.k == 1).any():
        notes.append("At k = 1 the two objectives are one algorithm: one model stands in both columns.")
    return notes


def _seeds_note(rows: pd.DataFrame) -> str:
    if rows.sd_seeds.isna().all():
        return " One seed: the spread over seeds is not known."
    counts = sorted(set(rows.seeds))
    return f" sd_seeds: standard deviation over {' or '.join(map(str, counts))} seeds; the values are means over seeds."


def _largest_difference(rows: pd.DataFrame) -> str:
    ours = rows[rows.difference.notna()]
    if ours.empty:
        return "The paper has no value for any of these models."
    row = ours.loc[ours.difference.abs().idxmax()]
    name = f"{row.objective.upper()} k = {row.k}, {counted(row.layers, 'layer')}"
    return f"Largest difference from the paper: {row.difference:+.2f} nats ({name})."


def _paired_table(rows: pd.DataFrame, models: Sequence[Model]) -> Table:
    pairs = rows[rows.minus_vae.notna()]
    cells = _key_cells(pairs, ("layers", "k"))
    cells += [
        (Column("IWAE minus VAE"), lambda row: signed(row.minus_vae, 3)),
        (Column("se_images"), lambda row: number(row.minus_vae_se_images, 3)),
    ]
    if pairs.minus_vae_sd_seeds.notna().any():
        cells.append((Column("sd_seeds"), lambda row: number(row.minus_vae_sd_seeds, 3)))
    cells.append((Column("paper's", paper=True), lambda row: signed(row.paper_minus_vae)))
    notes = [
        "Difference in nll, in nats per image; negative where the IWAE is better.",
        "se_images: standard error of the differences paired over test images, which both models share; it is far "
        "smaller than the error of either nll.",
    ]
    title = f"{rows.dataset.iloc[0]}: IWAE minus VAE at the same layers and k"
    return Table(
        title, comparison_lines(models, ORIENTATION), [column for column, _ in cells], _body(pairs, cells), notes
    )


def surgery_tables(frame: pd.DataFrame, study: Study) -> list[Table]:
    """`decomposition.surgery` laid out: all terms at the largest N, then how two of them move with N."""
    tables = []
    for dataset, rows in frame.groupby("dataset", sort=False):
        models = [model for model in study.models if model.spec.dataset == dataset]
        lead = schedule_lines(models, "these are not the paper's models")
        wide = _wide(rows)
        largest = wide[wide.images == wide.groupby(["layers", "objective", "k", "stages"]).images.transform("max")]
        tables.append(_terms_table(dataset, lead, largest))
        if wide.images.nunique() > 1:
            tables.append(_sizes_table(dataset, lead, wide))
    return tables


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    index = ["layers", "k", "objective", "stages", "seeds", "images", "log_images"]
    wide = rows.pivot(index=index, columns="term", values=["value", "se_draws", "sd_seeds"])
    wide.columns = [term if kind == "value" else f"{term}_{kind}" for kind, term in wide.columns]
    return wide.reset_index().sort_values(
        ["layers", "k", "objective", "stages", "images"], ascending=[True, True, False, True, True]
    )


def _terms_table(dataset: str, lead: Sequence[str], rows: pd.DataFrame) -> Table:
    cells = [*_key_cells(rows, ("layers", "objective", "k")), (Column("log N"), lambda row: number(row.log_images, 3))]
    several = rows.seeds.max() > 1
    for term in SURGERY_TERMS:
        cells.append((Column("value", term), _cell(term, 3)))
        cells.append((Column("se_draws", term), _cell(f"{term}_se_draws", 3)))
        if several:
            cells.append((Column("sd_seeds", term), _cell(f"{term}_sd_seeds", 3)))
    notes = [
        "elbo = reconstruction - mutual_information - marginal_kl, in nats per training image; "
        "index_gap = log N - mutual_information.",
        _log_n_note(rows),
        f"se_draws: standard error over Monte-Carlo draws.{' sd_seeds: over seeds.' if several else ''}",
    ]
    title = f"ELBO surgery: {dataset}, whole training set"
    return Table(title, lead, [column for column, _ in cells], _body(rows, cells), notes)


def _log_n_note(rows: pd.DataFrame) -> str:
    low, high = rows.index_gap.min(), rows.index_gap.max()
    sizes = " or ".join(
        f"{size} (log N = {log:.4f})" for size, log in sorted(set(zip(rows.images, rows.log_images, strict=True)))
    )
    return (
        f"The mutual information of image index and code cannot exceed log N, N = {sizes}; it falls short of it by "
        f"{low:.3g} to {high:.3g} nats, so index_gap and how it moves with N say more than the value itself."
    )


def _sizes_table(dataset: str, lead: Sequence[str], wide: pd.DataFrame) -> Table:
    keys = _key_cells(wide, ("layers", "objective", "k"))
    sizes = sorted(set(zip(wide.images, wide.log_images, strict=True)))
    values = [
        (label, _cell(f"{term}{suffix}", 3))
        for term in ("index_gap", "marginal_kl")
        for label, suffix in ((term, ""), ("se_draws", "_se_draws"))
    ]
    columns = [column for column, _ in keys]
    columns += [Column(label, f"N = {size} (log N = {log:.3f})") for size, log in sizes for label, _ in values]
    body = []
    for _, rows in wide.groupby(["layers", "k", "objective", "stages"], sort=False):
        line, by_size = [cell(rows.iloc[0]) for _, cell in keys], rows.set_index("images")
        for size, _ in sizes:
            line += [cell(by_size.loc[size]) if size in by_size.index else EMPTY for _, cell in values]
        body.append(line)
    title = f"ELBO surgery: {dataset}, how the terms move with the number N of training images in q(z)"
    return Table(title, lead, columns, body)


def _key_cells(rows: pd.DataFrame, names: Sequence[str]) -> Cells:
    """Columns that name a row; stages only where they differ."""
    cells: Cells = []
    for name in names:
        text = name == "objective"
        cells.append(
            (Column(name, text=text), lambda row, name=name, text=text: row[name].upper() if text else str(row[name]))
        )
    if rows.stages.nunique() > 1:
        cells.append((Column("stages"), lambda row: f"{row.stages} of {PAPER.stages}"))
    return cells


def _cell(name: str, digits: int) -> Callable[[pd.Series], str]:
    return lambda row: number(row[name], digits)


def _body(rows: pd.DataFrame, cells: Cells) -> list[list[str]]:
    return [[cell(row) for _, cell in cells] for _, row in rows.iterrows()]


def number(value: float, digits: int = 2) -> str:
    """A number with `digits` decimals; a dash for none."""
    return EMPTY if pd.isna(value) else f"{value:.{digits}f}"


def signed(value: float, digits: int = 2) -> str:
    """`number` with its sign."""
    return EMPTY if pd.isna(value) else f"{value:+.{digits}f}"


def units(first: float, second: float) -> str:
    """Active units by layer: ``19`` or ``16+5``; a mean over seeds has one decimal where it needs it."""
    if pd.isna(first):
        return EMPTY
    return "+".join(f"{round(float(value), 1):g}" for value in (first, second) if pd.notna(value))
