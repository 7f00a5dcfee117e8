"""Loading: the right digits in the right splits, or one line that says what to do."""

import gzip
import hashlib
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramnp.datasets import mnist
from ramnp.datasets.idx import idx_bytes
from ramnp.support.errors import DataError

NAMES = tuple(mnist.SHA256)


def digits(rng, count, size=(28, 28)):
    """As many images with a bright bar, and labels."""
    images = rng.integers(0, 60, (count, *size), np.uint8)
    images[:, size[0] // 4, 1:-1] = 255
    return images, rng.integers(0, 10, count, np.uint8)


def idx_files(rng, train=24, test=5, size=(28, 28)):
    arrays = *digits(rng, train, size), *digits(rng, test, size)
    return {name: idx_bytes(array) for name, array in zip(NAMES, arrays)}


def put(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def genuine(rng, tmp_path, monkeypatch):
    """Small files that count as MNIST's, and an empty place to start from."""
    files = idx_files(rng)
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in files}
    monkeypatch.setattr(mnist, "SHA256", sums)
    monkeypatch.chdir(tmp_path)
    return files


@pytest.fixture
def fetched(genuine, monkeypatch):
    """The names that were fetched, from a source that has them all."""
    fetched = []

    def fetch(folder, sums, progress):
        assert sums == {name: mnist.SHA256[name] for name in sums}
        put(folder, {name: genuine[name] for name in sums})
        fetched.extend(sums)

    monkeypatch.setattr(mnist, "fetch", fetch)
    return fetched


@pytest.fixture
def no_fetch(genuine, monkeypatch):
    monkeypatch.setattr(mnist, "fetch", lambda *args: pytest.fail("fetched"))


def joined(loaded):
    """All images and labels of the three splits, in order."""
    splits = loaded[:3]
    return [np.concatenate([split[i] for split in splits]) for i in range(2)]


def assert_is(loaded, files, counts):
    for split, count in zip(loaded, counts):
        assert split.images.shape == (count, 28, 28)
        assert split.labels.shape == (count,)
        assert split.images.dtype == split.labels.dtype == np.uint8
    images, labels = joined(loaded)
    assert images.tobytes() == files[NAMES[0]][16:] + files[NAMES[2]][16:]
    assert labels.tobytes() == files[NAMES[1]][8:] + files[NAMES[3]][8:]


def test_mnist_is_fetched_once_into_the_folder_data(genuine, fetched):
    assert_is(mnist.load(), genuine, (20, 4, 5))
    assert fetched == list(NAMES)
    assert_is(mnist.load(), genuine, (20, 4, 5))
    assert len(fetched) == 4
    assert {path.name for path in Path("data").iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_missing_is_fetched(genuine, fetched, name):
    present = {other: genuine[other] for other in NAMES if other != name}
    for folder in ("data", "elsewhere"):
        fetched.clear()
        put(Path(folder), present)
        assert_is(mnist.load(folder), genuine, (20, 4, 5))
        assert fetched == [name]


def test_files_put_there_by_hand_may_be_packed_or_not(genuine, no_fetch):
    files = {f"{name}.gz": gzip.compress(genuine[name], 1) for name in NAMES[:2]}
    files |= {name: genuine[name] for name in NAMES[2:]}
    put(Path("data"), files)
    assert_is(mnist.load(), genuine, (20, 4, 5))


@pytest.mark.parametrize("folder", ["new", "a/new/one", "empty", "hidden"])
def test_a_new_or_empty_folder_has_mnist_fetched_into_it(genuine, fetched, folder):
    Path("empty").mkdir()
    put(Path("hidden"), {".left-over": b""})
    Path("a/new").mkdir(parents=True)
    assert_is(mnist.load(folder, progress=False), genuine, (20, 4, 5))
    assert fetched == list(NAMES)


def test_a_folder_of_other_things_is_not_filled_with_mnist(genuine, no_fetch):
    put(Path("photos"), {"cat.png": b"cat"})
    with pytest.raises(DataError, match="photos holds other files"):
        mnist.load("photos")


def test_the_default_folder_may_hold_other_things(genuine, fetched):
    put(Path("data"), {"README.md": b"what this is"})
    assert_is(mnist.load("data"), genuine, (20, 4, 5))


@pytest.mark.parametrize("folder", [None, "elsewhere"])
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_mnist_is_refused_and_left_alone(genuine, no_fetch, folder, name):
    content = bytearray(genuine[name])
    content[-1] ^= 1
    files = {**genuine, name: bytes(content)}
    path = put(Path(folder or "data"), files) / name
    with pytest.raises(DataError, match=f"{path} is not MNIST's .* delete it"):
        mnist.load(folder)
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=f"{path} is"):
        mnist.load(folder)
    assert path.read_bytes() == content[:-1]


def test_a_folder_with_nothing_of_mnist_is_the_users_own(rng, genuine, no_fetch):
    own = idx_files(rng, train=24, test=5)
    loaded = mnist.load(put(Path("own"), own))
    assert_is(loaded, own, (20, 4, 5))
    assert loaded.sha256 != mnist.load(put(Path("data"), genuine)).sha256


def test_own_files_may_have_any_count_and_size(rng, genuine, no_fetch):
    own = idx_files(rng, train=13, test=2, size=(9, 40))
    shapes = [split.images.shape for split in mnist.load(put(Path("own"), own))[:3]]
    assert shapes == [(11, 9, 40), (2, 9, 40), (2, 9, 40)]


@pytest.mark.parametrize("folder", ["data", "data/../data"])
def test_the_default_folder_is_for_mnist_alone(rng, genuine, no_fetch, folder):
    put(Path("data"), idx_files(rng))
    with pytest.raises(DataError, match="a folder other than data"):
        mnist.load(folder)


def test_own_files_must_be_all_four(rng, genuine, no_fetch):
    own = idx_files(rng)
    del own[NAMES[2]]
    with pytest.raises(DataError, match="give all four files"):
        mnist.load(put(Path("own"), own))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({NAMES[1]: idx_bytes(np.zeros(23, np.uint8))}, "24 images, but 23 labels"),
        ({NAMES[3]: idx_bytes(np.full(5, 10, np.uint8))}, "labels go up to 10"),
        ({NAMES[1]: idx_bytes(np.zeros((24, 1), np.uint8))}, "not an IDX file"),
        ({NAMES[2]: idx_bytes(np.zeros((5, 28, 27), np.uint8))}, "the same size"),
        ({NAMES[2]: idx_bytes(np.zeros((5, 0, 28), np.uint8))}, "no pixels"),
        (
            {
                NAMES[2]: idx_bytes(np.zeros((0, 28, 28), np.uint8)),
                NAMES[3]: idx_bytes(np.zeros(0, np.uint8)),
            },
            "no pixels",
        ),
    ],
)
def test_own_files_that_do_not_fit_together_are_refused(
    rng, genuine, no_fetch, changes, message
):
    put(Path("own"), idx_files(rng) | changes)
    with pytest.raises(DataError, match=message):
        mnist.load("own")


