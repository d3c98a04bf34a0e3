"""Writes tests/models/reference.json: outputs of torchvision's networks with weights filled by formula.

The tests give LensJAX's networks the same weights, by way of `lensjax.models.torch_weights.convert`, and compare. Runs in an environment
of its own:

    python3 -m venv torch && torch/bin/pip install torch==2.13.0 numpy pillow
    torch/bin/pip install --no-deps torchvision==0.28.0
    torch/bin/python tests/reference/reference_networks.py [NAME ...] [--out tests/models/reference.json]

Named networks are computed again, the others are kept. torch and torchvision are imported late, since the tests import the formulas.
All of them take a few minutes and 12 GB of memory.
"""

import argparse
import json
import math
import os
import sys
import types
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

KEPT = 8
PERIOD = 99991  # prime, so that no two rows of a weight begin at the same place
OUT = Path(__file__).parents[1] / "models" / "reference.json"

_TORCHVISION = {
    64: (
        "alexnet squeezenet1_0 squeezenet1_1 vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn googlenet "
        "resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d wide_resnet50_2 wide_resnet101_2 "
        "densenet121 densenet161 densenet169 densenet201 mobilenet_v2 mobilenet_v3_small mobilenet_v3_large "
        "shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0 regnet_y_32gf "
        "efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7 "
        "efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3 "
        "convnext_tiny convnext_small convnext_base convnext_large swin_t swin_s swin_b swin_v2_t swin_v2_s swin_v2_b"
    ),
    96: "inception_v3 vit_b_16 vit_b_32 vit_l_16 vit_l_32",
    98: "vit_h_14",
}
SIDES = {name: side for side, names in _TORCHVISION.items() for name in names.split()}
"""Pixels on a side of the image for each network."""
SIDES |= {"mnasnet3_8": 64, "mnasnet6_0": 64, "efficientnet_b3_5": 64, "efficientnet_b4_5": 64}


def gain(network: str) -> float:
    """Factor on the weights. With 1 rounding errors would dominate in some networks, in EfficientNet v2 even in float64."""
    return {"efficientnet_v2_s": 0.7, "efficientnet_v2_m": 0.7, "efficientnet_v2_l": 0.7, "mobilenet_v2": 0.8}.get(network, 1.0)


def tensor(name: str, shape: tuple[int, ...], *, gain: float = 1.0) -> np.ndarray:
    """A float32 array that depends on PyTorch's name for the tensor and its shape only.

    A chirp of PERIOD values, repeated, with a phase from the name. Weights have the spread gain √(2/fan-in), which
    keeps the signal's size through the layers; scales and variances of normalisation layers lie in ½ … 3/2.
    """
    index = np.arange(PERIOD, dtype=np.float64)
    wave = np.sin(1.2345 * index + 1e-4 * index**2 + zlib.crc32(name.encode()) % 1000)
    if len(shape) > 1:
        wave *= 2 * gain / np.sqrt(math.prod(shape[1:]))
    elif name.endswith(("running_var", "weight")):
        wave = 1 + 0.5 * wave
    else:
        wave *= 0.1
    return np.resize(wave.astype(np.float32), shape)


def image(side: int) -> np.ndarray:
    """(1, 3, side, side) float32 in 0…1: a different pattern in each channel, without symmetry."""
    y, x = np.mgrid[:side, :side] / side
    channels = [0.5 + 0.5 * np.sin(7 * x + 3 * k * y + 5 * x * y + k) for k in range(1, 4)]
    return np.stack(channels)[None].astype(np.float32)


def filled(name: str) -> bool:
    """Whether a tensor of a state_dict holds weights; the others are fixed tables and counters."""
    return not name.endswith(("num_batches_tracked", "relative_position_index", "relative_coords_table"))


def build(name: str, side: int) -> Any:
    """torchvision's network for images of `side` pixels, or one that the thesis built of its parts; 3 channels, 1000 outputs."""
    # This module registers operators that need a torchvision built for this very torch; these networks use none of them.
    registrations = "torchvision._meta_registrations"
    sys.modules.setdefault(registrations, types.ModuleType(registrations))
    import torch
    from torchvision import models
    from torchvision.models import efficientnet

    if name in ("mnasnet3_8", "mnasnet6_0"):
        return models.MNASNet(float(name.removeprefix("mnasnet").replace("_", ".")))
    if name in ("efficientnet_b3_5", "efficientnet_b4_5"):
        # As the thesis's code, Cosmo-ML, has them.
        width, depth = {"efficientnet_b3_5": (1.2, 1.6), "efficientnet_b4_5": (1.8, 2.0)}[name]
        setting, last = efficientnet._efficientnet_conf("efficientnet_b3", width_mult=width, depth_mult=depth)
        if name == "efficientnet_b3_5":
            return models.EfficientNet(setting, 0.3, last_channel=last)
        return models.EfficientNet(setting, 0.4, last_channel=last, norm_layer=partial(torch.nn.BatchNorm2d, eps=1e-3, momentum=0.01))
    make: Callable[..., Any] = partial(models.get_model, name, weights=None)
    if name.startswith("vit"):
        return make(image_size=side)
    return make(init_weights=True) if name in ("googlenet", "inception_v3") else make()


def outputs(name: str) -> dict[str, Any]:
    """Its number of trainable parameters, the image's side, and the first KEPT of its 1000 logits, computed in float64."""
    import torch

    net = build(name, SIDES[name])
    with torch.no_grad():
        for key, value in net.state_dict().items():
            if filled(key):
                value.copy_(torch.from_numpy(tensor(key, tuple(value.shape), gain=gain(name))))
        parameters = sum(value.numel() for value in net.parameters())
        logits = net.double().eval()(torch.from_numpy(image(SIDES[name])).double())
    return {"parameters": parameters, "side": SIDES[name], "logits": logits[0, :KEPT].tolist()}


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks (default: all)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write (default: %(default)s)")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in SIDES]
    if unknown:
        parser.error(f"unknown network {unknown[0]!r}; expected one of {', '.join(SIDES)}")
    reference = json.loads(options.out.read_text()) if options.out.is_file() else {}
    for name in options.names or SIDES:
        reference[name] = outputs(name)
        print(f"{name:22}{reference[name]['parameters']:12d}  {reference[name]['logits'][:3]}", flush=True)
    temporary = options.out.with_name(options.out.name + ".tmp")
    temporary.write_text(json.dumps(reference, indent=1) + "\n")
    os.replace(temporary, options.out)


if __name__ == "__main__":
    main()
