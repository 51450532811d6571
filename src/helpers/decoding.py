"""Decoding under a regular expression: what is said is fixed, how it is said is the model's choice."""

import random
import re
from contextlib import contextmanager

import numpy as np
import torch
from llguidance import LLMatcher
from transformers import DynamicCache

from helpers.language_model import ModelError

# How many threads share a matrix product decides the order of its sums, and a near tie between two wordings could
# then fall the other way. One thread gives the same bytes everywhere, and loses little on passes of ten tokens.
THREADS = 1
BRANCHES = 8  # wordings compared at a choice
LOOKAHEAD = 10  # tokens of each wording that are scored
LONGEST = 4096  # tokens of one section: a regular expression without an end must not run for ever


def decode(language_model, prompt, regex, seed=0, temperature=0.0):
    """Write a text that matches `regex` in full, the model choosing the wording by likelihood.

    Where the expression leaves one continuation, its tokens are taken without asking the model. Where it leaves
    several, each is followed to the next choice (at most 10 tokens) and scored by its mean log-likelihood a token, so
    that neither a short wording nor a likely first syllable wins by itself.

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

    Returns
    -------
    str

    Raises
    ------
    ModelError
        If the expression is none, the context is too short, or the text does not match in full.
    """
    matcher = LLMatcher(language_model.grammar_tokenizer, LLMatcher.grammar_from_regex(regex))
    if matcher.is_error():
        raise ModelError(f"the grammar is not accepted: {matcher.get_error()}")
    draw = random.Random(seed)
    writer = _Writer(language_model, _prompt_ids(language_model, prompt))
    with torch.inference_mode(), steady():
        while True:
            forced = matcher.compute_ff_tokens()
            matcher.consume_tokens(forced)
            writer.append(forced)
            if matcher.is_stopped() or not (branches := _branches(matcher, writer)):
                break
            scores = writer.score(branches) if len(branches) > 1 else [0.0]
            chosen = _choose(scores, temperature, draw)
            matcher.consume_tokens(branches[chosen])
            writer.take(branches[chosen], chosen if len(branches) > 1 else None)
    text = language_model.tokenizer.decode(writer.written, clean_up_tokenization_spaces=False)
    if not re.fullmatch(regex, text):
        raise ModelError(f"{language_model.name} left its grammar; it wrote {text!r}")
    return text


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

    def __init__(self, language_model, prompt_ids):
        self.language_model, self.model = language_model, language_model.model
        self.cache = DynamicCache(config=self.model.config)
        self.pending, self.written, self.length = list(prompt_ids), [], len(prompt_ids)
        self.next, self.scored = None, None  # log-probabilities [vocabulary] of the next token; the last comparison
        self.limit = getattr(self.model.config, "max_position_embeddings", None) or float("inf")

    def append(self, tokens):
        self.pending += tokens
        self.written += tokens
        self.length += len(tokens)
        if len(self.written) > LONGEST or self.length + LOOKAHEAD > self.limit:
            raise ModelError(
                f"{self.language_model.name} has no room for the text: {self.length} tokens, prompt included, of at "
                f"most {min(self.limit, LONGEST)}. Name a model with a longer context in params/narrate.yaml."
            )

    def forward(self, tokens, keep):
        """Return log-probabilities [branch, last `keep` positions, vocabulary]; `tokens` is [branch, position]."""
        tokens = torch.as_tensor(tokens, device=self.model.device)
        out = self.model(tokens, past_key_values=self.cache, use_cache=True, logits_to_keep=keep)
        return torch.log_softmax(out.logits.float(), dim=-1)

    def following(self):
        """Return the log-probabilities [vocabulary] of the next token."""
        if self.pending:
            self.next = self.forward([self.pending], 1)[0, -1]
            self.pending = []
        return self.next

    def score(self, branches):
        """Return each branch's mean log-likelihood a token; the cache then holds all of them, to take one."""
        longest = max(map(len, branches))
        # Padding follows the tokens, which a causal model does not look at: no mask is needed.
        padded = [branch + [branch[-1]] * (longest - len(branch)) for branch in branches]
        first = self.following()
        self.cache.batch_repeat_interleave(len(branches))
        self.scored = self.forward(padded, longest), longest
        scores = []
        for row, branch in enumerate(branches):
            rest = [self.scored[0][row, at, token] for at, token in enumerate(branch[1:])]
            scores.append(float(sum(rest, first[branch[0]])) / len(branch))
        return scores

    def take(self, branch, row):
        """Write `branch`; `row` is its place in the last comparison, None if there was none."""
        self.append(branch)
        if row is not None:
            logprobs, longest = self.scored
            self.cache.batch_select_indices(torch.tensor([row], device=self.model.device))
            self.cache.crop(len(branch) - longest)
            self.next, self.pending = logprobs[row, len(branch) - 1], []


def _branches(matcher, writer):
    """Return the wordings that the grammar allows next, as token lists; none if the text is complete."""
    mask = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
    tokenizer = writer.language_model.grammar_tokenizer
    allowed = [int(token) for token in np.flatnonzero(mask) if token not in tokenizer.eos_tokens]
    if not allowed:
        return []
    if len(allowed) > 1:
        following = writer.following()
        allowed = sorted(allowed, key=lambda token: (-float(following[token]), token))[: 4 * BRANCHES]
    spelled = {token: tokenizer.decode_bytes([token]) for token in allowed}
    branches = []
    for token in allowed:
        ahead = matcher.deep_copy()
        ahead.consume_token(token)
        whole = spelled[token] + ahead.compute_ff_bytes()
        # The grammar allows " m", " mo" and " model" where it wants " model": one wording, kept as its longest token.
        if not any(len(other) > len(spelled[token]) and whole.startswith(other) for other in spelled.values()):
            branches.append([token, *ahead.compute_ff_tokens()][:LOOKAHEAD])
    return branches[:BRANCHES]


def _choose(scores, temperature, draw):
    if temperature == 0:
        return int(np.argmax(scores))
    weights = np.exp((np.array(scores) - max(scores)) / temperature)
    return draw.choices(range(len(scores)), weights=weights.tolist())[0]


def _prompt_ids(language_model, prompt):
    tokenizer = language_model.tokenizer
    if tokenizer.chat_template is None:
        return tokenizer(prompt + "\n\n")["input_ids"]
    chat = [{"role": "user", "content": prompt}]
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    return tokenizer(text, add_special_tokens=False)["input_ids"]
