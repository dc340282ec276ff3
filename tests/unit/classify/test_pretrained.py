"""What is said about encoders that cannot be had or read; needs no extra."""

import hashlib
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from deploy import encoder_jar
from deploy.commands.classify import app
from deploy.local.errors import UnavailableError
from shared.classifier import train
from shared.classifier_file import ModelFileError, load, save
from shared.pretrained import EncoderError, read
from tests.unit.classify.samples import LABELS, TEXTS


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return path


class TestReading:
    def test_a_missing_file_says_how_to_get_one(self, tmp_path: Path):
        with pytest.raises(EncoderError, match="fengqiao classify encoder"):
            read(tmp_path / "none.jar")

    def test_files_of_other_kinds_are_refused(self, tmp_path: Path):
        (tmp_path / "text.jar").write_text("no zip")
        for file in (
            tmp_path / "text.jar",
            zipped(tmp_path / "empty.jar"),
            zipped(tmp_path / "half.jar", a_onnx=b"x"),
            zipped(tmp_path / "two.jar", a_onnx=b"x", b_onnx=b"y", tokenizer_json=b"{}"),
            zipped(tmp_path / "json.jar", a_onnx=b"", tokenizer_json=b"{"),
        ):
            with pytest.raises(EncoderError, match=r"is no zip or jar|make encoder"):
                read(file)

    def test_a_zip_bomb_is_not_unpacked(self, tmp_path: Path, monkeypatch):
        monkeypatch.setattr("shared.pretrained.MAX_BYTES", 1000)
        with pytest.raises(EncoderError, match="unpacks to more"):
            read(zipped(tmp_path / "b.jar", a_onnx=b"0" * 2000, tokenizer_json=b"{}"))

    def test_without_the_extra_it_says_what_to_install(self, tmp_path: Path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnx", None)
        with pytest.raises(EncoderError, match="make encoder"):
            read(zipped(tmp_path / "b.jar", a_onnx=b"0", tokenizer_json=b"{}"))

    @pytest.mark.parametrize("command", ["train", "evaluate"])
    def test_the_commands_refuse_before_any_work(self, tmp_path: Path, command):
        file = tmp_path / "rows.jsonl"
        file.write_text("{}\n")
        out = ["--out", str(tmp_path / "m.npz")] if command == "train" else []
        result = CliRunner().invoke(app, [command, str(file), *out, "--encoder", str(tmp_path / "none.jar")])
        assert (result.exit_code, "no such file" in result.output) == (2, True)
        assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


class Voice:
    """Stands for a fine-tuned encoder where the extra is not installed."""

    tokenizer = "{}"

    def __init__(self):
        self.weights = {"norm.bias": np.zeros(3, dtype=np.float16)}

    def scores(self, texts):
        return np.zeros((len(texts), 3), dtype=np.float32)


def test_a_model_with_an_encoder_says_what_it_needs(tmp_path: Path, monkeypatch):
    model = train(TEXTS, LABELS)
    model.encoders = (Voice(),)
    save(model, tmp_path / "m.npz")
    monkeypatch.setitem(sys.modules, "shared.encoder", None)
    with pytest.raises(ModelFileError, match=r"trained with --encoder.*make encoder"):
        load(tmp_path / "m.npz")


class TestFetching:
    @pytest.fixture
    def repository(self, tmp_path: Path, monkeypatch):
        """A played jgo; `content` is what the repository gives, None for a refusal."""
        monkeypatch.setenv("FENGQIAO_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(encoder_jar, "SHA256", hashlib.sha256(b"the jar").hexdigest())
        played = types.SimpleNamespace(content=b"the jar", asked=[])

        class MavenContext:
            def __init__(self, repo_cache: Path, **_options):
                self.folder = repo_cache

            def project(self, group, artifact):
                played.asked.append(f"{group}:{artifact}")
                return self

            def at_version(self, _version):
                return self

            def artifact(self):
                return self

            def resolve(self):
                if played.content is None:
                    raise RuntimeError("connection refused")
                (self.folder / "x.jar").write_bytes(played.content)
                return self.folder / "x.jar"

        module = types.ModuleType("jgo.maven")
        module.MavenContext, module.PythonResolver = MavenContext, object
        monkeypatch.setitem(sys.modules, "jgo.maven", module)
        return played

    def test_it_is_fetched_once(self, repository):
        first, second = (CliRunner().invoke(app, ["encoder"]) for _ in range(2))
        path = Path(first.stdout.strip())
        assert path.read_bytes() == b"the jar"
        assert (first.stdout, len(repository.asked)) == (second.stdout, 1)

    def test_another_file_is_not_kept(self, repository, tmp_path: Path):
        repository.content = b"another jar"
        with pytest.raises(UnavailableError, match="another file than the pinned one"):
            encoder_jar.fetched()
        assert list((tmp_path / "cache").iterdir()) == []

    def test_a_repository_that_cannot_be_reached_is_said(self, repository):
        repository.content = None
        result = CliRunner().invoke(app, ["encoder"])
        assert (result.exit_code, "connection refused" in result.output) == (2, True)
        assert "name it with --encoder" in result.output.replace("\n", " ")

    def test_a_damaged_file_is_fetched_anew(self, repository):
        encoder_jar.fetched().write_bytes(b"cut")
        assert encoder_jar.fetched().read_bytes() == b"the jar"
        assert len(repository.asked) == 2
