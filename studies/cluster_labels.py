"""How far CosmoSim's labels of a cluster follow from the cluster, where the origin that they are about is not known.

    python studies/cluster_labels.py [DIR] [--problem cluster2sie2026|cluster4sis2026] [--draws 200000] [--steps 8000]

CosmoSim 3.3 writes amplitudes of a cluster as though all members stood at the origin of its coordinates, which no image shows. A network
is shown the true members and the true source, about the reference point, and learns these labels: no method that looks at images can know
more. Prints R² of each label, as droulette computes it, of that network and of the true cluster's amplitudes, over fresh draws, or over
the dataset.csv and roulette.csv of DIR. Reference point and source count as known in the mean.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array
from tqdm import trange

from lensjax import problems
from lensjax.formats.cosmosim import table
from lensjax.formats.cosmosim.table import Row
from lensjax.problems.amplitudes import Amplitudes, origin_of
from lensjax.problems.cosmosim2026 import CLUSTERS
from lensjax.problems.tables import params_of

ORDER = 4
KNOWN = 5  # labels beside the amplitudes: place of the reference point, and the source's size, index and luminosity
TEST = 2000
LENGTH = 50.0  # px, of order one
BATCH = 256
CUT = 8.0  # spreads at which an input is cut


class Answer(NamedTuple):
    """Tables of systems.

    Attributes:
        inputs: (N, I) members and source about the reference point.
        labels: (N, A) amplitudes as CosmoSim has them.
        true: (N, A) those of the cluster.
        distance: (N,) from the origin to the reference point [px].
    """

    inputs: np.ndarray
    labels: np.ndarray
    true: np.ndarray
    distance: np.ndarray


class Network(nn.Module):
    """A plain network."""

    outputs: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for _ in range(3):
            x = nn.gelu(nn.Dense(512)(x))
        return jnp.asarray(nn.Dense(self.outputs)(x))


def tables(name: str) -> tuple[Amplitudes, Amplitudes]:
    """CosmoSim's labels of a cluster, and the cluster's amplitudes; both of parameters with the origin among them."""
    problem = problems.get(name, origin=True)
    return Amplitudes(problem, ORDER, about=origin_of(problem)), Amplitudes(problem, ORDER)


def described(name: str, systems: Array) -> Answer:
    """The tables of systems (N, P)."""
    labels, true = tables(name)
    names = labels.problem.names
    members = sum(column.startswith("lens") and column.endswith("_x") for column in names)
    width = names.index("lens2_x")

    def inputs(params: Array, xi: Array) -> Array:
        lenses = params[: members * width].reshape(members, width)
        lenses = lenses[jnp.argsort(-lenses[:, 2])]
        off = lenses[:, :2] - xi
        far = jnp.sqrt((off * off).sum(axis=1, keepdims=True))
        columns = [off / LENGTH, off / far, jnp.log(far / LENGTH), lenses[:, 2:3] / LENGTH]
        if width > 3:
            turn = jnp.deg2rad(2.0 * lenses[:, 4:5])
            columns += [lenses[:, 3:4], jnp.cos(turn), jnp.sin(turn)]
        source = jnp.stack([params[names.index(f"source_{axis}")] for axis in "xy"])
        return jnp.concatenate([jnp.concatenate(columns, axis=1).reshape(-1), (source - xi) / LENGTH])

    @jax.jit
    def of(params: Array) -> tuple[Array, Array, Array, Array]:
        values, distance = labels.of(params)
        return jax.vmap(inputs)(params, values[:, :2]), values[:, 2:], true.of(params)[0][:, 2:], distance

    return Answer(*map(np.asarray, of(systems)))


def drawn(name: str, n: int, seed: int) -> Array:
    """Systems (n, P), as CosmoSim draws them about its origin."""
    count = origin_of(problems.get(name, origin=True))[0]

    @jax.jit
    def draws(keys: Array) -> Array:
        systems = jax.lax.map(CLUSTERS[name], keys, batch_size=BATCH)
        return jnp.concatenate([systems[:, :count], jnp.zeros((n, 2)), systems[:, count:]], axis=1)

    return jnp.asarray(draws(jax.random.split(jax.random.key(seed), n)))


def read(name: str, folder: Path) -> Array:
    """The systems (N, P) of a set that CosmoSim drew, in coordinates of their images."""
    rows, labels = (table.read(folder / file) for file in ("dataset.csv", "roulette.csv"))
    origins = [[Row(labels, k).number(column) for column in ("lensX", "lensY")] for k in range(len(labels))]
    systems = params_of(problems.get(name), rows, amplitudes=labels)
    place = origin_of(problems.get(name, origin=True))[0]
    return jnp.asarray(np.insert(systems, [place, place], origins, axis=1), jnp.float32)


def learnt(training: Answer, test: Answer, powers: np.ndarray, steps: int) -> np.ndarray:
    """What the network says of the labels (N, A) of the test; it learns them scaled by the distance, and the distance."""
    targets = np.column_stack([training.labels * training.distance[:, None] ** powers, np.log(training.distance)])
    middle, spread = targets.mean(axis=0), targets.std(axis=0)
    mean, width = training.inputs.mean(axis=0), training.inputs.std(axis=0) + 1e-6
    shown, asked = (np.clip((part.inputs - mean) / width, -CUT, CUT) for part in (training, test))
    network, wanted = Network(targets.shape[1]), (targets - middle) / spread
    optimizer = optax.adam(optax.cosine_decay_schedule(1e-3, steps))
    variables = network.init(jax.random.key(0), shown[:1])
    state = optimizer.init(variables)

    @jax.jit
    def step(variables, state, x, y):  # noqa: ANN001, ANN202
        slope = jax.grad(lambda own: jnp.square(network.apply(own, x) - y).mean())(variables)
        moves, state = optimizer.update(slope, state)
        return optax.apply_updates(variables, moves), state

    rng = np.random.default_rng(0)
    for _ in trange(steps, unit="step"):
        batch = rng.integers(0, len(shown), BATCH)
        variables, state = step(variables, state, shown[batch], wanted[batch])
    found = np.asarray(network.apply(variables, asked)) * spread + middle
    return np.asarray(found[:, :-1] / np.exp(found[:, -1:]) ** powers)


def main() -> None:
    """Draws, learns, scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="dataset.csv and roulette.csv of CosmoSim (fresh draws)")
    parser.add_argument("--problem", choices=sorted(CLUSTERS), default="cluster2sie2026")
    parser.add_argument("--draws", type=int, default=200_000, help="systems to learn from (200000)")
    parser.add_argument("--steps", type=int, default=8000, help=f"steps of {BATCH} systems (8000)")
    flags = parser.parse_args()
    pairs = tables(flags.problem)[0].pairs
    powers, order = np.array([m - 1.0 for _, m, _ in pairs]), np.array([m for _, m, _ in pairs])
    training = described(flags.problem, drawn(flags.problem, flags.draws, 1))
    test = described(flags.problem, drawn(flags.problem, TEST, 2) if flags.folder is None else read(flags.problem, flags.folder))
    spread = test.labels.var(axis=0)
    print(f"{flags.problem}, {len(test.labels)} systems; R² of {' '.join(f'{kind}[{m}][{s}]' for kind, m, s in pairs)}")
    for words, values in (("the true cluster", test.true), ("network of it", learnt(training, test, powers, flags.steps))):
        each = 1.0 - np.square(values - test.labels).mean(axis=0) / spread
        mean, low = (each.sum() + KNOWN) / (len(each) + KNOWN), each[order <= 2].mean()
        print(
            f"{words:18}" + " ".join(f"{value:6.2f}" for value in each) + f"   mean of all labels {mean:.3f}, amplitudes to m = 2 {low:.3f}"
        )


if __name__ == "__main__":
    main()
