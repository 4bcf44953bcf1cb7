"""Nothing runs from the current folder, not even in a process that another one begins."""

from __future__ import annotations

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


@pytest.mark.parametrize("module", ["facecodec.batch.worker", "facecodec.face.apart"])
def test_a_process_of_the_package_takes_no_module_from_the_current_folder(folder, module):
    done = subprocess.run(
        module_command(module, "nothing"), stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    assert not (folder / "ran").exists()
    assert done.returncode == 1  # there is no such function, or file: it was found and ran
    assert b"ModuleNotFoundError" not in done.stderr


def test_the_modules_would_be_run_by_an_unguarded_command(folder):
    _, _, *_, code, argument = module_command("facecodec.batch.worker", "nothing")
    python = module_command("facecodec.batch.worker")[0]
    subprocess.run([python, "-c", code, argument], capture_output=True, timeout=60)
    assert (folder / "ran").exists()
