"""Model: a local language model, which scores wordings and writes text."""

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from PIL import Image
from transformers.utils import logging

from helpers.study.parallel import parallel_map

logging.set_verbosity_error()  # no bars and no advice; errors still come
logging.disable_progress_bar()

LONGEST = 300  # tokens of a section in the model's own words
TEMPLATE = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
from datetime import datetime
from types import SimpleNamespace
from transformers.utils import chat_template_utils as sandbox
sandbox.datetime = SimpleNamespace(now=lambda: datetime(2026, 1, 1))  # the same bytes on any day
[text], _ = sandbox.render_jinja_template(**json.load(sys.stdin))
assert len(text) < 2**16, "it is longer than 64 kB"
sys.stdout.buffer.write(text.encode())
"""


class ModelError(ValueError):
    """A language model that cannot be had, loaded or used; the message says what to do."""

    def __init__(self, said):
        super().__init__(f"{said} Or name another model in params/narrate.yaml.")


@dataclass
class LanguageModel:
    """A model with its tokenizer; ``processor`` makes its inputs of pictures and text, None for one of text alone."""

    model: torch.nn.Module = field(repr=False)
    tokenizer: object = field(repr=False)
    processor: object = field(repr=False)
    name: str
    revision: str
    licence: str | None = field(default=None, repr=False)
    dtype: str = "float32"

    def score(self, pairs):
        """Return the log-likelihood of each text after its context, from pairs of both.

        Raises ModelError if the context window is too short, a token is unknown, or a likelihood is no number.
        """
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 2**31
        rows, known = [], self.model.get_input_embeddings().num_embeddings
        for context, text in pairs:
            own = self.tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
            tokens = self.tokenizer(context)["input_ids"] + own
            if len(tokens) > limit:
                raise ModelError(f"'{self.name}' reads {limit} tokens, and a sentence has {len(tokens)}.")
            if max(tokens) >= known:
                raise ModelError(f"'{self.name}': its tokenizer has tokens that the model does not know.")
            rows.append((tokens, len(own)))
        with one_thread():
            scores = parallel_map(self._score, rows, "wordings", "wording", threads=True)
        if not all(abs(score) < float("inf") for score in scores):
            raise ModelError(f"'{self.name}' gives likelihoods that are no numbers: its weights are broken.")
        return scores

    def _score(self, tokens, own):
        """Return the log-likelihood of the last `own` of some tokens."""
        with torch.inference_mode():
            logits = self.model(torch.tensor([tokens], device=self.model.device), use_cache=False).logits[0]
            logprobs = torch.log_softmax(logits[-own - 1 : -1].float(), dim=-1).cpu()
        return float(logprobs.gather(1, torch.tensor(tokens[-own:])[:, None]).sum())

    def generate(self, prompt, seed=0, temperature=1.0, pictures=()):
        """Return the model's own text after a prompt, put into its chat template; `pictures` are paths.

        Raises ModelError if a picture cannot be read, or the model cannot write.
        """
        template = getattr(self.processor, "chat_template", None) or self.tokenizer.chat_template
        images = [_picture(path) for path in pictures] if self.processor and template else []
        parts = [*({"type": "image"} for _ in images), {"type": "text", "text": prompt}]
        text, more = f"{prompt}\n\n", {"images": images} if images else {}
        if template:
            special = {key: str(token) for key, token in self.tokenizer.special_tokens_map.items()}
            text = render(template, parts if self.processor else prompt, special, self.name)
        read = self.processor or self.tokenizer
        inputs = read(text=text, return_tensors="pt", add_special_tokens=not template, **more).to(self.model.device)
        torch.manual_seed(seed)
        drawn = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        try:
            with torch.inference_mode(), one_thread():
                out = self.model.generate(**inputs, max_new_tokens=LONGEST, **drawn)
        except (RuntimeError, ValueError, IndexError) as error:
            raise ModelError(f"'{self.name}' does not write: {first_line(error)}") from error
        return self.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


@contextmanager
def one_thread():
    """Give a matrix product one thread: how many share its sums decides their order, and so near ties."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def render(template, content, special, name):
    """Return a chat template filled in: in transformers' sandbox, in a process of its own with 5 s and 512 MB.

    Raises ModelError if it refuses, takes longer or more, or gives nothing.
    """
    given = {"conversations": [[{"role": "user", "content": content}]], "chat_template": template}
    given |= special | {"add_generation_prompt": True, "enable_thinking": False}
    command = [sys.executable, "-I", "-c", TEMPLATE]
    try:
        run = subprocess.run(command, input=json.dumps(given).encode(), capture_output=True, timeout=120)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"the chat template of '{name}' comes to no end.") from error
    if run.returncode or not run.stdout.strip():
        *_, said = ["nothing", *run.stderr.decode(errors="replace").strip().splitlines()]
        raise ModelError(f"the chat template of '{name}' gives no prompt: {said}.")
    return run.stdout.decode()


def first_line(error, folder=""):
    """Return the first line of what an error says, without the path of a folder."""
    return (str(error).strip() or type(error).__name__).split("\n")[0].replace(f"{folder}/", "")


def _picture(path):
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:
        raise ModelError(f"picture {path.name} cannot be shown: {first_line(error)}.") from error
