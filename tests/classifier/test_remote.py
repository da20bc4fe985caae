import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx
import numpy as np
import pytest

from classifier.engines import EngineDown, remote
from classifier.engines.remote import JSON_LENGTH, RemoteEngine


class Server(BaseHTTPRequestHandler):
    """A V2 server whose logits are the mean of each picture, in binary or in JSON."""

    binary = True
    status = 200
    paths: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        type(self).paths.append(self.path)
        length = int(self.headers[JSON_LENGTH])
        content = self.rfile.read(int(self.headers["Content-Length"]))
        (said,) = json.loads(content[:length])["inputs"]
        pictures = np.frombuffer(content[length:], "<f4").reshape(said["shape"])
        logits = np.repeat(pictures.mean((1, 2)), 3, axis=1)
        features = np.ones((len(pictures), 7, 7, 4), np.float32)
        header, body = self._answer({"logits": logits, "features": features})
        self.send_response(self.status)
        self.send_header(JSON_LENGTH, str(len(header)))
        self.end_headers()
        self.wfile.write(header + body)

    def _answer(self, tensors: dict[str, np.ndarray]) -> tuple[bytes, bytes]:
        outputs = []
        for name, values in tensors.items():
            output = {"name": name, "datatype": "FP32", "shape": values.shape}
            if self.binary:
                output["parameters"] = {"binary_data_size": values.nbytes}
            else:
                output["data"] = values.ravel().tolist()
            outputs.append(output)
        body = b"".join(each.astype("<f4").tobytes() for each in tensors.values())
        return json.dumps({"outputs": outputs}).encode(), body if self.binary else b""

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Server]]]:
    handler = type("Handler", (Server,), {"paths": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}", handler
        http.shutdown()


@pytest.mark.parametrize("binary", [True, False])
def test_tensors_go_there_and_back(server: tuple[str, type[Server]], binary: bool) -> None:
    url, handler = server
    handler.binary = binary
    inputs = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)
    output = RemoteEngine(url, "resnet34_xray").run(inputs)
    np.testing.assert_allclose(output.logits[:, 1], inputs.mean((1, 2, 3)), rtol=1e-5)
    assert output.features.shape == (3, 7, 7, 4)
    assert handler.paths == ["/v2/models/resnet34_xray/infer"]


def test_a_server_that_fails_is_an_engine_that_is_down(server: tuple[str, type[Server]]) -> None:
    url, handler = server
    handler.status = 503
    with pytest.raises(EngineDown, match="HTTPStatusError"):
        RemoteEngine(url, "any").run(np.zeros((1, 8, 8, 1), np.float32))


def test_a_server_that_is_not_there_is_an_engine_that_is_down() -> None:
    with pytest.raises(EngineDown, match="ConnectError"):
        RemoteEngine("http://127.0.0.1:9", "any").run(np.zeros((1, 8, 8, 1), np.float32))


def told(logits: object, features: object, rows: int = 1) -> dict[str, object]:
    shapes = {"logits": [rows, 3], "features": [rows, 1, 1, 2]}
    data = {"logits": logits, "features": features}
    return {
        "outputs": [{"name": name, "shape": shapes[name], "data": data[name]} for name in shapes]
    }


def answering(said: object, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def stream(*_: object, **__: object) -> Iterator[httpx.Response]:
        told = httpx.ByteStream(json.dumps(said).encode())
        yield httpx.Response(200, stream=told, request=httpx.Request("POST", "http://v2"))

    monkeypatch.setattr(httpx.Client, "stream", stream)


def test_an_answer_in_json_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(told([1, 2, 3], [4, 5]), monkeypatch)
    output = RemoteEngine("http://v2", "any").run(np.zeros((1, 8, 8, 1), np.float32))
    assert output.logits.tolist() == [[1, 2, 3]] and output.features.tolist() == [[[[4, 5]]]]


@pytest.mark.parametrize(
    "said",
    [
        {"outputs": ["logits"]},
        {"outputs": None},
        {},
        [],
        told([1, 2], [4, 5]),
        told([1, 2, 3, 1, 2, 3], [4, 5, 4, 5], rows=2),
        told([1, 2, float("nan")], [4, 5]),
        told([1, 2, 3], [4, float("inf")]),
    ],
)
def test_an_answer_of_another_form_is_an_engine_that_is_down(
    said: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(said, monkeypatch)
    with pytest.raises(EngineDown):
        RemoteEngine("http://v2", "any").run(np.zeros((1, 8, 8, 1), np.float32))


@pytest.mark.parametrize(("limit", "least"), [("MOST_BYTES", 10), ("SECONDS_IN_ALL", -1.0)])
def test_an_answer_without_end_is_an_engine_that_is_down(
    limit: str, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(told([1, 2, 3], [4, 5]), monkeypatch)
    monkeypatch.setattr(remote, limit, least)
    with pytest.raises(EngineDown, match="ValueError"):
        RemoteEngine("http://v2", "any").run(np.zeros((1, 8, 8, 1), np.float32))
