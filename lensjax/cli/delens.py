"""`lensjax delens`: an image and its lens to the undistorted source."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lensjax.cli import arguments
from lensjax.cli.scenes import NOT_OF_2023
from lensjax.errors import BadInput

_EPILOG = """examples:
  lensjax delens image-000001.png --params results.csv --out source.png
  lensjax delens images/test.png --params images/dataset.csv --out source.png
  lensjax delens image.png --params results.csv --out source.png --how invert --noise 3

--params says what the lens is and where the source stands: results.csv of estimate, a table of problem sis2023 or pm2022, or any
table in CosmoSim's columns, with lenses of any kind. Colours are treated one by one.

  sample  each pixel of the source is the mean of the image where its light arrives: at once, and as noisy as the image
  invert  the smooth source whose image is nearest to the image (Suyu et al. 2006): seconds; the better one where there is noise.
          Its pixels are half as wide as the image's. lambda is the weight of smoothness: the most probable one, unless given

Points that the image does not show are transparent. The source's centre is in the middle."""


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command("delens", "image and lens to the undistorted source", _EPILOG, run)
    command.add_argument("image", type=Path, metavar="IMAGE", help="the image")
    command.add_argument("--params", type=Path, required=True, metavar="FILE", help="results.csv of estimate, or dataset.csv")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="the source, a PNG file")
    command.choice(
        "--problem",
        arguments.PROBLEMS,
        help="kind of system (sis2023, unless the columns are CosmoSim's)",
    )
    command.choice(
        "--how",
        ("sample", "invert"),
        default="sample",
        help="see below (sample)",
    )
    command.add_argument("--lambda", dest="strength", type=arguments.positive, metavar="L", help="invert: weight of smoothness")
    command.add_argument(
        "--noise", type=arguments.positive, metavar="SIGMA", help="invert: noise of a pixel [grey levels] (from the residuals)"
    )
    command.choice(
        "--penalty",
        ("curvature", "gradient", "identity"),
        help="invert: what of the source is to be small (curvature)",
    )
    command.add_argument("--size", type=arguments.SIZE, metavar="N", help="pixels on a side of the source")
    command.add_argument("--field", type=arguments.SIZE, metavar="PX", help="side of what is shown of the source plane [px]")
    command.add_argument("--picture", type=Path, metavar="FILE", help="the source Image of a row whose image is centred")


def run(options: argparse.Namespace) -> None:
    import jax
    import numpy as np

    from lensjax.files import whole as files
    from lensjax.formats.cosmosim import table as cosmosim

    files.check_file(options.out)
    if options.out.suffix.lower() != ".png":
        raise BadInput(f"--out {options.out}: the source is written as PNG; a name that ends in .png is asked for")
    given = {"--lambda": options.strength, "--noise": options.noise, "--penalty": options.penalty}
    unfit = [name for name, value in given.items() if value is not None]
    if options.how == "sample" and unfit:
        raise BadInput(f"{unfit[0]} goes with --how invert")
    table = cosmosim.read(options.params, inside=False)
    name = str(options.image)
    row = table.row(name if name in table.filenames else options.image.name)

    with jax.enable_x64(True):
        of_scene = options.problem is None and any(name in row.columns for name in NOT_OF_2023)
        channels, system, shift, camera, field = (_seen_scene if of_scene else _seen_problem)(options, row)
        found, told = _sources(options, channels, system, shift, camera, field)
    seen = found[0].seen
    if not seen.any():
        raise BadInput(f"{options.image}: by {options.params} no point of the source is seen in this image")
    _write_source(options.out, np.stack([source.grey for source in found], axis=-1), seen)
    share = 100.0 * seen.mean()
    print(f"{options.out}: {seen.shape[0]}×{seen.shape[1]} pixels, {share:.0f} % of them seen in the image")
    for line in told:
        print(line)


