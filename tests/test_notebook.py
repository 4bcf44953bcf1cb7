"""The notebook runs from top to bottom, and shows what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent / "examples" / "notebook.ipynb"
SAMPLES = NOTEBOOK.parent.parent / "samples"
LONGEST_SECONDS = 600  # of a cell
PICTURES = ["image/png", "image/png", "video"]  # what is shown, in order


def test_it_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    for cell in code:
        compile("".join(cell["source"]), str(NOTEBOOK), "exec")


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path, generator, finder):
    nbformat = pytest.importorskip("nbformat", reason="pip install 'facecodec[notebook]'")
    nbclient = pytest.importorskip("nbclient", reason="pip install 'facecodec[notebook]'")
    (tmp_path / "samples").symlink_to(SAMPLES)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=LONGEST_SECONDS, resources=place).execute()
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output["text"]
            data = output.get("data", {})
            if "image/png" in data:
                shown.append("image/png")
            elif "<video" in data.get("text/html", ""):
                shown.append("video")
    assert shown == PICTURES
    assert {"talk.fcv", "back.mp4"} <= {path.name for path in (tmp_path / "out").iterdir()}
