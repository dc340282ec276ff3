import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from deploy import classify_report
from deploy.classify_report import Doubt, like_texts, measure, tables
from shared.classifier import Calibration, TrainingError, clean, title_of, train
from shared.classifier_file import ModelFileError, load, save
from tests.unit.classify.samples import LABELS, TEXTS


@pytest.fixture(scope="module")
def model():
    return train(TEXTS, LABELS)


class TestTraining:
    def test_unseen_texts_get_the_right_label(self, model):
        answers = model.predict(["公司三个月没有发工资", "学校食堂的午饭不干净", "工厂夜里排出刺鼻的废气"])
        assert [answer.label for answer in answers] == ["劳动", "教育", "环保"]
        assert all(answer.runner_up in {"劳动", "教育", "环保"} - {answer.label} for answer in answers)

    def test_confidence_lies_between_0_and_1_and_orders_by_clarity(self, model):
        clear, mixed = model.predict(["公司老板拖欠工资,工人讨要工资", "学校老师的工资和工厂废气"])
        assert 0 <= mixed.confidence < clear.confidence <= 1

    @pytest.mark.parametrize("text", ["", "   ", "!!!", "qwertz", "𠮷𠮷𠮷"])
    def test_a_text_without_a_known_word_goes_to_a_person(self, model, text):
        [answer] = model.predict([text])
        assert (answer.needs_person, answer.confidence) == (True, 0.0)

    def test_threshold_decides_who_answers(self):
        text = ["公司老板拖欠工资"]
        assert train(TEXTS, LABELS, person_below=1.0).predict(text)[0].needs_person
        assert not train(TEXTS, LABELS, person_below=0.0).predict(text)[0].needs_person

    def test_same_file_same_model(self, model):
        again = train(TEXTS, LABELS)
        assert np.array_equal(again.weights, model.weights)
        assert again.calibration == model.calibration

    def test_two_labels_work(self):
        pairs = [(text, label) for text, label in zip(TEXTS, LABELS, strict=True) if label != "环保"]
        two = train([text for text, _ in pairs], [label for _, label in pairs])
        assert [row.label for row in two.predict(["拖欠工资", "学校招生"])] == ["劳动", "教育"]

    def test_unlabelled_texts_change_the_word_vectors_only(self, model):
        more = train(TEXTS, LABELS, ["工厂的废气和学校的食堂"] * 3)
        assert list(more.features.vectorizers["words"].vocabulary_) == list(
            model.features.vectorizers["words"].vocabulary_
        )
        assert not np.array_equal(more.features.vectors, model.features.vectors)

    def test_what_one_text_alone_says_is_not_in_the_model(self):
        secret = "张翠翠的电话是13800000000,住在杏花巷"
        trained = train([*TEXTS, f"公司拖欠工资。{secret}"], [*LABELS, "劳动"])
        terms = {term for tfidf in trained.features.vectorizers.values() for term in tfidf.vocabulary_}
        assert not {"翠", "翠翠", "张翠", "杏", "杏花", "138"} & terms
        assert not any(char in "123456789" for term in terms for char in term)

    def test_progress_ends_at_one(self):
        seen = []
        train(TEXTS, LABELS, progress=lambda step, done: seen.append((step, done)))
        assert seen[-1] == ("model", 1.0)
        assert [done for _, done in seen] == sorted(done for _, done in seen)

    @pytest.mark.parametrize(
        ("texts", "labels", "says"),
        [
            (["甲乙"] * 6, ["a"] * 6, "at least two labels"),
            (["甲乙"] * 6, ["a"] * 4 + ["b"] * 2, "'b' has 2 texts"),
            ([chr(0x4E00 + row) for row in range(8)], ["a", "b"] * 4, "too little in common"),
        ],
    )
    def test_what_cannot_train_is_said(self, texts, labels, says):
        with pytest.raises(TrainingError, match=says):
            train(texts, labels)


class TestText:
    def test_places_numbers_and_masks_are_gone(self):
        assert clean("西地省A3区在2019年12月 ****") == "  在0年0月 "

    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("请解决小区停水问题 我们小区停水三天", "请解决小区停水问题"),
            ("反映工厂夜间噪音扰民的问题尊敬的领导:您好", "反映工厂夜间噪音扰民的问题"),
            ("关于学校食堂的卫生问题关于学校食堂的卫生问题,孩子", "关于学校食堂的卫生问题"),
            ("没有标题也没有停顿" * 8, "没有标题也没有停顿"),
            ("短", "短"),
        ],
    )
    def test_title(self, text, title):
        assert title_of(text) == title

    def test_calibration_of_a_scorer_that_is_always_right(self):
        scores = np.eye(3, dtype=np.float32)
        assert Calibration.fit(scores, np.arange(3)).confidence(scores).min() > 0.5


