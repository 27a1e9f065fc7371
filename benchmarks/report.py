"""The tables of a benchmark as Markdown, from the rows of its CSV alone."""

from collections.abc import Iterable, Sequence

from iwae.reporting.tables.formats import EMPTY, Column, Table, rendered
from iwae.study.settings import TrainingSettings
from iwae.training.schedule import Schedule

PAPER_UPDATES = Schedule.of(TrainingSettings(), 59_600).updates  # of one model, 9.77 million
Rows = Sequence[dict[str, str]]
_ROUNDS = (
    "Values are medians over rounds in which the contestants take turns; in parentheses the range over the rounds."
)


def report(rows: Rows, name: str) -> str:
    """The whole page, with the figure ``{name}.png``."""
    tables = [_where(rows)]
    makers = {
        "training": (_training, _side_by_side, _memory),
        "cores": (_cores,),
        "evaluation": (_evaluation,),
        "surgery": (_surgery,),
        "scaling": (_growth, _scaling),
    }
    for section, makes in makers.items():
        if any(row["section"] == section for row in rows):
            tables += [table for table in (make(rows) for make in makes) if table.rows]
    head = f"# Speed, {name}\n\n{_ROUNDS} Synthetic images, minibatches of 20, float32.\n\n"
    return f"{head}![Ratios and scaling]({name}.png)\n\n{rendered('md', tables)}"


def select(rows: Iterable[dict[str, str]], **keys: object) -> list[dict[str, str]]:
    """The rows with these values."""
    wanted = {name: str(value) for name, value in keys.items()}
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def cell(rows: Iterable[dict[str, str]], digits: int = 3, spread: bool = True, **keys: object) -> str:
    """The value of the one row with these values, and its range; a dash where there is none."""
    found = select(rows, **keys)
    if not found:
        return EMPTY
    value, lowest, highest = (number(float(found[0][name]), digits) for name in ("value", "lowest", "highest"))
    return f"{value} ({lowest} to {highest})" if spread and lowest != highest else value


