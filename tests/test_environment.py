"""environment.yml asks conda for what pyproject.toml asks pip for, in versions that the lock's are among."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
# Names on conda-forge (and bioconda) that are not those of PyPI.
PYPI = {
    "pytorch": "torch",
    "snakemake-minimal": "snakemake",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
}
NOT_LOCKED = {"python", "pip", "cxx-compiler"}
EXTRA = {"pygments"}  # of snakemake[reports], which conda has no extras for
LOCKED = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


def _asked():
    """What environment.yml asks for: the versions that it admits by the name on PyPI."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    found = [re.fullmatch(r"([a-z][a-z0-9-]*)(.*)", entry) for entry in entries if isinstance(entry, str)]
    return {PYPI.get(entry[1], entry[1]): SpecifierSet(re.sub("^=(?!=)", "~=", entry[2])) for entry in found}


def _declared():
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    return {requirement.name: requirement.specifier for requirement in map(Requirement, wanted)}


def test_conda_is_asked_for_what_pip_is_asked_for():
    assert set(_asked()) - NOT_LOCKED - EXTRA == set(_declared()) - {"uv"}  # which only makes the lock


def test_the_locked_versions_are_admitted_by_both():
    for name, versions in _asked().items():
        if name not in NOT_LOCKED:
            assert versions.contains(LOCKED[name]) and _declared().get(name, versions).contains(LOCKED[name]), name
            assert _declared().get(name, versions) == versions, name


def test_conda_has_a_python_that_the_library_runs_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (version,) = _asked()["python"]
    assert SpecifierSet(project["requires-python"]).contains(version.version)