def save_npz(rng, count=15, **changes):
    images, labels = digits(rng, count)
    np.savez("own.npz", **{"images": images, "labels": labels, **changes})
    return images, labels


@pytest.mark.parametrize(
    ("count", "counts"), [(15, (11, 2, 2)), (7, (5, 1, 1)), (70, (50, 10, 10))]
)
def test_an_archive_is_cut_in_order_5_1_1(rng, genuine, no_fetch, count, counts):
    images, labels = save_npz(rng, count)
    loaded = mnist.load("own.npz")
    assert tuple(len(split.labels) for split in loaded[:3]) == counts
    assert all(map(np.array_equal, joined(loaded), (images, labels)))
    assert loaded.train.labels.dtype == np.uint8


def test_the_sum_names_images_labels_and_shapes(rng, genuine, no_fetch):
    images, labels = save_npz(rng)
    first = mnist.load("own.npz").sha256
    assert first == mnist.load("own.npz").sha256
    assert len(first) == 64
    other_image, other_label = images.copy(), labels.copy()
    other_image[14, 27, 27] ^= 1
    other_label[0] ^= 1
    sums = {first}
    for change in (
        {"images": other_image},
        {"labels": other_label},
        {"images": images.reshape(15, 14, 56)},
    ):
        save_npz(rng, **{"images": images, "labels": labels, **change})
        sums.add(mnist.load("own.npz").sha256)
    assert len(sums) == 4


