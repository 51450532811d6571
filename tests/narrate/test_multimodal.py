"""Models that read pictures: tiny random ones of several architectures, saved and loaded like any other."""

import contextlib
import re
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)

from helpers.narrate import decoding, language_model
from helpers.study import files

REGEX = r"The (?:picture|spectrogram) (?:shows|holds) (?:power|nothing)\.(?: Well\.|)"
TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "initializer_range": 0.3, "eos_token_id": 256, "bos_token_id": None,
}  # fmt: skip
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION |= {"initializer_range": 0.3, "image_size": 28, "patch_size": 14}
TEMPLATE = (
    "{% for part in messages[0]['content'] %}{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %} A:{% endif %}"
)


def save(folder, shown, special, model, image_processor, processor, **tokens):
    """Save a byte-level tokenizer with the `special` tokens, the model made for it, and the processor's settings."""
    alphabet = {symbol: at for at, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(alphabet | {"<end>": 256}, []))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<end>", pad_token="<end>", extra_special_tokens=tokens
    )
    tokenizer.add_tokens(special, special_tokens=True)
    tokenizer.chat_template = TEMPLATE.replace("IMAGE", shown)
    tokenizer.save_pretrained(folder)
    files.write_json(folder / "preprocessor_config.json", image_processor)
    files.write_json(folder / "processor_config.json", processor)
    torch.manual_seed(0)
    made = model(tokenizer.convert_tokens_to_ids, len(tokenizer))
    for name, weight in made.named_parameters():
        if "mm_input_projection" in name:  # Gemma's begins as zero, and would show every picture alike
            torch.nn.init.normal_(weight)
    made.save_pretrained(folder)
    return folder


def qwen(folder, context=512):
    special = ["<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>"]

    def model(number, size):
        text = TEXT | {"vocab_size": size, "max_position_embeddings": context}
        text["rope_parameters"] = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
        vision = {"depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14}
        names = ("vision_start_token_id", "image_token_id", "vision_end_token_id", "video_token_id")
        config = Qwen2VLConfig(
            text_config=text, vision_config=vision, **dict(zip(names, map(number, special), strict=True))
        )
        return Qwen2VLForConditionalGeneration(config)

    settings = {"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 784, "max_pixels": 50176}
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    return save(folder, image, special, model, settings, {"processor_class": "Qwen2VLProcessor"})


def idefics(folder, context=512):
    special = ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]

    def model(number, size):
        text = LlamaConfig(**TEXT, vocab_size=size, max_position_embeddings=context)
        config = Idefics3Config(
            image_token_id=number("<image>"), vision_config=VISION, text_config=text, scale_factor=2,
            pad_token_id=256,
        )  # fmt: skip
        return Idefics3ForConditionalGeneration(config)

    settings = {"image_processor_type": "Idefics3ImageProcessor", "size": {"longest_edge": 56}}
    settings |= {"max_image_size": {"longest_edge": 28}}
    return save(
        folder, "<image>", special, model, settings, {"processor_class": "Idefics3Processor", "image_seq_len": 1}
    )


def llava(folder, context=512):
    def model(number, size):
        text = LlamaConfig(**TEXT, vocab_size=size, max_position_embeddings=context)
        config = LlavaConfig(
            vision_config=CLIPVisionConfig(**VISION), text_config=text, image_token_index=number("<image>"),
            vision_feature_layer=-1,
        )  # fmt: skip
        return LlavaForConditionalGeneration(config)

    settings = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 28}}
    settings |= {"crop_size": {"height": 28, "width": 28}}
    processor = {"processor_class": "LlavaProcessor", "patch_size": 14, "vision_feature_select_strategy": "default"}
    processor |= {"num_additional_image_tokens": 1, "image_token": "<image>"}
    return save(folder, "<image>", ["<image>"], model, settings, processor)


