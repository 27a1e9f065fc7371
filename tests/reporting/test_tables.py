"""Tables: the numbers in them, and what they say about schedules that were cut."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from iwae.errors import InputError
from iwae.reporting.collect import write_results
from iwae.reporting.statements import span, tightness_lines
from iwae.reporting.study import StudyResults
from iwae.reporting.tables import build, tables_of, write_table
from iwae.reporting.tables.cells import units
from iwae.reporting.tables.formats import Column, Table
from iwae.reporting.tables.formats import written as formatted
from iwae.study.specification import ModelSpec, grid

KINDS = ("csv", "md", "html", "tex")
CUT = "cut after 2 of 8 stages (4 of 3280 passes)"


def small_grid(layers, ks, seeds, objectives=("vae", "iwae")):
    return grid(["mnist"], layers, objectives, ks, seeds)


def per_image(study, name):
    with np.load(study / name / "likelihood.npz") as arrays:
        return -arrays["test"].astype(float)


def table1(study):
    return build("table1", study)[0]


def row(frame, layers, k, objective):
    return frame[(frame.layers == layers) & (frame.k == k) & (frame.objective == objective)].iloc[0]


def written(study, name):
    """The four files of a table."""
    write_table(name, StudyResults.open(study))
    return {kind: (study / f"{name}.{kind}").read_text() for kind in KINDS}


def test_nll_and_both_errors_by_hand(whole):
    ours = row(table1(StudyResults.open(whole)), 2, 5, "iwae")
    seeds = np.stack([per_image(whole, f"mnist/l2-iwae-k5/seed{seed}") for seed in (0, 1)])
    assert ours.nll == pytest.approx(seeds.mean())
    assert ours.se_images == pytest.approx(seeds.mean(axis=0).std(ddof=1) / np.sqrt(40))
    assert ours.sd_seeds == pytest.approx(abs(seeds[0].mean() - seeds[1].mean()) / np.sqrt(2))
    assert ours.paper_nll == 83.89
    assert ours.difference == pytest.approx(seeds.mean() - 83.89)
    assert ours.difference_per_se_images * ours.se_images == pytest.approx(ours.difference)
    assert ours.difference_per_sd_seeds * ours.sd_seeds == pytest.approx(ours.difference)
    assert (ours.seeds, ours.images, ours.samples, ours.schedule) == (2, 40, 5000, "whole (3280 passes)")


def test_how_loose_the_bound_is_stands_below_the_table():
    def model(*bounds):
        rows = [("test", k, bound) for k, bound in zip((1, 1000, 5000), bounds, strict=False)]
        curve = pd.DataFrame([*rows, ("train", 9000, 0.0)], columns=["split", "k", "bound"])
        return SimpleNamespace(table=lambda *_: curve)

    (line,) = tightness_lines([model(-99, -91, -90.5), model(-99, -93.25, -92)])
    assert line.startswith("From L_1000 to L_5000 the bound rises by 0.50 to 1.25 nats: log p(x) is")
    assert tightness_lines([model(-99)]) == []


def test_units_near_the_threshold_are_told(whole):
    folders = [path.parent for path in (whole / "mnist").rglob("activity.csv")]
    activities = [pd.read_csv(folder / "activity.csv").activity_authors for folder in folders]
    near = [((values >= 0.01 / 3) & (values <= 0.03)).sum() for values in activities]
    text = written(whole, "table1")["md"]
    assert f"Each model has {min(near)} to {max(near)} units between 0.0033 and 0.03," in text
    kinds = {}
    for folder, values in zip(folders, activities, strict=True):
        kinds.setdefault(folder.parent, []).append((values > 0.01).sum())
    spreads = [np.std(counts, ddof=1) for counts in kinds.values()]
    assert f"Over seeds their number has a standard deviation of {span(spreads, 1)}." in text


def test_differences_from_the_vae_are_paired_over_images(whole):
    ours = row(table1(StudyResults.open(whole)), 1, 5, "iwae")
    pairs = np.stack(
        [
            per_image(whole, f"mnist/l1-iwae-k5/seed{seed}") - per_image(whole, f"mnist/l1-vae-k5/seed{seed}")
            for seed in (0, 1)
        ]
    )
    assert ours.minus_vae == pytest.approx(pairs.mean())
    assert ours.minus_vae_se_images == pytest.approx(pairs.mean(axis=0).std(ddof=1) / np.sqrt(40))
    assert ours.minus_vae_sd_seeds == pytest.approx(pairs.mean(axis=1).std(ddof=1))
    assert ours.paper_minus_vae == pytest.approx(85.54 - 86.47)
    assert ours.minus_vae_se_images < ours.se_images / 5


def test_one_model_stands_in_both_columns_at_k_1(whole):
    frame = table1(StudyResults.open(whole))
    vae, iwae = row(frame, 1, 1, "vae"), row(frame, 1, 1, "iwae")
    assert vae.model == iwae.model == "mnist/l1-vae-k1" and vae.nll == iwae.nll
    assert pd.isna(iwae.minus_vae)


def test_both_variants_of_active_units(whole):
    ours = row(table1(StudyResults.open(whole)), 2, 5, "iwae")
    assert (ours.active_units_1, ours.active_units_2) == (18.5, 5)
    assert (ours.active_units_authors_1, ours.active_units_authors_2) == (18.5, 6)
    assert (ours.paper_active_1, ours.paper_active_2, ours.activity_estimate) == (21, 5, "one-sample")
    text = written(whole, "table1")["md"]
    assert "| 18.5+6 | 21+5 |" in text


def test_the_protocol_says_which_activity_is_shown(tmp_path, synthetic):
    study = synthetic.study(tmp_path / "text", small_grid((2,), (5,), (0,)), protocol="paper-text")
    write_table("table1", StudyResults.open(study))
    text = (study / "table1.md").read_text()
    assert "| 18+5 | 21+5 |" in text and "definition" in text


def test_the_laid_out_table_shows_the_numbers_of_the_csv(whole):
    texts = written(whole, "table1")
    ours = row(pd.read_csv(whole / "table1.csv"), 2, 5, "iwae")
    for kind in ("md", "html", "tex"):
        assert f"{ours.nll:.2f}" in texts[kind] and f"{ours.difference:+.2f} (" in texts[kind].replace("$", "")
        assert "se_images" in texts[kind].replace("\\", "") and "sd_seeds" in texts[kind].replace("\\", "")


def test_a_cut_schedule_is_said_in_every_format(cut):
    texts = written(cut, "table1")
    for kind in KINDS:
        assert CUT in texts[kind]
    for kind in ("md", "html", "tex"):
        assert "not comparable with the paper" in texts[kind]
        assert "difference:" not in texts[kind] and "Largest difference" not in texts[kind]
        assert "86.76" in texts[kind]  # the paper's, for orientation
    frame = pd.read_csv(cut / "table1.csv")
    assert not frame.comparable.any() and frame.difference.isna().all() and frame.minus_vae.notna().any()
    assert CUT in written(cut, "surgery")["md"]


def test_a_whole_schedule_is_said_too(whole):
    texts = written(whole, "table1")
    assert "Schedule as in the paper" in texts["md"] and "not comparable" not in texts["md"]
    assert "Largest difference from the paper" in texts["md"]


def test_nll_of_fewer_samples_is_not_compared(tmp_path, synthetic):
    study = synthetic.study(tmp_path / "rough", small_grid((1,), (1, 5), (0,)), samples=10)
    texts = written(study, "table1")
    for kind in ("md", "html", "tex"):
        text = texts[kind].replace("\\", "")
        assert "Schedule as in the paper" in text and "Largest difference" not in text and "86.76" in text
        assert "Nll is measured by L_10 instead of L_5000: not comparable with the paper" in text
    frame = pd.read_csv(study / "table1.csv")
    assert not frame.comparable.any() and frame.difference.isna().all() and frame.paper_nll.notna().all()
    assert "L_10" not in written(study, "surgery")["md"]


def test_fewer_images_are_compared_and_counted_as_measured(tmp_path, synthetic):
    study = synthetic.study(tmp_path / "few", small_grid((1,), (1,), (0,)), images=30, test_images=20_000)
    text = written(study, "table1")["md"]
    assert "over 30 test images" in text and "(paper: 5000 samples, 10000 images)" in text and "20000" not in text
    assert "difference:" in text and "not comparable" not in text


def test_one_seed_has_no_spread(cut):
    texts = written(cut, "table1")
    assert "sd_seeds:" not in texts["md"] and "spread over seeds is not known" in texts["md"]
    assert pd.read_csv(cut / "table1.csv").sd_seeds.isna().all()


@pytest.mark.parametrize(
    "specs",
    [
        small_grid((1,), (1, 5), (0,)),
        small_grid((2,), (1,), (0, 1)),
        small_grid((1,), (5,), (0,), ("iwae",)),
        small_grid((2,), (7,), (0,), ("vae",)),
    ],
)
def test_tables_of_any_part_of_the_grid(tmp_path, specs, synthetic):
    study = synthetic.study(tmp_path / "part", specs)
    for name in tables_of(StudyResults.open(study)):
        assert all(written(study, name).values())
    assert len(pd.read_csv(study / "table1.csv")) == len({(s.layers, s.objective, s.k) for s in specs}) + any(
        s.k == 1 for s in specs
    )


def test_surgery_by_hand(whole):
    frame, _ = build("surgery", StudyResults.open(whole))
    chosen = frame[(frame.layers == 1) & (frame.k == 5) & (frame.objective == "iwae") & (frame.images == 59_600)]
    terms = chosen.set_index("term")
    value = terms["value"]
    assert value["elbo"] == pytest.approx(value["reconstruction"] - value["mutual_information"] - value["marginal_kl"])
    assert terms.loc["index_gap", "log_images"] - value["mutual_information"] == pytest.approx(value["index_gap"])
    assert terms.loc["elbo", "se_draws"] == pytest.approx(0.03 / np.sqrt(2))
    assert terms.loc["elbo", "sd_seeds"] == pytest.approx(0.1 / np.sqrt(2))
    text = written(whole, "surgery")["md"]
    assert "cannot exceed log N, N = 59600 (log N = 10.9954)" in text and "| index_gap: N = 100 |" in text


def test_tables_are_the_same_bytes_again(varied):
    names = ("table2", "capacity", "protocols")  # others are made again by the audit of a whole study
    assert [written(varied, name) for name in names] == [written(varied, name) for name in names]


def test_models_measured_on_other_images_are_paired_over_those_they_share(tmp_path, synthetic):
    specs = small_grid((1,), (5,), (0,))
    for spec in specs:
        synthetic.model(tmp_path, spec, images=40 if spec.objective == "vae" else 30)
    write_results(tmp_path, [spec.name for spec in specs])
    ours = row(table1(StudyResults.open(tmp_path)), 1, 5, "iwae")
    vae, iwae = (per_image(tmp_path, f"mnist/l1-{name}-k5/seed0") for name in ("vae", "iwae"))
    assert ours.minus_vae == pytest.approx(iwae.mean() - vae.mean())
    paired, alone = (iwae - vae[:30]).std() / 30**0.5, np.hypot(iwae.std() / 30**0.5, vae.std() / 40**0.5)
    assert paired < ours.minus_vae_se_images < alone


def test_damage_after_collecting_is_refused(tmp_path, synthetic):
    study = synthetic.study(tmp_path / "study", small_grid((1,), (1,), (0,)))
    path = study / ModelSpec("mnist", 1, "vae", 1, 0).name / "surgery.csv"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(InputError, match=f"{path} is not the file its manifest describes"):
        write_table("surgery", StudyResults.open(study))
    assert not (study / "surgery.csv").exists()


def test_units():
    assert units(19, float("nan")) == "19" and units(16.0, 5) == "16+5" and units(16.5, 5.25) == "16.5+5.2"
    assert units(pd.NA, pd.NA) == "\N{EN DASH}"


def test_formats_escape_what_they_must():
    table = Table("A & B", ["1 < 2"], [Column("a_u", group="G"), Column("b", text=True)], [["-1.5", "<x>"]], ["50%"])
    texts = formatted([table], "t")
    assert "A &amp; B" in texts["html"] and "&lt;x&gt;" in texts["html"]
    text = texts["tex"]
    assert "A \\& B" in text and "a\\_u" in text and "$-1.5$" in text and "50\\%" in text and "1 $<$ 2" in text
    assert "| G: a_u | b |" in texts["md"]


def test_words_that_are_many_are_broken_into_lines():
    columns = [Column("k"), Column("short", text=True), Column("long", text=True)]
    text = formatted([Table("t", [], columns, [["1", "word", "word"], ["1", "word", 9 * "word "]])], "t")["tex"]
    assert "\\begin{tabular}{rlp{22em}}" in text


def test_errors_that_all_columns_have_are_said_once_and_others_in_each_heading():
    plain, one, other = Column("k"), Column("a", errors=("se_images",)), Column("b", group="G", errors=("se_images",))
    texts = formatted([Table("t", [], [plain, one, other], [["1", "2 (3)", "4 (5)"]])], "t")
    assert "| k | a | G: b |" in texts["md"] and "k & a & b" in texts["tex"]
    assert all(text.replace("\\", "").count("In parentheses: se_images.") == 1 for text in texts.values())
    mixed = Table("t", [], [one, Column("b", errors=("se_draws",))], [])
    assert mixed.labels == ["a (se_images)", "b (se_draws)"] and mixed.remarks == []
    assert Table("t", [], [plain, one], []).labels == ["k", "a (se_images)"]
