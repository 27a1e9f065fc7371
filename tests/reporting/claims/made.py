"""Studies with known effects, made without files: what claims are judged on in tests."""

from dataclasses import replace

import numpy as np

from iwae.reporting import quantities
from iwae.reporting.claims.evidence import Evidence
from iwae.reporting.claims.reading import read_claims
from iwae.reporting.claims.verdicts import judge
from iwae.reporting.quantities import QUANTITIES, Measured, Sample
from iwae.reporting.reference import paper_kinds, paper_row
from iwae.reporting.study import Model, StudyResults
from iwae.study.measurements import ActivitySettings, LikelihoodSettings
from iwae.study.settings import TrainingSettings
from iwae.study.specification import ModelSpec

CLAIMS = {claim.id: claim for claim in read_claims().claims}


class Made:
    """A study whose models have the paper's values, a spread over seeds, and changes of some kinds."""

    images = 300

    def __init__(self, monkeypatch, dataset="mnist", seeds=3, changes=(), without=(), more=(), **options):
        spread, training = options.pop("spread", 0.02), options.pop("training", None) or TrainingSettings(**options)
        self.random, self.spread, self.changes = np.random.default_rng(0), spread, dict(changes)
        self.common = self.random.normal(0, 24, self.images)
        self.common -= self.common.mean()
        self.values: dict[tuple[str, str], Measured] = {}
        kinds = [kind for kind in paper_kinds(dataset) if kind not in without]
        specs = [replace(kind, seed=seed) for kind in [*kinds, *more] for seed in range(seeds)]
        models = tuple(self.model(spec, training) for spec in specs)
        self.study = StudyResults(None, models, tuple(specs), ("training", "likelihood", "activity", "chopped"))
        for quantity in QUANTITIES:
            read = QUANTITIES[quantity]._replace(read=self.reader(quantity))
            monkeypatch.setitem(quantities.QUANTITIES, quantity, read)

    @staticmethod
    def model(spec: ModelSpec, settings: TrainingSettings) -> Model:
        training = settings.for_model(spec).as_dict()
        sections = {"training": training, "likelihood": LikelihoodSettings().as_dict()}
        sections |= {"chopped": sections["likelihood"], "activity": ActivitySettings().as_dict()}
        return Model(spec, None, {name: {"settings": settings} for name, settings in sections.items()})

    def reader(self, quantity):
        def read(study, model):
            key = quantity, model.spec.name
            if key not in self.values:
                self.values[key] = self.measured(quantity, model.spec)
            return self.values[key]

        return read

    def measured(self, quantity: str, spec: ModelSpec) -> Measured | None:
        kind = replace(spec, seed=0)
        row = paper_row(replace(kind, variation="") if spec.passes else kind)
        change = self.changes.get((quantity, kind), 0.0) + self.spread * self.random.normal()
        if quantity == "nll":
            noise = self.random.normal(0, 0.5, self.images)
            each = (100.0 if np.isnan(row.nll) else row.nll) + change + self.common + noise - noise.mean()
            return Measured(each.mean(), (Sample("test", np.arange(self.images), each),))
        units = [20.0 if np.isnan(row.nll) else float(row[f"active_{layer}"]) for layer in range(1, spec.layers + 1)]
        found = {
            "active": sum(units),
            "active_share_1": 0.2,
            "active_share_2": 0.1,
            "share_between_modes": 0.02,
            "chopped_change": 0.01,
        }
        found |= {f"active_{layer}": count for layer, count in enumerate(units, start=1)}
        found["generalization_gap"] = 0.7
        return Measured(found[quantity] + change) if quantity in found else None

    def judged(self, *names):
        return judge([CLAIMS[name] for name in names], self.evidence())

    def evidence(self, **options) -> Evidence:
        """Where all images were measured."""
        return Evidence(self.study, {"mnist": {"test": self.images, "train": self.images}}, **options)
