"""Loading: the right digits in the right splits, or one line that says what to do."""

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ramnp.datasets import mnist
from ramnp.datasets.idx import idx_bytes
from ramnp.support.errors import DataError

NAMES = tuple(mnist.SHA256)
LETTERS = "abcdefghijklmnopqrstu"  # 21


def digits(rng, count, size=(28, 28)):
    """As many images with a bright bar, and labels."""
    images = rng.integers(0, 60, (count, *size), np.uint8)
    images[:, size[0] // 4, 1:-1] = 255
    return images, rng.integers(0, 10, count, np.uint8)


def idx_files(rng, train=24, test=5, size=(28, 28)):
    arrays = *digits(rng, train, size), *digits(rng, test, size)
    return {name: idx_bytes(array) for name, array in zip(NAMES, arrays)}


def in_order_digest(files, valid=4):
    """The SHA-256 of the splits of IDX files, cut in order."""
    train_images, train_labels, test_images, test_labels = (
        np.frombuffer(files[name], np.uint8, offset=8 if "labels" in name else 16)
        for name in NAMES
    )
    train = mnist.Split(train_images.reshape(-1, 28, 28), train_labels)
    test = mnist.Split(test_images.reshape(-1, 28, 28), test_labels)
    return mnist.digest(*mnist.cut(train, valid), test)


def put(folder, files):
    folder.mkdir(exist_ok=True, parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def genuine(rng, tmp_path, monkeypatch):
    """Small files that count as MNIST's, and an empty place to start from."""
    files = idx_files(rng)
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in files}
    monkeypatch.setattr(mnist, "SHA256", sums)
    monkeypatch.setattr(mnist, "DIGEST", in_order_digest(files))
    monkeypatch.delenv("RAMNP_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("data/trained").mkdir(parents=True)  # what makes it a checkout
    return files


@pytest.fixture
def fetched(genuine, monkeypatch):
    """The names that were fetched, from a source that has them all, with progress?"""
    fetched = []

    def fetch(folder, sums, progress):
        assert sums == {name: mnist.SHA256[name] for name in sums}
        put(folder, {name: genuine[name] for name in sums})
        fetched.extend((name, progress) for name in sums)

    monkeypatch.setattr(mnist, "fetch", fetch)
    return fetched


@pytest.fixture
def no_fetch(genuine, monkeypatch):
    monkeypatch.setattr(mnist, "fetch", lambda *args: pytest.fail("fetched"))


def joined(loaded):
    """All images and labels of the three splits, in order."""
    splits = loaded[:3]
    return [np.concatenate([split[i] for split in splits]) for i in range(2)]


def assert_same_examples(loaded, images, labels):
    """Each image is there once, with its label."""
    found_images, found_labels = joined(loaded)
    places = {image.tobytes(): i for i, image in enumerate(images)}
    index = [places[image.tobytes()] for image in found_images]
    assert sorted(index) == [*range(len(images))]
    assert np.array_equal(found_labels, labels[index])


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
    assert fetched == [(name, True) for name in NAMES]
    loaded = mnist.load()
    assert_is(loaded, genuine, (20, 4, 5))
    assert mnist.is_mnist(loaded.sha256) and loaded.path is None
    assert len(fetched) == 4
    assert {path.name for path in Path("data").iterdir()} == {*NAMES, "trained"}


def test_the_digits_that_come_with_the_project_need_no_download(no_fetch):
    """A file or folder of that name comes first."""
    digits = mnist.load("digits")
    assert [len(split.labels) for split in digits[:3]] == [5000, 1000, 1000]
    assert Path(digits.path).is_file()
    Path("digits").mkdir()
    with pytest.raises(DataError, match="^digits holds no data"):
        mnist.load("digits")


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_missing_is_fetched(genuine, fetched, name):
    put(Path("data"), {other: genuine[other] for other in NAMES if other != name})
    assert_is(mnist.load("data", progress=False), genuine, (20, 4, 5))
    assert fetched == [(name, False)]


def test_the_default_folder_is_the_variables_the_checkouts_or_the_cache(
    genuine, fetched, monkeypatch
):
    assert mnist.default_folder() == Path("data")
    monkeypatch.setenv("RAMNP_DATA", "elsewhere/mnist")
    assert_is(mnist.load(), genuine, (20, 4, 5))
    assert {path.name for path in Path("elsewhere/mnist").iterdir()} == {*NAMES}
    monkeypatch.delenv("RAMNP_DATA")
    Path("data/trained").rmdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path("cache").absolute()))
    assert mnist.default_folder() == Path("cache/ramnp").absolute()
    put(Path("data"), genuine)
    assert mnist.default_folder() == Path("data")


