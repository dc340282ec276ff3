"""A pretrained encoder, fine-tuned on the labelled texts: the second voice beside the linear classifier.

It reads the first `LENGTH` tokens of a text. Needs the extra `encoder` (PyTorch), at training and at predicting.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
import torch
from torch import nn

from shared.pretrained import HEAD_WIDTH, Pretrained

LENGTH = 128  # tokens; on the one fold tried 256 were no better beside the linear classifier, at three times the time
EPOCHS = 5
BATCH = 16
PREDICT_BATCH = 64
RATE, HEAD_RATE, LAYER_DECAY, WARM_UP = 1e-4, 5.0, 0.9, 0.1
DROPOUT, SMOOTHING, WEIGHT_DECAY, LONGEST_GRADIENT = 0.1, 0.1, 0.01, 1.0
SORTED_TOGETHER = 16  # batches among which texts are put beside texts of like length

Floats = npt.NDArray[np.float32]
Progress = Callable[[float], None]


class _Bert(nn.Module):
    """BERT of PyTorch's own layers, with a linear reader over the first token and the mean of all."""

    def __init__(self, weights: dict[str, npt.NDArray[Any]], labels: int) -> None:
        super().__init__()
        vocabulary, width = weights["words.weight"].shape
        depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layers."))
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(len(weights["places.weight"]), width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        inner = len(weights["layers.0.linear1.weight"])
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, width // HEAD_WIDTH, inner, DROPOUT, "gelu", 1e-12, batch_first=True)
            for _ in range(depth)
        )
        for layer in self.layers:
            layer.self_attn.dropout = layer.dropout.p = 0.0  # BERT has none between its two dense layers
        self.dropout = nn.Dropout(DROPOUT)
        self.reader = nn.Linear(2 * width, labels)
        start = {f"reader.{name}": value for name, value in self.reader.state_dict().items()}
        self.load_state_dict(start | {name: torch.from_numpy(np.array(a, np.float32)) for name, a in weights.items()})

    def forward(self, tokens: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        """Scores of a batch; `padding` is true where a text has ended."""
        places = self.places.weight[: tokens.shape[1]]
        states = self.dropout(self.norm(self.words(tokens) + places))
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=padding)
        there = (~padding)[..., None]
        mean = (states * there).sum(1) / there.sum(1)
        return self.reader(self.dropout(torch.cat([states[:, 0], mean], 1)))


class TextEncoder:
    """A fine-tuned encoder: `scores` gives the logarithm of each label's probability."""

    def __init__(self, weights: dict[str, npt.NDArray[Any]], tokenizer: str, labels: int) -> None:
        self.tokenizer = tokenizer
        self._net = _Bert(weights, labels)
        self._net.eval()
        self._tokenizer = tokenizers.Tokenizer.from_str(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(LENGTH, len(weights["places.weight"])))

    @staticmethod
    def restored(weights: dict[str, npt.NDArray[Any]], tokenizer: str, labels: int) -> "TextEncoder":
        """One that was kept; raises ValueError if the parts do not fit together."""
        if "reader.weight" not in weights or "reader.bias" not in weights:
            raise ValueError("the encoder's reader is missing")
        try:
            return TextEncoder(weights, tokenizer, labels)
        except Exception as error:  # tokenizers raises bare ones
            raise ValueError("the encoder's parts do not fit together") from error

    @property
    def weights(self) -> dict[str, npt.NDArray[np.float16]]:
        """All weights, in half precision, as the model file keeps them."""
        return {name: value.numpy().astype(np.float16) for name, value in self._net.state_dict().items()}

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log-probabilities, a row a text and a column a label."""
        tokens = self._tokens(texts)
        result = np.zeros((len(texts), self._net.reader.out_features), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        with torch.inference_mode():
            for start in range(0, len(order), PREDICT_BATCH):
                rows = order[start : start + PREDICT_BATCH]
                result[rows] = self._net(*_padded([tokens[row] for row in rows])).log_softmax(1).numpy()
        return result

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    @staticmethod
    def fine_tune(
        pretrained: Pretrained, texts: Sequence[str], truth: npt.NDArray[np.int64], *, seed: int, progress: Progress
    ) -> "TextEncoder":
        """Train every weight on the labelled texts; `truth` holds label numbers from 0.

        The same texts and seed give the same weights on the same machine.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = TextEncoder(pretrained.weights, pretrained.tokenizer, int(truth.max()) + 1)
            encoder._train(texts, truth, random.Random(seed), progress)
        return encoder

    def _train(
        self, texts: Sequence[str], truth: npt.NDArray[np.int64], order: random.Random, progress: Progress
    ) -> None:
        tokens, labels, net = self._tokens(texts), torch.from_numpy(truth), self._net
        optimizer = torch.optim.AdamW(_groups(net), fused=True)
        steps, step = EPOCHS * math.ceil(len(texts) / BATCH), 0
        share = torch.from_numpy(len(truth) / np.maximum(np.bincount(truth), 1)).float().sqrt()
        loss_of = nn.CrossEntropyLoss(weight=share / share.mean(), label_smoothing=SMOOTHING)
        net.train()
        for _ in range(EPOCHS):
            for rows in _batches(tokens, order):
                progress(step / steps)
                speed = min(1.0, (step + 1) / (WARM_UP * steps)) * (1 - step / steps)
                for group in optimizer.param_groups:
                    group["lr"] = group["rate"] * speed
                with torch.autocast("cpu", torch.bfloat16, enabled=_fast_halves()):
                    scores = net(*_padded([tokens[row] for row in rows]))
                optimizer.zero_grad()
                loss_of(scores.float(), labels[rows]).backward()
                nn.utils.clip_grad_norm_(net.parameters(), LONGEST_GRADIENT)
                optimizer.step()
                step += 1
        net.eval()


def _fast_halves() -> bool:
    """Whether the processor multiplies 16-bit floats faster than 32-bit ones; training bears them, predicting need not."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def _groups(net: nn.Module) -> list[dict[str, Any]]:
    """Parameters with their rate: the nearer to the reader, the faster."""
    groups = []
    depth = len(net.layers)
    for name, parameter in net.named_parameters():
        if name.startswith("reader."):
            rate = RATE * HEAD_RATE
        elif name.startswith("layers."):
            rate = RATE * LAYER_DECAY ** (depth - 1 - int(name.split(".")[1]))
        else:
            rate = RATE * LAYER_DECAY ** (depth + 1)
        decay = WEIGHT_DECAY if parameter.ndim > 1 else 0.0
        groups.append({"params": [parameter], "lr": rate, "rate": rate, "weight_decay": decay})
    return groups


def _batches(tokens: list[list[int]], order: random.Random) -> Iterator[list[int]]:
    """Rows in chance order, texts of like length together."""
    rows = list(range(len(tokens)))
    order.shuffle(rows)
    together = BATCH * SORTED_TOGETHER
    chunks = [
        sorted(rows[at : at + together], key=lambda row: len(tokens[row])) for at in range(0, len(rows), together)
    ]
    batches = [chunk[at : at + BATCH] for chunk in chunks for at in range(0, len(chunk), BATCH)]
    order.shuffle(batches)
    yield from batches


def _padded(tokens: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(row) for row in tokens)
    padded = torch.zeros(len(tokens), width, dtype=torch.long)
    for number, row in enumerate(tokens):
        padded[number, : len(row)] = torch.tensor(row)
    lengths = torch.tensor([len(row) for row in tokens])
    return padded, torch.arange(width)[None, :] >= lengths[:, None]
