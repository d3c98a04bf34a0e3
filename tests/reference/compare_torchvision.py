"""LensJAX's networks beside torchvision's in one process: the same weights, images and modes must give the same outputs.

    python3 -m venv both && both/bin/pip install torch==2.13.0 -r requirements.lock
    both/bin/pip install --no-deps torchvision==0.28.0 -e .
    both/bin/python tests/reference/compare_torchvision.py [NAME ...] [--image-size 64] [--batch 4] [--seed 0] [--out FILE]

torchvision draws its own initial weights. Constant ones (ViT's last layer, biases, the statistics of BatchNorm) are perturbed at random,
so that they affect the outputs. The weights go through `lensjax.models.torch_weights.convert`. Of each network the table has the
largest difference over the largest value, in float32, of

    evaluation  the 1000 outputs for random images
    training    the same in training mode, with the batch's own statistics and auxiliary heads, without dropout
    statistics  the running means after that step

and whether `dropout` (all rates, in the order of the layers) and `beginning` (spread, extent and constants of the initial weights of
every tensor) agree. Ends with exit code 1 where a difference reaches 1e-4 in evaluation, or dropout or beginning do not agree. Differences
in training are those of evaluation, enlarged by normalisation over few values. A network that is in --out already is not compared
again. All networks take an hour on two cores, and 16 GB.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from reference_networks import SIDES, build, filled

from lensjax import models
from lensjax.files import whole as files
from lensjax.models import torch_weights

OUTPUTS, CHANNELS = 1000, 3
TOLERANCE = 1e-4
SMALLEST = {"inception_v3": 299}  # where its auxiliary head begins
PATCHES = {"vit_h_14": 14, "vit_b_32": 32, "vit_l_32": 32}
AUXILIARY = {"googlenet": ("aux_logits1", "aux_logits2"), "inception_v3": ("aux_logits",)}
COLUMNS = ("network", "side", "parameters", "evaluation", "training", "statistics", "dropout", "beginning", "seconds")


def side_of(name: str, size: int) -> int:
    """Pixels on a side of the images: `size`, or the nearest above that the network takes."""
    patch = PATCHES.get(name, 16 if name.startswith("vit") else 1)
    return max(-(-size // patch) * patch, SMALLEST.get(name, 0))


def perturbed(tensors: Mapping[str, np.ndarray], random: np.random.Generator) -> dict[str, np.ndarray]:
    """The tensors, with constant ones perturbed."""
    varied = {}
    for name, tensor in tensors.items():
        if filled(name) and tensor.std() == 0:
            noise = random.standard_normal(tensor.shape, np.float32)
            tensor = tensor * np.exp(0.3 * noise) if name.endswith("running_var") else tensor + 0.05 * noise
        varied[name] = tensor.astype(np.float32) if filled(name) else tensor
    return varied


def theirs(name: str, side: int, images: np.ndarray, random: np.random.Generator) -> dict[str, Any]:
    """Parameters, weights and outputs of torchvision's network."""
    import torch

    net: Any = build(name, side)
    first = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    tensors = perturbed(first, random)
    batch = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    rates: list[float] = []
    with torch.no_grad():
        for key, value in net.state_dict().items():
            value.copy_(torch.from_numpy(tensors[key]))
        evaluation = net.eval()(batch).numpy()
        for module in net.modules():
            if hasattr(module, "p"):
                module.register_forward_hook(lambda module, inputs, output, p=module.p: rates.append(p))
                module.p = 0.0
        out: Any = net.train()(batch)
    outputs = [out] if name not in AUXILIARY else [out.logits, *(getattr(out, head) for head in AUXILIARY[name])]
    means = {key: value.numpy() for key, value in net.state_dict().items() if key.endswith("running_mean")}
    return {
        "parameters": sum(value.numel() for value in net.parameters()), "first": first, "tensors": tensors, "evaluation": evaluation,
        "training": [output.numpy() for output in outputs], "means": means, "rates": [rate for rate in rates if rate],
    }  # fmt: skip


