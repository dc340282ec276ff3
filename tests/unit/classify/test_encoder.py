"""The encoder beside the linear classifier, with a tiny BERT; needs the extra `encoder` (`make encoder`)."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra `encoder` is not installed (make encoder)")
pytest.importorskip("onnx", reason="the extra `encoder` is not installed (make encoder)")

import torch

from deploy.commands.classify import app
from shared import encoder as encoder_module
from shared.classifier import ENCODER_WEIGHT, ENCODERS, Documents, train
from shared.classifier_file import ModelFileError, load, save
from shared.encoder import TextEncoder
from shared.pretrained import EncoderError, read
from tests.unit.classify.samples import LABELS, TEXTS
from tests.unit.classify.tiny_encoder import PLACES, tensors, write_jar

TRUTH = np.unique(np.asarray(LABELS), return_inverse=True)[1]


@pytest.fixture(scope="module")
def jar(tmp_path_factory):
    return write_jar(tmp_path_factory.mktemp("encoder") / "tiny.jar", TEXTS)


@pytest.fixture(scope="module")
def pretrained(jar):
    return read(jar)


@pytest.fixture(scope="module")
def model(pretrained):
    return train(TEXTS, LABELS, pretrained=pretrained)


def layer_norm(x, weight, bias):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * weight + bias


def bert_by_hand(ids: list[int], vocabulary: int) -> np.ndarray:
    """The states of the last layer, from the published formulas and the jar's own names."""
    from scipy.special import erf, softmax

    named, multiplied = tensors(vocabulary)
    x = named["embeddings.word_embeddings.weight"][ids] + named["embeddings.position_embeddings.weight"][: len(ids)]
    x = x + named["embeddings.token_type_embeddings.weight"][0]
    x = layer_norm(x, named["embeddings.LayerNorm.weight"], named["embeddings.LayerNorm.bias"])

    def dense(part, value):
        return value @ multiplied[f"encoder.layer.0.{part}"] + named[f"encoder.layer.0.{part}.bias"]

    def norm(part, value):
        return layer_norm(value, named[f"encoder.layer.0.{part}.weight"], named[f"encoder.layer.0.{part}.bias"])

    query, key, value = (dense(f"attention.self.{part}", x) for part in ("query", "key", "value"))
    attended = softmax(query @ key.T / np.sqrt(64), axis=-1) @ value
    x = norm("attention.output.LayerNorm", x + dense("attention.output.dense", attended))
    inner = dense("intermediate.dense", x)
    inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
    return norm("output.LayerNorm", x + dense("output.dense", inner))


class TestWeights:
    def test_a_text_is_read_as_bert_reads_it(self, pretrained):
        encoder = TextEncoder(pretrained.weights, pretrained.tokenizer, 2)
        [ids] = encoder._tokens(["公司拖欠工资"])
        states = bert_by_hand(ids, len(pretrained.weights["words.weight"]))
        read_out = np.concatenate([states[0], states.mean(0)])
        reader = encoder._net.reader
        expected = read_out @ reader.weight.detach().numpy().T + reader.bias.detach().numpy()
        expected -= np.log(np.exp(expected).sum())
        assert np.allclose(encoder.scores(["公司拖欠工资"])[0], expected, atol=1e-4)

    def test_neighbours_in_a_batch_change_nothing(self, pretrained):
        encoder = TextEncoder(pretrained.weights, pretrained.tokenizer, 3)
        alone = encoder.scores(["公司拖欠工资"])
        beside = encoder.scores(["学校食堂的午饭不好,学生吃坏肚子", "公司拖欠工资", ""])
        assert np.allclose(alone[0], beside[1], atol=1e-5)

    def test_a_long_text_is_cut(self, pretrained):
        encoder = TextEncoder(pretrained.weights, pretrained.tokenizer, 2)
        assert [len(ids) for ids in encoder._tokens(["公司" * 500])] == [PLACES]
        assert np.isfinite(encoder.scores(["公司" * 500])).all()


