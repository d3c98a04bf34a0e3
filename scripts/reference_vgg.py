"""Writes tests/models/vgg_reference.json: what torchvision's VGGs answer with weights filled by formula.

`tests/models/test_vgg.py` gives LensJAX's networks the same weights and compares. Runs in an environment of
its own:

    python3 -m venv torch && torch/bin/pip install torch==2.13.0 numpy pillow
    torch/bin/pip install --no-deps torchvision==0.28.0
    torch/bin/python scripts/reference_vgg.py [--out tests/models/vgg_reference.json]

Takes half a minute and 2.5 GB of memory. torch and torchvision are imported late, since the
test imports the formulas.
"""

import argparse
import json
import math
import os
import sys
import types
import zlib
from pathlib import Path

import numpy as np

VARIANTS = [f"vgg{depth}{suffix}" for depth in (11, 13, 16, 19) for suffix in ("", "_bn")]
SIDE = 64
KEPT = 8
PERIOD = 99991  # prime, so that no two rows of a weight begin at the same place
OUT = Path(__file__).parents[1] / "tests" / "models" / "vgg_reference.json"


def tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array that depends on PyTorch's name for the tensor and its shape only.

    A chirp of PERIOD values, repeated, with a phase from the name. Weights have the spread √(2/fan-in), which
    keeps the signal's size through the layers; scales and variances of normalisation layers lie in ½ … 3/2.
    """
    index = np.arange(PERIOD, dtype=np.float64)
    wave = np.sin(1.2345 * index + 1e-4 * index**2 + zlib.crc32(name.encode()) % 1000)
    if len(shape) > 1:
        wave *= 2 / np.sqrt(math.prod(shape[1:]))
    elif name.endswith(("running_var", "weight")):
        wave = 1 + 0.5 * wave
    else:
        wave *= 0.1
    return np.resize(wave.astype(np.float32), shape)


def image() -> np.ndarray:
    """(1, 3, SIDE, SIDE) float32 in 0…1: a different pattern in each channel, without symmetry."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    channels = [0.5 + 0.5 * np.sin(7 * x + 3 * k * y + 5 * x * y + k) for k in range(1, 4)]
    return np.stack(channels)[None].astype(np.float32)


def logits(variant: str) -> list[float]:
    """First KEPT of the 1000 logits of torchvision's network, computed in float64."""
    import torch

    # This module registers operators that want a torchvision built for the very same torch; VGG needs none.
    registrations = "torchvision._meta_registrations"
    sys.modules.setdefault(registrations, types.ModuleType(registrations))
    from torchvision import models

    net = models.get_model(variant, weights=None, init_weights=False)
    state = {
        name: torch.from_numpy(tensor(name, tuple(value.shape))) if value.ndim else value
        for name, value in net.state_dict().items()
    }
    net.load_state_dict(state)
    with torch.no_grad():
        answer = net.double().eval()(torch.from_numpy(image()).double())
    return answer[0, :KEPT].tolist()


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--out", type=Path, default=OUT, help="file to write (default: %(default)s)")
    out = parser.parse_args().out

    reference = {variant: logits(variant) for variant in VARIANTS}
    temporary = out.with_name(out.name + ".tmp")
    temporary.write_text(json.dumps(reference, indent=1) + "\n")
    os.replace(temporary, out)


if __name__ == "__main__":
    main()
