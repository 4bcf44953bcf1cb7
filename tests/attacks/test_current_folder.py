"""Nothing runs from the current folder, not even in a process that another one begins."""

from __future__ import annotations

import os
import subprocess

import pytest

from facecodec.process import module_command


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: somebody has put modules there that leave a mark when they are run."""
    mark = tmp_path / "ran"
    for name in ("json", "numpy", "dlib", "torch", "facecodec", "runpy"):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "argument", "says"),
    [
        ("facecodec.batch.worker", "facecodec.batch.worker:nothing", "has no attribute 'nothing'"),
        ("facecodec.face.apart", "nothing", "Unable to open nothing"),
    ],
)
def test_a_process_of_the_package_takes_no_module_from_the_current_folder(
    folder, module, argument, says
):
    kept_open, ours = os.pipe()  # a worker whose input has ended may be gone before it looks
    try:
        done = subprocess.run(
            module_command(module, argument), stdin=kept_open, capture_output=True, timeout=60
        )
    finally:
        os.close(kept_open)
        os.close(ours)
    assert not (folder / "ran").exists()
    assert done.returncode == 1
    assert says in done.stderr.decode()  # the module was found and ran


def test_the_modules_would_be_run_by_an_unguarded_command(folder):
    _, _, *_, code, argument = module_command("facecodec.batch.worker", "nothing")
    python = module_command("facecodec.batch.worker")[0]
    subprocess.run([python, "-c", code, argument], capture_output=True, timeout=60)
    assert (folder / "ran").exists()