def test_labels_must_fit_the_model(rng, genuine, no_fetch):
    save_npz(rng, labels=np.arange(15) % 12)
    with pytest.raises(DataError, match="up to 11, but the model has 10 classes"):
        mnist.load("own.npz")
    assert mnist.load("own.npz", num_classes=12).train.labels.max() == 10
    save_npz(rng, labels=np.arange(15) - 1)
    with pytest.raises(DataError, match="down to -1"):
        mnist.load("own.npz", num_classes=20)
    save_npz(rng, labels=np.full(15, 256))
    with pytest.raises(DataError, match="up to 256"):
        mnist.load("own.npz")


def test_too_few_examples_are_refused(rng, genuine, no_fetch):
    save_npz(rng, 6)
    with pytest.raises(DataError, match="too few"):
        mnist.load("own.npz")
    put(Path("own"), idx_files(rng, train=5, test=1))
    with pytest.raises(DataError, match="too few"):
        mnist.load("own")


def test_a_count_that_differs_is_refused(rng, genuine, no_fetch):
    save_npz(rng, labels=np.arange(10))
    with pytest.raises(DataError, match="15 images, but 10 labels"):
        mnist.load("own.npz")


def test_a_path_that_leads_nowhere_is_refused(genuine, no_fetch):
    with pytest.raises(DataError, match="no folder and no .npz"):
        mnist.load("mistyped.npz")
    assert os.listdir() == []


@pytest.mark.parametrize("data", ["file/below", "x" * 300, "loop", "own"])
def test_what_the_system_refuses_is_one_line(genuine, monkeypatch, data):
    Path("file").write_bytes(b"")
    Path("loop").symlink_to("loop")
    Path("own").mkdir()
    (Path("own") / NAMES[0]).symlink_to(NAMES[0])
    with pytest.raises(DataError) as caught:
        mnist.load(data, progress=False)
    assert "\n" not in str(caught.value)


def test_a_file_without_permission_is_one_line(rng, genuine, no_fetch, monkeypatch):
    save_npz(rng)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(mnist, "read_npz", refuse)
    with pytest.raises(DataError, match="cannot read own.npz: Permission denied"):
        mnist.load("own.npz")


def test_no_memory_is_taken_for_an_own_file_that_lies(rng, genuine, no_fetch):
    lying = bytes([0, 0, 8, 3]) + (1 << 11).to_bytes(4, "big") * 3
    put(Path("own"), idx_files(rng) | {NAMES[0]: lying + bytes(100)})
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="cut short"):
            mnist.load("own")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_the_sums_are_those_that_the_folder_data_documents():
    readme = Path(__file__).parents[2] / "data" / "README.md"
    rows = [line for line in readme.read_text().splitlines() if "ubyte |" in line]
    listed = {name: sums[1] for name, *sums in map(_cells, rows)}
    assert listed == mnist.SHA256


def _cells(row):
    return [cell.strip() for cell in row.strip("|").split("|")]


def fuzz(rng, count):
    save_npz(rng, 8, images=digits(rng, 8, (3, 2))[0])
    whole = Path("own.npz").read_bytes()
    own = put(Path("own"), idx_files(rng, 6, 1, (3, 2)))

    @settings(max_examples=count, deadline=None, database=None)
    @given(
        st.sampled_from(["own.npz", *(f"own/{name}" for name in NAMES)]),
        st.integers(0, len(whole) - 1),
        st.one_of(st.binary(max_size=4), st.just(None)),
    )
    def any_change_is_loaded_or_refused(name, place, change):
        before = Path(name).read_bytes()
        place %= len(before)
        if change is None:
            after = before[:place]
        else:
            after = before[:place] + change + before[place + len(change) :]
        Path(name).write_bytes(after)
        try:
            loaded = mnist.load("own.npz" if name == "own.npz" else own, False)
        except DataError as error:
            assert "\n" not in str(error)
        else:
            assert all(len(split.labels) for split in loaded[:3])
            assert max(split.labels.max() for split in loaded[:3]) < 10
        finally:
            Path(name).write_bytes(before)

    any_change_is_loaded_or_refused()


def test_changed_bytes_are_loaded_or_refused_in_one_line(rng, genuine, no_fetch):
    fuzz(rng, 300)


@pytest.mark.slow
def test_100_000_changes_are_loaded_or_refused_in_one_line(rng, genuine, no_fetch):
    fuzz(rng, 100_000)
