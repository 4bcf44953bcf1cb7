"""A second decoder, from SPEC.md alone: one function, plain integers, no numpy, no classes.

It refuses nothing that is merely damaged and recovers nothing: it reads whole streams.
"""

from __future__ import annotations

import copy
import itertools
import struct
import zlib
from collections import defaultdict
from fractions import Fraction
from math import floor
from typing import Any


def decode_stream(data: bytes, tables: dict[str, Any], mean: list[float]) -> dict[str, Any]:
    """Return all that is in a whole stream, as `golden_streams.decoded` does."""

    def fields(buffer):
        """Return functions that take fields off the front of a buffer."""
        rest = iter(buffer)

        def take(n):
            got = bytes(itertools.islice(rest, n))
            assert len(got) == n, "a field is cut off"
            return got

        def number(n):
            return int.from_bytes(take(n), "little")

        def varint():
            parts = []
            while not parts or parts[-1] & 128:
                parts.append(number(1))
                assert len(parts) < 10
            assert len(parts) == 1 or parts[-1], "not the shortest form"
            return sum((part & 127) << 7 * i for i, part in enumerate(parts))

        def svarint():
            v = varint()
            return -(v + 1) // 2 if v & 1 else v // 2

        def string():
            n = number(1)
            if n >= 192:
                start, n = ["facecodec "][n - 192], number(1)
                assert n < 128
                return start + take(n).decode()
            return tables["words"][n - 128] if n >= 128 else take(n).decode()

        def fraction():
            top, bottom = varint(), varint()
            return Fraction(top, bottom) if top and bottom else None

        return take, number, varint, svarint, string, fraction, lambda: bytes(rest)

    def step(code):
        return Fraction(16 + code % 16) * Fraction(2) ** (code // 16 - 16)

    def single(value):
        """Round a number to binary32 and return its bytes."""
        return struct.pack("<f", value)

    def entropy(body, table, odds=None):
        """Return the decisions of section 6.1, and a check that the body is used up.

        odds: those of the segment that this one continues (section 15.2).
        """
        taken = itertools.count()
        source = itertools.chain(body, itertools.repeat(0))

        def following():
            next(taken)
            return next(source)

        if odds is None:
            odds = defaultdict(lambda: [32768] * 2)
            odds.update((i, [128 * (2 * b + 1)] * 2) for i, b in enumerate(table or b""))
        state = [2**32 - 1, 0]
        for _ in range(4):
            state[1] = state[1] * 256 + following()
        assert state[1] < state[0], "no encoder makes it"

        def decide(bound):
            one = state[1] < bound
            state[:] = [bound, state[1]] if one else [state[0] - bound, state[1] - bound]
            while state[0] < 2**24:
                state[:] = [state[0] * 256, state[1] * 256 + following()]
            return int(one)

        def bit(*contexts):
            total = sum(sum(odds[c]) for c in contexts)
            got = decide((state[0] >> 16) * (total // (2 * len(contexts))))
            for c in contexts:
                f, s = odds[c]
                up = (f + (65536 - f) // 16, s + (65536 - s) // 128)
                odds[c] = list(up if got else (f - f // 16, s - s // 128))
            return got

        def even():
            state[0] >>= 1
            one = state[1] < state[0]
            state[1] -= 0 if one else state[0]
            assert state[1] < state[0], "no encoder makes it"
            while state[0] < 2**24:
                state[:] = [state[0] * 256, state[1] * 256 + following()]
            return int(one)

        def golomb():
            n = 1
            while not even():
                n += 1
                assert n <= 48
            return int("1" + "".join(str(even()) for _ in range(n - 1)), 2) - 1

        def magnitude(steps, *starts):
            for k in range(steps):
                if not bit(*(c + k for c in starts)):
                    return k + 1
            return steps + 1 + golomb()

        def signed(c):
            if not bit(c):
                return 0
            negative = bit(c + 1)
            return magnitude(14, c + 2) * (-1 if negative else 1)

        return bit, even, magnitude, signed, lambda: next(taken) >= len(body), odds

    def track(coder, base, rows, width, kept):
        """Return the levels of section 6.4, row by row.

        kept: the last row and what the columns remember, which this goes on from and changes.
        """
        bit, _, magnitude, signed, *_ = coder
        start = {"short": 0, "medium": 8, "long": 24, "drift": 0, "before": 1}
        memory = kept.setdefault("memory", [dict(start) for _ in range(width)])
        if rows == 0:
            return []
        begun = "row" in kept
        table = [kept["row"] if begun else [signed(base) for _ in range(width)]]
        for _ in range(rows - 1 + begun):
            row, around = [], 0
            for above, m in zip(table[-1], memory, strict=True):
                own = min((m["short"] + 3) // 4, 7)
                calm = min(m["medium"] // 4, 8) - 1
                usual = min(m["long"] // 8, 8) - 1
                near = min((around + 1) // 2, 3)
                towards = max(-3, min((m["drift"] + 2) // 4, 3))
                b = 80 + 4 * (8 * near + calm) + abs(towards)
                change = 0
                if bit(base + 16 + 8 * own + usual, base + b):
                    fell = bit(base + 208 + 3 * (towards + 3) + m["before"])
                    change = magnitude(14, base + 229 + 14 * own, base + 341 + 14 * calm)
                    change = -change if fell else change
                row.append(above + change)
                assert abs(row[-1]) < 2**18
                capped = max(-64, min(change, 64))
                size = abs(capped)
                m["before"] = (change > 0) - (change < 0) + 1
                m["short"] += (8 * size - m["short"] + 1) // 2
                m["medium"] += (16 * size - m["medium"] + 4) // 8
                m["long"] += (64 * size - m["long"] + 8) // 16
                m["drift"] += (16 * capped - m["drift"]) // 2
                around += (2 * size - around + 1) // 2
            table.append(row)
        kept["row"] = table[-1]
        return table[begun:]

    # Section 2: the chunks; section 15.2: what continues a segment has no letters.
    chunks, at, seed = [], 0, 0
    links, following = {}, None  # last frame of a segment: its CRC and frames; the next frame
    usual = None
    while at < len(data):
        if at and data[at] >= 128 and data[at] != 0x89:
            take, number, varint, *_ = fields(data[at:])
            lead, back, code = number(1), 1, None
            if lead == 128:
                assert number(2) == following % 65536
                code = number(1)
                back = code % 8 + 1
                count = varint() if code // 8 == 3 else code // 8 + 1
                size = varint()
                head = 4 + (code // 8 == 3) * (1 + (count > 127)) + 1 + (size > 127)
            else:
                assert lead >= 160
                count, size, head = links[following - 1][1], lead - 160, 1
                code = 8 * (min(count, 4) - 1)
            before, _ = links[following - back]
            body = data[at + head : at + head + size]
            counted = bytes([code])
            if code // 8 == 3:
                counted += bytes([count] if count < 128 else [count & 127 | 128, count >> 7])
            crc = zlib.crc32(counted + body, before)
            check = data[at + head + size : at + head + size + 3]
            assert check == (crc % 2**24).to_bytes(3, "little"), "damaged"
            links[following + count - 1] = crc, count
            chunks.append(((following, back, count), body, at))
            following += count
            at += head + size + 3
            continue
        take, _, varint, svarint, *_ = fields(data[at:])
        again = at > 0 and data[at] == 0x89
        kind = take(4 if again or not at else 2)
        size = varint()
        payload = take(size)
        after = at + len(kind) + max(1, -(-size.bit_length() // 7)) + size
        crc = zlib.crc32(data[at:after], 0 if again else seed)
        assert crc == int.from_bytes(take(4), "little"), "damaged"
        assert not again or crc == seed, "another stream"
        if not at:
            seed, usual = crc, usual_frames(payload, fields)
        if kind == b"SE":
            _, _, varint, svarint, *_ = fields(payload)
            following, links = varint(), {}
            count = usual + svarint()
            following += count
            links[following - 1] = crc, count
        chunks.append((kind, payload, at))
        at = after + 4
    chunks = whole(chunks, fields)
    assert chunks[0][0] == bytes.fromhex("89464356")
    assert chunks[-1][0] == b"EN"

    # Section 4: the header.
    take, number, varint, svarint, string, fraction, rest = fields(chunks[0][1])
    form = number(1)
    precision = form >> 4 & 3
    assert form & 0x8F in (1, 2)
    version = form & 15
    number(1)
    shape = {1: (35, 16, 512, 1024), 2: (35, 18, 512, 1024)}.get(number(1))
    count, num_ws, w_dim, _ = shape or [varint() for _ in range(4)]
    varint(), varint()
    time_base, rate = fraction(), fraction()
    take(64)
    placement_steps = [step(c) for c in (take(4) if form & 64 else (160, 160, 160, 48))]
    texts = [string(), string()]
    texts += [string() for _ in range(2 * varint())]
    stream_id, size = (take(8), varint()) if version == 2 else (None, None)
    assert stream_id != bytes(8)
    unit, code = number(1), number(1)
    _, _, _, signed, used_up, _ = entropy(rest() if size is None else take(size), None)
    control_steps = [step(code)]
    for _ in range(count - 1):
        code += unit * signed(0)
        control_steps.append(step(code))
    assert used_up()
    result: dict[str, Any] = {"texts": texts, "frames": [], "audio": [], "tuning": None}
    if version == 2:
        result["stream_id"] = stream_id.hex()
        result["tags"] = {tag: value.hex() for tag, value in tagged(rest(), fields).items()}
    clock = 1 / (rate * time_base) if rate else None

    def on_the_clock(n):
        return floor(n * clock + Fraction(1, 2))

    parts, groups, left, come = {}, [], {}, set()
    # The body begins with the first of these.
    begins = next(at for kind, _, at in chunks if kind in (b"SE", b"AU", b"EN"))
    for kind, payload, at in chunks[1:]:
        if version == 2 and kind in (b"ID", b"IR", b"AP", b"TU"):
            if (kind, payload) in come:
                continue
            come.add((kind, payload))
        take, number, varint, svarint, string, fraction, rest = fields(payload)
        if kind == b"IR":
            result["identity_reference"] = payload.hex()
        elif kind == b"ID":
            result["identity"] = decode_identity(
                payload, (num_ws, w_dim), mean, fields, entropy, step, tables
            )
        elif kind == b"TU":
            part, of = varint(), varint()
            parts[part] = rest()
            if len(parts) == of:
                result["tuning"] = b"".join(parts[i] for i in range(of)).hex()
        elif kind == b"AU":
            assert varint() == len(result["audio"])
            follows, rows = 0, []
            for _ in range(varint()):
                dts = follows + svarint()
                pts = dts + svarint()
                rows.append((pts, dts, varint(), varint()))
                follows = dts + rows[-1][2]
            result["audio"] += [[p, d, n, take(size).hex()] for p, d, n, size in rows]
            assert rest() == b""
        elif kind == b"SE" or isinstance(kind, tuple):
            if kind == b"SE":
                first, frames, pts = varint(), usual + svarint(), svarint()
                pts += on_the_clock(first) if rate else 0
                groups.append((begins, first, frames, pts))
                size = {0: 0, 1: 2, 2: 4}[precision]
                raw = take(frames * count * size)
                body = rest()
                old = {"step": 1, "flags": 0, "placed": 1, "place": {}, "controls": {}}
                odds, group = None, first
            else:
                # Section 15.2: all goes on from what the segment continued has left.
                first, back, frames = kind
                old, odds, group = copy.deepcopy(left[first - back])
                body = payload
                assert first + frames - group <= 240 and not precision
            coder = entropy(body, tables["segment"], odds)
            bit, _, _, signed, used_up, odds = coder
            delta = old["step"]
            if kind != b"SE":
                delta *= back
                step_to = on_the_clock(first) - on_the_clock(first - back) if rate else delta
                if bit(0):
                    delta = step_to
                elif not bit(1):
                    delta += signed(2)
                assert delta >= 1
                pts, delta = old["pts"] + delta, max(delta // back, 1)
            times = [pts]
            for n in range(first + 1, first + frames):
                expected = delta
                if rate:
                    expected = on_the_clock(n) - on_the_clock(n - 1)
                if bit(0):
                    delta = expected
                elif not bit(1):
                    delta += signed(2)
                assert delta >= 1
                times.append(times[-1] + delta)
            flags = [old["flags"]]
            for _ in range(frames):
                low = bit(18 + (flags[-1] & 1))
                flags.append(low + 2 * bit(20 + (flags[-1] >> 1)))
            placed = [old["placed"]]
            for _ in range(frames):
                placed.append(bit(22 + placed[-1]))
            places = iter(track(coder, 24, sum(placed[1:]), 4, old["place"]))
            rows = [next(places) if there else None for there in placed[1:]]
            if precision:
                code = "e" if precision == 1 else "f"
                values = [v for (v,) in struct.iter_unpack("<" + code, raw)]
            else:
                table = track(coder, 477, frames, count, old["controls"])
                values = [v * s for row in table for v, s in zip(row, control_steps, strict=True)]
            assert used_up(), "bytes left over"
            old |= {"step": delta, "flags": flags[-1], "placed": placed[-1], "pts": times[-1]}
            left[first + frames - 1] = old, odds, group
            for i in range(frames):
                controls = b"".join(single(v) for v in values[i * count : (i + 1) * count])
                place = rows[i]
                if place is not None:
                    pairs = zip(place, placement_steps, strict=True)
                    place = b"".join(single(v * s) for v, s in pairs).hex()
                result["frames"].append([times[i], flags[i + 1], controls.hex(), place])
        elif kind == b"EN" and version == 2:
            assert (varint(), varint()) == (len(result["frames"]), len(result["audio"]))
            assert rest() == b""
        elif kind == b"EN":
            # Section 10: what the index says is what was met on the way.
            entries = []
            while sum(e[2] for e in entries) < len(result["frames"]):
                size, first = varint(), sum(e[2] for e in entries)
                frames = entries[-1][2] if entries else usual
                if not rate:
                    ahead = entries[-1][3] - entries[-2][3] if len(entries) > 1 else 0
                    pts = entries[-1][3] + ahead if entries else 0
                else:
                    pts = on_the_clock(first)
                    pts += entries[-1][3] - on_the_clock(entries[-1][1]) if entries else 0
                if size & 1:
                    frames, pts = usual + svarint(), pts + svarint()
                entries.append((size >> 1, first, frames, pts))
            assert rest()[::-1] == backwards(len(data) - at), "not the size of the chunk"
            starts = [at - sum(e[0] for e in entries[i:]) for i in range(len(entries))]
            assert groups == [(s, *e[1:]) for s, e in zip(starts, entries, strict=True)]
        # The next group begins where this segment ends.
        if kind == b"SE":
            begins = at + chunk_size(kind, payload)
    return result


def usual_frames(header, fields) -> int:
    """Return the usual number of frames of a segment, by the payload of the header."""
    take, number, varint, _, _, fraction, _ = fields(header)
    take(2)
    if not number(1):
        [varint() for _ in range(4)]
    varint(), varint(), fraction()
    rate = fraction()
    return min(max(floor(5 * rate + Fraction(1, 2)), 30), 240) if rate else 150


def whole(chunks, fields) -> list:
    """Section 15.3: return the chunks with those that came in parts put together."""
    out, incomplete = [], defaultdict(dict)
    for kind, payload, at in chunks:
        if kind != b"PA":
            out.append((kind, payload, at))
            continue
        take, number, varint, _, _, _, rest = fields(payload)
        key = take(2), number(4)
        part, parts = varint(), varint()
        got = incomplete[(*key, parts)]
        got[part] = rest()
        if len(got) == parts:
            joined = b"".join(got[i] for i in range(parts))
            assert zlib.crc32(joined) == key[1]
            out.append((key[0], joined, at))
            incomplete.pop((*key, parts))
    return out


def tagged(buffer, fields) -> dict:
    """Section 15.1: return the tagged fields at the end of a header."""
    out, before = {}, 0
    while buffer:
        take, _, varint, *_, rest = fields(buffer)
        tag, size = varint(), varint()
        assert tag > before and tag % 2 == 0
        out[tag], before = take(size), tag
        buffer = rest()
    return out


def chunk_size(kind, payload) -> int:
    """Return the bytes of a chunk: type, length, payload, CRC."""
    return len(kind) + max(1, -(-len(payload).bit_length() // 7)) + len(payload) + 4


def backwards(size) -> bytes:
    """Return a varint, the byte to be read first last in the file, reversed again."""
    return bytes([*(size >> 7 * i & 127 | 128 for i in range((size.bit_length() - 1) // 7)),
                  size >> 7 * ((size.bit_length() - 1) // 7)])  # fmt: skip


def decode_identity(payload, shape, mean, fields, entropy, step, tables) -> str:
    """Section 7: return W+ as the hexadecimal of its binary32 numbers."""
    take, number, _, _, _, _, rest = fields(payload)
    num_ws, w_dim = shape
    if number(1) == 1:
        return take(4 * num_ws * w_dim).hex()
    steps = [step(c) for c in take(num_ws)]
    bit, even, magnitude, _, used_up, _ = entropy(rest(), tables["identity"])
    above, out = [0] * w_dim, b""
    for row_step in steps:
        recent, row = 16, []
        for value in above:
            a = 21 * min((recent + 4) // 8, 7)
            m = 0
            if bit(a):
                negative = even()
                m = magnitude(20, a + 1) * (-1 if negative else 1)
            row.append(value + m)
            recent += (8 * min(abs(m), 64) - recent) // 16
        above = row
        for level, middle in zip(row, mean, strict=True):
            (product,) = struct.unpack("<f", struct.pack("<f", level * row_step))
            out += struct.pack("<f", product + middle)  # both binary32, so the sum rounds once
    assert used_up(), "bytes left over"
    return out.hex()
