"""A patient's declaration, which people write by hand: read, or refused with a message; never anything else."""

import math

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.study import files, parameters, patients

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
KEYS = st.sampled_from(["source", "seed", "recordings", "frame_s", "folder", "fingerprint", "frames"]) | PLAIN
SOURCES = st.sampled_from([*parameters.SOURCES, "simulated"]) | VALUES
SCRAPS = ["source: simulate\n", "seed: 1\n", "recordings:\n", "  p_01: {", "duration_s: 60", "}\n", "frame_s: "]
SCRAPS += ["2.0", ".inf", "2001-13-45", "!!int ''", "!!timestamp x", "!!python/name:os.system ", "&a ", "*a", "<<: "]
SCRAPS += ["[", "]", "\t", "\n", "- ", "? ", "| ", "'", "%YAML 9.9\n", "---\n", "é", "\0", "\ud800"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project's folder in which p may be declared."""
    (tmp_path / "params" / "patients").mkdir(parents=True)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    return tmp_path


def loaded(root, data):
    """Return what is read of p's declaration, or None if a ValueError refuses it with a message."""
    (root / "params" / "patients" / "p.yaml").write_bytes(data)
    try:
        return patients.load("p")
    except ValueError as error:
        assert len(str(error)) > 10
        return None


@pytest.mark.slow
@FUZZ
@given(st.dictionaries(KEYS, VALUES, max_size=5), SOURCES)
def test_any_keys_and_values(root, found, source):
    """What is taken has a known source, the keys that it needs and no other, and a length of a frame that can be."""
    text = yaml.safe_dump({"source": source} | found, allow_unicode=True)
    declaration = loaded(root, text.encode("utf-8", "surrogatepass"))
    if declaration is None:
        return
    keys = parameters.SOURCES[declaration["source"]].model_fields
    assert {key for key, field in keys.items() if field.is_required()} <= set(declaration) <= set(keys)
    assert 0 < declaration.get("frame_s", 1) < math.inf
    assert isinstance(declaration.get("recordings", {}), dict)


@FUZZ
@given(st.binary(max_size=60) | st.lists(st.sampled_from(SCRAPS)).map(lambda scraps: "".join(scraps)))
def test_any_text(root, written):
    """Half-written, damaged, or no text at all."""
    data = written if isinstance(written, bytes) else written.encode("utf-8", "surrogatepass")
    declaration = loaded(root, data)
    assert declaration is None or declaration["source"] in parameters.SOURCES
