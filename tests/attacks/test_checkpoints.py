"""Hostile checkpoints: everything a pickle can do to a trusting reader, and more.

A mark on the disk tells whether anything ran. Every file must be refused in one line that names
what is wrong, quickly and in little memory.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import resource
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facecodec.errors import FacecodecError, ModelError
from facecodec.weights import safe_pickle
from facecodec.weights.importer import read_checkpoint
from facecodec.weights.nvidia import TABLE
from tests.helpers.checkpoints import (
    SMALL,
    nvidia_network,
    random_tensors,
    write_nvidia,
    write_rosinality,
)

MARK = Path("mark")
COMMAND = f"touch {MARK}"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Work where a mark would show, and look for one afterwards."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not MARK.exists(), "the checkpoint was executed"


def refused(data: bytes, name: str = "evil.pkl") -> str:
    """Write a file, expect its refusal in bounded time and memory, return the message."""
    path = Path(name)
    path.write_bytes(data)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(ModelError) as caught:
        read_checkpoint(path)
    assert time.perf_counter() - start < 10
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400_000, f"{grown >> 10} MB to refuse {len(data)} bytes"
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300
    return message


class Calls:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple:
        return self.function, self.arguments


def short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


ROUTES = {
    "GLOBAL": b"\x80\x03cos\nsystem\n" + b"X" + struct.pack("<I", len(COMMAND))
    + COMMAND.encode() + b"\x85R.",
    "STACK_GLOBAL": b"\x80\x04" + short("posix") + short("system") + b"\x93" + short(COMMAND)
    + b"\x85R.",
    "STACK_GLOBAL from memo": b"\x80\x04" + short("os") + b"\x94" + short("system") + b"\x940h\x00h"
    b"\x01\x93" + short(COMMAND) + b"\x85R.",
    "dotted STACK_GLOBAL": b"\x80\x04" + short("collections") + short("OrderedDict.fromkeys")
    + b"\x93.",
    "allowed module, other name": b"\x80\x04" + short("torch") + short("load") + b"\x93.",
    "split at another place": b"\x80\x03ctorch._utils _rebuild_parameter\nx\n.",
    "NEWOBJ": b"\x80\x04" + short("subprocess") + short("Popen") + b"\x93" + short(COMMAND)
    + b"\x85\x81.",
    "NEWOBJ_EX": b"\x80\x04" + short("argparse") + short("Namespace") + b"\x93)}\x92.",
    "OBJ": b"\x80\x03(cos\nsystem\n" + b"X" + struct.pack("<I", len(COMMAND)) + COMMAND.encode()
    + b"o.",
    "INST": b"\x80\x03(X" + struct.pack("<I", len(COMMAND)) + COMMAND.encode() + b"ios\nsystem\n.",
    "EXT1": b"\x80\x02\x82\x01.",
    "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "PERSID": b"\x80\x02Pos.system\n.",
    "BINPERSID": b"\x80\x04" + short("os.system") + b"Q.",
    "builtins.eval": b"\x80\x04" + short("builtins") + short("eval") + b"\x93" + short("1")
    + b"\x85R.",
    "getattr": b"\x80\x03cbuiltins\ngetattr\n.",
    "name that is no string": b"\x80\x04K\x01K\x02\x93.",
    "call of an instance": b"\x80\x04" + short("argparse") + short("Namespace")
    + b"\x93)\x81)R.",
    "state for a global": b"\x80\x04" + short("argparse") + short("Namespace") + b"\x93}b.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
}  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_routes_to_a_call(route):
    assert (
        "refused" in (message := refused(ROUTES[route]))
        or "not allowed" in message
        or ("storage outside itself" in message)
    )


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (os.system, (COMMAND,), "posix.system"),
        (os.popen, (COMMAND,), "os.popen"),
        (eval, ("1",), "builtins.eval"),
        (exec, ("1",), "builtins.exec"),
        (__import__, ("os",), "builtins.__import__"),
        (getattr, ("", "x"), "builtins.getattr"),
        (open, ("mark", "w"), "io.open"),
        (pickle.loads, (b"",), "_pickle.loads"),
        (torch.load, ("x",), "torch.serialization.load"),
        (np.load, ("x",), "numpy.load"),
        (bytearray, (1 << 40,), "builtins.bytearray"),
    ],
)
def test_refusals_name_the_global(function, arguments, named):
    message = refused(pickle.dumps({"G_ema": Calls(function, *arguments)}))
    assert named in message
    assert message.startswith("it asks for") or "evil.pkl" in message


def test_a_name_cannot_write_to_the_terminal():
    message = refused(b"\x80\x04" + short("\x1b[2J\nos") + short("system") + b"\x93.")
    assert "\x1b" not in message


def test_hidden_in_a_network():
    network = nvidia_network(random_tensors(SMALL))
    network.settings["hook"] = Calls(os.system, COMMAND)
    assert "posix.system" in refused(pickle.dumps({"G_ema": network}))


def storage_bytes(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def nested(data: bytes) -> bytes:
    return pickle.dumps({"G_ema": Calls(torch.storage._load_from_bytes, data)})


def test_nested_pickle():
    assert "posix.system" in refused(nested(storage_bytes(Calls(os.system, COMMAND))))


def test_nested_in_place_of_the_magic_number():
    assert "posix.system" in refused(nested(pickle.dumps(Calls(os.system, COMMAND))))


def test_nested_that_is_no_storage():
    assert "no storage" in refused(nested(storage_bytes([1, 2, 3])))
    assert "no bytes" in refused(pickle.dumps(Calls(torch.storage._load_from_bytes, "text")))


def test_nested_twice():
    inner = storage_bytes(Calls(torch.storage._load_from_bytes, storage_bytes([1])))
    assert "torch.storage._load_from_bytes" in refused(nested(inner))


def rebuild(count: int, offset: int, shape: tuple, stride: tuple) -> bytes:
    """A pickled tensor of the given geometry over a storage of `count` numbers."""
    storage = torch.zeros(count)._typed_storage()
    return pickle.dumps(
        {"G_ema": Calls(torch._utils._rebuild_tensor_v2, storage, offset, shape, stride, False, {})}
    )


@pytest.mark.parametrize(
    ("count", "offset", "shape", "stride"),
    [
        (4, 0, (5,), (1,)),
        (4, 3, (2,), (1,)),
        (4, -1, (2,), (1,)),
        (4, 0, (2,), (-1,)),
        (4, 0, (1 << 40, 1 << 40), (0, 0)),
        (4, 0, (1 << 62,), (0,)),
        (4, 0, (2, 2), (1,)),
        (4, 0, (1,) * 100, (1,) * 100),
        (4, 0, (2, 2), (1 << 30, 1)),
        (4, 0, (2.0,), (1,)),
    ],
)
def test_tensors_beyond_their_storage(count, offset, shape, stride):
    assert "storage" in refused(rebuild(count, offset, shape, stride))


BOMBS = {
    "bytes of 2^62": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b".",
    "bytes of 4 GB": b"\x80\x03B" + struct.pack("<I", 0xFFFFFFFF) + b".",
    "text of 2^62": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b".",
    "memo of 2^32": b"\x80\x03]r" + struct.pack("<I", 0xFFFFFFFF) + b".",
    "integer of 2 GB": b"\x80\x03\x8b" + struct.pack("<i", 0x7FFFFFFF) + b"\x01.",
    "integer of 40 bytes": b"\x80\x03\x8a\x28" + b"\x7f" * 40 + b".",
    "negative length": b"\x80\x03\x8b" + struct.pack("<i", -5) + b".",
    "frame of 2^62": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.",
    "a million lists": b"\x80\x03(" + b"]" * 3_000_000 + b"l.",
    "deep lists": b"\x80\x03" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "tuples that hash forever": b"\x80\x03}" + b"N\x85q\x01" + b"h\x01h\x01\x86q\x01" * 60 + b"Ns.",
    "a set of them": b"\x80\x04\x8f(" + b"N\x85q\x01" + b"h\x01h\x01\x86q\x01" * 60 + b"\x90.",
    "a list in itself": b"\x80\x03]q\x00h\x00a.",
    "decimal integer": b"\x80\x03I" + b"9" * 100_000 + b"\n.",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(bomb):
    refused(BOMBS[bomb])


def doubled(times: int = 60) -> list:
    """A value of two to the power of `times` parts that pickles to a few bytes for each time."""
    value: list = []
    for _ in range(times):
        value = [value, value]
    return value


def with_setting(module: str, name: str, value: object) -> bytes:
    network = nvidia_network(random_tensors(SMALL))
    part = network
    for step in module.split("."):
        part = part.modules[step]
    part.settings[name] = value
    return pickle.dumps({"G_ema": network}, protocol=4)


SETTINGS = [
    ("synthesis.b8", "architecture"), ("synthesis.b8.conv0", "activation"),
    ("synthesis.b8.conv1", "conv_clamp"), ("synthesis.b4.conv1", "conv_clamp"),
    ("mapping", "c_dim"), ("mapping.fc3", "bias_gain"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name"), SETTINGS)
def test_settings_too_deep_to_be_printed_or_compared(module, name):
    assert "list" in refused(with_setting(module, name, doubled()))


def test_all_clamps_too_deep_to_be_compared():
    network = nvidia_network(random_tensors(SMALL))
    pending = [network]
    while pending:
        module = pending.pop()
        module.settings["conv_clamp"] = doubled()  # each its own: identity settles nothing
        pending.extend(module.modules.values())
    assert "list" in refused(pickle.dumps({"G_ema": network}, protocol=4))


def legacy(value: object, keys: object) -> bytes:
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, value, keys)
    return b"".join(pickle.dumps(part, protocol=2) for part in parts)


def test_storage_names_too_deep_to_be_printed():
    assert "does not list" in refused(legacy({}, [doubled()]))
    assert "does not list" in refused(legacy({}, doubled()))


DEEP = {
    "the whole": lambda: doubled(),
    "the generator": lambda: {"G_ema": doubled()},
    "the state": lambda: {"g_ema": {"style.1.weight": doubled()}},
    "a decoder": lambda: {"state_dict": {"decoder.style.1.weight": doubled()}},
    "the mean": lambda: {"g_ema": {}, "latent_avg": doubled()},
}


@pytest.mark.parametrize("place", DEEP)
def test_depths_anywhere(place):
    refused(legacy(DEEP[place](), []))
    refused(pickle.dumps(DEEP[place](), protocol=4))


def test_text_that_is_encoded_again_and_again():
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x01"
    encode = b"c_codecs\nencode\nq\x00" + b"X\x06\x00\x00\x00latin1q\x02"
    calls = b"h\x00h\x01h\x02\x86R" * 100_000
    assert "more often" in refused(b"\x80\x02(" + text + encode + calls + b"l.")


def test_a_storage_that_is_loaded_again_and_again():
    data = storage_bytes(torch.zeros(1 << 18).storage())
    load = (
        b"\x80\x04(ctorch.storage\n_load_from_bytes\nq\x00B" + struct.pack("<I", len(data)) + data
    )
    assert "more often" in refused(load + b"q\x01" + b"h\x00h\x01\x85R" * 100_000 + b"t.")


@pytest.mark.parametrize("old", [False, True])
def test_filters_that_share_one_large_storage(old):
    storage = torch.zeros(2_000_000)
    state = {f"a{i}.kernel": storage[:16].view(4, 4) for i in range(1500)}
    storage[:16] = torch.tensor(np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16).reshape(-1)
    torch.save({"g_ema": state}, "k", _use_new_zipfile_serialization=not old)
    assert "larger than the file" in refused(Path("k").read_bytes())


def test_more_filters_than_any_network_has():
    kernel = torch.tensor(np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16, dtype=torch.float32)
    torch.save({"g_ema": {f"a{i}.kernel": kernel for i in range(100_000)}}, "k")
    assert "more than" in refused(Path("k").read_bytes())


def test_a_zip_directory_of_two_million_members():
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 300_000
    end = b"PK\x05\x06" + struct.pack(
        "<HHHHIIH", 0, 0, count % 65536, count % 65536, count * len(entry), 0, 0
    )
    assert "more than" in refused(entry * count + end)


MALFORMED = {
    "empty stack": b"\x80\x03\x85.",
    "no mark": b"\x80\x03Kt.",
    "mark left": b"\x80\x03(.",
    "two values": b"\x80\x03NN.",
    "no value": b"\x80\x03.",
    "no stop": b"\x80\x03N",
    "memo never set": b"\x80\x03h\x07.",
    "append to a number": b"\x80\x03K\x01K\x02a.",
    "items of a number": b"\x80\x03K\x01K\x02K\x03s.",
    "odd items": b"\x80\x03}(K\x01u.",
    "call of a number": b"\x80\x03K\x01)R.",
    "arguments that are no tuple": b"\x80\x03cargparse\nNamespace\n]R.",
    "unknown opcode": b"\x80\x03\xff.",
    "bad text": b"\x80\x03X\x02\x00\x00\x00\xff\xff.",
    "only a number": b"\x80\x03K\x07.",
    "no generator": b"\x80\x03}.",
    "meta that is no dict": b"\x80\x03ctorch_utils.persistence\n_reconstruct_persistent_obj\n"
    b"N\x85R.",
}  # fmt: skip


@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed(fault):
    refused(MALFORMED[fault])


@pytest.mark.parametrize("data", [b"", b"P", b"PK", b"\x80", b"hello world", b"\x00" * 64])
def test_files_that_are_something_else(data):
    refused(data)


def test_modules_in_a_circle():
    network = nvidia_network(random_tensors(SMALL))
    synthesis = network.modules["synthesis"]
    synthesis.modules["b4"].modules["again"] = nvidia_network({})
    deep = synthesis.modules["b4"].modules["again"]
    for _ in range(20):
        deep.modules["again"] = nvidia_network({})
        deep = deep.modules["again"]
    assert "nests" in refused(pickle.dumps({"G_ema": network}))


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("kind", ["nvidia", "zip", "legacy"])
def test_cut_short(kind, share):
    tensors = random_tensors(SMALL)
    whole = Path("whole")
    if kind == "nvidia":
        write_nvidia(whole, tensors)
    else:
        write_rosinality(whole, tensors, legacy=kind == "legacy")
    data = whole.read_bytes()
    refused(data[: int(len(data) * share)])


def test_infinite_weights():
    for value in (np.inf, np.nan):
        tensors = random_tensors(SMALL)
        tensors["synthesis.b8.conv0.weight"][1, 2, 0, 0] = value
        assert "infinite or not a number" in refused(write_nvidia(Path("i"), tensors).read_bytes())
        assert "infinite or not a number" in refused(
            write_rosinality(Path("i"), tensors).read_bytes()
        )


def test_wrong_shapes_are_found_before_weights_are_read():
    tensors = random_tensors(SMALL)
    tensors["synthesis.b8.conv0.weight"] = np.zeros((64, 64, 5, 5), np.float32)
    assert "b8.conv0.weight has shape (64, 64, 5, 5)" in refused(
        write_nvidia(Path("s"), tensors).read_bytes()
    )


def test_weights_of_another_type():
    state = torch.load(write_rosinality(Path("r"), random_tensors(SMALL)), weights_only=True)
    state["g_ema"]["style.1.weight"] = state["g_ema"]["style.1.weight"].double()
    torch.save(state, "d")
    assert "DoubleStorage" in refused(Path("d").read_bytes())


@pytest.mark.parametrize("key", ["convs.99999999999.conv.weight", "noises.noise_77777777777"])
def test_numbers_in_names(key):
    torch.save({"g_ema": {key: torch.zeros(1)}}, "n")
    assert "no place" in refused(Path("n").read_bytes())


def rezip(change: Callable[[dict[str, bytes]], None], method: int = zipfile.ZIP_STORED) -> bytes:
    """A rosinality checkpoint whose archive was tampered with."""
    path = write_rosinality(Path("good.pt"), random_tensors(SMALL))
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    change(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_zip_with_a_hostile_pickle():
    def change(members):
        members["good/data.pkl"] = pickle.dumps(Calls(os.system, COMMAND), protocol=2)

    assert "posix.system" in refused(rezip(change))


def test_zip_bomb():
    def change(members):
        members["good/data/0"] = bytes(200 << 20)

    assert "compressed" in refused(rezip(change, zipfile.ZIP_DEFLATED))


def test_zip_with_storages_of_another_length():
    def longer(members):
        members["good/data/0"] += b"0000"

    def missing(members):
        del members["good/data/0"]

    assert "numbers long" in refused(rezip(longer))
    assert "lacks the storage" in refused(rezip(missing))


def test_zip_with_the_same_member_twice():
    data = rezip(lambda members: None)
    file = io.BytesIO(data)
    with pytest.warns(UserWarning), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("good/data.pkl", pickle.dumps(Calls(os.system, COMMAND)))
    assert "twice" in refused(file.getvalue())


def test_zip_with_two_pickles():
    def change(members):
        members["other/data.pkl"] = members["good/data.pkl"]

    assert "no data.pkl of its own" in refused(rezip(change))


def test_zip_with_a_huge_pickle():
    def change(members):
        members["good/data.pkl"] = bytes((64 << 20) + 1)

    assert "larger than 64 MB" in refused(rezip(change))


def test_zip_whose_directory_lies():
    data = bytearray(rezip(lambda members: None))
    first = data.index(b"PK\x01\x02")
    data[first + 24 : first + 28] = struct.pack("<I", 0xFFFFFFF0)  # size of the first member
    refused(bytes(data))


def test_zip_from_a_big_endian_machine():
    def change(members):
        members["good/byteorder"] = b"big"

    assert "big-endian" in refused(rezip(change))


def test_storage_described_by_hand():
    identifiers = [
        ("storage", "os.system", "0", "cpu", 1),
        ("module", None, "0", "cpu", 1),
        ("storage", 7, "0", "cpu", 1),
        "storage",
    ]
    for identifier in identifiers:
        file = io.BytesIO()

        class Pickler(pickle.Pickler):
            def persistent_id(self, value, identifier=identifier):
                return identifier if value == "here" else None

        Pickler(file, protocol=2).dump(["here"])
        replaced = {"good/data.pkl": file.getvalue()}
        assert "storage" in refused(rezip(lambda members, new=replaced: members.update(new)))


def test_safetensors_that_lie():
    header = b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
    refused(struct.pack("<Q", len(header)) + header + bytes(64), "evil.safetensors")
    refused(struct.pack("<Q", 1 << 60) + b"{" + bytes(64), "evil.safetensors")


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_bytes(data):
    with contextlib.suppress(FacecodecError):
        safe_pickle.load(io.BytesIO(data), TABLE)


OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]
PIECES = [
    *(code for code in OPCODES if code not in b"cilIFSVUTXBCGLP" or len(code) > 1),
    b"K\x01", b"K\x00", b"M\x00\x01", b"q\x00", b"h\x00", short("x"), b"C\x01a",
    *(f"c{module}\n{name}\n".encode() for module, name in TABLE),
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40))
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_programs(pieces):
    """Programs of valid opcodes over the allowed globals end in a value or in a refusal."""
    with contextlib.suppress(FacecodecError):
        safe_pickle.load(io.BytesIO(b"\x80\x04" + b"".join(pieces) + b"."), TABLE)


@given(st.integers(0, 10**9), st.integers(0, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_damaged_networks(place, value):
    """One changed byte anywhere gives tensors of the right shapes or a refusal."""
    path = Path("flipped")
    if not path.exists():
        write_nvidia(path, random_tensors(SMALL))
    data = bytearray(path.read_bytes())
    # half of the attempts go where the structure is, before the first weights
    limit = len(data) if place % 2 else 20_000
    data[place % limit] = value
    flipped = Path("flipped.pkl")
    flipped.write_bytes(data)
    try:
        _, tensors, layout = read_checkpoint(flipped)
    except ModelError:
        return
    assert {name: tensors[name].shape for name in tensors} == layout.shapes()