def gemma(folder, context=512):
    special = ["<start_of_image>", "<end_of_image>", "<image_soft_token>"]

    def model(number, size):
        text = TEXT | {"vocab_size": size, "max_position_embeddings": context, "head_dim": 16, "sliding_window": 8}
        text["layer_types"] = ["sliding_attention", "full_attention"]
        begin, end, image = map(number, special)
        config = Gemma3Config(
            text_config=text, vision_config=VISION, mm_tokens_per_image=1, initializer_range=0.3,
            boi_token_index=begin, eoi_token_index=end, image_token_index=image,
        )  # fmt: skip
        return Gemma3ForConditionalGeneration(config)

    settings = {"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 28, "width": 28}}
    tokens = {"boi_token": special[0], "eoi_token": special[1], "image_token": special[2]}
    processor = {"processor_class": "Gemma3Processor", "image_seq_length": 1}
    return save(folder, special[0], special, model, settings, processor, **tokens)


@pytest.fixture(scope="module", params=[qwen, idefics, llava, gemma], ids=lambda make: make.__name__)
def model(request, tmp_path_factory):
    return language_model.load(str(request.param(tmp_path_factory.mktemp(request.param.__name__))))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two pictures of 90 × 60 pixels, the one light above, the other below."""
    folder, paths = tmp_path_factory.mktemp("pictures"), []
    for name, values in {"rising": range(60), "falling": range(60, 0, -1)}.items():
        pixels = np.repeat(np.array(values, np.uint8)[:, None] * 4, 90, axis=1)
        paths.append(folder / f"{name}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def writer_of(model, pictures):
    return decoding._Writer(model, decoding._inputs(model, "Describe.", pictures))


def test_text_of_the_grammar_comes_out_and_again_the_same(model, pictures):
    texts = [decoding.decode(model, "Describe.", REGEX, seed, 1.0, pictures).text for seed in range(8)]
    assert all(re.fullmatch(REGEX, text) for text in texts) and len(set(texts)) > 2
    assert texts == [decoding.decode(model, "Describe.", REGEX, seed, 1.0, pictures).text for seed in range(8)]
    assert re.fullmatch(REGEX, decoding.decode(model, "Describe.", REGEX).text), "and without a picture too"


def test_the_picture_reaches_the_model(model, pictures):
    branches = [[80, 81, 82], [90]]
    with torch.inference_mode():
        scores = [writer_of(model, [picture]).score(branches) for picture in pictures]
        none = writer_of(model, []).score(branches)
    assert min(np.abs(np.subtract(scores[0], other)).max() for other in (scores[1], none)) > 1e-3


@pytest.mark.slow
def test_what_follows_a_picture_is_as_if_all_were_read_at_once(model, pictures):
    """The cache and the positions after pictures, through two choices and forced tokens between."""
    inputs = dict(decoding._inputs(model, "Describe.", pictures))
    branches, read = [[80, 81, 82], [90], [85, 86]], []
    with torch.inference_mode():
        for row, branch in enumerate(branches):
            writer, read = decoding._Writer(model, inputs), []
            for _ in range(2):
                writer.score(branches)
                writer.take(branch, row)
                writer.append([70, 71])
                read += [*branch, 70, 71]
            found = writer.following()
            wanted = torch.log_softmax(model.model(**continued(inputs, read)).logits[0, -1].float(), -1)
            torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)


def continued(inputs, tokens):
    """Return the inputs with text tokens after them."""
    longer, (rows, length) = dict(inputs), inputs["input_ids"].shape
    for name, value in inputs.items():
        if value.shape == (rows, length):
            more = {"input_ids": torch.tensor([tokens]), "attention_mask": torch.ones(1, len(tokens), dtype=int)}
            rest = more.get(name, torch.zeros(1, len(tokens), dtype=value.dtype))
            longer[name] = torch.cat([value, rest.to(value.dtype)], dim=1)
    return longer


class Turns:
    """Let threads run the model by turns: after each pass another's comes, if there is one that does not wait."""

    def __init__(self, lock):
        self.lock, self.changed, self.last = lock, threading.Condition(), None
        self.running, self.blocked = set(), set()

    def let_another(self):
        me = threading.get_ident()
        with self.changed:
            self.last = me
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.last != me or not self.running - self.blocked - {me}, timeout=60)

    @contextlib.contextmanager
    def taking_part(self):
        with self._among(self.running):
            yield

    def __enter__(self):
        with self._among(self.blocked):
            self.lock.acquire()

    def __exit__(self, *_):
        self.lock.release()

    @contextlib.contextmanager
    def _among(self, threads):
        with self.changed:
            threads.add(threading.get_ident())
            self.changed.notify_all()
        try:
            yield
        finally:
            with self.changed:
                threads.discard(threading.get_ident())
                self.changed.notify_all()


