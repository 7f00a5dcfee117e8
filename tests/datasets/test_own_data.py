"""A user's own data: each common layout is read whole, or refused in one line."""

import gzip
import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ramnp.datasets import own_data
from ramnp.datasets.idx import idx_bytes
from ramnp.support.errors import DataError
from tests.helpers import mutated

BYTES = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
LABELS = np.arange(6)
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own.npz"


def saved(path, images=BYTES, labels=LABELS):
    np.savez(path, images=images, labels=labels)
    return path


def read_npz(path):
    """The images and labels for training."""
    return own_data.read(path).examples["train"]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_bytes_and_labels_come_back_as_they_are(path, save):
    """An array of another name is ignored."""
    save(path, images=BYTES, labels=LABELS, other="ignored")
    images, labels = read_npz(path)
    assert images.dtype == np.uint8
    assert np.array_equal(images, BYTES)
    assert np.array_equal(labels, LABELS)
    save(path, images=np.asfortranarray(BYTES), labels=LABELS)
    assert np.array_equal(read_npz(path)[0], BYTES)
    save(path, images=BYTES[:0], labels=1)
    assert [array.shape for array in read_npz(path)] == [(0, 4, 3), ()]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("images labels", ["train"]),
        ("x y", ["train"]),
        ("X Y", ["train"]),
        ("data target", ["train"]),
        ("arr_0 arr_1", ["train"]),
        ("x_train y_train x_test y_test", ["train", "test"]),
        ("train_images train_labels test_images test_labels", ["train", "test"]),
        ("X_train Y_train X_val Y_val X_test Y_test", ["train", "valid", "test"]),
    ],
)
def test_the_names_of_the_arrays_say_what_they_are(path, names, parts):
    """Those that other libraries and data sets use; the class names may be there, too."""
    pairs = [(BYTES + i, LABELS + i) for i in range(len(parts))]
    arrays = [array for pair in pairs for array in pair]
    np.savez(path, class_names=["zero", "one"], **dict(zip(names.split(), arrays)))
    found = own_data.read(path)
    assert [*found.examples] == parts or {*found.examples} == {*parts}
    for part, pair in zip(parts, pairs):
        assert all(map(np.array_equal, found.examples[part], pair))
    assert found.names == {0: "zero", 1: "one"}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": BYTES}, "must hold images and labels, .* but holds images"),
        ({"labels": LABELS}, "but holds labels"),
        ({"x_train": BYTES, "y_test": LABELS}, "but holds x_train, y_test"),
        ({"x_test": BYTES, "y_test": LABELS}, "must hold"),
        ({}, "but holds nothing"),
        ({"x": BYTES, "images": BYTES, "y": LABELS}, "images: x.npy, images.npy; keep"),
        ({"x": np.array([BYTES, 0], object), "y": LABELS}, ": x has .* text, all"),
    ],
)
def test_arrays_that_make_no_data_are_named(path, arrays, message):
    """What is expected and what is there."""
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message):
        read_npz(path)


def test_nothing_is_unpickled(path, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "pwned"),)

    saved(path, np.array([Hostile()], dtype=object))
    with pytest.raises(DataError):
        read_npz(path)
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(DataError):
        read_npz(path)
    assert not (tmp_path / "pwned").exists()


def npy(shape, dtype="|u1", data=b""):
    file = io.BytesIO()
    description = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)
    return file.getvalue() + data


