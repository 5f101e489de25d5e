"""Every way in which the data can be missing or wrong, driven through the real loader."""

import dataclasses
import gzip
import hashlib
import http.server
import json
import os
import random
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from IPython.display import ProgressBar

from helpers import data, load_images
from tests.quick_run import HANG

NAME = "fashion-mnist"
IMAGES = "train-images-idx3-ubyte.gz"
SPLITS = ("train", "valid", "test")


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return gzip.compress(header + array.tobytes(), mtime=0)


def small_files():
    """A data set in the published format: 24 training and 4 test images of noise."""
    rng = np.random.default_rng(0)
    counts = (24, 24, 4, 4)
    shapes = ((28, 28), (), (28, 28), ())
    highs = (256, 10, 256, 10)
    return {
        file: idx(rng.integers(0, high, (count, *shape), dtype=np.uint8))
        for file, count, shape, high in zip(
            data.DATA_SETS[NAME].files, counts, shapes, highs, strict=True
        )
    }


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the files in a way that the URL's folder names."""

    def do_GET(self):
        way, file = self.path.strip("/").split("/")
        self.server.asked.append(f"{way}/{file}")
        content = self.server.files[file]
        if way == "absent":
            return self.send_error(404)
        if way == "silent":
            self.server.over.wait(HANG)  # no answer
        if way == "meeting":
            self.server.meeting.wait(HANG)
        sent = {
            "wrong": content[:-1] + bytes([content[-1] ^ 1]),
            "truncated": content[: len(content) // 2],
            "cut": content[: len(content) // 2],
            "half": content if file == IMAGES else b"",
        }.get(way, content)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content if way == "cut" else sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files = small_files()
        server.meeting, server.over = threading.Barrier(2), threading.Event()
        server.handle_error = lambda *args: None  # a client that gives up is part of the test
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


urlopen = urllib.request.urlopen


def ask(url, *, timeout):
    """Give a silent host up soon, and one that answers never, however slow the machine is."""
    return urlopen(url, timeout=0.2 if "/silent/" in url else timeout)


@pytest.fixture
def world(server, tmp_path, monkeypatch):
    """The small data set in the real one's place, an empty cache, and hosts to choose."""
    server.asked = []
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(data, "_fallback", False)
    monkeypatch.setattr(data, "TIMEOUT", HANG)
    monkeypatch.setattr(urllib.request, "urlopen", ask)

    class World:
        files = server.files
        asked = server.asked
        cache = tmp_path / "keras" / "datasets" / NAME

        def hosts(self, *ways):
            port = server.server_port
            small = dataclasses.replace(
                data.DATA_SETS[NAME],
                hosts=tuple(f"http://127.0.0.1:{port}/{way}/" for way in ways),
                files={
                    file: (len(content), hashlib.sha256(content).hexdigest())
                    for file, content in server.files.items()
                },
            )
            monkeypatch.setitem(data.DATA_SETS, NAME, small)

        def fill(self, folder):
            folder.mkdir(parents=True)
            for file, content in server.files.items():
                (folder / file).write_bytes(content)
            return folder

        def assert_cache_is_whole(self):
            found = {path.name: path.read_bytes() for path in self.cache.iterdir()}
            assert found == server.files

    world = World()
    world.hosts("good")
    return world


def assert_small(images):
    assert not images.is_fallback
    assert not data.fallback_in_use()
    assert images.name == NAME
    assert images.class_names[9] == "Ankle boot"
    assert [len(getattr(images, f"x_{split}")) for split in SPLITS] == [22, 2, 4]
    assert [len(getattr(images, f"y_{split}")) for split in SPLITS] == [22, 2, 4]


def assert_fallback(images, printed, *reasons):
    assert images.is_fallback
    assert data.fallback_in_use()
    sentence = printed.splitlines()[-1]
    assert sentence.startswith("NOT THE BOOK'S DATA: ")
    for words in (*reasons, "internet connection", "FASHION_MNIST_DIR"):
        assert words in sentence


def test_a_download_is_whole_scaled_and_split(world, capsys):
    images = load_images()
    assert_small(images)
    world.assert_cache_is_whole()
    assert capsys.readouterr().out == "Downloading Fashion-MNIST, 0.022 MB.\n"
    raw = np.frombuffer(gzip.decompress(world.files[IMAGES]), np.uint8, offset=16)
    x = np.concatenate([images.x_train, images.x_valid])
    np.testing.assert_array_equal(x.ravel(), raw.astype("float32") / 255)
    labels = np.frombuffer(
        gzip.decompress(world.files["train-labels-idx1-ubyte.gz"]), np.uint8, offset=8
    )
    np.testing.assert_array_equal(np.concatenate([images.y_train, images.y_valid]), labels)
    for split in SPLITS:
        assert getattr(images, f"x_{split}").dtype == np.float32
        assert getattr(images, f"y_{split}").dtype == np.uint8


def test_a_second_load_is_silent_and_offline(world, capsys):
    load_images()
    world.asked.clear()
    capsys.readouterr()
    assert_small(load_images())
    assert world.asked == []
    assert capsys.readouterr().out == ""


def test_images_cannot_be_changed_by_accident(world):
    images = load_images()
    with pytest.raises(ValueError, match="read-only"):
        images.x_train[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        images.y_test[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        images.x_train = None


@pytest.mark.parametrize("way", ["absent", "wrong", "truncated", "cut", "silent", "half"])
def test_the_mirror_helps_when_the_first_host_fails(world, way):
    world.hosts(way, "good")
    assert_small(load_images())
    world.assert_cache_is_whole()
    # A host that has failed once is not asked again, nor is a file fetched twice.
    assert world.asked.count(f"{way}/{IMAGES}") == 1
    assert len(world.asked) == 5


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("absent", "Not Found"),
        ("wrong", "SHA-256"),
        ("truncated", "incomplete"),
        ("cut", "incomplete"),
        ("silent", "timed out"),
    ],
)
def test_the_fallback_steps_in_when_every_host_fails(world, capsys, way, reason):
    world.hosts(way, way)
    assert_fallback(load_images(), capsys.readouterr().out, IMAGES, reason)
    assert not world.cache.exists()


def test_the_fallback_steps_in_without_a_network(world, capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    hosts = (f"http://127.0.0.1:{port}/",)
    small = dataclasses.replace(data.DATA_SETS[NAME], hosts=hosts)
    monkeypatch.setitem(data.DATA_SETS, NAME, small)
    assert_fallback(load_images(), capsys.readouterr().out, "Connection refused", str(world.cache))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(path.read_bytes()[::-1]),
        lambda path: path.unlink(),
    ],
    ids=["truncated", "corrupted", "missing"],
)
def test_a_damaged_or_missing_file_in_the_cache_is_replaced(world, damage):
    world.fill(world.cache)
    damage(world.cache / IMAGES)
    assert_small(load_images())
    assert world.asked == [f"good/{IMAGES}"]
    world.assert_cache_is_whole()


def test_a_damaged_file_that_cannot_be_replaced_is_named(world, capsys):
    world.hosts("absent")
    world.fill(world.cache)
    (world.cache / IMAGES).write_bytes(b"half")
    faults = (f"{world.cache / IMAGES}: the file is incomplete", "4 bytes", "Not Found")
    assert_fallback(load_images(), capsys.readouterr().out, *faults)


@pytest.mark.parametrize("obstacle", ["KERAS_HOME is a file", "a folder has a file's name"])
def test_a_read_only_cache_keeps_the_download_in_memory(world, capsys, obstacle):
    # Not by permissions, which do not stop root.
    if obstacle == "KERAS_HOME is a file":
        Path(os.environ["KERAS_HOME"]).write_text("")
    else:
        (world.cache / IMAGES).mkdir(parents=True)
    assert_small(load_images())
    printed = capsys.readouterr().out
    assert printed.count("serves this run only") == 1
    assert str(world.cache) in printed
    assert "set KERAS_HOME to a folder that can be written" in printed


def test_nothing_half_written_is_left_behind(world, capsys, monkeypatch):
    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert_small(load_images())
    assert "No space left on device" in capsys.readouterr().out
    assert list(world.cache.iterdir()) == []


def test_two_processes_at_once_share_one_cache(world):
    world.hosts("meeting")  # sends a file when both have asked for it
    code = (
        "import dataclasses, json, sys\n"
        "from helpers import data\n"
        f"data.TIMEOUT = {HANG}; name, small = json.loads(sys.argv[1])\n"
        "data.DATA_SETS[name] = dataclasses.replace(data.DATA_SETS[name], **small)\n"
        "print(data.load_images().is_fallback)\n"
    )
    small = data.DATA_SETS[NAME]
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-c", code),
                json.dumps([NAME, {"hosts": small.hosts, "files": small.files}]),
            ],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        printed = process.communicate(timeout=HANG)[0]
        assert printed == "Downloading Fashion-MNIST, 0.022 MB.\nFalse\n"
    world.assert_cache_is_whole()


