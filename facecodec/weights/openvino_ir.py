"""Read the constants of an OpenVINO IR and name them as the MobileStyleGAN they came from.

An IR is an XML graph plus one file of raw little-endian constants. Nothing is executed: the graph
is only walked to tell which constant plays which part.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np

from facecodec.errors import ModelError
from facecodec.weights.mean_latent import mean_latent


class Graph:
    """One IR: layers by id, the edges between them, and their constants."""

    def __init__(self, xml: bytes, blob: bytes) -> None:
        """Parse the graph. Raises ModelError when the XML is not an IR."""
        if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:
            raise ModelError("the IR declares XML entities, which no IR needs: refused")
        try:
            root = ElementTree.fromstring(xml)
        except ElementTree.ParseError as error:
            raise ModelError(f"the IR is not XML: {error}") from error
        layers, edges = root.find("layers"), root.find("edges")
        if layers is None or edges is None:
            raise ModelError("the XML is not an OpenVINO IR: it has no layers or no edges")
        self._blob = blob
        self.layers = {layer.get("id", ""): layer for layer in layers}
        self.consumers: dict[str, list[str]] = {}
        self.inputs: dict[str, dict[str, str]] = {}
        for edge in edges:
            source, target = edge.get("from-layer", ""), edge.get("to-layer", "")
            self.consumers.setdefault(source, []).append(target)
            self.inputs.setdefault(target, {})[edge.get("to-port", "")] = source

    def constant(self, identifier: str) -> np.ndarray | None:
        """Return a float32 constant by layer id, or None for anything else.

        Raises ModelError for one that lies outside the data file.
        """
        layer = self.layers[identifier]
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None or data.get("element_type") != "f32":
            return None
        shape = tuple(int(n) for n in data.get("shape", "").split(",") if n.strip())
        offset, size = int(data.get("offset", "-1")), int(data.get("size", "-1"))
        if offset < 0 or size != 4 * int(np.prod(shape)) or offset + size > len(self._blob):
            raise ModelError(f"constant {layer.get('name')} lies outside the IR's data file")
        flat = np.frombuffer(self._blob, dtype="<f4", count=size // 4, offset=offset)
        return flat.reshape(shape).copy()

    def sole_consumer(self, identifier: str) -> str:
        """Return the one layer that reads this one."""
        return self.consumers[identifier][0]

    def other_constant(self, identifier: str, known: str) -> np.ndarray | None:
        """Return the constant that `identifier` combines with its input `known`, if it has one."""
        for source in self.inputs[identifier].values():
            if source != known:
                return self.constant(source)
        return None


def read_mapping(xml: bytes, blob: bytes) -> dict[str, np.ndarray]:
    """Return `mapping.{0..7}.weight` [512, 512] and `.bias` [512], gains already folded in.

    Raises ModelError for another network.
    """
    graph = Graph(xml, blob)
    weights, biases = [], []
    for identifier in graph.layers:
        value = graph.constant(identifier)
        if value is not None and value.shape == (512, 512):
            weights.append(value)
        elif value is not None and value.shape == (512,):
            biases.append(value)
    if len(weights) != 8 or len(biases) != 8:
        raise ModelError("the IR is not the mapping network of MobileStyleGAN (8 layers of 512)")
    pairs = enumerate(zip(weights, biases, strict=True))
    return {
        f"mapping.{i}.{part}": value
        for i, pair in pairs
        for part, value in zip(("weight", "bias"), pair, strict=True)
    }


def read_synthesis(xml: bytes, blob: bytes) -> dict[str, np.ndarray]:
    """Return the synthesis tensors under the names `MobileStyleGAN.from_tensors` expects.

    Affine layers are multiplied by the constant the graph applies to their output; demodulation
    and noise are constants of the graph already.
    Raises ModelError for another network.
    """
    graph = Graph(xml, blob)
    tensors: dict[str, np.ndarray] = {}
    unnamed: list[np.ndarray] = []  # pointwise weight and noise stand before the bias they serve
    for identifier, layer in graph.layers.items():
        value = graph.constant(identifier)
        if value is None or value.size < 12:
            continue
        name = layer.get("name", "")
        if not name.startswith("m."):
            unnamed.append(value)
            continue
        name = name.removeprefix("m.").removeprefix("layers.").replace("6.to_img", "to_img")
        if ".modulation." in name:
            affine, part = name.replace(".conv.modulation", "").replace(".modulation", ""), ""
            affine, part = affine.rsplit(".", 1)
            tensors[f"{affine}.affine.{part}"] = value.reshape(
                value.shape[-2:] if part == "weight" else (-1,)
            )
            if part == "bias":
                scale = _style_scale(graph, identifier)
                tensors[f"{affine}.affine.weight"] *= scale
                tensors[f"{affine}.affine.bias"] *= scale
        elif name == "input.input":
            tensors["input"] = value[0]
            unnamed.clear()
        elif name.endswith(".conv.weight_dw"):
            tensors[name.replace(".conv.weight_dw", ".depthwise")] = value[:, 0, 0]
            unnamed.clear()
        elif name == "to_img.conv.weight":
            tensors["to_img.weight"] = value[:, :, 0, 0]
        elif name.endswith(".bias"):
            module = name.removesuffix(".bias")
            tensors[f"{module}.bias"] = value.reshape(-1)
            if module != "to_img":
                weight, noise = unnamed[0], unnamed[1]
                tensors[f"{module}.noise"] = noise[0, 0]
                tensors[f"{module}.weight"] = weight if module == "conv1" else weight[:, :, 0, 0]
    if "to_img.bias" not in tensors or "6.conv2.weight" not in tensors:
        raise ModelError("the IR is not the synthesis network of MobileStyleGAN")
    return tensors


def _style_scale(graph: Graph, bias: str) -> np.float32:
    """Follow an affine bias to its add, reshape and multiply: the constant factor, or 1."""
    reshaped = next(
        c
        for c in graph.consumers[graph.sole_consumer(bias)]
        if graph.layers[c].get("type") == "Reshape"
    )
    multiply = graph.sole_consumer(reshaped)
    factor = graph.other_constant(multiply, reshaped)
    return np.float32(1) if factor is None else np.float32(factor.reshape(()))


def convert(
    mapping_xml: bytes, mapping_bin: bytes, synthesis_xml: bytes, synthesis_bin: bytes
) -> dict[str, np.ndarray]:
    """Turn the two IRs of the `random-face` wheel into the tensors of one MobileStyleGAN."""
    tensors = read_mapping(mapping_xml, mapping_bin)
    tensors["w_mean"] = mean_latent(
        (tensors[f"mapping.{i}.weight"], tensors[f"mapping.{i}.bias"]) for i in range(8)
    )
    tensors |= read_synthesis(synthesis_xml, synthesis_bin)
    return tensors
