"""A campaign of faults against a small real study: what machines do to it, and whether anything is lost by it.

    python tests/campaign.py [--kills 100] [--parts kills damage full pairs frozen clock]

takes hours of a core and root's rights; tests/test_campaign.py runs a short form. After each fault the same command
must end with the bits of a study that nothing was done to, or the audit must name the file; else something was lost.
"""

import argparse
import csv
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations_with_replacement, cycle
from pathlib import Path

import yaml

from iwae.data.sources import fetch
from iwae.files import sha256
from iwae.reporting.audit import audit

ROOT = Path(__file__).resolve().parents[1]
OTHERS = ("rebinarized", "chopped", "replaced", "annealed", "inference", "implicit", "gradients")
EXPERIMENTS = ("warm_starts", "two_latents", "capacity", "other_datasets", "protocols")
STUDY = {
    "study": "small",
    "device": "cpu",
    "grid": {"layers": [1], "objectives": ["iwae"], "k": [1, 2], "seeds": [0]},
    "experiments": {name: {"run": False} for name in EXPERIMENTS},
    "training": {"stages": 2, "train_images": 2000, "checkpoint_minutes": 0},
    "likelihood": {"samples": 10, "test_images": 20, "train_images": 20},
    "activity": {"samples": 5, "authors_images": 50},
    "surgery": {"samples": 50, "sizes": [50, 100]},
    **{name: {"run": False} for name in OTHERS},
}
# Compiling for a few updates would take most of the time (the tests of training compile), and a choice by timing may be
# another one the second time.
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "src"), "TORCHDYNAMO_DISABLE": "1", "IWAE_PRODUCTS": "default"}
SECOND = "mnist/l1-vae-k1/seed0"
# The moments of a kill: of Snakemake, of all processes at once, or of the one that runs this verb.
MOMENTS = (
    "snakemake",
    "train",
    "all at once",
    "measure",
    "collect",
    "table",
    "snakemake",
    "figure",
    "summary",
    "audit",
)
# What says when and how fast something was made, or has the SHA-256 of such a file.
DATED = {"manifest.json", "SHA256SUMS", "README.md", *(f"models.{kind}" for kind in ("csv", "md", "html", "tex"))}
MEBIBYTE = 2**20
TRACEBACK = "Traceback (most recent call last)"


@dataclass
class Outcome:
    """How many faults were tried, and what was lost by them, a sentence each."""

    tried: int = 0
    lost: list[str] = field(default_factory=list)


class Place:
    """A working directory for the small study, and the target of the workflow up to which it is finished there."""

    def __init__(self, folder: Path, target: str = "all") -> None:
        self.folder, self.target = folder, target
        self.results, self.figures = folder / "results/small", folder / "figures/small"
        self.output = folder.with_name(f"{folder.name}.output")  # where a full disk does not reach

    def start(self, *command: str) -> subprocess.Popen:
        """Start `command`, words after `python`, in a session of its own."""
        options = {"cwd": self.folder, "env": os.environ | ENVIRONMENT, "start_new_session": True}
        with self.output.open("a") as output:
            return subprocess.Popen([sys.executable, *command], stdout=output, stderr=output, **options)

    def snakemake(self, target: str, *options: str) -> list[str]:
        """The command that runs the workflow, in words after `python`."""
        command = ["-m", "snakemake", target, "--cores", "2", *options, "--snakefile", str(ROOT / "Snakefile")]
        return [*command, "--directory", str(self.folder), "--configfile", str(self.folder / "study.yaml")]

    def run(self, *command: str) -> int:
        """The status of `command`; `said` has its output."""
        self.output.write_text("")
        return self.start(*command).wait()

    def said(self) -> str:
        """What the last command wrote."""
        return self.output.read_text() if self.output.exists() else ""

    def finish(self, expected: dict[str, str], fault: str, outcome: Outcome, target: str = "") -> None:
        """Give the same command until the end, and enter into `outcome` what was lost by `fault`.

        With the target ``evaluate`` the files of the models alone are looked at.
        """
        target = target or self.target
        if self.run(*self.snakemake(target)):
            outcome.lost.append(f"{fault}: the same command does not finish: {self.said()[-3000:]}")
            return
        found, problems = self.bits(), audit(self.results, self.figures) if target == "all" else []
        asked = [name for name in expected if target == "all" or "/mnist/" in name]
        other = sorted(name for name in asked if expected[name] != found.get(name))
        if other or problems:
            outcome.lost.append(f"{fault}: other bits in {other}, problems {problems}")

    def bits(self) -> dict[str, str]:
        """The SHA-256 of each file of the study that is the same whenever it is made, or of what in it is so."""
        return {
            str(path.relative_to(self.folder)): _undated(path)
            if path.name in ("training.csv", "results.csv")
            else sha256(path)
            for path in self.files()
            if path.name not in DATED
        }

    def files(self) -> list[Path]:
        """The files of the study but for those of the audit."""
        found = [path for top in (self.results, self.figures) for path in sorted(top.rglob("*")) if path.is_file()]
        return [path for path in found if path.name[0] != "." and path.stem != "audit"]

    def copy(self, name: str) -> "Place":
        """A copy beside this place, where there may be an empty folder."""
        target = self.folder.with_name(name)
        target.with_name(f"{name}.output").unlink(missing_ok=True)
        shutil.copytree(self.folder, target, symlinks=True, dirs_exist_ok=True)
        return Place(target, self.target)

    def clear(self, *paths: str) -> None:
        """Delete these files and folders."""
        for path in (self.folder / path for path in paths):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _undated(path: Path) -> str:
    """The numbers of a table without times and rates."""
    with path.open(newline="") as stream:
        rows = [{**row, "images_per_second": ""} for row in csv.DictReader(stream)]
    return str([row for row in rows if row.get("quantity") != "wall_seconds"])


