"""Whether a study's files are what its manifests, its configuration and its data sets say they are.

Every problem is one sentence that names the file. What is made from the models' files, tables and the like, is made
again and compared by `rebuild`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iwae.data import mnist
from iwae.errors import InputError
from iwae.files import sha256
from iwae.reporting import contents
from iwae.reporting.results import CONFIGURATION, UNREADABLE, checked_manifest, read_configuration, reason
from iwae.reporting.verify import seal
from iwae.reporting.verify.agreement import between_models, disagreements
from iwae.study import configuration, manifest
from iwae.study.registry import DATASETS
from iwae.study.settings import differences
from iwae.study.specification import ModelSpec
from iwae.study.status import FILES

AUDIT_FILES = ("audit.json", "audit.md", "audit.html")
_OTHERS = {CONFIGURATION, "results.csv", "README.md", "report.html", seal.NAME, *AUDIT_FILES}
_SHA256 = {"mnist": mnist.SHA256, "mnist-static": mnist.SHA256}  # of the data sets whose files are known by it


def configured(results: Path) -> configuration.StudyConfig:
    """The study as ``configuration.json`` in `results` describes it.

    `InputError` where that is missing or damaged, or describes another study.
    """
    path = results / CONFIGURATION
    try:
        study = configuration.study_of(read_configuration(path))
    except UNREADABLE as error:
        raise InputError(f"{path} is not a study's configuration: {reason(error)}") from error
    if study.name != results.name:
        raise InputError(f"{path} describes the study {study.name!r}, and stands in the folder of {results.name!r}.")
    return study


def model_problems(results: Path, study: configuration.StudyConfig) -> Iterator[str]:
    """What is wrong with the folders of the models that the configuration asks for."""
    for spec in study.models:
        try:
            yield from _folder_problems(results / spec.name, spec, study)
        except UNREADABLE as error:
            yield f"{results / spec.name / manifest.NAME}: {reason(error)}"
    yield from between_models(results, study.models)


def _folder_problems(folder: Path, spec: ModelSpec, study: configuration.StudyConfig) -> Iterator[str]:
    path = folder / manifest.NAME
    if not folder.is_dir():
        yield f"{folder} is missing: the configuration asks for this model."
        return
    content = checked_manifest(folder, spec)
    for section in study.sections_of(spec):
        if section not in content:
            yield f"{path} has no entry {section!r}, which the configuration asks for."
            continue
        for line in differences(content[section]["settings"], study.settings(section, spec)):
            yield f"{path} disagrees with {CONFIGURATION}: in {section!r}, {line}."
        yield from _file_problems(folder, section, content)
        yield from _data_problems(path, section, content[section]["provenance"].get("data_sha256", {}), spec.dataset)
    known = {name for section in manifest.SECTIONS for name in content.get(section, {}).get("files", {})}
    for found in sorted(folder.iterdir()):
        if found.name not in known | {manifest.NAME} and not found.name.startswith("."):
            yield f"{found} is unknown: {path.name} does not list it; delete it."
    yield from disagreements(folder, spec, content)


def _file_problems(folder: Path, section: str, content: dict[str, Any]) -> Iterator[str]:
    entry, weights = content[section], content["training"]["files"].get(manifest.WEIGHTS)
    if section != "training" and entry["weights"] != weights:
        yield f"{folder / manifest.NAME}: {section!r} was measured of other weights than {manifest.WEIGHTS}."
    for name in FILES[section]:
        if name not in entry["files"]:
            yield f"{folder / manifest.NAME} does not list {name}, which belongs to its section {section!r}."
    for name, expected in manifest.files_of(content, section).items():
        path = folder / name
        if not path.is_file():
            yield f"{path} is missing: {manifest.NAME} lists it."
        elif sha256(path) != expected:
            yield f"{path} is not the file that {manifest.NAME} describes: its SHA-256 differs."


def _data_problems(path: Path, section: str, recorded: dict[str, str], dataset: str) -> Iterator[str]:
    known = DATASETS[dataset].files
    if sorted(recorded) != sorted(known):
        found = ", ".join(recorded) or "no data files"
        yield f"{path}: {section!r} was made from {found}; {dataset} consists of {', '.join(known)}."
    for name, expected in _SHA256.get(dataset, {}).items():
        if recorded.get(name, expected) != expected:
            yield f"{path}: {section!r} was made from another {name} than the published one, by its SHA-256."


def unknown_files(results: Path, figures: Path, study: configuration.StudyConfig) -> Iterator[str]:
    """Files of a study's two folders that are none of its own: of another model, a table or a figure it does not have.

    Of a folder with none of the study's models there is one sentence.
    """
    folders = [results / spec.name for spec in study.models]
    tables, drawn = (find(study.models, study.sections_of) for find in (contents.tables, contents.figures))
    known = {results / name for name in _OTHERS} | {
        *(results / f"{name}.{kind}" for name in tables for kind in contents.TABLE_KINDS),
        *(figures / f"{name}.{kind}" for name, item in drawn.items() for kind in item.kinds),
        # Of figures that are turned off, too: such a file takes minutes to make, so it is kept.
        *(results / name for item in contents.FIGURES.values() for name in item.beside),
    }
    models = set(folders)
    found = [file for root in (results, figures) for file in seal.visible(root)]
    unknown = [file for file in found if file not in known and models.isdisjoint(file.parents)]
    for place in seal.outermost(unknown, [results, figures, *folders]):
        yield (
            f"{place} is unknown: it is no model, table or figure of {CONFIGURATION}; ask for it in the configuration, "
            "or take it out of this folder."
        )
