"""Make the golden streams, what they decode to, and the generated parts of SPEC.md.

    python -m tests.vectors.make_streams

Run it only when the format changes. `spec_parts` is also what the tests hold SPEC.md against.
"""

from __future__ import annotations

import io
import json

from facecodec.bitstream import (
    read_identity,
)
from tests.helpers import toy_streams as streams
from tests.vectors import live_streams
from tests.vectors.golden_streams import FOLDER, damaged, decoded, golden, report
from tests.vectors.spec_parts import SPEC, block, parts_of_spec


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    expected = {}
    for name, data in golden().items():
        (FOLDER / name).write_bytes(data)
        if name.endswith(".fcv"):
            expected[name] = decoded(data)
        else:
            person = read_identity(io.BytesIO(data))
            latent = person.w_plus(streams.W_MEAN).astype("<f4").tobytes().hex()
            expected[name] = {"identity": latent, "tuning": (person.tuning or b"").hex()}
        print(f"{name}: {len(data)} bytes")
    reported = {}
    for name, data in damaged().items():
        (FOLDER / name).write_bytes(data)
        reported[name] = report(data)
        print(f"{name}: {len(data)} bytes")
    mean = streams.W_MEAN.astype("<f4").tobytes().hex()
    text = json.dumps(
        {"w_mean": mean, "files": expected, "damaged": reported}, separators=(",", ":")
    )
    (FOLDER / "expected.json").write_text(
        text.replace('],["', '],\n["').replace("],[", "],\n[") + "\n"
    )
    spec = SPEC.read_text()
    for name, part in parts_of_spec().items():
        spec, count = block(name).subn(lambda m, p=part: f"{m[1]}\n```text\n{p}\n```\n", spec)
        assert count == 1, name
    SPEC.write_text(spec)
    live_streams.write()


if __name__ == "__main__":
    main()