def test_files_put_there_by_hand_may_be_packed_or_not(genuine, no_fetch):
    files = {f"{name}.gz": gzip.compress(genuine[name], 1) for name in NAMES[:2]}
    files |= {name: genuine[name] for name in NAMES[2:]}
    put(Path("data"), files)
    assert_is(mnist.load(), genuine, (20, 4, 5))


@pytest.mark.parametrize("form", ["MNIST/raw", "mnist.npz"])
def test_mnist_is_recognised_in_other_forms(genuine, no_fetch, form):
    if form == "mnist.npz":
        arrays = [
            mnist.own_data.read_idx(path, 3 if "idx3" in path.name else 1)[0]
            for path in map(put(Path("files"), genuine).joinpath, NAMES)
        ]
        names = "x_train", "y_train", "x_test", "y_test"
        np.savez(form, **dict(zip(names, arrays)))
    else:
        put(Path(form), genuine)
    loaded = mnist.load(form.removesuffix("/raw"))
    assert_is(loaded, genuine, (20, 4, 5))
    assert mnist.is_mnist(loaded.sha256)


@pytest.mark.parametrize("path", ["new", "a/new", "mine.cvs", "phots", "photos/a.pgn"])
def test_nothing_is_fetched_for_a_path_that_the_user_names(genuine, no_fetch, path):
    put(Path("photos"), {"a.png": b"cat"})
    put(Path(), {"mine.csv": b""})
    near = {"mine.cvs": "mine.csv", "phots": "photos", "photos/a.pgn": "photos/a.png"}
    hint = f"did you mean {near[path]}?" if path in near else "check the path"
    before = sorted(Path().rglob("*"))
    with pytest.raises(DataError) as caught:
        mnist.load(path)
    assert str(caught.value) == (
        f"the data {path} does not exist: {hint} (MNIST needs no --data; to keep it in "
        "another folder, set RAMNP_DATA)"
    )
    assert sorted(Path().rglob("*")) == before


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
    advice = "delete it to have it fetched again into data; .*, without MNIST's files"
    with pytest.raises(DataError, match=f"^{path} is not MNIST's .*: {advice}$"):
        mnist.load(folder)
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=f"{path} is"):
        mnist.load(folder)
    assert path.read_bytes() == content[:-1]


