"""Model: a local language model, which scores wordings and writes text."""

from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace

import jinja2
import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers.utils import chat_template_utils, logging

from helpers.study.parallel import parallel_map

logging.set_verbosity_error()  # no bars and no advice; errors still come
logging.disable_progress_bar()

BATCH = 4  # texts scored at once: more weigh little, as their weights are read once for all
LONGEST = 300  # tokens of a section in the model's own words
chat_template_utils.datetime = SimpleNamespace(now=lambda: datetime(2026, 1, 1))  # the same bytes on any day


class ModelError(ValueError):
    """A language model that cannot be had, loaded or used; the message says what to do."""

    def __init__(self, said):
        super().__init__(f"{said} Or name another model in params/narrate.yaml.")


@dataclass
class LanguageModel:
    """A causal language model with its tokenizer; ``revision`` identifies its files, ``licence`` is their text."""

    model: torch.nn.Module = field(repr=False)
    tokenizer: object = field(repr=False)
    name: str
    revision: str
    licence: str | None = field(default=None, repr=False)

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
        torch.set_num_threads(1)  # sums over threads depend on their number, and so do near ties
        order = sorted(range(len(rows)), key=lambda at: len(rows[at][0]))  # texts of a batch are about as long
        batches = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
        pieces, scores = [([rows[at] for at in batch],) for batch in batches], np.empty(len(rows))
        scores[order] = np.concatenate(parallel_map(self._score, pieces, "wordings", "batch", threads=True))
        if not np.isfinite(scores).all():
            raise ModelError(f"'{self.name}' gives likelihoods that are no numbers: its weights are broken.")
        return scores.tolist()

    def _score(self, rows):
        """Return the log-likelihoods of the last `own` of some tokens, from a list of both."""
        texts = [torch.tensor(tokens, device=self.model.device) for tokens, _ in rows]
        with torch.inference_mode():  # what is padded comes after a text, where a causal model does not look
            logits, scores = self.model(pad_sequence(texts, batch_first=True), use_cache=False).logits, []
            for one, (tokens, own) in zip(logits, rows, strict=True):
                logprobs = torch.log_softmax(one[len(tokens) - own - 1 : len(tokens) - 1].float(), dim=-1).cpu()
                scores.append(float(logprobs.gather(1, torch.tensor(tokens[-own:])[:, None]).sum()))
        return scores

    def generate(self, prompt, seed=0, temperature=1.0):
        """Return the model's own text after a prompt, put into its chat template if it has one.

        Raises ModelError if the template is refused by Jinja's sandbox, or the model cannot write.
        """
        drawn = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        said = [{"role": "user", "content": prompt}]
        form = {"add_generation_prompt": True, "enable_thinking": False, "return_dict": True}
        try:
            if self.tokenizer.chat_template:
                inputs = self.tokenizer.apply_chat_template(said, return_tensors="pt", **form)
            else:
                inputs = self.tokenizer(f"{prompt}\n\n", return_tensors="pt")
            torch.manual_seed(seed)
            torch.set_num_threads(1)  # as in `score`
            with torch.inference_mode():
                out = self.model.generate(**inputs.to(self.model.device), max_new_tokens=LONGEST, **drawn)
        except (jinja2.TemplateError, RuntimeError, TypeError, ValueError, IndexError) as error:
            raise ModelError(f"'{self.name}' does not write: {first_line(error)}.") from error
        return self.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def first_line(error, folder=""):
    """Return the first line of what an error says, without the path of a folder."""
    return (str(error).strip() or type(error).__name__).split("\n")[0].replace(f"{folder}/", "")