def _seen_problem(options: argparse.Namespace, row: Any) -> tuple[list[Any], Any, Any, Any, int]:
    """(grey images, system, place of the image's middle, camera, side of the source's picture) of a row of a problem's table."""
    from dataclasses import replace

    import jax.numpy as jnp
    import numpy as np

    from lensjax import problems
    from lensjax.formats.cosmosim import table as cosmosim
    from lensjax.reconstruct import sample as delens

    problem = problems.get(options.problem or "sis2023")
    channels = _channels(options.image, problem.field)
    if "chi" in problem.names and "chi" not in row.columns:
        raise BadInput(f"{options.params}: line 1: there is no column chi, which problem {problem.name} needs")
    params = cosmosim.params(row, problem=problem.name, names=problem.names)[0]
    method = _row_method(row, problem)
    camera = replace(problem.camera, method=method, terms=cosmosim.terms(row, default=problem.camera.terms)[0])
    system = problem.to_system(problem.encode(jnp.asarray(params, jnp.float64)))
    shift = _row_shift(row)
    if shift is None:
        shift = np.asarray(problem.centre(system, method=method))
    sigma, sigma2 = (float(params[problem.names.index(name)]) for name in ("sigma", "sigma2"))
    return channels, system, shift, camera, 2 * min(delens.half_width(sigma, sigma2), 400)


def _seen_scene(options: argparse.Namespace, row: Any) -> tuple[list[Any], Any, Any, Any, int]:
    """As `_seen_problem`, of a row in CosmoSim's columns."""
    from dataclasses import replace

    import jax
    import jax.numpy as jnp
    import numpy as np
    from PIL import Image

    from lensjax import simulate
    from lensjax.dataset import render
    from lensjax.dataset import write as dataset
    from lensjax.files import images
    from lensjax.formats.cosmosim import rows as cosmosim_rows
    from lensjax.formats.cosmosim import table as cosmosim
    from lensjax.formats.scene import Light
    from lensjax.reconstruct import sample as delens

    settings = {}
    if not any(row.columns.get(name, ("",))[0].strip() for name in ("imagesize", "cropsize")):
        images.read_colour(options.image)
        with Image.open(options.image) as image:
            settings["imagesize"] = image.width
    scene = cosmosim_rows.scenes(row, settings=settings).scenes[0]
    pictures = []
    centre = [row.columns.get(name, ("",))[0].strip() for name in ("centreX", "centreY")]
    if any(light.kind == "Image" for light in scene.lights):
        if options.picture is not None:
            scene = replace(scene, lights=tuple(dataset.pictured(light, str(options.picture)) for light in scene.lights))
            pictures = [jnp.asarray(images.read_colour(light.picture) / 255.0) for light in scene.lights if light.kind == "Image"]
        elif scene.centred and not any(centre):
            raise BadInput(f"{scene.origin}: the place of a centred image depends on its source, a picture; --picture FILE says which")
        else:
            scene = replace(scene, lights=(Light("Spherical", scene.x, scene.y, 20.0, 20.0),))
    kind = render.kind_of(scene)
    channels = _channels(options.image, kind.camera.size)
    if scene.reflines:
        channels = [_without_lines(channel) for channel in channels]
    system = render.system_of(kind, render.numbers_of(scene), pictures)
    if any(centre):
        shift = np.array([cosmosim.value(row, name) for name in ("centreX", "centreY")])
    else:
        shift = np.asarray(jax.jit(simulate.shift, static_argnames="camera")(system, kind.camera))
    field = options.field or delens.field_of_light(np.max(channels, axis=0), system, shift=shift, camera=kind.camera)
    return channels, system, shift, kind.camera, field


def _channels(path: Path, size: int) -> list[Any]:
    """The grey levels of an image (size, size): one array, or one for each colour."""
    from lensjax.files import images

    try:
        return [images.read(path, size=size).grey]
    except BadInput as refusal:
        try:
            pixels = images.read_colour(path)
        except BadInput:
            raise refusal from None
        if pixels.shape != (size, size, 3) or (pixels == pixels[..., :1]).all():
            raise refusal from None
        return [pixels[..., k] for k in range(3)]