def archived(path, images, method=STORED, claimed=None):
    """An archive with the member `images`; its directory may claim another size."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("labels.npy", npy((1,), data=b"\1"))
        archive.writestr("images.npy", images)
    if claimed is not None:
        content = bytearray(path.read_bytes())
        entry = content.rindex(b"PK\1\2")
        content[entry + 20 : entry + 28] = struct.pack("<2I", *claimed)
        path.write_bytes(content)
    return path


BOMB = npy((1 << 10, 1 << 10, 1 << 10)) + bytes(64 << 20)
LONG_HEADER = b"\x93NUMPY\2\0" + struct.pack("<I", 400 << 20) + bytes(64 << 20)
CASES = {
    "32 GiB in the header": ("states", npy((1 << 15, 1 << 10, 1 << 10))),
    "huge numbers in the header": ("states", npy((10**30, 10**30, 10**30))),
    "negative sizes": ("holds another number$", npy((-1, -1, 4), data=b"1234")),
    "2 GiB in header and directory": (
        "claims 2147483776 bytes",
        npy((2, 1 << 10, 1 << 20)),
        STORED,
        (2**31 + 128, 2**31 + 128),
    ),
    "1 GiB inflated": (
        "claims 1073741952 bytes, .* that may be read here; .* with numpy.savez$",
        BOMB,
        DEFLATED,
        (70_000, 2**30 + 128),
    ),
    "400 MiB in a few bytes": (
        "claims 419430528 bytes",
        npy((400, 1 << 10, 1 << 10)),
        DEFLATED,
        (100, (400 << 20) + 128),
    ),
    "a header of 400 MiB": ("not a plain array", LONG_HEADER, DEFLATED),
    "more data than claimed": ("damaged", BOMB, DEFLATED, (70_000, 1000)),
    "bzip2": ("never uses", npy((1, 2, 2), data=b"1234"), zipfile.ZIP_BZIP2),
    "lzma": ("never uses", npy((1, 2, 2), data=b"1234"), zipfile.ZIP_LZMA),
}


@pytest.mark.parametrize("case", CASES)
def test_false_claims_and_bombs_are_refused_before_memory_is_taken(path, case):
    message, *content = CASES[case]
    archived(path, *content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_every_cut_and_every_flipped_bit_of_the_arrays_is_refused(path):
    content = saved(path).read_bytes()
    for stop in range(len(content)):
        path.write_bytes(content[:stop])
        with pytest.raises(DataError):
            read_npz(path)
    start = content.index(BYTES.tobytes())
    for place in range(start, start + BYTES.size):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged"):
            read_npz(path)


def test_a_member_that_is_there_twice_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels.npy", npy((1,), data=b"\1"))
        archive.writestr("images.npy", npy((1, 2, 2), data=b"1234"))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("images.npy", npy((1, 2, 2), data=b"1234"))
    with pytest.raises(DataError, match="several arrays"):
        read_npz(path)


def archive_of(header, data, method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        size = struct.pack("<H", len(header))
        archive.writestr("images.npy", b"\x93NUMPY\1\0" + size + header + data)
        archive.writestr("labels.npy", npy((1,), data=b"\1"))
    return file.getvalue()


HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2), }\n"
METHODS = st.sampled_from([STORED, DEFLATED])


def fuzz(folder, count):
    path = folder / "fuzzed.npz"
    whole = [saved(path).read_bytes()]
    np.savez_compressed(path, images=BYTES / 255, labels=LABELS)
    whole.append(path.read_bytes())

    @settings(max_examples=count, deadline=None, database=None)
    @given(
        st.one_of(
            st.binary(),
            *map(mutated, whole),
            st.builds(archive_of, mutated(HEADER), st.binary(max_size=64), METHODS),
            st.builds(
                archive_of,
                st.just(HEADER),
                st.binary(min_size=16, max_size=16),
                METHODS,
            ),
        )
    )
    def any_bytes_are_read_or_refused(content):
        path.write_bytes(content)
        try:
            images, labels = read_npz(path)
        except DataError as error:
            assert "\n" not in str(error)
        except OSError:
            pass  # load makes one line of it
        else:
            assert {images.dtype.kind, labels.dtype.kind} <= {*"biufU"}

    any_bytes_are_read_or_refused()


def test_any_bytes_are_read_or_refused_in_one_line(tmp_path):
    fuzz(tmp_path, 300)


@pytest.mark.slow
def test_100_000_files_of_any_bytes_are_read_or_refused_in_one_line(tmp_path):
    fuzz(tmp_path, 100_000)


PIXELS = np.random.default_rng(3).integers(0, 256, (40, 25))
CLASSES = np.arange(40) % 4
PIXELS[:, [0, 24]] = 0  # background, as in most tables of images


def write_table(path, layout, classes=CLASSES, pixels=PIXELS):
    """Write a .csv: the class first or last, perhaps a header and an index."""
    places, delimiter = layout.split(), ";" if "semicolon" in layout else ","
    label, names = "label", [f"pixel{i}" for i in range(pixels.shape[1])]
    names = [*names, label] if "last" in places else [label, *names]
    rows = [names] if "header" in places else []
    for cls, row in zip(classes, pixels):
        rows.append([*row, cls] if "last" in places else [cls, *row])
    if "index" in places:
        rows = [["", *rows[0]], *([i, *row] for i, row in enumerate(rows[1:]))]
    path.write_text("".join(f"{delimiter.join(map(str, row))}\n" for row in rows))
    return path


@pytest.mark.parametrize(
    "layout",
    [
        "first header",
        "last header",
        "first",
        "last",
        "last semicolon",
        "first header index",
    ],
)
def test_a_table_has_the_class_first_or_last(tmp_path, layout):
    """With or without a header, with an index as pandas writes it, by commas or not."""
    path = write_table(tmp_path / "a.csv", layout)
    pixels, labels = own_data.read(path).examples["train"]
    assert np.array_equal(pixels, PIXELS) and pixels.dtype.kind == "i"
    assert np.array_equal(labels, CLASSES)


def test_a_table_may_hold_names_and_fractions(tmp_path):
    """Text is a class by its name, a fraction none; pixels from 0 to 1 stay floats."""
    names = np.array(["cat", "dog"])[CLASSES % 2]
    for fractions in (PIXELS / 256, PIXELS % 2):
        path = write_table(tmp_path / "a.csv", "last", names, fractions)
        pixels, labels = own_data.read(path).examples["train"]
        assert np.array_equal(pixels, fractions) and pixels.dtype == np.float32
        assert labels.tolist() == names.tolist()
    fractions = np.where(PIXELS[:, 1:5] < 128, 0.25, 0.5)
    write_table(path, "last", pixels=fractions)
    assert np.array_equal(own_data.read(path).examples["train"][0], fractions)


@pytest.mark.parametrize("index", ["", "id", "Index", "Unnamed: 0"])
def test_a_table_may_be_written_as_spreadsheets_do(tmp_path, index):
    """With a byte-order mark, an index, and quotes around text; here of a single row."""
    text = f'\ufeff"{index}","label","a","b"\n7,"cat, black",2,0\n'
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    pixels, labels = own_data.read(tmp_path / "a.csv").examples["train"]
    assert pixels.tolist() == [[2, 0]] and pixels.dtype.kind == "i"
    assert labels.tolist() == ["cat, black"]


def test_empty_lines_of_a_table_are_skipped(tmp_path):
    """Editors leave one at the end; NumPy's warning of it is no error."""
    (tmp_path / "a.csv").write_text("label,a,b\n1,2,3\n\n0,4,5\n\n")
    pixels, labels = own_data.read(tmp_path / "a.csv").examples["train"]
    assert pixels.tolist() == [[2, 3], [4, 5]] and labels.tolist() == [1, 0]


