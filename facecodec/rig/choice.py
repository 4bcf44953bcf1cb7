"""Which controls somebody means: by title, by name, by region."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from facecodec.errors import StreamError, UsageError
from facecodec.rig.regions import Region
from facecodec.rig.rig import Rig, shipped_rigs

ALL = "all"  # the name of all controls together
NEAR_NAMES = 4  # that an error names, of those most like a wrong one


def rig_with(sha256: bytes, name: str, path: str | Path | None = None) -> Rig:
    """Return the rig of a stream called `name` without its generator.

    sha256: 32 bytes, as the stream's header has them. path: a rig file; without one, the rigs that
    ship with this package are looked at. Raises StreamError for another rig, or where none is the
    right one; UsageError and ModelError as `Rig.load` does.
    """
    known = [Rig.load(Path(path))] if path else list(shipped_rigs())
    for rig in known:
        if bytes.fromhex(rig.sha256) == sha256:
            return rig
    what = f"this is {known[0].sha256[:12]}" if path else "which does not ship with this program"
    raise StreamError(
        f"{name}: made with rig {sha256.hex()[:12]}, {what}; give the rig file it was made with",
        argument="rig",
    )


def controls_of(rig: Rig, wanted: str) -> list[int]:
    """Return the numbers of the controls that `wanted` means, from 0, at least one.

    wanted: a control's title or name, a region, or "all". Case does not matter.
    Raises UsageError for another word.
    """
    word = wanted.strip().casefold()
    for words in (rig.titles, rig.names, rig.regions):
        found = [number for number, known in enumerate(words) if known.casefold() == word]
        if found:
            return found
    if word == ALL:
        return list(range(len(rig.names)))
    if word in [*Region]:
        raise UsageError(f"the rig has no control of the region {word!r}")
    known = {name.casefold(): name for name in (*rig.names, *rig.shown_titles, *Region, ALL)}
    near = [known[n] for n in difflib.get_close_matches(word, known, NEAR_NAMES, 0.5)]
    those = ", ".join(near) if near else f"{', '.join([*Region])}, {ALL}"
    meant = "did you mean" if near else "there are the regions"
    raise UsageError(f"no control or region {wanted.strip()!r}; {meant} {those}")


def regions_of(names: Iterable[str]) -> tuple[Region, ...]:
    """Return regions by name, each once, in the order of `Region`.

    Raises UsageError for a name that is no region, and for none at all.
    """
    words = {name.strip().casefold() for name in names} - {""}
    for word in sorted(words):
        if word not in [*Region]:
            raise UsageError(f"no region {word!r}; there are: {', '.join([*Region])}")
    if not words:
        raise UsageError(f"name at least one region of: {', '.join([*Region])}")
    return tuple(region for region in Region if region in words)