def test_sections_written_at_once_are_those_written_one_by_one(model, pictures, monkeypatch):
    """Some models keep the place of the pictures in themselves, where another thread's prompt could change it."""
    shown = [[], pictures[:1], pictures, pictures[::-1]]
    alone = [decoding.decode(model, "Describe.", REGEX, 1, 1.0, each) for each in shown]
    found, turns, forward = {}, Turns(decoding._PLACING), type(model.model).forward
    monkeypatch.setattr(decoding, "_PLACING", turns)

    def by_turns(*args, **inputs):
        out = forward(*args, **inputs)
        turns.let_another()
        return out

    monkeypatch.setattr(type(model.model), "forward", by_turns)

    def write(number):
        with turns.taking_part():
            found[number] = [decoding.decode(model, "Describe.", REGEX, 1, 1.0, shown[number]) for _ in range(3)]

    with decoding.steady():
        threads = [threading.Thread(target=write, args=(number,)) for number in range(len(shown))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number, wanted in enumerate(alone):
        assert [made.text for made in found[number]] == [wanted.text] * 3
        assert [made.bits for made in found[number]] == pytest.approx([wanted.bits] * 3, abs=1e-4)


def test_a_template_is_no_need(model, pictures, tmp_path):
    """A base model's processor has none: the pictures' tokens stand before the prompt."""
    model.processor.save_pretrained(tmp_path)
    kept = model.processor.chat_template, model.tokenizer.chat_template
    try:
        model.processor.chat_template = model.tokenizer.chat_template = None
        made = decoding._inputs(model, "Describe.", pictures)
        assert re.search(r"Describe\.\n\n$", model.tokenizer.decode(made["input_ids"][0]))
        assert made["input_ids"].shape[1] > len("Describe.\n\n") + 2 and "pixel_values" in made
    finally:
        model.processor.chat_template, model.tokenizer.chat_template = kept


def test_a_picture_that_is_none_says_so(model, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    for name in ("missing.png", "text.png"):
        with pytest.raises(language_model.ModelError, match=f"picture .*{name} cannot be shown"):
            decoding.decode(model, "Describe.", REGEX, pictures=[tmp_path / name])


@pytest.mark.parametrize("make", [qwen, idefics])
def test_a_context_too_short_for_the_pictures_says_how_many_tokens_they_took(tmp_path, pictures, make):
    short = language_model.load(str(make(tmp_path, context=30)))
    text = decoding._inputs(short, "Describe.", [])["input_ids"].shape[1]
    whole = decoding._inputs(short, "Describe.", pictures)["input_ids"].shape[1]
    wanted = rf"{whole} tokens, {whole} of them the prompt \({whole - text} of these for pictures: .* at most 30"
    with pytest.raises(language_model.ModelError, match=wanted):
        decoding.decode(short, "Describe.", REGEX, pictures=pictures)


@pytest.mark.parametrize("make", [qwen, llava])
def test_a_model_without_its_processor_says_so(tmp_path, make):
    make(tmp_path)
    for name in ("preprocessor_config.json", "processor_config.json"):
        (tmp_path / name).unlink()
    with pytest.raises(language_model.ModelError, match="reads pictures, and its processor does not load"):
        language_model.load(str(tmp_path))


def test_no_code_is_needed_for_videos(model):
    assert "video_processor" not in vars(model.processor)
    assert type(model.processor.image_processor).__name__.endswith("Pil")
