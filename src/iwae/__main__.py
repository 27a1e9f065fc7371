"""The command line: one verb for each step of the workflow, each usable alone. No logic lives here."""

import argparse
import ctypes
import json
import logging
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import iwae
from iwae.errors import AuditError, DivergenceError, InputError, InterruptedTraining
from iwae.study.flags import add_flags, settings_of
from iwae.study.measurements import MEASUREMENTS, GradientsSettings
from iwae.study.protocol import PRESETS, parsed, preset
from iwae.study.registry import DATASETS
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec

SECTIONS = ("training", "evaluation", "surgery", "scaling", "cores")  # of the benchmark


def _fetch(options: argparse.Namespace) -> None:
    from iwae.data.sources import fetch

    fetch(options.dataset, options.output, options.folder)


def _train(options: argparse.Namespace) -> None:
    from iwae.training.run import Paths, train

    protocol = preset(options.protocol).with_overrides(dict(options.set))
    settings = settings_of(options, TrainingSettings, protocol=protocol)
    paths = Paths(options.data, options.results, options.checkpoints)
    specs = [ModelSpec.parse(name) for name in options.models]
    train(specs, paths, settings, options.device, options.threads, options.checkpoint_minutes)


def _measure(options: argparse.Namespace) -> None:
    from iwae.evaluation.run import measure

    wanted = {name: settings_of(options, MEASUREMENTS[name].settings, name) for name in options.sections}
    measure(options.model, options.data, wanted, options.device, options.threads)


def _signal_to_noise(options: argparse.Namespace) -> None:
    from iwae.device import choose_device, configure
    from iwae.evaluation.linear_gaussian import write

    settings = GradientsSettings(replicates=options.replicates, seed=options.seed)
    configure(choose_device("cpu"), options.threads)
    write(options.output, settings.replicates, settings.seed)


def _strip(options: argparse.Namespace) -> None:
    from iwae.study.manifest import strip

    for folder in options.folders:
        strip(folder)


def _collect(options: argparse.Namespace) -> None:
    from iwae.reporting.collect import write_results

    write_results(options.results, options.models, options.configuration)


def _table(options: argparse.Namespace) -> None:
    from iwae.reporting.contents import require_known
    from iwae.reporting.study import StudyResults
    from iwae.reporting.tables import write_table

    require_known("table", options.names)
    study = StudyResults.open(options.results)
    for name in options.names:
        write_table(name, study)


def _figure(options: argparse.Namespace) -> None:
    from iwae.reporting.contents import require_known
    from iwae.reporting.figures import write_figure
    from iwae.reporting.study import StudyResults

    require_known("figure", options.names)
    study = StudyResults.open(options.results)
    for name in options.names:
        write_figure(name, study, _figures_of(options))


def _interim(options: argparse.Namespace) -> None:
    from iwae.reporting.interim import write_interim

    write_interim(options.results, _figures_of(options), options.configuration)


def _summary(options: argparse.Namespace) -> None:
    from iwae.reporting.study import StudyResults
    from iwae.reporting.summary import write_summary

    write_summary(StudyResults.open(options.results), _figures_there(options))


def _audit(options: argparse.Namespace) -> None:
    from iwae.reporting.audit import audit
    from iwae.reporting.verify import Recomputation

    fresh = Recomputation(options.images, options.data, options.device, options.threads) if options.recompute else None
    problems = audit(options.results, _figures_of(options), fresh)
    if problems:
        raise AuditError("\n".join([f"The audit found {len(problems)} problem(s):", *problems]))


def _readme(options: argparse.Namespace) -> None:
    from iwae.reporting.readme import write_readme

    write_readme(options.readme, options.results, _figures_there(options))


def _figures_of(options: argparse.Namespace) -> Path:
    """The folder of a study's figures: as given, or beside that of the results."""
    return options.figures or options.results.resolve().parent.parent / "figures" / options.results.name


def _figures_there(options: argparse.Namespace) -> Path:
    """The same folder, refused if it is not there, as pages would lack all figures."""
    folder = _figures_of(options)
    if options.results.is_dir() and not folder.is_dir():
        raise InputError(f"{folder} is no folder: draw the figures of {options.results} first, or name theirs.")
    return folder


def _benchmark(options: argparse.Namespace) -> None:
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    if not (folder / "__main__.py").is_file():
        raise InputError(f"{folder} is missing: the benchmark runs from a checkout of the repository alone.")
    runpy.run_path(str(folder), {"options": options}, "__main__")


