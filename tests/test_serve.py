"""The static server answers as a static host does, and gives out nothing from outside its folder."""

import gzip
import http.client
import socket
import threading
import types
from urllib.parse import urlsplit

import pytest

from tools import serve as module
from tools.serve import serve

SECRET = "outside the folder"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small site, beside files that must stay where they are."""
    tmp_path = tmp_path_factory.mktemp("serve")
    site = tmp_path / "site"
    (site / "chapters").mkdir(parents=True)
    (site / "empty").mkdir()
    (site / "index.html").write_text("the first page")
    (site / "404.html").write_text("no such page")
    (site / "chapters" / "index.html").write_text("the chapters")
    (site / "chapters" / "one two.html").write_text("é" * 500)
    for name in ("a.css", "a.js", "a.svg", "a.woff2", "a.png", "a.ipynb", "a.xml", "a.txt", "a"):
        (site / name).write_bytes(b"0" * 500)
    (tmp_path / "secret.html").write_text(SECRET)
    (tmp_path / "site-2").mkdir()
    (tmp_path / "site-2" / "secret.html").write_text(SECRET)
    (site / "out.html").symlink_to(tmp_path / "secret.html")
    (site / "away").symlink_to(tmp_path)
    (site / "loop").symlink_to("loop")
    (site / "inside.html").symlink_to(site / "index.html")
    return site


@pytest.fixture(scope="module")
def book(folder):
    with serve(folder, "/book/") as address:
        yield address


def ask(address, path, method="GET", **headers):
    """Send a path exactly as it is written; return the response and its body as text."""
    # The timeout is only there so that a server that hangs ends the test.
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.getheader("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return response, body.decode()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/book/", "the first page"),
        ("/book/index.html?highlight=code", "the first page"),
        ("/book/chapters/", "the chapters"),
        ("/book/chapters/one%20two.html", "é" * 500),
        ("/book/inside.html", "the first page"),
    ],
)
def test_pages_are_found(book, path, text):
    response, body = ask(book, path)
    assert (response.status, body) == (200, text)


@pytest.mark.parametrize(
    "path",
    [
        "/book/nothing.html",
        "/book/empty/",  # a folder is not listed
        "/elsewhere/index.html",
        "/index.html",
        "/bookish/index.html",
        "/book/index.html/",
        "/book/chapters//one.html/",
        "/book/%00",
        "/book/loop",
        "/book/" + "long" * 200,
    ],
)
def test_what_is_missing_gets_the_book_s_own_page(book, path):
    response, body = ask(book, path)
    assert (response.status, body) == (404, "no such page")
    assert response.getheader("Content-Type") == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/book/../secret.html",
        "/book/chapters/../../secret.html",
        "/book/%2e%2e/secret.html",
        "/book/%2E%2E%2Fsecret.html",
        "/book/..%2fsecret.html",
        "/book/%252e%252e/secret.html",
        "/book/..\\secret.html",
        "/book/..%5Csecret.html",
        "/book/../site-2/secret.html",
        "/book//etc/passwd",
        "/book/%2Fetc/passwd",
        "/book/out.html",
        "/book/away/secret.html",
        "/book/away/",
        "/../secret.html",
        "/book/..",
        "book/../secret.html",
    ],
)
def test_no_path_leads_out_of_the_folder(book, path):
    response, body = ask(book, path)
    assert (response.status, body) == (404, "no such page")


@pytest.mark.parametrize(
    ("path", "place"), [("/", "/book/"), ("/book/chapters", "/book/chapters/")]
)
def test_readers_are_led_on(book, path, place):
    response, body = ask(book, path)
    assert (response.status, body) == (301, "")
    assert response.getheader("Location") == place


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.woff2", "font/woff2"),
        ("a.png", "image/png"),
        ("a.ipynb", "application/json; charset=utf-8"),
        ("a.xml", "application/xml; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a", "application/octet-stream"),
    ],
)
def test_files_have_their_types(book, name, kind):
    response, _ = ask(book, f"/book/{name}")
    assert (response.status, response.getheader("Content-Type")) == (200, kind)


def test_a_folder_can_be_served_at_the_root(folder):
    with serve(folder, "/") as address:
        assert address.endswith("/")
        assert ask(address, "/")[1] == "the first page"
        assert ask(address, "//etc/passwd")[0].status == 404
        assert ask(address, "/../secret.html")[0].status == 404


def test_headers_can_be_asked_for_alone(book):
    # Not with http.client, which throws away a body that should not be there.
    host, port = urlsplit(book).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        connection.sendall(b"HEAD /book/index.html HTTP/1.1\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(1000), b"")).decode()
    assert answer.startswith("HTTP/1.1 200 ")
    assert f"Content-Length: {len('the first page')}\r\n" in answer
    assert answer.endswith("\r\n\r\n")
    assert ask(book, "/book/index.html", "POST")[0].status == 501


def test_the_place_of_a_file_on_this_machine_is_no_address(book, folder):
    assert ask(book, f"{folder}/index.html")[0].status == 404


def test_text_is_compressed_as_published_for_those_who_can_read_it(folder, book):
    gzipped = {"Accept_Encoding": "gzip, br"}
    with serve(folder, "/book/", as_published=True) as published:
        response, body = ask(published, "/book/chapters/one%20two.html", **gzipped)
        assert body == "é" * 500
        assert response.getheader("Content-Encoding") == "gzip"
        assert int(response.getheader("Content-Length")) < 100
        assert response.getheader("Cache-Control") == "max-age=600"
        for name, headers in (("a.png", gzipped), ("index.html", {})):
            response, _ = ask(published, f"/book/{name}", **headers)
            assert response.getheader("Content-Encoding") is None
    response, _ = ask(book, "/book/index.html", **gzipped)
    assert response.getheader("Content-Encoding") is None
    assert response.getheader("Cache-Control") == "no-cache"


def test_without_a_page_of_its_own_a_folder_still_answers(folder):
    with serve(folder / "empty", "/") as address:
        response, body = ask(address, "/nothing")
        assert (response.status, body) == (404, "There is no such page.\n")


def test_only_this_machine_is_answered_and_only_inside_the_block(folder):
    with module.Server(folder, "/", 0, False) as server:
        assert server.server_address[0] == "127.0.0.1"
    with serve(folder, "/") as address:
        host, port = urlsplit(address).netloc.split(":")
        assert ask(address, "/")[0].status == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=120)


def test_the_command_says_what_is_wrong(folder, monkeypatch, capsys):
    monkeypatch.setattr(module, "HTML", folder / "empty")
    assert module.main([]) == 1
    assert "make book" in capsys.readouterr().err
    monkeypatch.setattr(module, "HTML", folder)
    with serve(folder, "/") as address:
        port = urlsplit(address).port
        assert module.main(["--port", str(port)]) == 1
    assert f"Port {port}: " in capsys.readouterr().err


def test_the_command_prints_the_address(folder, monkeypatch, capsys):
    class Interrupted:
        def wait(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "HTML", folder)
    threads = types.SimpleNamespace(Event=Interrupted, Thread=threading.Thread)
    monkeypatch.setattr(module, "threading", threads)
    assert module.main(["--port", "0"]) == 0
    assert f"{module.PREFIX} until you press Ctrl-C" in capsys.readouterr().out
