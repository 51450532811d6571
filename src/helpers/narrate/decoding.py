"""Decoding under a regular expression: what is said is fixed, how it is said is the model's choice."""

import copy
import random
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jinja2 import TemplateError
from llguidance import LLMatcher
from PIL import Image
from scipy.stats import entropy
from transformers import DynamicCache

from helpers.narrate.language_model import ModelError

# How many threads share a matrix product decides the order of its sums, and a near tie between two wordings could
# then fall the other way. One thread gives the same bytes everywhere, and loses little on passes of ten tokens.
THREADS = 1
BRANCHES = 8  # wordings compared at a choice
LOOKAHEAD = 10  # tokens of each wording that are scored
LONGEST = 4096  # tokens of one section: a regular expression without an end must not run for ever
_PLACING = threading.Lock()  # some models keep the place of a prompt's pictures in themselves: one prompt at a time


@dataclass(frozen=True)
class Decoded:
    """A text, and what the model had to say in it.

    ``choices`` counts where the expression left the model several wordings; ``bits`` is the entropy of the
    distributions from which they were drawn, summed over the choices (0 at temperature 0: nothing is drawn).
    """

    text: str
    choices: int
    bits: float


def decode(language_model, prompt, regex, seed=0, temperature=0.0, pictures=()):
    """Write a text that matches `regex` in full, the model choosing the wording by likelihood.

    Where the expression leaves one continuation, its tokens are taken without asking the model. Where it leaves
    several, each is followed to the next choice (at most 10 tokens) and scored by its mean log-likelihood a token, so
    that neither a short wording nor a likely first syllable wins by itself. Where the text may end, ending is one of
    the continuations. The order in which an expression lists its alternatives is without effect.

    Parameters
    ----------
    prompt : str
        The instruction; put into the model's chat template if it has one.
    regex : str
        In the syntax that Python's ``re`` and llguidance share.
    seed : int or str
        Of the drawing; without effect at temperature 0.
    temperature : float
        0 takes the likeliest wording; above it, wordings are drawn with probability ∝ exp(score / temperature).
    pictures : sequence of paths
        Shown before the instruction to a model that reads pictures; a model of text alone does not see them.

    Returns
    -------
    Decoded

    Raises
    ------
    ModelError
        If the expression is none, a picture is none, the context is too short, or the text does not match in full.
    """
    matcher = LLMatcher(language_model.grammar_tokenizer, LLMatcher.grammar_from_regex(regex))
    if matcher.is_error():
        raise ModelError(f"the grammar is not accepted: {matcher.get_error()}")
    draw, choices, bits = random.Random(seed), 0, 0.0
    with torch.inference_mode(), steady():
        inputs = _inputs(language_model, prompt, pictures)
        bare = _inputs(language_model, prompt, ()) if pictures else inputs
        writer = _Writer(language_model, inputs, inputs["input_ids"].shape[1] - bare["input_ids"].shape[1])
        while branches := _branches(matcher, writer):
            chosen = None
            if len(branches) > 1:
                chosen, drawn = _choose(writer.score(branches), temperature, draw)
                choices, bits = choices + 1, bits + drawn
            branch = branches[chosen or 0]
            matcher.consume_tokens(branch)
            if branch[0] in language_model.grammar_tokenizer.eos_tokens:
                break
            writer.take(branch, chosen)
    text = writer.text()
    if not re.fullmatch(regex, text):
        raise ModelError(f"{language_model.name} left its grammar; it wrote {text!r} {matcher.get_error()}")
    return Decoded(text, choices, bits)