def test_a_folder_with_nothing_of_mnist_is_the_users_own(rng, genuine, no_fetch):
    own = idx_files(rng, train=60, test=5)
    loaded = mnist.load(put(Path("own"), own))
    assert [len(split.labels) for split in loaded[:3]] == [50, 10, 5]
    assert loaded.test.images.tobytes() == own[NAMES[2]][16:]
    images = np.frombuffer(own[NAMES[0]], np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(own[NAMES[1]], np.uint8, offset=8)
    test = loaded.test
    assert_same_examples(
        loaded, np.append(images, test.images, 0), np.append(labels, test.labels)
    )
    assert not mnist.is_mnist(loaded.sha256)


def test_own_files_may_have_any_count_and_size(rng, genuine, no_fetch):
    """And a name in front, which tells one set from others in its folder."""
    own = idx_files(rng, train=32, test=2, size=(9, 40))
    put(Path("own"), {f"mine-{name}": own[name] for name in NAMES})
    shapes = [split.images.shape for split in mnist.load("own/mine")[:3]]
    assert shapes == [(27, 9, 40), (5, 9, 40), (2, 9, 40)]


@pytest.mark.parametrize("folder", ["data", "data/../data"])
def test_the_default_folder_is_for_mnist_alone(rng, genuine, no_fetch, folder):
    put(Path("data"), idx_files(rng))
    with pytest.raises(DataError, match="a separate folder"):
        mnist.load(folder)


def test_own_files_must_be_all_four(rng, genuine, no_fetch):
    own = idx_files(rng)
    del own[NAMES[2]]
    with pytest.raises(DataError, match=f"lacks the file {NAMES[2]}"):
        mnist.load(put(Path("own"), own))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({NAMES[1]: idx_bytes(np.zeros(23, np.uint8))}, "60 images, but 23 labels"),
        ({NAMES[3]: idx_bytes(np.full(5, 10, np.uint8))}, "test images of class 10"),
        ({NAMES[1]: idx_bytes(np.zeros((60, 1), np.uint8))}, "not an IDX file"),
        (
            {NAMES[2]: idx_bytes(np.zeros((5, 28, 27), np.uint8))},
            "images of 28 x 27 and 28 x 28 pixels: .*, or choose one by --size H W$",
        ),
        ({NAMES[2]: idx_bytes(np.zeros((5, 0, 28), np.uint8))}, "shape"),
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
    put(Path("own"), idx_files(rng, train=60) | changes)
    with pytest.raises(DataError, match=message):
        mnist.load("own")


def save_npz(rng, count=28, **changes):
    images, labels = digits(rng, count)
    labels = np.arange(count) % 4  # by class, four of them
    np.savez("own.npz", **{"images": images, "labels": labels, **changes})
    return images, changes.get("labels", labels)


def test_splits_that_the_data_name_are_kept(rng):
    """None of their images changes sides, and all count for the SHA-256."""
    splits = {
        name: mnist.Split(*digits(rng, count))
        for name, count in (("train", 20), ("valid", 9), ("test", 8))
    }
    loaded = mnist._split(splits, tuple("0123456789"), ())
    assert all(getattr(loaded, name) is split for name, split in splits.items())
    assert loaded.sha256 == mnist.digest(*splits.values())


def test_a_sixth_of_the_training_digits_is_for_validation(rng, genuine, monkeypatch):
    """The last sixth, in order: 30 digits are cut into 25 and 5."""
    files = idx_files(rng, 30, 7)
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in files}
    monkeypatch.setattr(mnist, "SHA256", sums)
    monkeypatch.setattr(mnist, "DIGEST", in_order_digest(files, valid=5))
    put(Path("data"), files)
    assert_is(mnist.load(), files, (25, 5, 7))


@pytest.mark.parametrize(
    ("count", "counts"), [(15, (11, 2, 2)), (28, (20, 4, 4)), (70, (50, 10, 10))]
)
def test_an_archive_is_split_at_random_5_1_1(rng, genuine, no_fetch, count, counts):
    """PITFALLS: what lies sorted by class gives every class to every split."""
    labels = np.sort(np.arange(count) % 4)
    images, labels = save_npz(rng, count, labels=labels)
    loaded = mnist.load("own.npz")
    assert tuple(len(split.labels) for split in loaded[:3]) == counts
    assert_same_examples(loaded, images, labels)
    assert {*loaded.train.labels} == {0, 1, 2, 3}
    if count >= 28:
        assert all({*split.labels} == {0, 1, 2, 3} for split in loaded[:3])
    assert loaded.sha256 == mnist.load("own.npz").sha256


def test_a_run_begun_on_splits_in_order_gets_them(rng, genuine, no_fetch):
    """Their SHA-256 tells; labels are as they were, gaps included."""
    images, labels = save_npz(rng, 20, labels=np.arange(20) % 3 * 2)
    parts = [slice(16), slice(16, 18), slice(18, 20)]
    old = [mnist.Split(images[part], labels[part].astype(np.uint8)) for part in parts]
    sha256 = mnist.digest(*old)
    loaded = mnist.load("own.npz", sha256=sha256)
    assert loaded.sha256 == sha256
    assert loaded.path == str(Path("own.npz").absolute())
    for split, expected in zip(loaded, old):
        assert all(map(np.array_equal, split, expected))
    assert loaded.class_names == ("0", "1", "2", "3", "4")
    again = mnist.load("own.npz")
    assert mnist.load("own.npz", sha256=again.sha256).class_names == ("0", "2", "4")
    # In a byte, 256 would be 0.
    np.savez("own.npz", images=images, labels=np.where(labels, labels, 256))
    assert mnist.load("own.npz", sha256=sha256).class_names == ("2", "4", "256")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.arange(28) % 4 + 1, "1 2 3 4"),
        (np.arange(28) % 2 * 2 - 1, "-1 1"),
        (np.array(["dog", "cat"])[np.arange(28) % 2], "cat dog"),
        (np.array(["n10", "n9", "n9a"])[np.arange(28) % 3], "n9 n9a n10"),
        (np.array(["10", "2"])[np.arange(28) % 2], "2 10"),
    ],
)
def test_classes_are_the_labels_of_the_training_images(
    rng, genuine, no_fetch, labels, names
):
    """Whatever they are called; numbers in names are sorted as numbers."""
    images, _ = save_npz(rng, labels=labels)
    loaded = mnist.load("own.npz")
    assert loaded.class_names == tuple(names.split())
    texts = np.array(list(map(str, labels.tolist())))
    index = np.array([loaded.class_names.index(text) for text in texts])
    assert_same_examples(loaded, images, index)


