import pytest

from lensjax.errors import BadInput
from lensjax.train.split import sizes, split


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        (",0.2,0.05", 20_000, (15_000, 4000, 1000)),  # the SIE set of July 2026
        (",4000,1000", 15_000, (10_000, 4000, 1000)),
        ("0.5, 0.25, 0.25", 9, (4, 2, 2)),
        ("5,3,", 10, (5, 3, 2)),
        ("5,3,0", 10, (5, 3, 0)),
    ],
)
def test_rows_are_taken_in_their_order(text, count, expected):
    parts = split(text, count)
    assert tuple(map(len, parts)) == expected
    assert [row for part in parts for row in part] == list(range(sum(expected)))
    assert parts.watched == (parts.validation or parts.test)


@pytest.mark.parametrize("text", ["", "1,2", ",,3", "1,2,3,4", "1.5,2,3", "a,2,3", "-1,2,3", "1,nan,2"])
def test_what_is_no_split_is_refused(text):
    with pytest.raises(BadInput, match="^split: the value is .*; expected images for training, test and validation"):
        sizes(text)


def test_a_split_has_images_to_train_and_to_test():
    with pytest.raises(BadInput, match="split: 12 of 10 images; expected 10 images or fewer"):
        split("5,5,2", 10)
    for text in ("0,5,5", "10,0,0", ",0.01,0.5"):
        with pytest.raises(BadInput, match="expected one image or more for training, and for the test; of 10 images"):
            split(text, 10)