def ours(name: str, side: int, images: np.ndarray, tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The same of LensJAX's network with converted weights."""
    options = {"final_relu": True} if name.startswith("squeezenet") else {}
    net: Any = models.create(name, num_outputs=OUTPUTS, in_channels=CHANNELS, image_size=side).clone(**options)
    variables = torch_weights.convert(tensors, name, num_outputs=OUTPUTS, in_channels=CHANNELS, image_size=side)
    rates: list[float] = []

    def undropped(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if not isinstance(context.module, nn.Dropout):
            return call(*args, **kwargs)
        rates.append(float(context.module.rate))
        return args[0]

    def trained(variables: Any, images: jax.Array) -> Any:
        rates.clear()
        with nn.intercept_methods(undropped):
            return net.apply(variables, images, train=True, mutable=["batch_stats", "auxiliary"])

    evaluation = jax.jit(lambda variables, images: net.apply(variables, images, train=False))(variables, images)
    training, updates = jax.jit(trained)(variables, images)
    return {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(variables["params"])),
        "evaluation": evaluation,
        "training": [training, *jax.tree.leaves(updates.get("auxiliary", {}))],
        "means": by_torch_names({"batch_stats": updates.get("batch_stats", {})}),
        "rates": [rate for rate in rates if rate],
    }


def by_torch_names(variables: Any) -> dict[str, np.ndarray]:
    """Leaves by PyTorch's names, axes as they are here."""
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    return {torch_weights.torch_name(tuple(entry.key for entry in path)[1:]): np.asarray(leaf) for path, leaf in leaves}


def initialised_differently(name: str, side: int, first: Mapping[str, np.ndarray]) -> list[str]:
    """Tensors whose initial weights differ in kind: constant in one network only, or of another spread or extent."""
    net = models.create(name, num_outputs=OUTPUTS, in_channels=CHANNELS, image_size=side)
    fresh = jax.jit(lambda key: net.init({"params": key}, jnp.zeros((1, side, side, CHANNELS)), train=False))(jax.random.key(0))
    different = []
    for key, mine in by_torch_names({part: fresh[part] for part in ("params", "batch_stats") if part in fresh}).items():
        other, count = first[key], first[key].size
        spreads, extents = [[float(f(np.abs(x) if f is np.max else x)) for x in (mine, other)] for f in (np.std, np.max)]
        if min(spreads) == 0 or count < 30:
            # Few values do not determine a spread; compare constants only.
            same = (spreads[0] == 0) == (spreads[1] == 0) and (max(spreads) > 0 or np.allclose(mine.flat[0], other.flat[0]))
        else:
            same = abs(np.log(spreads[0] / spreads[1])) < 6 / np.sqrt(count)
            if count > 1000:
                same &= abs(np.log(extents[0] / spreads[0] / (extents[1] / spreads[1]))) < 0.45  # even or normal
        if not same:
            different.append(f"{key} {spreads[0]:.3g} for {spreads[1]:.3g}")
    return different


def difference(mine: Any, other: Any) -> float:
    """Largest difference over the largest value."""
    mine, other = np.asarray(mine, np.float64), np.asarray(other, np.float64)
    return float(np.abs(mine - other).max() / np.abs(other).max())


def compared(name: str, *, size: int, batch: int, seed: int) -> dict[str, Any]:
    """One row of the table."""
    import torch

    began, side, random = time.perf_counter(), side_of(name, size), np.random.default_rng(seed)
    torch.manual_seed(seed)
    images = random.standard_normal((batch, side, side, CHANNELS), np.float32)
    reference = theirs(name, side, images, random)
    own = ours(name, side, images, reference["tensors"])
    different = initialised_differently(name, side, reference["first"])
    means = [difference(own["means"][key], mean) for key, mean in reference["means"].items() if key in own["means"]]
    if len(own["training"]) != len(reference["training"]) or len(means) != len(reference["means"]):
        raise SystemExit(f"{name}: other outputs in training, or other statistics")
    same_rates = len(own["rates"]) == len(reference["rates"]) and np.allclose(own["rates"], reference["rates"])
    row = {
        "network": name,
        "side": side,
        "parameters": own["parameters"],
        "evaluation": difference(own["evaluation"], reference["evaluation"]),
        "training": max(difference(a, b) for a, b in zip(own["training"], reference["training"], strict=True)),
        "statistics": max(means, default=float("nan")),
        "dropout": "same" if same_rates else f"{own['rates']} for {reference['rates']}",
        "beginning": f"{len(different)}: {'; '.join(different[:2])}" if different else "same",
        "seconds": round(time.perf_counter() - began, 1),
    }
    if own["parameters"] != reference["parameters"]:
        row["beginning"] = f"{reference['parameters']} parameters in torchvision; {row['beginning']}"
    return row


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks (default: all)")
    parser.add_argument("--image-size", type=int, default=64, metavar="N", help="pixels on a side, or the next that a network takes (64)")
    parser.add_argument("--batch", type=int, default=4, metavar="N", help="images (4)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and images (0)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also writes the table there, as CSV")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in SIDES]
    if unknown:
        parser.error(f"unknown network {unknown[0]!r}; expected one of {', '.join(SIDES)}")
    rows = pd.read_csv(options.out).to_dict("records") if options.out and options.out.is_file() else []
    print(f"{'network':20}{'side':>5}{'parameters':>12}{'evaluation':>12}{'training':>10}{'statistics':>12}  {'dropout':8}  beginning")
    bad = False
    for name in options.names or SIDES:
        row = next((row for row in rows if row["network"] == name), None)
        if row is None:
            row = compared(name, size=options.image_size, batch=options.batch, seed=options.seed)
            rows.append(row)
            if options.out:
                files.write_text(options.out, pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False))
            jax.clear_caches()
        numbers = f"{row['evaluation']:12.1e}{row['training']:10.1e}{row['statistics']:12.1e}"
        print(f"{name:20}{row['side']:5d}{row['parameters']:12d}{numbers}  {row['dropout']:8}  {row['beginning']}", flush=True)
        bad |= not row["evaluation"] < TOLERANCE or row["dropout"] != "same" or row["beginning"] != "same"
    sys.exit(int(bad))


if __name__ == "__main__":
    main()