@contextmanager
def steady():
    """Give a matrix product the same number of threads wherever it runs.

    Whoever decodes in several Python threads holds this around them: else the first to end lets go for all.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Writer:
    """The tokens written so far, and the model's cache of them.

    ``pending`` tokens are written but not yet seen by the model: forced ones wait here and cost one pass together.
    """

    def __init__(self, language_model, inputs, shown=0):
        self.language_model, self.model = language_model, language_model.model
        self.cache = DynamicCache(config=self.model.config)
        self.cache.activate_past_recording()  # without it, a sliding window could not go back to before a choice
        self.prompt, self.pending, self.written = inputs, [], []  # the prompt is None once the model has seen it
        self.length, self.shown = inputs["input_ids"].shape[1], shown  # tokens in all, and those of pictures
        self.next, self.scored, self.before = None, None, None  # `next`: log-probabilities [vocabulary]
        self.placing = next((part for part in self.model.modules() if hasattr(part, "rope_deltas")), None)
        self.shift = 0  # of a token's position against its number, after pictures
        self.limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or float("inf")
        self.check_room()

    def append(self, tokens):
        self.pending += tokens
        self.written += tokens
        self.length += len(tokens)
        self.check_room()

    def check_room(self):
        name, read = self.language_model.name, self.length - len(self.written)
        if len(self.written) > LONGEST:
            raise ModelError(f"{name} wrote {LONGEST} tokens and no end: an expression without one? Bound its repeats.")
        if self.length + LOOKAHEAD > self.limit:
            pictures = f" ({self.shown} of these for pictures: show fewer or smaller ones)" if self.shown else ""
            raise ModelError(
                f"{name} has no room for the text: {self.length} tokens, {read} of them the prompt{pictures}, and "
                f"{LOOKAHEAD} to look ahead, of at most {self.limit}. "
                "Name a model with a longer context in params/narrate.yaml."
            )

    def text(self):
        """Return what was written, from the bytes that the grammar saw; a tokenizer's own decoding may differ."""
        return self.language_model.grammar_tokenizer.decode_bytes(self.written).decode("utf-8", errors="replace")

    def forward(self, tokens, keep):
        """Return log-probabilities [branch, last `keep` positions, vocabulary]; `tokens` is [branch, position]."""
        tokens = torch.as_tensor(tokens, device=self.model.device)
        place = {}
        if self.placing is not None:
            positions = torch.arange(tokens.shape[1], device=tokens.device) + self.cache.get_seq_length() + self.shift
            place["position_ids"] = positions.expand(3, *tokens.shape)  # time, height and width: one for text
        return self.run({"input_ids": tokens} | place, keep)

    def run(self, inputs, keep):
        out = self.model(**inputs, past_key_values=self.cache, use_cache=True, logits_to_keep=keep)
        return torch.log_softmax(out.logits[:, -keep:].float(), dim=-1)

    def read(self):
        """Let the model read the prompt, with all that its processor made of it."""
        inputs = {name: value.to(self.model.device) for name, value in self.prompt.items()}
        if self.placing is None:
            self.next = self.run(inputs, 1)[0, -1]
        else:
            with _PLACING:
                self.placing.rope_deltas = None
                self.next = self.run(inputs, 1)[0, -1]
                self.shift = 0 if self.placing.rope_deltas is None else int(self.placing.rope_deltas)
        if self.cache.get_seq_length() != inputs["input_ids"].shape[1]:
            raise ModelError(
                f"{self.language_model.name} keeps no cache of the prompt's tokens that can be gone back to. "
                "Name a model with attention layers in params/narrate.yaml."
            )
        self.prompt = None

    def following(self):
        """Return the log-probabilities [vocabulary] of the next token."""
        if self.prompt:
            self.read()
        if self.pending:
            self.next = self.forward([self.pending], 1)[0, -1]
            self.pending = []
        return self.next

    def score(self, branches):
        """Return each branch's mean log-likelihood a token; the cache then holds all of them, to take one."""
        first, longest = self.following(), max(map(len, branches))
        if longest == 1:  # free prose: all is known already, and the token taken is read with what follows it
            self.scored = None
            return [float(first[token]) for (token,) in branches]
        # Padding follows the tokens, which a causal model does not look at: no mask is needed.
        padded = [branch + [branch[-1]] * (longest - len(branch)) for branch in branches]
        self.before = None if self.cache.is_croppable else copy.deepcopy(self.cache)
        self.cache.reorder_cache(torch.zeros(len(branches), dtype=torch.long, device=self.model.device))
        self.scored = self.forward(padded, longest), longest
        scores = []
        for row, branch in enumerate(branches):
            rest = [self.scored[0][row, at, token] for at, token in enumerate(branch[1:])]
            scores.append(float(sum(rest, first[branch[0]])) / len(branch))
        return scores

    def take(self, branch, row):
        """Write `branch`; `row` is its place in the last comparison, None if there was none."""
        self.append(branch)
        if row is None or self.scored is None:
            return
        if self.before is not None:  # a recurrent state holds the padding too: it reads the branch again
            self.cache = self.before
            return
        logprobs, longest = self.scored
        self.cache.reorder_cache(torch.tensor([row], device=self.model.device))
        self.cache.crop(len(branch) - longest)
        self.next, self.pending = logprobs[row, len(branch) - 1], []


