"""What the intake proposes topics by: the lexicon, or the model that the deployment trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.intake.app import proposer
from shared.classifier import train
from shared.classifier_file import ModelFileError, save
from tests.unit.classify.samples import LABELS, TEXTS

ASKED = ("公司欠薪", "公司三个月没有发工资,老板躲着不见工人")
TOPICS = {"劳动": "labour_dispute", "教育": "basic_education", "环保": "environmental_protection"}


def test_a_trained_model_is_asked_and_named_as_the_source(tmp_path: Path) -> None:
    save(train(TEXTS, [TOPICS[label] for label in LABELS]), tmp_path / "model.npz")
    by_model, by_words = proposer(tmp_path / "model.npz")(*ASKED), proposer(None)(*ASKED)
    assert by_model is not None and by_words is not None
    assert by_model.topic == TOPICS["劳动"]
    assert "分类模型" in by_model.zh and "classifier" in by_model.en
    assert "分类模型" not in by_words.zh


def test_a_file_that_is_no_model_stops_the_service_at_start(tmp_path: Path) -> None:
    (tmp_path / "model.npz").write_bytes(b"not a model")
    with pytest.raises(ModelFileError):
        proposer(tmp_path / "model.npz")
