"""The words that redaction may keep: those of torch, the standard library and well-known packages.

An identifier is public when every word in it is. What is not known to be public counts as private.
`scripts/known_words.py` makes the lists, but for `common.txt`: words of Kineto's, C++'s and Python's own
texts, kept by hand.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path

PACKAGES = (
    "torch",
    "torchgen",
    "functorch",
    "torchvision",
    "torchaudio",
    "torchtext",
    "torchmetrics",
    "torchrec",
    "torch_geometric",
    "triton",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "transformers",
    "accelerate",
    "diffusers",
    "datasets",
    "peft",
    "tokenizers",
    "safetensors",
    "huggingface_hub",
    "lightning",
    "lightning_fabric",
    "pytorch_lightning",
    "deepspeed",
    "apex",
    "xformers",
    "flash_attn",
    "vllm",
    "sglang",
    "einops",
    "tqdm",
    "tensorboard",
    "torch_tb_profiler",
    "recbole",
    "pytorch_metric_learning",
    "x_transformers",
    "ray",
    "dask",
    "distributed",
    "hydra",
    "omegaconf",
    "wandb",
    "pytest",
    "_pytest",
    "IPython",
    "ipykernel",
    "click",
    "perfkit",
)
"""Packages whose own files may be named, relative to where packages are installed."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_VENDORS = re.compile(
    r"(?i)_*(ampere|volta|turing|hopper|maxwell|sm\d{2,3}|nvjet|cutlass|cijk|gemm|xmma|nccl|rccl"
    r"|cudnn|cublas|miopen|fmha|flash)[_A-Z\d]"
)
_SHORT = 4
_LETTERS = 2


def split(identifier: str) -> list[str]:
    """The words of an identifier: `flashAttn_fwd2` is flash, Attn, fwd."""
    return _WORD.findall(identifier)


@lru_cache(maxsize=1 << 16)
def is_torchs(identifier: str) -> bool:
    """True for what only names operators, kernels and classes of torch and of GPU vendors."""
    if _VENDORS.match(identifier) is not None:
        return all(len(word) <= _SHORT or word.lower() in _torch() for word in split(identifier))
    return _all_known(identifier, _torch())


@lru_cache(maxsize=1 << 16)
def is_public(identifier: str) -> bool:
    """True for what names things of torch, of the standard library or of well-known packages."""
    return _all_known(identifier, _public())


@lru_cache(maxsize=1 << 16)
def is_ours(identifier: str) -> bool:
    """True for words of perfkit's own sentences, and of torch."""
    return _all_known(identifier, _ours())


@lru_cache(maxsize=1)
def packages() -> frozenset[str]:
    """Names of packages and modules whose files may be named."""
    return frozenset(PACKAGES) | sys.stdlib_module_names


def _all_known(identifier: str, known: frozenset[str]) -> bool:
    if identifier.lower() in known:
        return True
    words = split(identifier)
    letters = sum(len(word) == 1 for word in words)
    if letters > _LETTERS or (letters == len(words) and len(identifier) > _SHORT):
        return False  # a hash or an id rather than a name
    return all(len(word) == 1 or word.lower() in known for word in words)


@lru_cache(maxsize=1)
def _torch() -> frozenset[str]:
    return _listed("torch") | _listed("common")


@lru_cache(maxsize=1)
def _public() -> frozenset[str]:
    names = (word.lower() for name in packages() for word in split(name))
    return _torch() | _listed("public") | frozenset(names)


@lru_cache(maxsize=1)
def _ours() -> frozenset[str]:
    """Words of our own sources, the programs to be profiled left out."""
    root = Path(__file__).resolve().parents[1]
    found: set[str] = set()
    for path in root.rglob("*.py"):
        if "workloads" not in path.relative_to(root).parts:
            found.update(map(str.lower, split(path.read_text(encoding="utf-8"))))
    return _torch() | found


def _listed(name: str) -> frozenset[str]:
    path = Path(__file__).parent / "words" / f"{name}.txt"
    return frozenset(path.read_text(encoding="utf-8").split())