def test_a_chosen_folder_is_read_and_never_written(world, monkeypatch, tmp_path, capsys):
    folder = world.fill(tmp_path / "chosen")
    monkeypatch.setenv("FASHION_MNIST_DIR", str(folder))
    assert_small(load_images())
    assert world.asked == []
    assert not world.cache.exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:50]), "incomplete"),
        (lambda path: path.write_bytes(path.read_bytes()[::-1]), "SHA-256"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    ],
)
def test_a_fault_in_a_chosen_folder_is_an_error(world, monkeypatch, tmp_path, spoil, words):
    folder = world.fill(tmp_path / "chosen")
    spoil(folder / IMAGES)
    monkeypatch.setenv("FASHION_MNIST_DIR", str(folder))
    with pytest.raises(OSError, match=words) as error:
        load_images()
    assert str(folder / IMAGES) in str(error.value)
    assert "unset the variable" in str(error.value)
    assert error.value.__cause__ is None
    assert world.asked == []
    assert not data.fallback_in_use()


def test_a_chosen_folder_that_is_missing_or_no_folder_is_an_error(world, monkeypatch, tmp_path):
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(OSError, match=r"nowhere: No such file or directory.*FASHION_MNIST_DIR"):
        load_images()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"file: Not a directory.*FASHION_MNIST_DIR"):
        load_images()


