"""Predict seizures in recordings that are not in the study, by a patient's networks.

``python -m helpers.predict <EDF file or folder>``: tables and a page, below ``output/<patient>/predictions/``; of a
folder of other people's clips with experts' votes, ``votes.tsv``, one page below ``output/<patient>/strangers/``.
``python -m helpers.predict <EDF file> <TSV file> [<patient>]``: the table alone, as SzCORE runs a detector.
The patient is the last word, or the variable ``PATIENT``; ``COPY=1`` copies each recording with its annotations.
"""

import os
import sys
from pathlib import Path

from helpers.predict import annotated, detector, strangers, unseen
from helpers.study import errors, files, patients


def write_events(patient, source, target):
    """Predict on one EDF file and write its events to a new file; say on standard error what a reader must know."""
    if target.exists():
        raise ValueError(f"{target} is there already. Name another file for the events, or move it away.")
    found = detector.predict(detector.load(patient), source)
    duration_s = found.recording.header.duration_s
    events = annotated.tabulate(detector.events(found.table), annotated.start(source), duration_s)
    files.write_text(target, events.to_csv(sep="\t", index=False))
    differences = unseen.differences(patient, found.axis, found.examined, found.mean_power)
    for what, here, known in differences.itertuples(index=False):
        said = f"{source.name}: {what}: {here}{f' (in the study: {known})' if known else ''}"
        print(errors.printable(said), file=sys.stderr)


def write_page(patient, source):
    """Run a notebook on one EDF file, or a folder of clips with votes, render it as a page, and print the events."""
    import papermill  # here, as a table alone takes neither notebook nor page

    from helpers.report import pages, site

    clips = source.is_dir()
    name = "strangers" if clips else "predict"
    place = source.resolve() if clips else source.absolute()
    folder, _ = annotated.result_folder(patient, place)
    given = {"folder": str(place)} if clips else {"edf": str(place), "copy_recording": os.environ.get("COPY") == "1"}
    notebook, executed = (
        str(path / f"{name}.ipynb").replace("{", "{{").replace("}", "}}")  # papermill formats its paths
        for path in (files.ROOT / "notebooks", folder)
    )
    done = papermill.execute_notebook(notebook, executed, {"patient": patient} | given, engine_name="study")
    title, text, pictures = pages.read(done, name, article=True)
    page = {"index": (f"{title}: {place.name}", text, pictures)}
    site.render(page, folder / "page", f"Patient {patient}: {place.name}")
    lines = [] if clips else (folder / f"{source.stem}_events.tsv").read_text(encoding="utf-8").splitlines()[1:]
    for onset, duration, kind, confidence, *_ in (line.split("\t") for line in lines):
        said = f"sz from {float(onset):g} s, {float(duration):g} s long, confidence {confidence}"
        print(f"{errors.printable(source.name)}: {said if kind == 'sz' else 'no seizure found'}")
    print(f"The page: {errors.printable(files.display_path(folder))}/page/index.html")


def recordings(source):
    """Return what a path names: itself, or a folder's EDF files if it has no votes; ValueError if two have one name."""
    if not source.is_dir() or (source / strangers.VOTES).exists():
        return [source]
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() == ".edf" and path.name[:2] != "._")
    stems = {path.stem: path for path in found}
    if not found or len(stems) < len(found):
        what = f"{len(found)} EDF files, some of one name: predict these apart" if found else "no EDF file"
        raise ValueError(f"{source} holds {what}.")
    return found


def main(source="", target=None, patient=None):
    """Predict, and return what went wrong: a message for each recording."""
    patient, faults = patient or os.environ.get("PATIENT", ""), []
    try:
        patients.load(patient)
        paths = [Path(source)] if target else recordings(Path(source))
    except (OSError, ValueError) as error:
        return [f"error in the prediction: {errors.printable(error)}"]
    for path in paths:
        try:
            write_events(patient, path, Path(target)) if target else write_page(patient, path)
        except SystemExit as end:
            if not isinstance(end.code, str):  # Ctrl-C, not the engine's message
                raise
            faults.append(end.code.strip())
        except (OSError, ValueError, RuntimeError) as error:
            faults.append(f"error in the prediction: {errors.printable(error)}")
    return faults


if __name__ == "__main__":
    sys.exit("\n".join(main(*sys.argv[1:])) or 0 if 1 < len(sys.argv) < 5 and sys.argv[1] else __doc__)
