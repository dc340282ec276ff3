"""A jar with a BERT of one layer and random weights, laid out as package repositories carry real ones."""

import json
import zipfile
from pathlib import Path

import numpy as np

WIDTH, INNER, PLACES, DEPTH = 64, 96, 32, 1
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def tensors(vocabulary: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Named arrays, and the matrices (input × output) by the name of the node that multiplies with them."""
    random = np.random.default_rng(5)

    def some(*shape: int) -> np.ndarray:
        return random.normal(0, 0.2, shape).astype(np.float32)

    named = {
        "embeddings.word_embeddings.weight": some(vocabulary, WIDTH),
        "embeddings.position_embeddings.weight": some(PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": some(2, WIDTH),
        "embeddings.LayerNorm.weight": 1 + some(WIDTH),
        "embeddings.LayerNorm.bias": some(WIDTH),
    }
    multiplied = {}
    for number in range(DEPTH):
        layer = f"encoder.layer.{number}"
        for part, (wide, narrow) in {
            "attention.self.query": (WIDTH, WIDTH),
            "attention.self.key": (WIDTH, WIDTH),
            "attention.self.value": (WIDTH, WIDTH),
            "attention.output.dense": (WIDTH, WIDTH),
            "intermediate.dense": (WIDTH, INNER),
            "output.dense": (INNER, WIDTH),
        }.items():
            multiplied[f"{layer}.{part}"] = some(wide, narrow)
            named[f"{layer}.{part}.bias"] = some(narrow)
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            named |= {f"{layer}.{part}.weight": 1 + some(WIDTH), f"{layer}.{part}.bias": some(WIDTH)}
    return named, multiplied


def write_jar(path: Path, texts: list[str]) -> Path:
    """A jar whose vocabulary is the characters of these texts."""
    import onnx
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = {word: number for number, word in enumerate([*SPECIAL, *sorted(set("".join(texts)))])}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", words["[SEP]"]), ("[CLS]", words["[CLS]"]))
    named, multiplied = tensors(len(words))
    initializers = [onnx.numpy_helper.from_array(array, name) for name, array in named.items()]
    nodes = []
    for number, (name, array) in enumerate(multiplied.items()):
        initializers.append(onnx.numpy_helper.from_array(array, f"onnx::MatMul_{number}"))
        node_name = "/" + name.replace(".", "/").replace("layer/", "layer.") + "/MatMul"
        nodes.append(onnx.helper.make_node("MatMul", [f"x{number}", f"onnx::MatMul_{number}"], ["y"], name=node_name))
    graph = onnx.helper.make_graph(nodes, "bert", [], [], initializers)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.onnx", onnx.helper.make_model(graph).SerializeToString())
        archive.writestr("tiny-tokenizer.json", json.dumps(json.loads(tokenizer.to_str())))
    return path
