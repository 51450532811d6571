"""What each part of the detector is worth, and what the settings were chosen by: on patients simulated for it.

``python tests/benchmark_ablation.py [method …]`` writes ``output/benchmark/ablation.json``; with some methods named, the
others' results stay as they are. Half of these development patients are like sim08, half are cut as short as the
excerpts of real EEG. The network's and the baselines' settings were chosen on them; the study reports none of them.
Each variant changes one thing. Runs are kept as those of ``benchmark_baselines`` are.
"""

from benchmark_baselines import world_of
from conftest import ROOT

from helpers import comparison, patients, simulation

TARGET = ROOT / "output" / "benchmark" / "ablation.json"
LIKE = {"sim08": (21, 22, 23, 24), "the excerpts": (31, 32, 33, 34)}  # seeds of the development patients
SHORT_PLAN = [(50, 10, 50), (37, 10, 37), (50, 10, 50), (61, 10, 61)]  # duration, onset and end of a seizure, in s
SHORT_FRAME_S = 2.0
FULL = "as in the study"
VARIANTS = {
    comparison.OURS: {
        FULL: ({}, "nothing"),
        "no mixing": ({"mixed": 0.0}, "no other EEG mixed into the training triptychs"),
        "no silent channels": ({"silent": 0.0}, "all channels always speak while training"),
        "no levels": ({"gain_db": 0.0}, "channels keep their level while training"),
        "no averaging": ({"averaged": 0.0}, "the last epoch's weights alone"),
    },
}
SCORES = ("auprc", "auprc_smoothed", "auroc", "event_f1")


def patient(like, seed, folder):
    """Simulate a development patient into `folder` and return what training needs."""
    name = f"dev{seed}"
    if like == "sim08":
        plan = {f"{name}{key[-3:]}": value for key, value in patients.load("sim08")["recordings"].items()}
    else:
        plan = {
            f"{name}_{number:02d}": {"duration_s": duration_s, "seizures": [[start_s, end_s]]}
            for number, (duration_s, start_s, end_s) in enumerate(SHORT_PLAN, 1)
        }
    simulation.simulate_patient(folder / "edf", name, plan, seed)
    return world_of(folder / "edf", None if like == "sim08" else SHORT_FRAME_S, folder)
