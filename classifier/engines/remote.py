"""The network on another machine, behind the Open Inference Protocol V2 over HTTP.

Tensors travel in the binary form of the protocol's binary data extension: JSON numbers would take
ten times the room. Triton and KServe's servers speak it.
"""

import json
from typing import Any

import httpx
import numpy as np

from classifier.engines import EngineDown, Output
from classifier.labels import FloatArray

SECONDS = 30.0
JSON_LENGTH = "Inference-Header-Content-Length"
OUTPUTS = ("logits", "features")


class RemoteEngine:
    """A model of a V2 server."""

    def __init__(self, url: str, model: str) -> None:
        """Ask `url` (up to but not including `/v2`) for `model`."""
        self._address = f"{url.rstrip('/')}/v2/models/{model}/infer"
        self._client = httpx.Client(timeout=SECONDS)

    def run(self, inputs: FloatArray) -> Output:
        """Take (n, size, size, 1) float32 in [0, 1]; raises EngineDown."""
        header, body = _request(inputs)
        headers = {JSON_LENGTH: str(len(header)), "Content-Type": "application/octet-stream"}
        try:
            response = self._client.post(self._address, content=header + body, headers=headers)
            response.raise_for_status()
            tensors = _tensors(response)
            output = Output(tensors["logits"], tensors["features"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineDown(type(error).__name__) from error
        if len(output.logits) != len(inputs) or len(output.features) != len(inputs):
            raise EngineDown("an answer of another length")
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


def _tensors(response: httpx.Response) -> dict[str, FloatArray]:
    """Read the outputs, each in binary after the JSON or as numbers in it."""
    length = int(response.headers.get(JSON_LENGTH, len(response.content)))
    said: dict[str, Any] = json.loads(response.content[:length])
    rest, tensors = memoryview(response.content)[length:], {}
    for output in said["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = np.asarray(output["data"], dtype=np.float32)
        else:
            values, rest = np.frombuffer(rest[:size], dtype="<f4"), rest[size:]
        tensors[output["name"]] = values.reshape(output["shape"])
    return tensors