def _branches(matcher, writer):
    """Return the wordings that the grammar allows next, as token lists in their order; none if the text is complete.

    What is forced is written before. An end that is allowed and not forced is one of the wordings.
    """
    forced = matcher.compute_ff_tokens()
    matcher.consume_tokens(forced)
    writer.append(forced)
    if matcher.is_stopped():
        return []
    mask = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
    tokenizer = writer.language_model.grammar_tokenizer
    ends = [[token] for token in tokenizer.eos_tokens if mask[token]][:1]
    mask[tokenizer.eos_tokens] = 0
    allowed = _likeliest(np.flatnonzero(mask), 4 * BRANCHES, writer)
    spelled = {token: tokenizer.decode_bytes([token]) for token in allowed}
    branches = {}
    for token in allowed:
        ahead = matcher.deep_copy()
        ahead.consume_token(token)
        whole = spelled[token] + ahead.compute_ff_bytes()
        # The grammar allows " m", " mo" and " model" where it wants " model": one wording, kept as its longest token.
        if not any(len(other) > len(spelled[token]) and whole.startswith(other) for other in spelled.values()):
            branches[token] = [token, *ahead.compute_ff_tokens()][:LOOKAHEAD]
    kept = _likeliest(np.array(list(branches), int), BRANCHES - len(ends), writer)
    return [branches[token] for token in kept] + (ends if kept else [])


def _likeliest(tokens, most, writer):
    """Return the `most` likeliest of the next `tokens`, in their own order; all, and no pass, if they are no more."""
    if len(tokens) > most:
        scores = writer.following().cpu().numpy()[tokens]
        tokens = np.sort(tokens[np.lexsort((tokens, -scores))[:most]])
    return tokens.tolist()


def _choose(scores, temperature, draw):
    """Return the place of the wording taken, and the entropy in bits of the distribution that it was drawn from."""
    if temperature == 0:
        return int(np.argmax(scores)), 0.0
    weights = np.exp((np.array(scores) - max(scores)) / temperature)
    return draw.choices(range(len(scores)), weights=weights.tolist())[0], float(entropy(weights, base=2))


def _inputs(language_model, prompt, pictures):
    """Return what the model reads first, as tensors by name; ``input_ids`` is [1, token]."""
    processor = language_model.processor
    images = [_picture(path) for path in pictures] if processor else []
    reader = processor or language_model.tokenizer
    template = reader.chat_template or language_model.tokenizer.chat_template
    try:
        if template is None:
            shown = "".join(f"{processor.image_token}\n" for _ in images)
            more = {"images": images} if images else {}
            made = reader(text=f"{shown}{prompt}\n\n", return_tensors="pt", **more)
        else:
            parts = [*({"type": "image", "image": image} for image in images), {"type": "text", "text": prompt}]
            made = reader.apply_chat_template(
                [{"role": "user", "content": parts if processor else prompt}], chat_template=template,
                add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
                **({"enable_thinking": False} if "enable_thinking" in str(template) else {}),
            )  # fmt: skip
    except TemplateError as error:
        raise ModelError(
            f"the chat template of {language_model.name} refuses a prompt of one user message: {error}. Name another "
            "model in params/narrate.yaml, or mend its chat_template.jinja."
        ) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ModelError(
            f"the processor of {language_model.name} refuses the prompt with {len(images)} pictures: {error}"
        ) from error
    # A text model gets the tokens alone: some tokenizers add token types, which GPT-2 would take for words.
    return {name: value for name, value in made.items() if processor or name == "input_ids"}


def _picture(path):
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:  # also PIL's UnidentifiedImageError
        raise ModelError(f"the picture {path} cannot be shown to the model: {error}. Wanted is a PNG file.") from error