def number(value: float, digits: int = 3) -> str:
    """A number with some significant digits, never in exponential form."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - int(f"{value:e}".split("e")[1]))
    return f"{value:,.{decimals}f}"


def _keys(rows: Rows, *names: str) -> list[dict[str, str]]:
    """The different values that the columns `names` have together, in the order of the rows."""
    return [dict(zip(names, values, strict=True)) for values in dict.fromkeys(tuple(r[n] for n in names) for r in rows)]


def _where(rows: Rows) -> Table:
    names = ("section", "machine", "cores", "threads", "products", "torch", "compiled", "load", "commit", "date")
    columns = [Column(name, text=name in ("section", "machine", "products", "commit", "date")) for name in names]
    body = [
        [key["section"], *(key[n] for n in names[1:-2]), key["commit"][:12], key["date"]] for key in _keys(rows, *names)
    ]
    notes = [
        "products: how the CPU multiplies matrices, PyTorch's default or oneDNN, as the library chose by measuring; "
        "eager code always has the default.",
        "load: processes that wanted to run in the minute before, our own included; more than cores disturbs.",
    ]
    return Table("Where and when", (), columns, body, notes)


def _training(rows: Rows) -> Table:
    labels = ("layers", "k", "M", "eager", "uncompiled", "engine", "engine / eager", "uncompiled / eager")
    columns = [
        Column(label) for label in (*labels, "share of products' rate, %", "products, GFLOP/s", "hours for M models")
    ]
    body = []
    for keys in _keys(select(rows, section="training", measure="rate", contestant="engine"), "layers", "k", "models"):
        some = select(rows, section="training", **keys)
        eager = select(rows, section="training", contestant="eager", layers=keys["layers"], k=keys["k"])
        rate = select(some, measure="rate", contestant="engine")
        hours = PAPER_UPDATES * int(keys["models"]) / float(rate[0]["value"]) / 3600
        body.append(
            [
                *keys.values(),
                cell(eager, spread=False, measure="rate"),
                cell(some, spread=False, measure="rate", contestant="engine, uncompiled"),
                cell(rate),
                cell(some, measure="ratio", contestant="engine"),
                cell(some, measure="ratio", contestant="engine, uncompiled"),
                cell(some, measure="share", contestant="engine"),
                cell(some, spread=False, measure="speed"),
                number(hours),
            ]
        )
    return Table("Training", (), columns, body, _training_notes(rows))


def _training_notes(rows: Rows) -> list[str]:
    notes = [
        "eager, uncompiled, engine: model updates in a second; an update of a stack of M models counts M times.",
        "eager: a plain PyTorch loop with fused Adam, in PyTorch's default settings; uncompiled: the engine's own "
        "function as it is; engine: the same compiled, on CUDA both as graphs.",
        "share: time of an update's matrix products, timed alone, over the time of the update.",
        f"hours for M models: for the {PAPER_UPDATES:,} updates of the paper's schedule, extrapolated.",
    ]
    if any(row["contestant"].startswith("eager,") for row in rows):
        notes.append("The CSV also has eager code with the library's choice of matrix products.")
    return notes


def _side_by_side(rows: Rows) -> Table:
    at_once = select(rows, section="training", contestant="engine, all stacks at once")
    body = [
        [
            key["layers"],
            key["k"],
            key["models"],
            cell(at_once, **key),
            cell(rows, contestant="engine", measure="rate", section="training", **key),
        ]
        for key in _keys(at_once, "layers", "k", "models")
    ]
    columns = [Column(label) for label in ("layers", "k", "M", "all at once", "alone")]
    return Table("All stacks at once", (), columns, body, ["Model updates in a second, each stack on its own stream."])


def _memory(rows: Rows) -> Table:
    some = select(rows, measure="memory")
    body = [
        [row["section"], row["contestant"], row["layers"] or EMPTY, row["k"] or EMPTY, number(float(row["value"]))]
        for row in some
    ]
    columns = [Column("section", text=True), Column("what", text=True), *map(Column, ("layers", "k", "peak, MiB"))]
    note = "On a CPU the whole process, PyTorch and its compiler included; on CUDA PyTorch's memory on the GPU."
    return Table("Memory", (), columns, body, [note])


def _cores(rows: Rows) -> Table:
    some = select(rows, section="cores")
    body = [
        [
            key["k"],
            *(cell(some, measure="rate", processes=n, **key) for n in (1, 2)),
            cell(some, measure="ratio", **key),
        ]
        for key in _keys(some, "k")
    ]
    columns = [Column(label) for label in ("k", "one process", "two processes", "ratio")]
    note = "Model updates in a second in all, one layer; each process trains a model of its own with one thread."
    return Table("Two processes against one", (), columns, body, [note])


def _evaluation(rows: Rows) -> Table:
    some = select(rows, section="evaluation", measure="rate")
    body = []
    for row in some:
        key = {name: row[name] for name in ("contestant", "layers", "processes")}
        same = select(rows, section="evaluation", **key)
        seconds = select(same, measure="time")
        guess = "extrapolated" if seconds[0]["extrapolated"] == "1" else "measured"
        ratios = [cell(same, measure="ratio", unit=unit) for unit in ("times eager", "times one process")]
        body.append([row["layers"], row["contestant"], row["processes"], cell([row]), cell(seconds), guess, *ratios])
    labels = ("processes", "draws/s", "seconds for 10,000 x 5000", "which is", "times eager", "times one process")
    columns = [Column("layers"), Column("what", text=True), *(Column(label) for label in labels)]
    notes = [
        f"A draw is one passage of one sample of one image through the networks; {some[0]['samples']} of an image.",
        "eager: a plain PyTorch loop over images, 5000 draws at a time; library: with the curve of L_k over k and the "
        "effective sample sizes. Each process has one thread unless the first table says otherwise.",
    ]
    return Table("Evaluation: L_5000", (), columns, body, notes)


def _surgery(rows: Rows) -> Table:
    some = select(rows, section="surgery")
    body = [[row["layers"], row["images"], row["samples"], cell([row])] for row in some]
    columns = [Column(label) for label in ("layers", "images N", "draws", "seconds")]
    return Table("ELBO surgery", (), columns, body, ["float64, once; the aggregate posterior is exact over N."])


def _growth(rows: Rows) -> Table:
    some = select(rows, section="scaling", measure="time")
    body = [[row["contestant"], row[row["contestant"]], cell([row]), row["unit"]] for row in some]
    columns = [Column("against", text=True), Column("size"), Column("time"), Column("unit", text=True)]
    return Table("Scaling: times", (), columns, body)


def _scaling(rows: Rows) -> Table:
    body = []
    for key in _keys(select(rows, section="scaling"), "contestant"):
        some = select(rows, section="scaling", **key)
        sizes = [int(row[key["contestant"]]) for row in select(some, measure="time")]
        growth = cell(some, measure="growth")
        exponents = [cell(some, measure=measure) for measure in ("exponent", "last exponent")]
        body.append(
            [key["contestant"], f"{sizes[0]:,} to {sizes[-1]:,}", number(sizes[-1] / sizes[0]), growth, *exponents]
        )
    labels = ("range", "if linear", "times the cost", "exponent", "exponent of the last two")
    columns = [Column("against", text=True), *(Column(label) for label in labels)]
    notes = [
        "k: an update, one layer, M = 1. models: an update of a stack of M models, one layer, k = 5. samples: an "
        "evaluation of some images, one layer.",
        "exponent p: cost grows as size^p, by least squares on logarithms; 1 is linear, less is better. The last two "
        "sizes show where it tends to.",
    ]
    return Table("Scaling: growth", (), columns, body, notes)
