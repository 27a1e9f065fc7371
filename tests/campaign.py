"""A campaign of faults against a small real study: what machines do to it, and whether anything is lost by it.

    python tests/campaign.py [--parts kills damage full pairs frozen clock]

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
from itertools import combinations_with_replacement, cycle
from pathlib import Path

import yaml

from iwae.data.sources import fetch
from iwae.files import sha256
from iwae.reporting.audit import audit

ROOT = Path(__file__).resolve().parents[1]
PAPER = yaml.safe_load((ROOT / "config.yaml").read_text())
OTHERS = ("rebinarized", "chopped", "replaced", "annealed", "inference", "implicit", "gradients")
STUDY = {
    "study": "small",
    "device": "cpu",
    "grid": {"layers": [1], "objectives": ["iwae"], "k": [1, 2], "seeds": [0]},
    "experiments": {name: {"run": False} for name in PAPER["experiments"]},
    "training": {"stages": 2, "train_images": 2000, "checkpoint_minutes": 0},
    "likelihood": {"samples": 10, "test_images": 20, "train_images": 20},
    "activity": {"samples": 5, "authors_images": 50},
    "surgery": {"samples": 50, "sizes": [50, 100]},
    **{name: {"run": False} for name in OTHERS},
}
# Compiling a few updates would take most of the time, and a choice by timing may be another one the second time.
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "src"), "TORCHDYNAMO_DISABLE": "1", "IWAE_PRODUCTS": "default"}
SECOND = ("results/small/mnist/l1-vae-k1/seed0", "checkpoints/small/mnist/l1-vae-k1/seed0.safetensors")
# The moments of a kill: of Snakemake, of all processes at once, or of the one that runs this verb.
VERBS = ("train", "measure", "collect", "table", "figure", "summary", "audit")
MOMENTS = ("snakemake", "all at once", *VERBS[:4], "snakemake", *VERBS[4:])
# What says when and how fast something was made, or has the SHA-256 of such a file.
DATED = {"manifest.json", "SHA256SUMS", "README.md", *(f"models.{kind}" for kind in ("csv", "md", "html", "tex"))}
SIZES = tuple(0.1 * 1.3**step for step in range(24))  # of a disk, in MiB: up to 42


class Place:
    """A working directory for the small study, and the target of the workflow up to which it is finished there."""

    def __init__(self, folder: Path, target: str = "all", expected: dict[str, str] | None = None) -> None:
        self.folder, self.target, self.expected = folder, target, expected  # the bits of the study that it is a copy of
        self.tried, self.lost = 0, []  # how many faults were tried there, and what was lost by them, a sentence each
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
        return self.output.read_text()

    def finish(self, fault: str, target: str = "") -> None:
        """Give the same command until the end, and enter what was lost by `fault`: ``evaluate`` makes models alone."""
        target = target or self.target
        if self.run(*self.snakemake(target)):
            self.lost.append(f"{fault}: the same command does not finish: {self.said()[-3000:]}")
            return
        found, problems = self.bits(), audit(self.results, self.figures) if target == "all" else []
        asked = [name for name in self.expected if target == "all" or "/mnist/" in name]
        other = sorted(name for name in asked if self.expected[name] != found.get(name))
        if other or problems:
            self.lost.append(f"{fault}: other bits in {other}, problems {problems}")

    def look(self, fault: str) -> None:
        """Count a fault, of which a command that fails must say a sentence and no more."""
        self.tried += 1
        if "Traceback (most recent call last)" in self.said():
            self.lost.append(f"{fault}: a traceback: {self.said()[-3000:]}")

    def bits(self) -> dict[str, str]:
        """The SHA-256 of each file of the study that is the same whenever it is made, or of what in it is so."""
        return {str(path.relative_to(self.folder)): _bits(path) for path in self.files() if path.name not in DATED}

    def files(self) -> list[Path]:
        """The files of the study but for those of the audit."""
        found = [path for top in (self.results, self.figures) for path in sorted(top.rglob("*")) if path.is_file()]
        return [path for path in found if path.name[0] != "." and path.stem != "audit"]

    def copy(self, name: str) -> "Place":
        """A copy beside this place, where there may be an empty folder."""
        folder = shutil.copytree(self.folder, self.folder.with_name(name), symlinks=True, dirs_exist_ok=True)
        return Place(folder, self.target, self.bits())

    def clear(self, *paths: str) -> None:
        """Delete these files and folders."""
        for path in (self.folder / path for path in paths):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _bits(path: Path) -> str:
    """The SHA-256 of a file, or the numbers of a table without times and rates."""
    if path.name not in ("training.csv", "results.csv"):
        return sha256(path)
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
    made = [f"results/small/{path.name}" for path in place.results.glob("*.*") if path.name != "results.csv"]
    place.clear("figures", *SECOND, *made)
    return place


def kills(study: Place, number: int = 100, moments: Sequence[str] = MOMENTS) -> Place:
    """SIGKILL at random moments, one after another, until the study is finished all the same; then once more."""
    place, seed, coming = half(study, "kills"), random.randrange(10**6), cycle(moments)
    chance = random.Random(seed)
    while place.tried < number:
        place.clear("results", "figures", "checkpoints")
        killed, moment = True, ""
        while killed or moment == "audit":
            moment = next(coming)
            process = place.start(*place.snakemake("audit" if moment == "audit" else place.target))
            killed = _kill(process, moment, chance)
            process.wait()
            place.tried += killed
        place.finish(f"kills (seed {seed}) up to {place.tried}")
        print(f"{place.tried} kills, {len(place.lost)} lost", file=sys.stderr, flush=True)
    return place


def _kill(process: subprocess.Popen, moment: str, chance: random.Random) -> bool:
    """Kill a process of the session at a random moment; whether there was one before the session's end."""
    if moment in ("snakemake", "all at once"):
        time.sleep(chance.uniform(0, 20))
        if running := process.poll() is None:
            (os.kill if moment == "snakemake" else os.killpg)(process.pid, signal.SIGKILL)
        return running

    def signalled(number: int) -> bool:  # whether a process that runs this verb was there
        named = ["--session", str(process.pid), "--full", f" -m iwae (.* )?{moment} "]
        return subprocess.run(["pkill", f"--signal={number}", *named]).returncode == 0

    while process.poll() is None:
        if signalled(0):
            time.sleep(chance.uniform(0, 2))
            if signalled(signal.SIGKILL):
                return True
        time.sleep(0.1)
    return False


