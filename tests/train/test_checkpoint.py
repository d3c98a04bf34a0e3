import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.train.checkpoint import Checkpoints, Damaged


def tree(value):
    return {"a": jnp.full((2, 3), value), "none": None, "list": (jnp.int32(7), jnp.arange(4.0)), "empty": {}}


@pytest.fixture
def folder(tmp_path):
    with Checkpoints(tmp_path / "checkpoints", keep=2) as checkpoints:
        for step in (10, 20, 30):
            checkpoints.save(step, tree(float(step)))
    return tmp_path / "checkpoints"


def restored(folder, **options):
    with Checkpoints(folder, **options) as checkpoints:
        latest = checkpoints.latest()
        return latest, checkpoints.restore(latest, tree(0.0))


def test_the_newest_are_kept_and_come_back(folder):
    with Checkpoints(folder, keep=2) as checkpoints:
        assert checkpoints.steps() == [20, 30]
        older = checkpoints.restore(20, tree(0.0))
    np.testing.assert_array_equal(older["a"], 20.0)
    latest, found = restored(folder, keep=2)
    assert latest == 30
    np.testing.assert_array_equal(found["a"], 30.0)
    np.testing.assert_array_equal(found["list"][1], np.arange(4.0))
    assert found["none"] is None and found["list"][0].dtype == jnp.int32


def test_an_empty_folder_has_none(tmp_path):
    with Checkpoints(tmp_path / "new", keep=1) as checkpoints:
        assert checkpoints.latest() is None


def test_read_only_makes_nothing(tmp_path, folder):
    before = sorted(path for path in folder.rglob("*"))
    assert restored(folder, read_only=True)[0] == 30
    assert sorted(path for path in folder.rglob("*")) == before


def test_one_killed_while_it_was_written_does_not_count(folder):
    unfinished = folder / "40.orbax-checkpoint-tmp"
    shutil.copytree(folder / "30", unfinished)
    (unfinished / "_CHECKPOINT_METADATA").unlink()
    assert restored(folder, read_only=True)[0] == 30
    with Checkpoints(folder, keep=2) as checkpoints:
        assert checkpoints.latest() == 30
        checkpoints.save(40, tree(40.0))
        assert checkpoints.steps() == [30, 40]
    assert not unfinished.exists()


@pytest.mark.parametrize("left", ["nothing", "metadata", "array folder"])
def test_one_killed_while_it_was_deleted_does_no_harm(folder, left):
    """The oldest goes when a newer one is whole; half of it may be left."""
    old = folder / "20"
    gone = {
        "nothing": list(old.iterdir()),
        "metadata": [old / "default"],
        "array folder": [old / "default" / "d", old / "_CHECKPOINT_METADATA"],
    }[left]
    for path in gone:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    latest, found = restored(folder, keep=2)
    assert latest == 30
    np.testing.assert_array_equal(found["a"], 30.0)
    with Checkpoints(folder, keep=2) as checkpoints:
        for step in (40, 50):
            checkpoints.save(step, tree(float(step)))
        assert checkpoints.steps() == [40, 50]
    assert restored(folder, keep=2)[0] == 50


def cut(folder, step):
    """Cuts a checkpoint's numbers short, as a full disk does."""
    large = max((path for path in (folder / str(step) / "default" / "d").iterdir()), key=lambda path: path.stat().st_size)
    large.write_bytes(large.read_bytes()[:20])


def test_a_damaged_one_is_named_and_set_aside(folder):
    cut(folder, 30)
    with Checkpoints(folder, keep=2) as checkpoints:
        with pytest.raises(Damaged, match=r"checkpoints/30: the checkpoint is damaged"):
            checkpoints.restore(30, tree(0.0))
        assert checkpoints.set_aside(30) == folder.parent / "damaged" / "30"
        assert checkpoints.steps() == [20]
        checkpoints.save(30, tree(31.0))
    np.testing.assert_array_equal(restored(folder, keep=2)[1]["a"], 31.0)