def test_an_empty_variable_chooses_nothing(world, monkeypatch):
    monkeypatch.setenv("FASHION_MNIST_DIR", "")
    assert_small(load_images())


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no data set 'mnist'. Known: fashion-mnist"):
        load_images("mnist")


def test_the_files_can_be_asked_for_alone(world):
    assert data.find_files() == world.files
    world.hosts("absent")
    (world.cache / IMAGES).unlink()
    with pytest.raises(ConnectionError, match="could not be loaded"):
        data.find_files()
    assert not data.fallback_in_use()


def test_the_fallback_has_the_books_form(world):
    world.hosts()
    seeds = random.getstate(), np.random.get_state()[1].tolist()
    images = load_images()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == seeds
    assert images.name == "digits"
    assert images.class_names == tuple("0123456789")
    counts = [len(getattr(images, f"x_{split}")) for split in SPLITS]
    assert sum(counts) == 1797
    np.testing.assert_allclose(np.array(counts) / 1797, [55 / 70, 5 / 70, 10 / 70], atol=1e-3)
    for split, count in zip(SPLITS, counts, strict=True):
        x, y = getattr(images, f"x_{split}"), getattr(images, f"y_{split}")
        assert (x.shape, x.dtype, y.shape, y.dtype) == ((count, 28, 28), "f4", (count,), "u1")
        assert (x.min(), x.max()) == (0, 1)
        assert set(y) == set(range(10))
    # The pictures stay pictures: a zero is dark in its middle, a one is bright there.
    middle = {
        digit: images.x_train[images.y_train == digit][:, 12:16, 12:16].mean() for digit in (0, 1)
    }
    assert middle[0] < 0.1
    assert middle[1] > 0.5
    np.testing.assert_array_equal(load_images().x_train, images.x_train)


def test_a_terminal_sees_a_bar(world, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    load_images()
    printed = capsys.readouterr().out
    assert "22/22" in printed
    assert printed.endswith("/kB\n")


def test_a_notebook_sees_a_bar_that_stores_cleanly(world, capsys, monkeypatch):
    seen = []

    class Recorder(ProgressBar):
        def display(self):
            seen.append(self._repr_html_())

        update = display

    monkeypatch.setattr(data, "get_ipython", lambda: type("Shell", (), {"kernel": object()}))
    monkeypatch.setattr(data, "ProgressBar", Recorder)
    load_images()
    size = sum(map(len, world.files.values()))
    assert "value='0'" in seen[0]
    assert f"max='{size}' value='{size}'" in seen[-1]
    printed = capsys.readouterr()
    assert "\r" not in printed.out
    assert printed.err == ""


@pytest.mark.skipif(not os.environ.get("FASHION_MNIST_DIR"), reason="FASHION_MNIST_DIR is not set")
def test_the_real_data_are_the_books():
    images = load_images()
    assert images.x_train.shape == (55000, 28, 28)
    assert images.x_valid.shape == (5000, 28, 28)
    assert images.x_test.shape == (10000, 28, 28)
    assert np.bincount(images.y_test).tolist() == [1000] * 10
    mean = images.x_train.mean(axis=0, dtype=np.float64)
    assert np.mean((images.x_valid - mean) ** 2) == pytest.approx(0.0875, abs=5e-5)
