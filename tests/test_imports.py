"""What may import what: the parts of the library, from the AST, and what python has loaded after importing them."""

import ast
import graphlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import iwae
from iwae.study.registry import DATASETS

PACKAGE = Path(iwae.__file__).parent
# A part imports from itself and from parts of lower rank. Parts of one rank know nothing of each other.
RANKS = [
    ("errors",),
    ("files", "cuda"),
    ("device", "progress"),
    ("study",),
    ("data",),
    ("models",),
    ("bounds",),
    ("estimators",),
    ("training", "evaluation"),
    ("reporting",),
    ("__main__",),
]
HEAVY = ("snakemake", "pandas", "matplotlib", "seaborn", "torchvision")
ARRAYS = ("torch", "numpy", "safetensors", "scipy")
IMPORT_ALL = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""


def _modules():
    """Every module of the library by its dotted name, with its file."""
    found = {"iwae": PACKAGE / "__init__.py"}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(["iwae", *(part for part in parts if part != "__init__")])] = path
    return found


MODULES = _modules()


def _imported(path):
    """Dotted names of all that a file imports, at its top or within its functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & set(MODULES)
            is_all = len(submodules) == len(node.names)
            names |= submodules | (set() if is_all else {node.module})
    return names


IMPORTS = {name: _imported(path) for name, path in MODULES.items()}


def _part(name):
    """``iwae.models.store`` is of the part ``models``; the package itself, which holds the version, of none."""
    return name.split(".")[1] if "." in name else ""


def _third_party(name):
    return {imported.split(".")[0] for imported in IMPORTS[name]}


def _allowed(part):
    rank = next(rank for rank, parts in enumerate(RANKS) if part in parts)
    return {"", part, *(lower for parts in RANKS[:rank] for lower in parts)}


def test_every_part_has_its_place():
    placed = {part for parts in RANKS for part in parts}
    assert {_part(name) for name in MODULES} - {""} == placed


@pytest.mark.parametrize("part", sorted({_part(name) for name in MODULES} - {""}))
def test_a_part_imports_from_below_alone(part):
    wrong = [
        (name, imported)
        for name in MODULES
        if _part(name) == part
        for imported in IMPORTS[name]
        if imported.split(".")[0] == "iwae" and _part(imported) not in _allowed(part)
    ]
    assert not wrong


def test_nothing_is_imported_in_a_circle():
    own = {name: {imported for imported in IMPORTS[name] if imported in MODULES} - {name} for name in MODULES}
    assert len(list(graphlib.TopologicalSorter(own).static_order())) == len(MODULES)


def test_models_and_bounds_do_no_files_and_no_pictures():
    for name in MODULES:
        if _part(name) in ("models", "bounds", "estimators") and name != "iwae.models.store":
            assert not _third_party(name) & {"os", "pathlib", "json", "csv", "safetensors"}, name
            assert not IMPORTS[name] & {"iwae.files", "iwae.study.manifest"}, name


def test_pictures_and_tables_are_made_in_reporting_alone():
    for name in MODULES:
        if _part(name) != "reporting":
            assert not _third_party(name) & {"matplotlib", "seaborn", "pandas", "jinja2"}, name
        assert "snakemake" not in _third_party(name), name


def _of(*parts):
    return [name for name in MODULES if _part(name) in parts]


@pytest.mark.parametrize(
    ("names", "unwanted"),
    [
        (_of("data", "models", "training", "evaluation", "bounds", "estimators"), HEAVY),
        (_of("errors", "files", "cuda", "study"), (*ARRAYS, *HEAVY)),  # what the workflow reads
        (["iwae.reporting.contents"], (*ARRAYS, *HEAVY)),  # which it asks for tables and figures
        (["iwae.__main__"], (*ARRAYS, *HEAVY)),  # which explains itself
        (["iwae.data.sources", *(e.implementation.split(":")[0] for e in DATASETS.values())], ("torch", "scipy")),
        (["iwae.reporting.audit", "iwae.reporting.summary"], ("torch",)),
    ],
    ids=["numerics", "plain", "contents", "help", "data sets", "reports"],
)
def test_nothing_is_loaded_that_is_not_needed(names, unwanted):
    finished = subprocess.run([sys.executable, "-c", IMPORT_ALL, *names], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert not {module.split(".")[0] for module in json.loads(finished.stdout)} & set(unwanted)


def test_standard_library_only_is_true_where_it_is_said():
    claims = [name for name, path in MODULES.items() if "Standard library only" in path.read_text(encoding="utf-8")]
    assert {"iwae.study", "iwae.study.protocol", "iwae.study.manifest"} <= set(claims)
    for name in claims:
        assert _third_party(name) <= {"iwae", *sys.stdlib_module_names}, name
