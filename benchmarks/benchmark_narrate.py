"""What the narrative is worth: many made-up studies told by the embedded model, each sentence read by a second reader.

``python tests/benchmark_narrate.py [studies]`` (200) writes ``output/benchmark/narrate.json``: the sentences that the
second reader (`second_reader.problems`, which knows the facts and not the grammar) finds false or does not understand;
what the claim checker makes of lies and of true sentences in other words; and how long the narrative of sim08, studied
before, takes, whether it is the same twice, and on one thread or two. What was told is kept in ``output/narratives``: a
run goes on where it was ended, and ``python tests/benchmark_narrate.py read`` reads all of it anew.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import date

import made_up
import second_reader
import torch
from benchmark_data import commit, machine
from conftest import ROOT
from test_claims import accepted, lines

from helpers.narrate import facts, language_model, narrative, sentences
from helpers.study import files, stage

TARGET = ROOT / "output" / "benchmark" / "narrate.json"
KEPT = ROOT / "output" / "narratives"
LIMIT_S = 60
TOLD_BY = commit()  # of the code that was loaded, whatever is committed while it runs


def tell(seed, writer, settings):
    """Return what the model tells of a made-up study: a row for each of its sentences, and how long it took."""
    known = facts.build(made_up.generated(seed))
    began, spent = time.perf_counter(), time.process_time()
    _, rows, freedom = narrative.write(known, writer, settings["seed"], settings["temperature"])
    told = [row | {"about": about} for row, about in zip(rows, [None, *abouts(known)], strict=True)]
    took = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - spent}
    return {"seed": seed, "commit": TOLD_BY, **freedom, "texts": str(freedom["texts"]), **took, "rows": told}


def abouts(known):
    """Return what each sentence of a narrative is about, in order."""
    return [part["about"] for section in sentences.sections(known) for part in section["parts"]]


def read(told):
    """Return the sentences of a study that the second reader does not hold for true, with its reasons."""
    known, found = facts.build(made_up.generated(told["seed"])), []
    for row in told["rows"]:
        if row["verdict"] != "fixed text":
            problems = second_reader.problems(row["sentence"], row["about"], known)
            found += [{"seed": told["seed"], "sentence": row["sentence"], "problems": problems}] if problems else []
    return found


def words():
    """Return how many of the lies, and of the true sentences in other words, the claim checker accepts."""
    names = ("lies", "unseen_lies", "true", "unseen_true")
    return {name: {"sentences": len(lines(name)), "accepted": sum(map(accepted, lines(name)))} for name in names}


def default(patient="sim08"):
    """Tell a studied patient with the stage's parameters; return the text's hash, and how long it took."""
    settings, known = stage.parameters("narrate"), facts.build(facts.read(patient))
    writer, began = language_model.load(settings["model"]), time.perf_counter()
    text, _, freedom = narrative.write(known, writer, settings["seed"], settings["temperature"], settings["mode"])
    took = time.perf_counter() - began
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "seconds": round(took, 1), **freedom} | {
        "texts": f"10^{len(str(freedom['texts'])) - 1}"
    }


def repeated():
    """Return what `default` gives in processes of their own: twice on two threads, and on one."""
    told = []
    for threads in ("2", "2", "1"):
        environment = os.environ | {"OMP_NUM_THREADS": threads}
        command = [sys.executable, __file__, "default"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        told.append(json.loads(done.stdout.splitlines()[-1]) | {"threads": int(threads)})
    same = len({one["sha256"] for one in told}) == 1
    return {"runs": told, "same_bytes": same, "limit_s": LIMIT_S, "met": all(one["seconds"] <= LIMIT_S for one in told)}


def summary(studies):
    """Return the figures of all studies told so far."""
    rows = [row for told in studies for row in told["rows"]]
    false = [problem for told in studies for problem in read(told)]
    kinds = Counter(row["verdict"] for row in rows)
    return {
        "date": date.today().isoformat(),
        "commit": commit(),
        "commits_told_by": sorted({told["commit"] for told in studies}),
        "machine": machine(),
        "model": language_model.EMBEDDED,
        "studies": len(studies),
        "sentences": len(rows) - kinds["fixed text"],
        "verdicts": dict(kinds),
        "different_sentences": len({row["sentence"] for row in rows}),
        "not_true_by_the_second_reader": false,
        "bits_median": sorted(told["bits"] for told in studies)[len(studies) // 2],
        "cpu_s_median": sorted(told["cpu_s"] for told in studies)[len(studies) // 2],
        "checker": words(),
        "default": repeated(),
    }


def main(studies="200"):
    """Tell, read, write and print; return the exit code: 1 if a sentence is not true."""
    if studies == "default":
        print(json.dumps(default()))
        return 0
    KEPT.mkdir(parents=True, exist_ok=True)
    settings, writer = stage.parameters("narrate"), None
    torch.set_num_threads(1)
    for seed in range(int(studies) if studies != "read" else 0):
        path, claimed = KEPT / f"{seed:04d}.json", KEPT / f"{seed:04d}.lock"
        if not path.exists() and not claimed.exists():  # so that several may run beside each other
            claimed.touch()
            writer = writer or language_model.load(settings["model"])
            files.write_json(path, tell(seed, writer, settings))
            claimed.unlink()
    found = summary([files.read_json(path) for path in sorted(KEPT.glob("*.json"))])
    files.write_json(TARGET, found)
    print(TARGET.read_text(encoding="utf-8"))
    return 1 if found["not_true_by_the_second_reader"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
