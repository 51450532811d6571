"""The parameters of the stages and the declarations of patients: each key with its type and range."""

import difflib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from helpers.study.files import RECORDING


def whole(least, most, step=1):
    """Return the type of a whole number from `least` to `most`, a multiple of `step`."""
    return Annotated[int, Field(ge=least, le=most, multiple_of=step)]


def number(least, most):
    """Return the type of a number from `least` to `most`."""
    return Annotated[float, Field(ge=least, le=most)]


TEXT = Annotated[str, Field(min_length=1, max_length=4096)]
NAME = Annotated[str, Field(pattern=f"^{RECORDING}$", max_length=100)]
SEED = whole(0, 2**32 - 1)
FRAME_S = number(0.5, 60)


class Parameters(BaseModel):
    """What all have in common: no other keys, no conversion of types, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


STAGES = {
    "acquire": {
        "trace_s": number(1, 600),
        "unusable": Literal["refuse", "leave out"],
        "mains_hz": Literal[50, 60, None],  # null: found from the data
    },
    "preprocess": {"frame_s": FRAME_S, "window_s": number(0.25, 10), "hop_s": number(0.01, 10)},
    "train": {
        "seed": SEED,
        "step_s": number(0.01, 60),
        "epochs": whole(1, 1000),
        "batches_per_epoch": whole(1, 10_000),
        "batch_size": whole(2, 4096, step=2),
        "learning_rate": number(1e-6, 0.1),
        "weight_decay": number(0, 1),
        "width": whole(1, 512),
        "hidden": whole(1, 512),
        "dropout": number(0, 0.99),
        "gain_db": number(0, 40),
        "background_mixing": number(0, 1),
        "channel_dropout": number(0, 0.99),
        "auxiliary_loss_weight": number(0, 1),
        "weight_averaging": number(0, 1),
        "blocks": whole(3, 20),
        "members": whole(1, 26),
        "audit_splits": whole(1, 100),
    },
    "evaluate": {"negatives_per_seizure": number(0.01, 1000), "false_alarms_shown": whole(0, 100)},
    "explain": {
        "samples_per_class": whole(1, 50),
        "ig_steps": whole(2, 1000),
        "samples_explained_max": whole(1, 1_000_000),
        "samples_tested_per_class": whole(2, 10_000),
        "seed": SEED,
    },
    "narrate": {"model": TEXT, "mode": Literal["constrained", "free"], "seed": SEED, "temperature": number(0, 10)},
    "report": {"title": TEXT},
}  # of params/<stage>.yaml
STAGES = {stage: create_model(stage, __base__=Parameters, **keys) for stage, keys in STAGES.items()}


class Predict(Parameters):
    """What ``notebooks/predict.ipynb``, which is no stage, is run with."""

    edf: TEXT
    copy_recording: bool


class Strangers(Parameters):
    """What ``notebooks/strangers.ipynb``, which is no stage, is run with."""

    folder: TEXT


class Recording(Parameters):
    """A recording to be simulated."""

    duration_s: whole(10, 172_800)
    seizures: list[Annotated[list[float], Field(min_length=2, max_length=2)]]  # start and end, in s

    @model_validator(mode="after")
    def check_seizures(self):
        """Refuse seizures that a CHB-MIT summary cannot hold, or that do not follow each other in the recording."""
        free_from = 0
        for start_s, end_s in self.seizures:
            if not free_from <= start_s < end_s <= self.duration_s or start_s % 1 or end_s % 1:
                wanted = f"in whole seconds, in order, and {free_from:g} <= start < end <= {self.duration_s}"
                raise ValueError(f"seizure [{start_s:g}, {end_s:g}] must be {wanted}")
            free_from = end_s
        return self


SOURCES = {
    "physionet": {},
    "simulate": {
        "seed": SEED,
        "recordings": Annotated[dict[NAME, Recording], Field(min_length=1)],
        "truth": (Literal["distractors", "suppression"], None),  # seizures that power does not show: tests explanations
    },
    "directory": {"folder": TEXT, "fingerprint": TEXT},
    # other declared patients together: each is held out once; the fingerprint is of their declarations
    "pooled": {"patients": Annotated[list[NAME], Field(min_length=3)], "fingerprint": (TEXT, None)},
}  # of params/patients/<id>.yaml
SOURCES = {
    source: create_model(source, __base__=Parameters, source=Literal[source], frame_s=(FRAME_S, None), **keys)
    for source, keys in SOURCES.items()
}


def check(stage, given, declared):
    """Check a stage's parameters, ``patient`` and the values in ``params/<stage>.yaml``, against their ranges and the
    names that its notebook declares; ValueError names the key, the value and what is wanted.
    """
    models = STAGES | {"predict": Predict, "strangers": Strangers}
    if stage not in models:
        raise ValueError(f"There is no stage '{stage}'; {suggest(stage, STAGES)}")
    where = f"params/{stage}.yaml"
    if "patient" not in given:
        raise ValueError(f"{stage} has no patient; give one, as in: papermill … -r patient sim08")
    validate(models[stage], {key: value for key, value in given.items() if key != "patient"}, where)
    if set(declared) != set(given):
        odd = ", ".join(sorted(set(declared) ^ set(given)))
        raise ValueError(f"{where} and the notebook's parameters must have the same keys; they differ in {odd}.")


def validate(model, given, where):
    """Return the values of `given` that `model` describes, as a dict; ValueError with one sentence for each fault."""
    try:
        return model.model_validate(given).model_dump(exclude_none=True)
    except ValidationError as error:
        raise ValueError("\n".join(describe(fault, model, where) for fault in error.errors())) from None


def describe(fault, model, where):
    """Return one sentence on a fault that pydantic found: the key, the value and what is wanted."""
    place, value = ".".join(str(part) for part in fault["loc"] if part != "[key]"), fault["input"]
    if fault["type"] == "extra_forbidden":
        known = f"; {suggest(place, model.model_fields)}" if len(fault["loc"]) == 1 else "."
        return f"{where}: there is no parameter '{place}'{known}"
    if fault["type"] == "missing":
        return f"{where} lacks {place}. Add a line '{place}: …'."
    hint = " (write 0.001, not 1e-3)" if isinstance(value, str) and "e-" in value else ""
    return f"{where}: {place} is {value!r}: {fault['msg']}{hint}."


def suggest(name, known):
    """Return the known name nearest to a wrong one as a question, or all known names."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(sorted(known))}."
