"""A patient's declaration, which people write by hand: read, or refused with a message; never anything else."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.study import files, parameters, patients

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SCRAPS = ["source: simulate\n", "seed: 1\n", "recordings:\n", "  p_01: {", "duration_s: 60", "}\n", "frame_s: "]
SCRAPS += ["2.0", ".inf", "2001-13-45", "!!int ''", "!!timestamp x", "!!python/name:os.system ", "&a ", "*a", "<<: "]
SCRAPS += ["[", "]", "\t", "\n", "- ", "? ", "| ", "'", "%YAML 9.9\n", "---\n", "é", "\0", "\ud800"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project's folder in which p may be declared."""
    (tmp_path / "params" / "patients").mkdir(parents=True)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    return tmp_path


@FUZZ
@given(st.binary(max_size=60) | st.lists(st.sampled_from(SCRAPS)).map(lambda scraps: "".join(scraps)))
def test_any_text(root, written):
    """Half-written, damaged, or no text at all: a known source, or one message."""
    data = written if isinstance(written, bytes) else written.encode("utf-8", "surrogatepass")
    (root / "params" / "patients" / "p.yaml").write_bytes(data)
    try:
        assert patients.load("p")["source"] in parameters.SOURCES
    except ValueError as error:
        assert len(str(error)) > 10