class TestModelFile:
    def test_a_stored_model_answers_as_before(self, model, tmp_path: Path):
        digest = save(model, tmp_path / "m.npz")
        stored = load(tmp_path / "m.npz")
        texts = [*TEXTS, "公司老板拖欠工资", "完全无关"]
        # vectors are kept in half precision by training already, so nothing may differ
        assert stored.predict(texts) == model.predict(texts)
        assert save(stored, tmp_path / "n.npz") == digest

    def test_a_pickle_is_refused_and_never_run(self, tmp_path: Path):
        path, mark = tmp_path / "evil.npz", tmp_path / "ran"

        class Evil:
            def __reduce__(self):
                return Path.touch, (mark,)

        path.write_bytes(pickle.dumps(Evil()))
        with pytest.raises(ModelFileError, match="pickled models are never read"):
            load(path)
        np.savez(path, meta=np.array([Evil()], dtype=object), allow_pickle=True)
        with pytest.raises(ModelFileError, match="pickled models are never read"):
            load(path)
        assert not mark.exists()

    def test_missing_foreign_and_cut_files_are_refused(self, model, tmp_path: Path):
        with pytest.raises(ModelFileError, match="no such file"):
            load(tmp_path / "none.npz")
        path = tmp_path / "m.npz"
        save(model, path)
        whole = path.read_bytes()
        for content in (b"", b"hello", whole[: len(whole) // 2], whole[:-30]):
            path.write_bytes(content)
            with pytest.raises(ModelFileError):
                load(path)
        np.savez(path, weights=np.zeros(3))
        with pytest.raises(ModelFileError, match="parts are missing"):
            load(path)

    def _edited(self, model, path: Path, **changes):
        save(model, path)
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        for name, change in changes.items():
            arrays[name] = change(arrays[name])
        np.savez(path, **arrays)
        return path

    def test_an_edited_file_is_refused(self, model, tmp_path: Path):
        path = self._edited(model, tmp_path / "m.npz", weights=lambda array: array + 1)
        with pytest.raises(ModelFileError, match="checksum"):
            load(path)

    def test_another_version_is_refused(self, model, tmp_path: Path):
        def other(array):
            meta = {**json.loads(array.tobytes()), "format": "fengqiao-classifier/9"}
            return np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)

        with pytest.raises(ModelFileError, match="fengqiao-classifier/9"):
            load(self._edited(model, tmp_path / "m.npz", meta=other))

    def test_a_zip_bomb_is_not_unpacked(self, tmp_path: Path, monkeypatch):
        monkeypatch.setattr("shared.classifier_file.MAX_BYTES", 1000)
        with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("weights.npy", b"0" * 2000)
        with pytest.raises(ModelFileError, match="unpacks to more"):
            load(tmp_path / "b.npz")

    def test_a_failed_write_leaves_the_old_file(self, model, tmp_path: Path, monkeypatch):
        path = tmp_path / "m.npz"
        path.write_bytes(b"old")
        monkeypatch.setattr(np, "savez_compressed", lambda *_args, **_kwargs: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            save(model, path)
        assert [file.name for file in tmp_path.iterdir()] == ["m.npz"]
        assert path.read_bytes() == b"old"


class TestEvaluation:
    def test_figures_of_texts_that_are_easy_to_tell(self):
        steps = []
        figures, _ = measure(TEXTS, LABELS, 3, [], 0, steps.append)
        assert steps == [1, 2, 3, 4, 5, 6]
        assert figures["by_row"]["macro_f1"] > 0.8
        assert [row[3] for row in figures["by_row"]["per_label"]] == [8, 8, 8]
        assert len(tables(figures)) == 2

    def test_figures_of_labels_dealt_at_random_are_poor(self):
        texts = [TEXTS[row % len(TEXTS)] for row in range(48)]
        labels = [("甲", "乙")[(row // len(TEXTS)) % 2] for row in range(48)]
        figures, _ = measure(texts, labels, 3, [], 0, lambda _models: None)
        assert figures["groups"] == 24
        assert figures["by_group"]["accuracy"] <= 0.5

    def test_one_way_to_deal_is_half_the_work(self):
        steps = []
        figures, _ = measure(TEXTS, LABELS, 3, [], 0, steps.append, deals=["by_group"])
        assert (len(steps), "by_row" in figures) == (3, False)
        assert [len(table.columns) for table in tables(figures)] == [2, 5]

    def test_a_label_is_in_doubt_where_every_deal_answers_the_same_otherwise(self, monkeypatch):
        monkeypatch.setattr(classify_report, "CALIBRATION_FOLDS", 1)  # the models below learn nothing
        names, labels = "abc", [*"aaabbcc"]
        by_row = {0: ("b", 0.9), 1: ("b", 0.8), 2: ("c", 0.99), 4: ("c", 0.9)}
        by_group = {0: ("b", 0.8), 1: ("b", 0.95), 2: ("b", 0.9)}

        def measured(*otherwise, **more):
            answered = iter(otherwise)

            def models(texts, _labels, folds, *_):
                scores = np.array([[name == label for name in names] for label in labels], dtype=np.float32)
                confidence = np.full(len(texts), 0.9)
                for row, (answer, sure) in next(answered).items():
                    scores[row], confidence[row] = [answer == name for name in names], sure
                for _, unseen in folds:
                    yield unseen, scores[unseen], confidence[unseen]

            monkeypatch.setattr(classify_report, "held_out_models", models)
            texts = [f"{row} 说法各不相同" for row in range(len(labels))]
            return measure(texts, labels, 2, [], 0, lambda _models: None, **more)

        figures, doubts = measured(by_row, by_group)
        assert doubts == [Doubt(0, "b", 0.8), Doubt(1, "b", 0.8)]
        assert figures["doubtful_labels"] == 2
        _, doubts = measured(by_row, deals=["by_row"])
        assert [doubt.row for doubt in doubts] == [2, 0, 4, 1]

    def test_like_texts_share_a_group(self):
        texts = [
            "请求解决小区停水的问题 我们已经停水三天",
            "请求解决小区停水的问题 另一个人写的话",
            "今天 12345 没人接",
            "今天,12345没人接!",
            "别的事",
        ]
        groups = like_texts(texts)
        assert groups[0] == groups[1]
        assert groups[2] == groups[3]
        assert len(set(groups)) == 3
