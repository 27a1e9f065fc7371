"""The workflow's graph, seen through dry runs: what would be done, and above all what would not."""

import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from iwae import cuda
from iwae.__main__ import _parser
from iwae.files import locked, write_text
from iwae.reporting import contents
from iwae.reporting.results import write_configuration

ROOT = Path(__file__).resolve().parents[2]
TRAIN = "train_mnist_l1_iwae_k2"
CHEAP = re.compile(r"(collect_results|tabulate|plot_\w+|summarize_study|all|figures|total|mark_outdated)$")


def jobs(output):
    """The number of jobs of each rule in the output of a dry run."""
    table = output.rpartition("Job stats:")[2].split("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}


def fresh_clone(folder, seed=0):
    """Give all files below `folder` times in random order, as a checkout may; the data are not there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    random.Random(seed).shuffle(files)
    for age, path in enumerate(files):
        os.utime(path, (1_700_000_000 + age, 1_700_000_000 + age))


def write_reports(study, configuration, folder):
    """The files that are drawn from measured models."""
    results, figures = folder / "results" / study.name, folder / "figures" / study.name
    figures.mkdir(parents=True)
    write_configuration(results, configuration)
    (results / "results.csv").write_text("tiny")
    for name in contents.tables(study.models, study.sections_of):
        for kind in ("csv", "md", "html", "tex"):
            (results / f"{name}.{kind}").write_text(name)
    for name, item in contents.figures(study.models, study.sections_of).items():
        for path in (
            *(figures / f"{name}.{kind}" for kind in item.kinds),
            *map(results.joinpath, item.beside),
        ):
            path.write_text(name)
    for name in ("README.md", "SHA256SUMS"):
        (results / name).write_text("tiny")


@pytest.fixture
def plan(look):
    """A function that gives the output of a dry run, which must succeed."""

    def dry_run(*arguments, **options):
        status, output = look("-n", *arguments, **options)
        assert status == 0, output
        return output

    return dry_run


@pytest.fixture
def clone(tiny, tiny_study, finish, tmp_path):
    """A working directory with a finished study, and nothing else."""
    finish(tiny_study(), tmp_path / "results/tiny")
    write_reports(tiny_study(), tiny(), tmp_path)
    fresh_clone(tmp_path)
    return tmp_path


def test_an_empty_directory_needs_everything_and_prints_commands_that_run(plan):
    output = plan("-p")
    planned = jobs(output)
    assert planned["fetch_mnist"] == planned["collect_results"] == planned["summarize_study"] == 1
    assert sum(count for name, count in planned.items() if name.startswith("train_mnist_")) == 6
    assert planned["measure_model"] == 6
    commands = re.findall(r"exec (python -m iwae .*?(?<!\\)\n)", output, re.DOTALL)
    assert len(commands) == planned["total"] - 1  # all but the target itself
    for command in commands:
        _parser().parse_args(shlex.split(command.replace("\\\n", ""))[3:])


def test_the_quick_study_has_every_kind_of_step(tmp_path):
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    command += ["--directory", str(tmp_path), "--configfile", str(ROOT / "config/quick.yaml")]
    planned = jobs(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    steps = {"fetch_mnist", "train_mnist_l1_k5", "train_mnist_l1_k5_from_vae_k1", "measure_model", "collect_results"}
    assert steps | {"tabulate", "plot_nll", "summarize_study"} <= set(planned)


def test_months_on_a_cpu_are_told_before_training_alone(plan):
    long = {"training": {"stages": 8, "train_images": None}, "grid": {"k": [50]}}
    told = re.findall("Without a GPU .*", plan(overlay=long))
    assert told == [
        "Without a GPU (device: cpu) training what results/tiny lacks takes roughly 230 hours of a CPU core; "
        "config/quick.yaml is for a laptop."
    ]
    assert not any("Without a GPU" in output for output in (plan(), plan("figures", overlay=long)))
    on_gpu = plan(overlay=long | {"device": "cuda"})
    assert "Without a GPU" not in on_gpu
    assert ("jobs that run on this machine will fail" in on_gpu) == bool(cuda.obstacle())


def test_on_a_gpu_one_job_trains_all_that_is_not_finished(plan, tiny_study, finish, tmp_path):
    study = tiny_study()
    finish(study, tmp_path / "results/tiny", models=study.models[:4])
    output = plan("-p", "train", overlay={"device": "cuda"}, cores="8")
    assert jobs(output)["train_mnist"] == 1
    named = re.search(r"--models (.*) \\", output)[1].split()
    assert named == [model.name for model in study.models[4:]]
    assert "gpu=1" in output


def test_what_is_continued_is_trained_after_what_it_is_continued_from(plan):
    warm = {"run": True, "models": ["iwae-k2-from-vae-k1"], "seeds": [0]}
    for device, first in (("cpu", "train_mnist_l1_vae_k1_seed0"), ("cuda", "train_mnist")):
        overlay = {"experiments": {"warm_starts": warm}, "device": device}
        output = plan("train", overlay=overlay)
        continued = next(
            name for name in jobs(output) if name in ("train_mnist_warm_starts", f"{TRAIN}_from_vae_k1_seed0")
        )
        rules = re.findall(r"^rule (\w+):", output, re.MULTILINE)
        assert rules.index(first) < rules.index(continued)


def test_what_cannot_be_continued_keeps_no_other_model_from_being_trained(plan, clone):
    """The training state that seed 0 goes on from is gone: its job, which will fail, is its own."""
    models = ["iwae-k2-from-vae-k1", "vae-k2-from-vae-k1"]
    warm = {"run": True, "models": models, "seeds": [0, 1]}
    overlay = {"experiments": {"warm_starts": warm}, "device": "cuda"}
    output = plan("-p", overlay=overlay)
    assert "2 models cannot be trained" in output and "Delete results/tiny/mnist/l1-vae-k1/seed0 to train" in output
    trained = re.findall(r"^rule (train_\w+):.*?--models ([^\\]*) \\", output, re.MULTILINE | re.DOTALL)
    assert dict(trained) == {
        **{f"train_mnist_warm_starts_l1_{name.replace('-', '_')}_seed0": f"mnist/l1-{name}/seed0" for name in models},
        "train_mnist": "mnist/l1-vae-k1/seed1",
        "train_mnist_warm_starts": " ".join(f"mnist/l1-{name}/seed1" for name in models),
    }


def test_the_audit_makes_nothing_that_it_examines(plan, clone):
    assert jobs(plan("audit")) == {"audit": 1, "total": 1}


@pytest.mark.parametrize("target", ["all", "figures"])
def test_a_fresh_clone_never_trains_downloads_or_measures(plan, clone, target):
    output = plan(target, "-F")
    assert all(CHEAP.match(rule) for rule in jobs(output)), output


def test_a_measurement_that_is_turned_on_or_off_is_collected_again_whatever_snakemake_remembers(plan, clone):
    # As if made one after the other, after all else.
    for age, name in enumerate(("configuration.json", "results.csv", "table1.csv")):
        os.utime(clone / "results/tiny" / name, (1_800_000_000 + age, 1_800_000_000 + age))
    assert "collect_results" not in jobs(plan(overlay={"threads": 2, "job_group": "model"}))
    assert jobs(plan(overlay={"chopped": {"run": False}}))["collect_results"] == 1


@pytest.mark.parametrize(
    ("section", "overlay", "beside"),
    [
        ("surgery", {"surgery": {"samples": 60}}, {}),
        ("gradients", {"gradients": {"replicates": 6}}, {"measure_signal_to_noise": 1}),
    ],
)
def test_what_is_deleted_for_other_settings_is_measured_again(plan, look, clone, section, overlay, beside):
    status, output = look("-n", overlay=overlay)
    assert status == 1 and f"holds {section} measured otherwise (" in output
    for path in clone.rglob(f"{section}.csv"):
        if path.with_name("manifest.json").is_file():
            path.unlink()
    planned = {name: count for name, count in jobs(plan(overlay=overlay)).items() if not CHEAP.match(name)}
    assert planned == {"measure_model": 6, "fetch_mnist": 1, **beside}


def test_more_stages_train_on_and_a_new_seed_adds_only_its_models(plan, look, clone, tiny_study):
    planned = jobs(plan(overlay={"grid": {"seeds": [0, 1], "k": [1]}}))
    trained = {name for name in planned if name.startswith("train")}
    assert trained == {f"train_mnist_l{layers}_vae_k1_seed1" for layers in (1, 2)} and planned["measure_model"] == 2
    status, output = look("-n", overlay={"training": {"stages": 2}})
    assert status == 1 and "cannot be extended, since its training state" in output  # a clone has no states
    for model in tiny_study().models:
        write_text(clone / f"checkpoints/tiny/{model.name}.safetensors", "state")
    output = plan(overlay={"training": {"stages": 2}})
    written = re.findall(r"output: (.*l2-vae-k1/seed0.*)", output)
    assert "training.csv" in written[0] and "model.safetensors" not in written[0]  # from which it goes on
    planned = jobs(output)
    assert sum(count for name, count in planned.items() if name.startswith("train_")) == 6
    assert planned["measure_model"] == 6


def test_a_cluster_may_have_a_job_for_each_section(plan, tiny_study, finish, tmp_path):
    study = tiny_study()
    finish(study, tmp_path / "results/tiny", sections=["training", "surgery"], models=study.models[:1])
    finish(study, tmp_path / "results/tiny", sections=["training"], models=study.models[1:])
    output = plan("-p", "evaluate", overlay={"measure_by": "section"})
    sections = re.findall(r"--sections (.*?) \\", output)
    assert {name: sections.count(name) for name in sections} == {
        **dict.fromkeys(study.measurements, len(study.models)),
        "surgery": len(study.models) - 1,
    }
    lacking = [name for name in study.measurements if name != "surgery"]
    sections = sorted(re.findall(r"--sections (.*?) \\", plan("-p", "evaluate")))
    assert sections == sorted([" ".join(lacking), *[" ".join(study.measurements)] * (len(study.models) - 1)])


def test_a_flipped_bit_is_told_before_anything_is_touched(snakemake, clone):
    damaged = clone / "results/tiny/mnist/l1-vae-k1/seed0/likelihood.npz"
    damaged.write_text("other")
    before = {path: path.read_bytes() for path in clone.rglob("results/**/*") if path.is_file()}
    status, output = snakemake()
    assert status == 1
    assert "likelihood.npz is not the file its manifest describes" in output
    assert before == {path: path.read_bytes() for path in clone.rglob("results/**/*") if path.is_file()}


def test_what_lies_in_the_data_folder_is_left_alone(snakemake, tmp_path, monkeypatch):
    """A file that was put there by hand outlives a fetch that fails; those beside are no business of ours."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # where nothing answers
    by_hand, beside = (tmp_path / "data" / name for name in ("mnist-fixed/binarized_mnist_train.amat", "notes.txt"))
    for path in (by_hand, beside):
        write_text(path, "theirs")
    os.utime(beside, (4e9, 4e9))
    status, output = snakemake("train", overlay={"grid": {"datasets": ["mnist-fixed"]}})
    assert status == 1 and "could not be fetched from any source" in output, output
    assert by_hand.read_text() == "theirs"
    assert beside.stat().st_mtime == 4e9


def test_a_study_in_use_is_left_alone_and_can_be_looked_at(snakemake, clone):
    (clone / "results/tiny/table1.csv").unlink()
    with locked(clone / "results/tiny/.lock"):
        before = {path: path.read_bytes() for path in clone.rglob("results/**/*") if path.is_file()}
        status, output = snakemake("figures")
        assert status == 1
        assert f"results/tiny/.lock is held by process {os.getpid()} on " in output
        assert "`python -m iwae interim --results results/tiny` shows" in output
        assert before == {path: path.read_bytes() for path in clone.rglob("results/**/*") if path.is_file()}
        status, output = snakemake("-n", "figures")
        assert status == 0, output


def test_of_an_unfinished_study_figures_are_interim_and_tables_say_what_is_missing(look, tiny_study, finish, tmp_path):
    study = tiny_study()
    finish(study, tmp_path / "results/tiny", models=study.models[:5])
    status, output = look("-n", "-p", "figures")
    assert status == 0 and "python -m iwae --log logs/tiny/interim.log interim" in output and "rule train" not in output
    status, output = look("-n", "tables")
    assert status == 1
    assert "Traceback" not in output and "Exception" not in output
    assert f"results/tiny lacks {', '.join(study.sections)} of 1 model (mnist/l2-vae-k2/seed0). To" in output
    assert "To finish it, run `snakemake --cores N`" in output
    status, output = look("--report", "report.html")  # of what there is
    assert "marked for report but does not exist" not in output, output


@pytest.mark.parametrize(
    ("training", "schedule"),
    [({}, "1 of 8 stages"), ({"protocol": "efficient", "passes": 3, "stages": 8}, "a cosine schedule (passes: 3)")],
)
def test_the_report_names_the_schedule(look, tmp_path, training, schedule):
    status, output = look("--report", "report.html", overlay={"training": training})
    assert status == 0, output
    assert schedule in (tmp_path / "report.html").read_text().replace("\\n", " ")


def test_a_bad_configuration_and_a_model_trained_otherwise_are_refused(look, clone):
    status, output = look("-n", overlay={"grid": {"k": [0]}, "trainig": {}})
    assert status != 0
    assert "The configuration has 2 problem(s):" in output
    assert 'trainig: unknown key; did you mean "training"?' in output
    status, output = look("-n", overlay={"training": {"batch_size": 10}})
    assert status != 0
    assert "trained differently (batch_size is 20, asked is 10)" in output


def test_lint_has_no_complaint_but_one(look):
    """No rule names a conda environment or a container: neither would hold the library itself, which is installed."""
    _, output = look("--lint")
    complaints = set(re.findall(r"^    \* (.*)$", output, re.MULTILINE))
    assert complaints == {"Specify a conda environment or container for each rule.:"}


def test_a_path_is_never_a_command(plan):
    """Whatever the folder is called, the shell reads one word."""
    output = plan("-p", overlay={"data": {"path": "R&D;x/data"}})
    paths = re.findall(r"--(?:data|output) (.*R&D.*?)(?: \\)?\n", output)
    assert set(paths) == {"'R&D;x/data'"}


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(command, tmp_path):
    arguments, environment = command("-n")
    less = ["setpriv", "--inh-caps=-dac_override", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    tmp_path.chmod(0o555)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run([*less, sys.executable, "-m", "snakemake", *arguments], cwd=ROOT, env=environment, **pipes)
    tmp_path.chmod(0o755)
    assert done.returncode == 1 and "Traceback" not in done.stdout
    assert f"{tmp_path / '.snakemake'} cannot be written: work in a folder of your own, with --snakefile" in done.stdout


def test_another_copy_of_the_library_is_refused(snakemake, tmp_path):
    other = Path(shutil.copytree(ROOT / "src/iwae", tmp_path / "elsewhere/iwae"))
    (other / "bounds.py").write_text((other / "bounds.py").read_text().replace("log", "exp"))
    status, output = snakemake("-n", pythonpath=str(other.parent))
    assert status == 1
    assert (
        f"The library iwae is another one ({other}) than that of this workflow ({ROOT / 'src/iwae'}): take it" in output
    )