def damage(study: Place) -> Place:
    """Each file removed, cut in half, with one bit flipped, and replaced by another of its kind."""
    place = study.copy("damage")
    for path in place.files():
        content, name = path.read_bytes(), path.name if path.name == "SHA256SUMS" else f"{path.parent.name}/{path.name}"
        middle = len(content) // 2
        others = [other for other in place.files() if other.read_bytes() != content]
        nearest = max(others, key=lambda other: (other.name == path.name, other.suffix == path.suffix))
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        faults = {"cut": content[:middle], "flipped": flipped, "replaced": nearest.read_bytes(), "gone": None}
        for fault, bad in faults.items():
            path.unlink() if bad is None else path.write_bytes(bad)
            problems = audit(place.results, place.figures)
            path.write_bytes(content)
            place.tried += 1
            if not any(name in problem for problem in problems):
                place.lost.append(f"{name} {fault}: the audit says {problems}")
    return place


@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[None]:
    """Something mounted on a folder; needs root's rights."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def full(study: Place, sizes: Sequence[float] = SIZES) -> Place:
    """A disk of so many MiB, which grows by and by until the study fits."""
    with mounted(study.folder.with_name("full"), "-t", "tmpfs", "-o", "size=64M", "tmpfs"):
        place = half(study, "full")
        place.clear("results", "checkpoints", "logs", ".snakemake")
        for size in (*sizes, 64):
            subprocess.run(["mount", "-o", f"remount,size={size * 2**20:.0f}", str(place.folder)], check=True)
            if size != 64:
                place.tried += place.run(*place.snakemake(place.target)) != 0
        place.finish("a full disk")
    return place


def commands(place: Place) -> dict[str, list[str]]:
    """The workflow's command of each verb that is to be run, the first where there are several, and the workflow's."""
    place.run(*place.snakemake(place.target, "--dry-run", "--printshellcmds"))
    printed = re.findall(r"exec python (-m iwae .*?(?<!\\)\n)", place.said(), re.DOTALL)
    found = [shlex.split(command.replace("\\\n", "")) for command in printed]
    verbs = {words[4 + (words[4] == "--end-with-parent")]: words for words in reversed(found)}
    verbs |= {"audit": ["-m", "iwae", "audit", "results/small"], "snakemake": place.snakemake(place.target)}
    return verbs | {"interim": ["-m", "iwae", "interim", "--results", "results/small"]}


def pairs(study: Place, chosen: Sequence[tuple[str, str]] | None = None) -> Place:
    """Two commands at once, in all pairs, each time with a model to train and to measure and all to report."""
    place = half(study, "pairs")
    known = commands(place)
    for pair in chosen or combinations_with_replacement(known, 2):
        place.clear(*SECOND)
        place.output.write_text("")
        for process in [place.start(*known[verb]) for verb in pair]:
            process.wait()
        place.look(" beside ".join(pair))
        place.finish(" beside ".join(pair), "evaluate")
    place.finish("the pairs")
    return place


def frozen(study: Place) -> Place:
    """Results that cannot be written, for each command, while a model is still to be trained."""
    place = half(study, "frozen")
    known, results = commands(place), place.folder / "results"
    with mounted(results, "--bind", "-o", "ro", str(results)):
        for verb, command in known.items():
            place.run(*command)
            place.look(f"{verb} with read-only results")
    place.finish("read-only results")
    return place


def clock(study: Place) -> Place:
    """The clock set back by a day when half of the study is finished."""
    place, tomorrow = half(study, "clock"), time.time() + 86400
    for path in place.folder.rglob("*"):
        os.utime(path, (tomorrow, tomorrow), follow_symlinks=False)
    place.tried = 1
    place.finish("the clock set back")
    return place


def main() -> int:
    """Run the parts that are asked for; status 1 if anything was lost."""
    parts, lost = {part.__name__: part for part in (kills, damage, full, pairs, frozen, clock)}, 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts), help="(default: all of them)")
    chosen = parser.parse_args().parts
    fetch("mnist", ROOT / "data")
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        study = undisturbed(Path(folder) / "undisturbed", ROOT / "data")
        for part in chosen:
            place = parts[part](study)
            print(f"{part}: {place.tried} tried, {len(place.lost)} lost", *place.lost, sep="\n  ", flush=True)
            lost += len(place.lost)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
