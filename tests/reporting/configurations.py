"""The configuration that asks for given models: config.yaml with another grid and other experiments."""

from pathlib import Path

import yaml

from iwae.study.specification import ModelSpec

CONFIG = Path(__file__).parents[2] / "config.yaml"
FIELDS = {"datasets": "dataset", "layers": "layers", "objectives": "objective", "k": "k", "seeds": "seed"}
# The experiments, with the property of a model that says whether it is one of theirs, and the list of its values.
EXPERIMENTS = {
    "warm_starts": (lambda spec: spec.origin, None),
    "two_latents": (lambda spec: spec.latents if spec.latents == 2 else None, None),
    "capacity": (lambda spec: None if spec.latents == 2 else spec.latents, "latents"),
    "estimators": (lambda spec: None if spec.estimator == "standard" else spec.estimator, "estimators"),
    "priors": (lambda spec: None if spec.prior == "standard" else spec.prior, "priors"),
    "protocols": (lambda spec: spec.variant, "variants"),
}


def asking_for(models: list[ModelSpec]) -> dict:
    """config.yaml, but for these models, and no others if those without a variation are a grid."""
    config = yaml.safe_load(CONFIG.read_text())
    plain = [spec for spec in models if not spec.variation] or models
    config["grid"] = {key: sorted({getattr(spec, field) for spec in plain}) for key, field in FIELDS.items()}
    config["experiments"]["other_datasets"]["run"] = False
    for name, (value, listed) in EXPERIMENTS.items():
        chosen = [spec for spec in models if value(spec) is not None]
        group = config["experiments"][name]
        group["run"] = bool(chosen)
        if not chosen:
            continue
        group |= {key: sorted({getattr(spec, FIELDS[key]) for spec in chosen}) for key in ("datasets", "seeds")}
        group["models"] = sorted({"-".join(filter(None, (f"{s.objective}-k{s.k}", _named(name, s)))) for s in chosen})
        if listed:
            group[listed] = sorted({value(spec) for spec in chosen})
    return config


def _named(experiment: str, spec: ModelSpec) -> str:
    """What the models that an experiment lists are named with, beside objective and k."""
    prior = "" if spec.prior == "standard" else spec.prior
    return {"warm_starts": spec.variation, "protocols": prior}.get(experiment, "")
