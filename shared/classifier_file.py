"""Classifier files: arrays and JSON in a zip (`.npz`), no pickle, so that reading one cannot run code.

A file carries the SHA-256 of its content. It shows damage, not authorship: put files where only operators write.
"""

import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.classifier import Calibration, Encoder, Features, LinearClassifier, vectorizer

FORMAT = "fengqiao-classifier/1"
ENCODER_FORMAT = "fengqiao-classifier/2"  # the same with fine-tuned encoders
ENCODER_PART = "encoder/"
MAX_BYTES = 1 << 30
BLOCKS = ("characters", "words", "title")
Arrays = dict[str, npt.NDArray[Any]]


class ModelFileError(ValueError):
    """A file that is no classifier of this program, is damaged, or is of another version."""


def save(model: LinearClassifier, path: Path) -> str:
    """Write the model, whole or not at all; returns the SHA-256 of its content."""
    arrays: Arrays = {
        "weights": model.weights,
        "intercepts": model.intercepts,
        "vectors": model.features.vectors.astype(np.float16),
    }
    for block in BLOCKS:
        tfidf = model.features.vectorizers[block]
        arrays[f"{block}_terms"] = _bytes(list(tfidf.get_feature_names_out()))
        arrays[f"{block}_idf"] = np.asarray(tfidf.idf_, dtype=np.float32)
    for number, encoder in enumerate(model.encoders):
        arrays["tokenizer"] = np.frombuffer(encoder.tokenizer.encode(), dtype=np.uint8)
        arrays |= {f"{ENCODER_PART}{number}/{name}": array for name, array in encoder.weights.items()}
    meta = {
        "format": ENCODER_FORMAT if model.encoders else FORMAT,
        "encoders": len(model.encoders),
        "labels": list(model.labels),
        "slope": model.calibration.slope,
        "intercept": model.calibration.intercept,
        "person_below": model.person_below,
    }
    digest = _digest(meta, arrays)
    arrays["meta"] = _bytes({**meta, "sha256": digest})
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        Path(partial).chmod(0o644)  # other accounts of the services read it; it names nobody
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    return digest


def load(path: Path) -> LinearClassifier:
    """Read a model; raises `ModelFileError` for anything that `save` did not write, before using any of it."""
    arrays = _read(path)
    try:
        meta = json.loads(arrays.pop("meta").tobytes())
        if meta["format"] not in {FORMAT, ENCODER_FORMAT}:
            raise ModelFileError(f"{path}: format {meta['format']!r} is not {FORMAT!r}; train the model again")
        digest = meta.pop("sha256")
        if _digest(meta, arrays) != digest:
            raise ModelFileError(f"{path}: the content does not match its checksum: the file is damaged or was edited")
        return _build(meta, arrays)
    except ModelFileError:
        raise
    except ImportError as error:
        raise ModelFileError(
            f"{path}: was trained with --encoder, and the extra is not installed: run `make encoder`, "
            "or pip install 'fengqiao[encoder]'; a model trained without it needs nothing"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{path}: parts are missing or do not fit together; train the model again") from error


def _read(path: Path) -> Arrays:
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file")
    refused = f"{path}: is not a classifier file of fengqiao (pickled models are never read)"
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise ModelFileError(f"{path}: unpacks to more than {MAX_BYTES >> 20} MiB")
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except ModelFileError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ModelFileError(refused) from error


def _build(meta: dict[str, Any], arrays: Arrays) -> LinearClassifier:
    vectorizers = {}
    for block in BLOCKS:
        vectorizers[block] = vectorizer(block, json.loads(arrays[f"{block}_terms"].tobytes()))
        vectorizers[block].idf_ = arrays[f"{block}_idf"]
    vectors, weights = arrays["vectors"].astype(np.float32), arrays["weights"]
    columns = sum(len(arrays[f"{block}_idf"]) for block in BLOCKS) + vectors.shape[1]
    labels = [str(label) for label in meta["labels"]]
    fits = (
        weights.shape == (columns, len(labels))
        and arrays["intercepts"].shape == (len(labels),)
        and len(vectors) == len(arrays["words_idf"])
        and bool(np.isfinite(weights).all())
    )
    if not fits:
        raise ValueError("shapes differ")
    return LinearClassifier(
        labels,
        Features(vectorizers, vectors),
        weights,
        arrays["intercepts"],
        Calibration(float(meta["slope"]), float(meta["intercept"])),
        float(meta["person_below"]),
        _encoders(arrays, int(meta["encoders"]), len(labels)) if meta["format"] == ENCODER_FORMAT else (),
    )


def _encoders(arrays: Arrays, count: int, labels: int) -> list[Encoder]:
    from shared.encoder import TextEncoder

    tokenizer = arrays["tokenizer"].tobytes().decode()
    parts = [f"{ENCODER_PART}{number}/" for number in range(count)]
    weights = [{name.removeprefix(part): arrays[name] for name in arrays if name.startswith(part)} for part in parts]
    return [TextEncoder.restored(one, tokenizer, labels) for one in weights]


def _bytes(value: object) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), dtype=np.uint8)


def _digest(meta: dict[str, Any], arrays: Arrays) -> str:
    total = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name in sorted(arrays):
        total.update(name.encode())
        total.update(str((arrays[name].dtype, arrays[name].shape)).encode())
        total.update(np.ascontiguousarray(arrays[name]).tobytes())
    return total.hexdigest()