def test_classes_have_the_names_that_the_data_give_them(rng, genuine, no_fetch):
    """A class without a name is called as its label."""
    save_npz(rng, class_names=["cat", "", "dog"])
    assert mnist.load("own.npz").class_names == ("cat", "1", "dog", "3")


@pytest.mark.parametrize(("count", "dtype"), [(256, "u1"), (257, "u2"), (300, "u2")])
def test_300_classes_are_300_classes(genuine, no_fetch, count, dtype):
    """No label is cut to a byte, but each is one if that suffices."""
    labels = np.arange(7 * count) % count
    images = np.zeros((7 * count, 5, 5), np.uint8)
    images[:, 0, 0], images[:, 0, 1], images[:, 1, 1] = labels // 256, labels % 256, 255
    np.savez("own.npz", images=images, labels=labels)
    loaded = mnist.load("own.npz")
    assert len(loaded.class_names) == count
    for split in loaded[:3]:
        written = split.images[:, 0, 0].astype(int) * 256 + split.images[:, 0, 1]
        assert np.array_equal(split.labels, written) and split.labels.dtype == dtype
    assert loaded.train.labels.max() == count - 1


def test_a_class_that_training_lacks_is_refused_and_a_rare_one_told(
    rng, genuine, no_fetch
):
    images, _ = digits(rng, 30)
    pairs = {"x_train": images, "y_train": np.arange(30) % 3}
    np.savez("own.npz", x_test=images[:4], y_test=np.array([0, 1, 2, 3]), **pairs)
    message = r"test images of class 3, .* \(0, 1, 2\): .* of it, or leave it out"
    with pytest.raises(DataError, match=f"^own.npz: {message}$"):
        mnist.load("own.npz")
    save_npz(rng, labels=np.where(np.arange(28) == 20, 7, np.arange(28) % 2))
    loaded = mnist.load("own.npz")
    assert "7 (1)" in loaded.notes[-1] and 2 in loaded.train.labels


@pytest.mark.parametrize(
    ("names", "listed"),
    [(None, "0"), ([], "missing"), ([*LETTERS, "a"], ", ".join(LETTERS[:20]))],
)
def test_classes_are_two_or_more_that_differ(rng, genuine, no_fetch, names, listed):
    save_npz(rng, labels=np.zeros(28, int))
    message = f"the names of the classes are {listed}: give two or more that differ"
    with pytest.raises(DataError, match=f"^own.npz: {message}$"):
        mnist.load("own.npz", class_names=names)


def test_the_classes_of_an_agent_number_other_data(rng, genuine, no_fetch):
    """Names decide, not the order of the labels there; at most 20 are listed."""
    save_npz(rng, labels=np.array(["cat", "dog"])[np.arange(28) % 2])
    loaded = mnist.load("own.npz", class_names=("dog", "bird", "cat", *LETTERS[1:]))
    assert {*loaded.train.labels} == {0, 2}
    rare = ", ".join(f"{name} (0)" for name in ("bird", *LETTERS[1:20]))
    note = f"classes with hardly any training images: {rare}; give more"
    assert loaded.notes == (note,)
    listed = ", ".join(("dog", *LETTERS[:19]))
    with pytest.raises(DataError, match=rf"class cat, .* learn \({listed}\): add"):
        mnist.load("own.npz", class_names=("dog", *LETTERS))


def test_images_are_inverted_resized_and_given_colour(rng, genuine, no_fetch):
    images, labels = save_npz(rng)
    assert_same_examples(mnist.load("own.npz", invert=True), 255 - images, labels)
    loaded = mnist.load("own.npz", size=(14, 20), channels=3)
    assert loaded.train.images.shape == (20, 14, 20, 3)
    assert loaded.notes == (
        "train images of 28 x 28 pixels are resized to 14 x 20",
        "the images are grey, so their channels are equal: --channels 1 trains faster",
    )