class TestTraining:
    def test_it_learns_the_labels(self, pretrained, monkeypatch):
        monkeypatch.setattr(encoder_module, "EPOCHS", 40)
        monkeypatch.setattr(encoder_module, "RATE", 2e-3)
        seen = []
        encoder = TextEncoder.fine_tune(pretrained, TEXTS, TRUTH, seed=1, progress=seen.append)
        assert (encoder.scores(TEXTS).argmax(1) == TRUTH).all()
        assert seen == sorted(seen)
        assert 0 <= seen[0] < seen[-1] < 1

    def test_the_same_texts_give_the_same_weights_and_leave_chance_alone(self, pretrained):
        before = torch.random.get_rng_state()
        first = TextEncoder.fine_tune(pretrained, TEXTS, TRUTH, seed=1, progress=lambda _done: None)
        second = TextEncoder.fine_tune(pretrained, TEXTS, TRUTH, seed=1, progress=lambda _done: None)
        assert np.array_equal(first.scores(TEXTS), second.scores(TEXTS))
        assert torch.equal(before, torch.random.get_rng_state())

    def test_its_voice_counts(self, model):
        documents = Documents.of(TEXTS)
        together = model.scores(documents)
        encoders, model.encoders = model.encoders, ()
        linear = model.scores(documents)
        model.encoders = encoders
        mean = np.mean([encoder.scores(TEXTS) for encoder in encoders], axis=0)
        assert len(encoders) == ENCODERS
        assert np.allclose(together, linear + ENCODER_WEIGHT * mean, atol=1e-5)


class TestModelFile:
    def test_a_stored_model_answers_as_before(self, model, tmp_path: Path):
        digest = save(model, tmp_path / "m.npz")
        stored = load(tmp_path / "m.npz")
        assert [answer.label for answer in stored.predict(TEXTS)] == [answer.label for answer in model.predict(TEXTS)]
        assert save(stored, tmp_path / "n.npz") == digest

    @pytest.mark.parametrize("missing", ["encoder/0/norm.bias", "encoder/1/reader.weight", "tokenizer"])
    def test_a_file_without_a_part_is_refused(self, model, tmp_path: Path, missing, monkeypatch):
        save(model, tmp_path / "m.npz")
        with np.load(tmp_path / "m.npz") as stored:
            arrays = {name: stored[name] for name in stored.files if name != missing}
        monkeypatch.setattr("shared.classifier_file._digest", lambda meta, _arrays: "0")
        arrays["meta"] = np.frombuffer(
            json.dumps({**json.loads(arrays["meta"].tobytes()), "sha256": "0"}).encode(), dtype=np.uint8
        )
        np.savez(tmp_path / "m.npz", **arrays)
        with pytest.raises(ModelFileError, match="do not fit together"):
            load(tmp_path / "m.npz")


class TestFile:
    def test_other_graphs_are_refused(self, tmp_path: Path, jar):
        import zipfile

        with zipfile.ZipFile(jar) as archive:
            tokenizer = archive.read("tiny-tokenizer.json")
        for graph in (b"", b"no graph at all", b"\x08\x08"):
            with zipfile.ZipFile(tmp_path / "x.jar", "w") as archive:
                archive.writestr("x.onnx", graph)
                archive.writestr("tokenizer.json", tokenizer)
            with pytest.raises(EncoderError, match="is no zip or jar with one BERT"):
                read(tmp_path / "x.jar")

    def test_train_predict_and_evaluate_take_it(self, tmp_path: Path, jar):
        rows = [{"key": n, "text": t, "label": b} for n, (t, b) in enumerate(zip(TEXTS, LABELS, strict=True))]
        file = tmp_path / "l.jsonl"
        file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")

        def run(*arguments):
            return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})

        trained = run("train", file, "--out", tmp_path / "m.npz", "--encoder", jar)
        assert trained.exit_code == 0, trained.output
        predicted = run("predict", file, "--model", tmp_path / "m.npz", "--out", tmp_path / "o.jsonl")
        assert predicted.exit_code == 0, predicted.output
        assert len((tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()) == len(TEXTS)
        out = tmp_path / "f.json"
        measured = run("evaluate", file, "--folds", 2, "--deal", "by_row", "--encoder", jar, "--json", out)
        assert measured.exit_code == 0, measured.output
        assert "linear and encoder" in " ".join(measured.stdout.split())
        figures = json.loads(out.read_text(encoding="utf-8"))
        assert (figures["encoder_sha256"], "by_group" in figures) == (read(jar).sha256, False)