def undisturbed(folder: Path, data: Path, target: str = "all") -> Place:
    """The study, finished, that nothing is done to."""
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    (folder / "data").symlink_to(data, target_is_directory=True)
    place = Place(folder, target)
    if place.run(*place.snakemake(target)):
        sys.exit(place.said())
    return place


def half(study: Place, name: str) -> Place:
    """A copy that has the second model still to train and to measure, and everything to report."""
    place = study.copy(name)
    place.clear("figures", f"results/small/{SECOND}", f"checkpoints/small/{SECOND}.safetensors")
    made = [path.name for path in place.results.iterdir() if path.is_file() and path.name != "results.csv"]
    place.clear(*(f"results/small/{name}" for name in made))
    return place


def kills(study: Place, number: int, moments: Sequence[str] = MOMENTS) -> Outcome:
    """SIGKILL at random moments, one after another, until the study is finished all the same; then once more."""
    outcome, expected, seed = Outcome(), study.bits(), random.randrange(10**6)
    place, chance, coming = half(study, "kills"), random.Random(seed), cycle(moments)
    while outcome.tried < number:
        place.clear("results", "figures", "checkpoints")
        ended = False
        while not ended:
            moment = next(coming)
            process = place.start(*place.snakemake("audit" if moment == "audit" else place.target))
            killed = _kill(process, moment, chance)
            process.wait()
            outcome.tried += killed
            ended = not killed and moment != "audit"
        place.finish(expected, f"kills (seed {seed}) up to {outcome.tried}", outcome)
        print(f"{outcome.tried} kills, {len(outcome.lost)} lost", file=sys.stderr, flush=True)
    return outcome


def _kill(process: subprocess.Popen, moment: str, chance: random.Random) -> bool:
    """Kill a process of the session at a random moment; whether there was one before the session's end."""
    if moment in ("snakemake", "all at once"):
        time.sleep(chance.uniform(0, 20))
    while process.poll() is None:
        if moment == "all at once":
            os.killpg(process.pid, signal.SIGKILL)
            return True
        victims = [process.pid] if moment == "snakemake" else _running(process.pid, moment)
        if victims and moment != "snakemake":
            time.sleep(chance.uniform(0, 2))
            victims = [pid for pid in victims if Path(f"/proc/{pid}").exists()]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        if victims:
            return True
        time.sleep(0.1)
    return False


def _running(session: int, verb: str) -> list[int]:
    """The processes of a session that run a verb of the library."""
    listed = subprocess.run(["ps", "-s", str(session), "-o", "pid=,args="], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if " -m iwae " in line and f" {verb} " in line]


def damage(study: Place, chance_of_a_file: float = 1.0) -> Outcome:
    """Each file removed, cut in half, with one bit flipped, and replaced by another of its kind."""
    outcome, place, chance = Outcome(), study.copy("damage"), random.Random(0)
    for path in place.files():
        if chance.random() > chance_of_a_file:
            continue
        content, name = path.read_bytes(), path.name if path.name == "SHA256SUMS" else f"{path.parent.name}/{path.name}"
        middle = len(content) // 2
        others = [other for other in place.files() if other.read_bytes() != content]
        nearest = max(others, key=lambda other: (other.name == path.name, other.suffix == path.suffix))
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        for fault, bad in (
            ("cut", content[:middle]),
            ("flipped", flipped),
            ("replaced", nearest.read_bytes()),
            ("gone", None),
        ):
            path.unlink() if bad is None else path.write_bytes(bad)
            problems = audit(place.results, place.figures)
            path.write_bytes(content)
            outcome.tried += 1
            if not any(name in problem for problem in problems):
                outcome.lost.append(f"{name} {fault}: the audit says {problems}")
    return outcome