def _without_lines(image: Any) -> Any:
    """An image without its reference lines: what they cover is the mean of what lies to both sides."""
    import numpy as np

    middle = image.shape[0] // 2
    filled = np.array(image)
    filled[middle] = 0.5 * (filled[middle - 1] + filled[middle + 1])
    filled[:, middle] = 0.5 * (filled[:, middle - 1] + filled[:, middle + 1])
    return filled


def _sources(options: argparse.Namespace, channels: Sequence[Any], system: Any, shift: Any, camera: Any, field: int) -> tuple[Any, Any]:
    """The source in each channel, and lines to print about it."""
    from lensjax._internal.progress import Progress
    from lensjax.reconstruct import invert as inversion
    from lensjax.reconstruct import sample as delens

    field = options.field or field
    if options.how == "sample":
        grid = delens.Grid(options.size or field, field)
        return [delens.sample(image, system, shift=shift, camera=camera, grid=grid) for image in channels], []
    # Half as wide as the image's pixels: lenses enlarge, and what is linear between the grid's points follows the source.
    size = options.size or max(16, min(2 * field * camera.size // camera.field, 400))
    operator = inversion.lensing(system, shift=shift, camera=camera, grid=delens.Grid(size, field))
    if not bool(operator.used.any()):
        raise BadInput(f"{options.image}: by {options.params} no point of the source is seen in this image")
    found = []
    with Progress(None, "step") as bar:
        for image in channels:
            found.append(
                inversion.invert(
                    image,
                    operator,
                    strength=options.strength,
                    noise=options.noise,
                    penalty=options.penalty or "curvature",
                    progress=bar.update,
                )
            )
    names = ("",) if len(found) == 1 else ("red: ", "green: ", "blue: ")
    lines = [
        f"{name}lambda {one.strength:.4g}, noise {one.noise:.3g}, chi2 {one.chi2:.3g} a pixel over {one.used.sum()} pixels, "
        f"{one.iterations} steps, {'converged' if one.converged else 'not converged'}"
        for name, one in zip(names, found, strict=True)
    ]
    return found, lines


def _write_source(path: Path, levels: Any, seen: Any) -> None:
    """Writes grey levels (m, m, 1) or colours (m, m, 3) as PNG, transparent where not seen."""
    import io

    import numpy as np
    from PIL import Image

    from lensjax.files import images
    from lensjax.files import whole as files

    if levels.shape[-1] == 1:
        images.write_png(path, levels[..., 0], seen=seen)
        return
    pixels = np.where(seen[..., None], np.clip(np.rint(levels), 0, 255), 0).astype(np.uint8)
    alpha = np.where(seen, 255, 0).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(np.concatenate([pixels, alpha[..., None]], axis=-1)).save(content, "PNG")
    files.write_bytes(path, content.getvalue())


def _row_method(row: Any, problem: Any) -> str:
    """How the image of a one-row table was made: results.csv says method, dataset.csv says model."""
    from lensjax.formats.cosmosim import table as cosmosim

    word = row.columns.get("method", ("",))[0].strip()
    if word and word not in arguments.METHODS:
        raise BadInput(f"{row.path}: line {row.lines[0]}, column method: {word!r}; {', '.join(arguments.METHODS)} are allowed")
    return word or cosmosim.methods(row, default=problem.camera.method)[0]


def _row_shift(row: Any) -> Any:
    """The place (2,) that stands at the image's centre, from a one-row table; None where it is not said."""
    import numpy as np

    from lensjax.formats.cosmosim import table as cosmosim

    cells = [row.columns.get(name, ("",))[0].strip() for name in ("shift_x", "shift_y")]
    if not any(cells):
        return None
    return np.array([cosmosim.value(row, name) for name in ("shift_x", "shift_y")])
