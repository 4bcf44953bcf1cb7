"""What a stream says of its own past: whether its motion is recorded, edited or another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from facecodec.bitstream import StreamHeader

PROVENANCE = "provenance"  # the key under which streams say where their motion is from
RENDERED_COMMENT = "rendered by a face codec"  # what a decoded video says of itself
SYNTHETIC_COMMENT = "synthetic: one person's face moved by another person's video"
EDITED_COMMENT = "edited: not all of this motion was recorded"
EDIT_KEY = "edit "  # and a number of two digits: what was done, in order
MOST_EDITS = 40  # that a stream names one by one; 64 pairs of metadata are all that fit


def edited(header: StreamHeader, notes: Sequence[str]) -> StreamHeader:
    """Return the header of a stream after edits.

    A provenance that is there, such as a puppet's, stays: it says more. `notes` join those of
    earlier edits, in order; of more than `MOST_EDITS` the earliest are counted alone.
    """
    kept = {key: text for key, text in header.metadata.items() if not _is_edit(key)}
    told = [header.metadata[key] for key in sorted(filter(_is_edit, header.metadata))]
    told += notes
    if len(told) > MOST_EDITS:
        left_out = len(told) - MOST_EDITS + 1
        told = [f"{left_out} edits or more came before", *told[left_out:]]
    kept.setdefault(PROVENANCE, EDITED_COMMENT)
    kept |= {f"{EDIT_KEY}{number:02}": note for number, note in enumerate(told, 1)}
    return replace(header, metadata=kept)


def _is_edit(key: str) -> bool:
    return key.startswith(EDIT_KEY) and key[len(EDIT_KEY) :].isdecimal()