@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[None]:
    """Something mounted on a folder; needs root's rights."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def full(study: Place, sizes: Sequence[float]) -> Outcome:
    """A disk of so many MiB, which grows by and by until the study fits."""
    outcome, expected = Outcome(), study.bits()
    folder = study.folder.with_name("full")
    with mounted(folder, "-t", "tmpfs", "-o", "size=64M", "tmpfs"):
        place = half(study, folder.name)
        place.clear("results", "checkpoints", "logs", ".snakemake")
        for size in (*sizes, 64):
            subprocess.run(["mount", "-o", f"remount,size={size * MEBIBYTE:.0f}", str(folder)], check=True)
            if size != 64:
                outcome.tried += place.run(*place.snakemake(place.target)) != 0
        place.finish(expected, "a full disk", outcome)
    return outcome


@cache
def commands(study: Place) -> dict[str, list[str]]:
    """The workflow's command of each verb that is to be run, the first where there are several."""
    place = half(study, "commands")
    place.run(*place.snakemake(place.target, "--dry-run", "--printshellcmds"))
    printed = re.findall(r"exec python (-m iwae .*?(?<!\\)\n)", place.said(), re.DOTALL)
    found = [shlex.split(command.replace("\\\n", "")) for command in printed]
    verbs = {words[4 + (words[4] == "--end-with-parent")]: words for words in reversed(found)}
    audited = ["-m", "iwae", "audit", "results/small"]
    interim = ["-m", "iwae", "interim", "--results", "results/small"]
    return verbs | {"audit": audited, "interim": interim}


def pairs(study: Place, chosen: Sequence[tuple[str, str]] | None = None) -> Outcome:
    """Two commands at once, in all pairs, each time with a model to train and to measure and all to report."""
    outcome, expected, place = Outcome(), study.bits(), half(study, "pairs")
    known = commands(study) | {"snakemake": place.snakemake(place.target)}
    for pair in chosen or combinations_with_replacement(known, 2):
        place.clear(f"results/small/{SECOND}", f"checkpoints/small/{SECOND}.safetensors")
        place.output.unlink(missing_ok=True)
        for process in [place.start(*known[verb]) for verb in pair]:
            process.wait()
        _look(place, " beside ".join(pair), outcome)
        place.finish(expected, " beside ".join(pair), outcome, "evaluate")
    place.finish(expected, "the pairs", outcome)
    return outcome


def frozen(study: Place) -> Outcome:
    """Results that cannot be written, for each command, while a model is still to be trained."""
    outcome, place = Outcome(), half(study, "frozen")
    known = commands(study) | {"snakemake": place.snakemake(place.target)}
    results = place.folder / "results"
    with mounted(results, "--bind", "-o", "ro", str(results)):
        for verb, command in known.items():
            place.run(*command)
            _look(place, f"{verb} with read-only results", outcome)
    place.finish(study.bits(), "read-only results", outcome)
    return outcome


def clock(study: Place) -> Outcome:
    """The clock set back by a day when half of the study is finished."""
    outcome, place, tomorrow = Outcome(tried=1), half(study, "clock"), time.time() + 86400
    for path in place.folder.rglob("*"):
        os.utime(path, (tomorrow, tomorrow), follow_symlinks=False)
    place.finish(study.bits(), "the clock set back", outcome)
    return outcome


def _look(place: Place, fault: str, outcome: Outcome) -> None:
    """Count a fault, of which a command that fails must say a sentence and no more."""
    outcome.tried += 1
    if TRACEBACK in place.said():
        outcome.lost.append(f"{fault}: a traceback: {place.said()[-3000:]}")


def main() -> int:
    """Run the parts that are asked for; status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="how many (default: 100)")
    sizes = [0.1 * 1.3**step for step in range(24)]  # up to 42 MiB
    parts = {
        "kills": lambda study: kills(study, options.kills),
        "damage": damage,
        "full": lambda study: full(study, sizes),
        "pairs": pairs,
        "frozen": frozen,
        "clock": clock,
    }
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts), help="(default: all of them)")
    options, lost = parser.parse_args(), 0
    fetch("mnist", ROOT / "data")
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        study = undisturbed(Path(folder) / "undisturbed", ROOT / "data")
        for part in options.parts:
            outcome = parts[part](study)
            print(f"{part}: {outcome.tried} tried, {len(outcome.lost)} lost", *outcome.lost, sep="\n  ", flush=True)
            lost += len(outcome.lost)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