def test_what_became_of_colour_is_told_once(rng, genuine, no_fetch):
    """Turned grey unless it is asked for; asked for where there is none; of pictures."""
    images, labels = digits(rng, 28)
    coloured = np.stack([images, images // 2, images // 3], axis=3)
    np.savez(
        "own.npz", x_train=coloured, y_train=labels, x_test=coloured, y_test=labels
    )
    note, *rest = mnist.load("own.npz").notes
    assert note == "images in colour are turned grey: --channels 3 trains in colour"
    loaded = mnist.load("own.npz", channels=3)
    assert [*loaded.notes] == rest and np.array_equal(loaded.test.images, coloured)
    for grey in (images, np.stack([images] * 3, axis=3)):
        np.savez("own.npz", images=grey, labels=labels)
        assert not any("grey" in note for note in mnist.load("own.npz").notes)
        assert (
            "--channels 1 trains faster" in mnist.load("own.npz", channels=3).notes[0]
        )
    for i, image in enumerate(coloured):
        Image.fromarray(image).save(put(Path(f"photos/{i % 2}"), {}) / f"{i}.png")
    loaded = mnist.load("photos", size=(14, 20), channels=3)
    note = "pictures of 28 x 28 pixels are resized to 14 x 20 (choose by --size H W)"
    assert loaded.notes == (note,) and loaded.train.images.shape[1:] == (14, 20, 3)


def test_what_looks_wrong_is_noted(rng, genuine, no_fetch):
    images, _ = digits(rng, 28)
    save_npz(rng, images=255 - images)
    assert mnist.load("own.npz").notes[0].endswith("dark ink on white, use --invert")
    assert mnist.load("own.npz", invert=True).notes == ()
    save_npz(rng)
    (note,) = mnist.load("own.npz", invert=True).notes
    assert note.endswith("white ink on black, leave out --invert")
    save_npz(rng, images=images / 255 / 255)
    with pytest.raises(DataError, match=r"own\.npz: pixels .* only once"):
        mnist.load("own.npz")


def test_test_images_unlike_the_training_images_are_told(rng, genuine, no_fetch):
    """By the name of their part; without any contrast they are refused."""
    images, labels = digits(rng, 28)
    images[:] = 0
    images[:, 9:19, 9:19] = 250
    arrays = {"x_train": images, "y_train": labels, "y_test": labels}
    np.savez("own.npz", **arrays, x_test=255 - images)
    assert any(
        note.startswith("test images: the background is 255 of 255")
        for note in mnist.load("own.npz").notes
    )
    np.savez("own.npz", **arrays, x_test=images // 250)
    with pytest.raises(DataError, match="test images: pixels as bytes only go from 0"):
        mnist.load("own.npz")


def test_too_few_examples_are_refused(rng, genuine, no_fetch):
    save_npz(rng, 6)
    message = "too few examples .*: give at least 7, and several of each class"
    with pytest.raises(DataError, match=f"^own.npz: {message}$"):
        mnist.load("own.npz")
    put(Path("own"), idx_files(rng, train=5, test=1))
    with pytest.raises(DataError, match=r"too few|not one of"):
        mnist.load("own")


def test_a_count_that_differs_is_refused(rng, genuine, no_fetch):
    save_npz(rng, labels=np.arange(10))
    message = "28 images, but 10 labels: give one label for each image"
    with pytest.raises(DataError, match=f"^own.npz: {message}$"):
        mnist.load("own.npz")


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
        raise PermissionError(13, "Permission denied", "labels.npy")

    monkeypatch.setattr(mnist.own_data, "_read_npz", refuse)
    message = "Permission denied; check the path and its permissions"
    with pytest.raises(DataError, match=f"^cannot read labels.npy: {message}$"):
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
    save_npz(rng, 9, images=digits(rng, 9, (3, 2))[0], labels=np.arange(9) % 2)
    whole = Path("own.npz").read_bytes()
    own = put(Path("own"), idx_files(rng, 24, 1, (3, 2)))

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
            assert loaded.train.labels.max() == len(loaded.class_names) - 1
        finally:
            Path(name).write_bytes(before)

    any_change_is_loaded_or_refused()


def test_changed_bytes_are_loaded_or_refused_in_one_line(rng, genuine, no_fetch):
    fuzz(rng, 300)


@pytest.mark.slow
def test_100_000_changes_are_loaded_or_refused_in_one_line(rng, genuine, no_fetch):
    fuzz(rng, 100_000)