def _override(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form field=value")
    return name, parsed(value)


def _configuration(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no configuration: give the text of a configuration.json")
    return found


def _minutes(text: str) -> float:
    minutes = float(text)
    if not minutes >= 0:
        raise argparse.ArgumentTypeError(f"{text} is impossible: it must be 0 or more")
    return minutes


def _add_compute(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the data sets (default: data)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, required=True, help="folder of the study, such as results/paper")


def _add_figures(parser: argparse.ArgumentParser) -> None:
    about = "folder of the study's figures (default: figures/STUDY beside results/)"
    parser.add_argument("--figures", type=Path, help=about)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m iwae", description=(iwae.__doc__ or "").partition("\n")[0])
    parser.add_argument("--version", action="version", version=f"iwae {iwae.__version__}")
    parser.add_argument("--log", type=Path, help="also write the messages to this file")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when the process that started this ends")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(run=run)
        return sub

    sub = verb("fetch", _fetch, "fetch a data set and check every byte of it")
    sub.add_argument("--dataset", default="mnist", help=f"{', '.join(DATASETS)} (default: mnist)")
    sub.add_argument("--output", type=Path, default=Path("data"), help="folder of the data sets (default: data)")
    sub.add_argument("--folder", type=Path, help="a folder that already holds the files")

    sub = verb("train", _train, "train models, going on from their checkpoints")
    sub.add_argument("--models", nargs="+", required=True, help="names such as mnist/l1-iwae-k5/seed0")
    _add_study(sub)
    sub.add_argument("--checkpoints", type=Path, required=True, help="folder of the training states")
    sub.add_argument("--protocol", default="authors-code", help=f"{' or '.join(PRESETS)} (default: authors-code)")
    fields = "fields of the protocol that differ, as adam_beta1=0.9; src/iwae/study/protocol.py has them"
    sub.add_argument("--set", nargs="*", type=_override, default=[], metavar="FIELD=VALUE", help=fields)
    add_flags(sub, TrainingSettings)
    sub.add_argument("--checkpoint-minutes", type=_minutes, default=5.0, help="between two saved states (default: 5)")
    _add_compute(sub)

    sub = verb("measure", _measure, "measure what a trained model's folder lacks of the sections asked for")
    sub.add_argument("--model", type=Path, required=True, help="folder of a trained model")
    names, about = list(MEASUREMENTS), f"some of {', '.join(MEASUREMENTS)} (default: all of them)"
    sub.add_argument("--sections", nargs="+", choices=names, default=names, metavar="SECTION", help=about)
    _add_compute(sub)
    for name, entry in MEASUREMENTS.items():
        add_flags(sub.add_argument_group(name, entry.about), entry.settings, name)

    sub = verb("signal-to-noise", _signal_to_noise, "measure the noise of gradients in a linear Gaussian problem")
    sub.add_argument("--output", type=Path, required=True, help="a study's signal_to_noise.csv")
    sub.add_argument("--replicates", type=int, default=100, help="draws, more or less of them by k (default: 100)")
    sub.add_argument("--seed", type=int, default=0, help="seed of the draws (default: 0)")
    sub.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")

    sub = verb("strip", _strip, "delete the weights of measured models, to make a study small; their manifests say so")
    sub.add_argument("folders", type=Path, nargs="+", help="models, such as results/paper/mnist/l1-vae-k1/seed1")

    sub = verb("collect", _collect, "collect the models' results into results.csv, which the verbs below read")
    _add_study(sub)
    sub.add_argument("--models", nargs="+", required=True, help="names of the study's models")
    about = "the study's configuration as JSON, to be kept beside them"
    sub.add_argument("--configuration", type=_configuration, help=about)
    for name, run, text in (("table", _table, "write tables"), ("figure", _figure, "draw figures")):
        sub = verb(name, run, f"{text} of a study")
        sub.add_argument("names", nargs="+", metavar="name", help=f"a {name} of src/iwae/reporting/contents.yaml")
        _add_study(sub)
        if name == "figure":
            _add_figures(sub)
    sub = verb("interim", _interim, "make tables, figures and README of a study that is not finished, of what there is")
    _add_study(sub)
    _add_figures(sub)
    sub.add_argument("--configuration", type=_configuration, help="as JSON (default: the one in its folder)")

    sub = verb("summary", _summary, "write the README in a finished study's folder")
    _add_study(sub)
    _add_figures(sub)

    sub = verb("audit", _audit, "check a study's claims against the paper's and its files against their manifests")
    sub.add_argument("results", type=Path, help="folder of the study, such as results/paper")
    _add_figures(sub)
    sub.add_argument("--recompute", action="store_true", help="also measure the models afresh and compare")
    sub.add_argument("--images", type=int, default=100, help="test images to measure afresh (default: 100)")
    _add_compute(sub)

    sub = verb("readme", _readme, "put a study's results, and what all studies decide, into this repository's README")
    _add_study(sub)
    _add_figures(sub)
    sub.add_argument("--readme", type=Path, default=Path("README.md"), help="the file (default: README.md)")

    sub = verb("benchmark", _benchmark, "measure the speed of training and evaluation against plain eager code")
    sub.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    sub.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    sub.add_argument("--output", type=Path, default=Path("benchmarks/results"), help="(default: benchmarks/results)")
    sub.add_argument("--quick", action="store_true", help="small: a minute or two, to see that it works")
    sub.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS, help="(default: all of them)")
    return parser


def _end_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent dies, so that no job outlives a workflow that was killed."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _write_log(path: Path) -> None:
    """Write all messages to a file too, or to it alone, with the bars of progress, where the workflow asks for that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if "IWAE_LOG_ONLY" in os.environ:
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), sys.stderr.fileno())
    else:
        logging.getLogger().addHandler(logging.FileHandler(path))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb that the arguments name; the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("iwae").setLevel(logging.INFO)  # of other libraries, warnings are enough
    os.environ["MPLBACKEND"] = "Agg"  # figures are files; Jupyter sets a backend that only its own processes have
    try:
        if options.log:
            _write_log(options.log)
        if options.end_with_parent:
            _end_with_parent()
        options.run(options)
    except (InputError, DivergenceError, OSError) as error:
        logging.error("error: %s", error)
        return 2
    except AuditError as problems:
        logging.error("%s", problems)
        return 1
    except InterruptedTraining as stop:
        logging.warning("%s", stop)
        return 130
    except KeyboardInterrupt:
        logging.warning("interrupted")
        return 130
    except Exception:  # raised again: a fault of the program keeps its traceback, in the log that the rule names too
        if options.log and "IWAE_LOG_ONLY" not in os.environ:
            with options.log.open("a", encoding="utf-8") as stream:
                traceback.print_exc(file=stream)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
