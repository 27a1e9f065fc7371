"""The seal of a study: the SHA-256 of each file that it consists of, as coreutils' ``sha256sum --check`` reads it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from iwae.errors import InputError
from iwae.files import relative, sha256, write_text

NAME = "SHA256SUMS"
_UNSEALED = (NAME, "report.html", "audit.*")  # the seal, and what is made of a sealed study


def seal(results: Path, figures: Path) -> None:
    """Write ``results/SHA256SUMS``, a line for each file of a study, with its path relative to `results`."""
    files = [*_files(results), *_files(figures, recursive=False)]
    lines = [f"{sha256(file)}  {relative(file, results)}\n" for file in sorted(files)]
    write_text(results / NAME, "".join(lines))


def check(results: Path) -> list[str]:
    """What is not as it was sealed: a sentence for each file that is missing, changed or not in the seal.

    The folders outside `results` that the seal names, which hold figures, are searched for such files too. Of a folder
    with nothing that was sealed there is one sentence. A seal that is missing or damaged is one problem.
    """
    problems = []
    try:
        sums = read(results)
    except InputError as error:
        return [str(error)]
    for name, expected in sums.items():
        path = results / name
        if not path.is_file():
            problems.append(f"{path} is missing: {NAME} lists it.")
        elif sha256(path) != expected:
            problems.append(f"{path} has changed: its SHA-256 is not the one in {NAME}.")
    outside = {(results / name).parent for name in sums if name.startswith("..")}
    found = [*_files(results), *(file for folder in sorted(outside) for file in _files(folder, recursive=False))]
    unknown = [file for file in found if relative(file, results) not in sums]
    places = outermost(unknown, [results, *((results / name).parent for name in sums)])
    advice = "delete it, or run `python -m iwae summary` again"
    return problems + [f"{path} is unknown: {NAME} does not list it; {advice}." for path in places]


def outermost(files: Iterable[Path], known: Iterable[Path]) -> list[Path]:
    """The outermost folders of `files` that neither are nor hold a folder of `known`; or files, where there is none."""
    within = {parent for folder in known for parent in (folder, *folder.parents)}
    places = {next((parent for parent in reversed(file.parents) if parent not in within), file) for file in files}
    return sorted(places)


def read(results: Path) -> dict[str, str]:
    """The SHA-256 of each sealed file by its path relative to `results`.

    `InputError` where there is no seal, or a line of it is not of the form of ``sha256sum``.
    """
    path = results / NAME
    if not path.is_file():
        raise InputError(f"{path} is missing: run `python -m iwae summary` first.")
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name:
            raise InputError(f"{path} is damaged in line {number}: restore it or run `python -m iwae summary` again.")
        sums[name] = digest
    return sums


def visible(folder: Path, recursive: bool = True) -> Iterator[Path]:
    """The files below a folder, or in it; hidden ones, such as locks, are no part of a study."""
    for path in folder.rglob("*") if recursive else folder.glob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _files(folder: Path, recursive: bool = True) -> list[Path]:
    """The files of a folder that a seal is of."""
    found = visible(folder, recursive)
    return [path for path in found if path.parent != folder or not any(path.match(each) for each in _UNSEALED)]