def test_a_single_name_of_a_class_is_a_name(tmp_path):
    """Not a list of its letters, nor a crash."""
    for names in ("cat", ["cat"]):
        np.savez(tmp_path / "a.npz", images=BYTES, labels=LABELS, class_names=names)
        assert own_data.read(tmp_path / "a.npz").names == {0: "cat"}


def test_classes_have_at_most_half_as_many_values_as_pixels():
    """Each character is the text in one row of a column."""
    assert own_data._label_of("01234567", "0123") == 1
    with pytest.raises(ValueError, match="^neither the first nor the last column"):
        own_data._label_of("0123456", "0123")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one image in each row"),
        ("label,a,b\n", "one image in each row"),
        ("label,a,b\n1,2\n", "row"),
        ("label,a,b\n1,2,x\n", "'x'"),
        ("1,2,3,4\n4,3,2,1\n", "csv: neither .*, so write .* without classes; give"),
        ("12,0,0,34567\n", 'write a header with "label"'),
        ("\x00\xff", "one image in each row"),
        ("label,a,b,c,d\n" + "1,2,3,4,5\n" * 9 + "1,2,3,4\n", "of 4 to 5 columns"),
        ("a,b,c,d\n" + "1,1,2,3,4\n2,4,3,2,1\n" * 9, "of 4 to 5 columns"),
        ("emotion,pixels\n" + "1,1 2 3 4\n" * 9, "one is needed for each pixel"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # as they may be outside of these tests
def test_a_table_of_other_things_is_one_line(tmp_path, text, message):
    """Empty, of rows that differ in length, of text, without a column for the class."""
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        own_data.read(tmp_path / "a.csv")
    assert "\n" not in str(error.value)


def test_a_table_in_another_encoding_is_one_line(tmp_path):
    """Its names would be others."""
    (tmp_path / "a.csv").write_bytes("label,a,b,c,d\nÜ,1,2,3,4\n".encode("latin-1"))
    with pytest.raises(DataError, match="not encoded in UTF-8: save it so"):
        own_data.read(tmp_path / "a.csv")


def test_no_table_of_a_folder_is_left_out_in_silence(tmp_path):
    """Two of one split, or one of none."""
    write_table(tmp_path / "none.csv", "first header")
    for name, others in (("train_2", "none.csv, train_1"), ("more", "more.csv, none")):
        write_table(tmp_path / "train_1.csv", "first header")
        write_table(tmp_path / f"{name}.csv", "first header")
        with pytest.raises(DataError, match=f"leave out {others}.csv$"):
            own_data.read(tmp_path)
        (tmp_path / f"{name}.csv").rename(tmp_path / "a.TSV")
        assert len(own_data.read(tmp_path / "a.TSV").examples["train"][1]) == 40


def test_a_folder_of_tables_and_the_names_beside_them(tmp_path):
    """As Kaggle publishes Fashion-MNIST; classes.txt, of any bytes, names the classes."""
    write_table(tmp_path / "fashion-mnist_train.csv", "first header")
    write_table(tmp_path / "fashion-mnist_test.csv", "first header", CLASSES[:8])
    text = b"\xef\xbb\xbfT-shirt\nTrouser \nPull\xffover\nDress\n"
    (tmp_path / "classes.txt").write_bytes(text)
    found = own_data.read(tmp_path)
    assert len(found.examples["train"][1]) == 40 and len(found.examples["test"][1]) == 8
    assert found.names == {0: "T-shirt", 1: "Trouser", 2: "Pull\ufffdover", 3: "Dress"}
    assert own_data.read(tmp_path / "fashion-mnist_train.csv").names == found.names


def put_pictures(folder, *classes, count=3):
    """Write pictures of one colour, another for each class."""
    for i, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for n in range(count):
            Image.new("L", (6, 5), 10 * i + n).save(folder / name / f"{n}.png")


def test_a_folder_of_folders_of_pictures(tmp_path):
    """Each folder is a class; other files are told, hidden ones ignored."""
    put_pictures(tmp_path, "cat", "dog")
    (tmp_path / "cat" / "notes.txt").write_text("fluffy")
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"")
    found = own_data.read(tmp_path)
    images, labels = found.examples["train"]
    assert images.shape == (6, 5, 6) and labels == ["cat"] * 3 + ["dog"] * 3
    assert images[:, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    kinds = ".bmp .gif .jpeg .jpg .png .ppm .tif .tiff .webp, in a folder for each"
    note = f"1 files in {tmp_path} are left out: pictures are {kinds} class"
    assert found.notes == (note,)
    images = own_data.read(tmp_path, (8, 9), 3).examples["train"][0]
    assert images.shape == (6, 8, 9, 3)


def test_pictures_may_come_in_splits(tmp_path):
    """train, test and valid hold a folder for each class; others are left out."""
    for part in ("train", "test", "val", "more"):
        put_pictures(tmp_path / part, "cat", "dog")
    found = own_data.read(tmp_path)
    assert {*found.examples} == {"train", "test", "valid"}
    assert found.examples["test"][1] == ["cat"] * 3 + ["dog"] * 3
    assert "6 files" in found.notes[0]
    put_pictures(tmp_path / "validation", "cat", "dog")
    with pytest.raises(DataError, match="two folders of one split .*val, validation"):
        own_data.read(tmp_path)


def test_a_class_may_be_called_as_a_split_is(tmp_path):
    """A folder train with pictures in it is a class beside others."""
    put_pictures(tmp_path, "train", "bus", "car")
    assert {*own_data.read(tmp_path).examples["train"][1]} == {"train", "bus", "car"}


def test_a_folder_too_high_up_is_not_one_class(tmp_path):
    """The right one is named; what a system adds is no class and no picture."""
    put_pictures(tmp_path / "photos", "cat", "dog")
    with pytest.raises(DataError, match=r"did you mean .*photos\?"):
        own_data.read(tmp_path)
    put_pictures(tmp_path / "photos" / "__MACOSX", "cat")
    (tmp_path / "photos" / "cat" / "._0.png").write_bytes(b"no picture")
    (tmp_path / "photos" / "cat" / "folder.png").mkdir()
    found = own_data.read(tmp_path / "photos")
    assert {*found.examples["train"][1]} == {"cat", "dog"} and found.notes == ()


@pytest.mark.parametrize("name", ["cat", "empty", "a.txt"])
def test_what_holds_no_data_is_told_what_does(tmp_path, name):
    """A folder of one class, an empty one, a file of another kind."""
    put_pictures(tmp_path, "cat")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match="one folder of pictures for each class"):
        own_data.read(tmp_path / name)


