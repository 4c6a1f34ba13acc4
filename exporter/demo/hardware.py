"""Invented machines and models of the simulated mesh."""

from __future__ import annotations

import math
from typing import NamedTuple


class GpuModel(NamedTuple):
    """A GPU model: memory and what of it is reserved in bytes, memory bandwidth in 10^9 bytes a second."""

    name: str
    vram_bytes: int
    reserved_bytes: int
    mem_bandwidth_gbps: float


class Model(NamedTuple):
    """A language model: the size of its weights in 10^9 bytes, and its layers where it can be split by them."""

    name: str
    size_gb: float
    layers: int | None = None

    @property
    def required_bytes(self) -> int:
        """What mesh-llm asks for to run it: a tenth more than its weights (0.66.0, `runtime/capacity.rs`)."""
        return math.ceil(round(self.size_gb * 1e9) * 11 / 10)


class Reserve(NamedTuple):
    """Capacity that sleeps: what mesh-llm lists as a wakeable node, and the GPUs it has once it is awake."""

    logical_id: str
    provider: str | None
    models: tuple[str, ...]
    gpus: tuple[GpuModel, ...]


H100 = GpuModel("NVIDIA H100 80GB HBM3", 85520809984, 1073741824, 3352.3)
A100 = GpuModel("NVIDIA A100-SXM4-80GB", 85899345920, 1073741824, 2039.0)
L40S = GpuModel("NVIDIA L40S", 48305799168, 805306368, 864.0)
RTX_4090 = GpuModel("NVIDIA GeForce RTX 4090", 25757220864, 536870912, 1008.1)
RTX_3090 = GpuModel("NVIDIA GeForce RTX 3090", 25769803776, 536870912, 936.2)

MACHINES = ((H100, H100), (RTX_4090, RTX_4090), (L40S,), (A100,), (RTX_3090, RTX_3090), (RTX_4090,))
MODELS = (
    Model("qwen3-32b", 19.8),
    Model("llama-3.3-70b", 42.5),
    Model("gemma-3-27b", 16.5),
    Model("mistral-small-24b", 14.3),
    Model("qwen2.5-coder-14b", 9.0),
)
SECOND_MODEL = Model("phi-4-mini", 2.5)
SECOND_MODEL_FILE = "/var/lib/models/phi-4-mini-Q4_K_M.gguf"
SPLIT_MODEL = Model("qwen3-235b", 193.0, 94)
TOO_LARGE = (Model("deepseek-v3", 671.0, 61), Model("llama-3.1-405b", 812.0, 126))
KNOWN = {model.name: model for model in (*MODELS, SECOND_MODEL, SPLIT_MODEL, *TOO_LARGE)}
RESERVES = (
    Reserve("cloud-a100-1", "spot-pool", ("qwen3-32b", "gemma-3-27b"), (A100,)),
    Reserve("cloud-h100-2", "spot-pool", ("llama-3.3-70b",), (H100, H100)),
    Reserve("rack-b-gpu-21", "wake-on-lan", ("mistral-small-24b",), (RTX_3090, RTX_3090)),
    Reserve("attic-gpu-31", None, ("qwen2.5-coder-14b",), (RTX_4090,)),
)


def fitting(gpus: tuple[GpuModel, ...]) -> list[Model]:
    """The models whose weights fit into nine tenths of the memory of `gpus`."""
    room = 0.9 * sum(gpu.vram_bytes for gpu in gpus) / 1e9
    return [model for model in MODELS if model.size_gb <= room]
