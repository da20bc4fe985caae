"""The child's side, in this process: nothing a decoder raises gets past it."""

import socket
import time
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest

from classifier.reading import worker
from classifier.reading.limits import refusing
from classifier.reading.wire import End, Message, receive
from classifier.refusals import Refusal, RefusalReason


class Panic(BaseException):
    """As a decoder written in Rust raises it."""


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Message]:
    """Answer one request whose decoder raises, with no timer left behind."""
    monkeypatch.setattr(worker, "_limit_time", lambda seconds: None)

    def answer(error: BaseException | None) -> Message:
        def decode(*_: object) -> Iterator[Message]:
            with refusing():
                if error is not None:
                    raise error
                yield from ()

        monkeypatch.setattr(worker, "_scans", decode)
        near, far = socket.socketpair()
        with near, far:
            request = {"do": "read", "members": None, "salt": "", "seconds": 60}
            worker.serve(far, request, BytesIO(b"file"))
            return receive(near, time.monotonic() + 5)

    return answer


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Panic("a secret of the file"), RefusalReason.BROKEN),
        (KeyboardInterrupt(), RefusalReason.BROKEN),
        (ValueError("a secret of the file"), RefusalReason.BROKEN),
        (MemoryError(), RefusalReason.TOO_COSTLY),
        (RecursionError(), RefusalReason.TOO_COSTLY),
        (Refusal(RefusalReason.NOT_CHEST, "Modality"), RefusalReason.NOT_CHEST),
    ],
)
def test_whatever_a_decoder_raises_becomes_a_refusal_without_its_text(
    error: BaseException, reason: RefusalReason, answer: Callable[..., Message]
) -> None:
    refusal = answer(error)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
    assert "secret" not in refusal.detail


def test_an_item_without_an_error_ends(answer: Callable[..., Message]) -> None:
    assert isinstance(answer(None), End)