def put_idx(folder, train="train-{}-idx{}-ubyte", test="t10k-{}-idx{}-ubyte"):
    """Write a set of IDX files under names of this pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern, count in ((train, 6), (test, 3)):
        for what, ndim, array in (
            ("images", 3, BYTES),
            ("labels", 1, LABELS.astype("u1")),
        ):
            content = idx_bytes(array[:count])
            name = pattern.format(what, ndim)
            content = gzip.compress(content) if name.endswith(".gz") else content
            (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("place", ["", "raw", "MNIST/raw"])
@pytest.mark.parametrize("dot", ["-", "."])
def test_idx_files_under_every_name_they_are_published_by(tmp_path, place, dot):
    """Dotted, packed or plain, in a folder raw as PyTorch makes it."""
    put_idx(
        tmp_path / place,
        f"train-{{}}{dot}idx{{}}-ubyte",
        f"t10k-{{}}{dot}idx{{}}-ubyte.gz",
    )
    examples = own_data.read(tmp_path).examples
    for part, count in (("train", 6), ("test", 3)):
        assert np.array_equal(examples[part][0], BYTES[:count])
        assert np.array_equal(examples[part][1], LABELS[:count])


def test_emnist_is_put_upright_and_has_its_letters(tmp_path):
    """Its files hold columns as rows; several sets lie in one folder."""
    for name in ("letters", "digits"):
        pattern = f"emnist-{name}-{{part}}-{{{{}}}}-idx{{{{}}}}-ubyte.gz"
        put_idx(tmp_path, pattern.format(part="train"), pattern.format(part="test"))
    (tmp_path / "emnist-letters-mapping.txt").write_bytes(b"1 65 97\n2 66 98\n\xff")
    found = own_data.read(tmp_path / "emnist-letters")
    assert np.array_equal(found.examples["train"][0], BYTES.swapaxes(1, 2))
    assert found.names == {1: "A", 2: "B"}
    note = "EMNIST is published with rows and columns exchanged: put upright"
    assert found.notes == (note,) and len(found.sums) == 4
    with pytest.raises(
        DataError, match=r"several sets .*emnist-digits, .*emnist-letters"
    ):
        own_data.read(tmp_path)


@pytest.mark.parametrize(
    "missing", ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"]
)
def test_an_idx_file_that_lacks_is_named(tmp_path, missing):
    """The others are not called damaged for it."""
    (put_idx(tmp_path) / missing).unlink()
    with pytest.raises(DataError, match=f"^{tmp_path} lacks the file {missing}: add"):
        own_data.read(tmp_path)
