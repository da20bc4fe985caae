"""The network on another machine, behind the Open Inference Protocol V2 over HTTP.

Tensors travel in the binary form of the protocol's binary data extension: JSON numbers would take
ten times the room. Triton and KServe's servers speak it.
"""

import json
import time
from typing import Any

import httpx
import numpy as np

from classifier.engines import EngineDown, Output
from classifier.labels import FloatArray, Label

# For each step of a call, and for all of it: a server may also send byte by byte.
SECONDS, SECONDS_IN_ALL = 30.0, 60.0
# Room for JSON numbers: an answer in binary takes a twentieth.
MOST_BYTES = 4 * 1024 * 1024
JSON_LENGTH = "Inference-Header-Content-Length"
OUTPUTS = ("logits", "features")
# What reading an answer raises that is none.
UNUSABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class RemoteEngine:
    """A model of a V2 server."""

    def __init__(self, url: str, model: str) -> None:
        """Ask `url` (up to but not including `/v2`) for `model`."""
        self._address = f"{url.rstrip('/')}/v2/models/{model}/infer"
        self._client = httpx.Client(timeout=SECONDS)

    def run(self, inputs: FloatArray) -> Output:
        """Take (n, size, size, 1) float32 in [0, 1]; raises EngineDown."""
        header, body = _request(inputs)
        headers = {
            JSON_LENGTH: str(len(header)),
            "Content-Type": "application/octet-stream",
            "Accept-Encoding": "identity",
        }
        try:
            with self._client.stream(
                "POST", self._address, content=header + body, headers=headers
            ) as response:
                response.raise_for_status()
                told = _whole(response, len(inputs) * MOST_BYTES)
            tensors = _tensors(told, response.headers.get(JSON_LENGTH))
            output = Output(tensors["logits"], tensors["features"])
        except (*UNUSABLE, httpx.HTTPError) as error:
            raise EngineDown(type(error).__name__) from error
        if not _answers(output, len(inputs)):
            raise EngineDown("an answer of another form")
        return output


def _request(inputs: FloatArray) -> tuple[bytes, bytes]:
    body = np.ascontiguousarray(inputs, dtype="<f4").tobytes()
    said = {
        "inputs": [
            {
                "name": "grey",
                "shape": list(inputs.shape),
                "datatype": "FP32",
                "parameters": {"binary_data_size": len(body)},
            }
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in OUTPUTS],
    }
    return json.dumps(said).encode(), body


def _whole(response: httpx.Response, most: int) -> bytes:
    """Read an answer within its time and size; raises ValueError."""
    told, until = bytearray(), time.monotonic() + SECONDS_IN_ALL
    for part in response.iter_raw():
        told += part
        if len(told) > most or time.monotonic() > until:
            raise ValueError("an answer without end")
    return bytes(told)


def _answers(output: Output, count: int) -> bool:
    """Tell whether it is three numbers and a map of features for each picture."""
    fits = output.logits.shape == (count, len(Label)) and output.features.ndim == 4
    numbers = np.isfinite(output.logits).all() and np.isfinite(output.features).all()
    return fits and len(output.features) == count and bool(numbers)


def _tensors(told: bytes, json_length: str | None) -> dict[str, FloatArray]:
    """Read the outputs, each in binary after the JSON or as numbers in it."""
    length = int(json_length or len(told))
    said: dict[str, Any] = json.loads(told[:length])
    rest, tensors = memoryview(told)[length:], {}
    for output in said["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = np.asarray(output["data"], dtype=np.float32)
        else:
            values, rest = np.frombuffer(rest[:size], dtype="<f4"), rest[size:]
        tensors[output["name"]] = values.reshape(output["shape"])
    return tensors
