"""Is this a frontal chest X-ray, a chest CT slice, or neither? And which way up is it?

A small network of its own that looks before the network of the classes does, at grey values alone.
"""

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from classifier.card import BrokenModel, Flaw, sha256
from classifier.labels import FloatArray, Greys, Modality
from classifier.preprocess import to_input
from classifier.reading.scan import Scan, Units

GATE = Path(__file__).parent / "models" / "gate"
# Not `card.json`: a place with that is a model of the classes.
CARD = "gate.json"
ENGINE = "gate.onnx"
OUTPUTS = ("kinds", "turns", "inverted", "part", "distance")
# Film and screen photographs have a tint of up to about 0.06; coloured photographs start at 0.1.
COLOURED = 0.1


class Kind(StrEnum):
    """What a picture shows, in the order of the network's outputs."""

    XRAY = "xray"
    CT = "ct"
    OTHER_XRAY = "other_xray"
    OTHER_MEDICAL = "other_medical"
    OTHER = "other"


# A header that names a kind lets in pictures with at least this probability of that kind.
HINTED = 0.1
# Hounsfield units are a CT's: a slice must only not be surely another part of the body.
HOUNSFIELD_HINTED = 0.05
# A CT that looks so much like an X-ray, from the front or the side, is a scout view.
SCOUT = 0.2
# Log-odds against a chest for each unit of distance beyond 1.
FAR = 5.0
CHEST = {Kind.XRAY: Modality.XRAY, Kind.CT: Modality.CT}


@dataclass(frozen=True, slots=True)
class Look:
    """What the gate sees in one picture.

    `kind` is a chest only if `chest`, the score for that, is high enough. `probabilities` sum to 1.
    `quarter_turns` to the left put a chest X-ray upright, and `is_inverted` tells that its greys
    are the wrong way round: 0 and False unless sure. `is_part` tells that it shows no whole film:
    a part of one, or several. `distance` from all that the gate was trained on is above 1 for what
    is unlike any of it.
    """

    kind: Kind
    probabilities: dict[Kind, float]
    chest: float
    quarter_turns: int
    is_inverted: bool
    is_part: bool
    distance: float

    @property
    def likeness(self) -> float:
        """Score how much the picture looks like an upright chest X-ray.

        A quarter of the log-odds for one, less the distance: `film.find` was tuned on this sum.
        """
        share = self.probabilities[Kind.XRAY]
        return float(np.log((share + 1e-4) / (1 - share + 1e-4)) / 4 - self.distance)

    def mended(self, grey: Greys) -> Greys:
        """Give the picture (rows, columns) upright and with its greys right."""
        turned = np.rot90(grey, self.quarter_turns)
        white = grey.dtype.type(255 if grey.dtype == np.uint8 else 1)
        return np.ascontiguousarray(white - turned if self.is_inverted else turned)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCard:
    """What stands in `gate.json`.

    A picture is a chest from a score of `chest_from`, a coloured one from `coloured_from`; it is
    turned from a probability of `turned_from`, inverted from one of `inverted_from`, and a part of
    a film from one of `part_from`.
    """

    sha256: str
    input_size: int
    chest_from: float
    coloured_from: float
    turned_from: float
    inverted_from: float
    part_from: float
    command: str

    def write(self, folder: Path) -> None:
        """Write the card beside the network."""
        (folder / CARD).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def chest_score(chest: FloatArray, distance: FloatArray) -> FloatArray:
    """Lower probabilities (n,) of a chest by how unlike all chests (n,) the pictures are."""
    odds = np.clip(chest, 1e-6, 1) / np.clip(1 - chest, 1e-6, 1)
    lowered = odds * np.exp(-FAR * np.maximum(distance - 1, 0))
    return np.asarray(lowered / (1 + lowered), np.float32)


class Gate:
    """The gate's network in ONNX Runtime, and how its outputs become a look."""

    def __init__(self, folder: Path = GATE) -> None:
        """Load it; raises BrokenModel unless card and network go together."""
        # Imported here so that a command that looks at no picture starts without it.
        from classifier.engines.onnx import session

        self.card = _read_card(folder)
        try:
            self._session = session(folder / ENGINE, threads=1)
            self.look(np.zeros((self.card.input_size,) * 2, np.float32))
        except Exception as error:
            # ONNX Runtime has a kind of error for each way in which a file can be wrong.
            raise BrokenModel(f"gate: {type(error).__name__}", Flaw.SHAPE) from error

    def look(self, grey: Greys) -> Look:
        """Look at a picture as shown: (rows, columns).

        A turn, and an inversion, must be seen in the picture and be gone in the mended one.
        """
        seen = self._seen(grey)
        if seen.kind is not Kind.XRAY or not (seen.quarter_turns or seen.is_inverted):
            return replace(seen, quarter_turns=0, is_inverted=False)
        after = self._seen(seen.mended(grey))
        if after.kind is Kind.XRAY and not (after.quarter_turns or after.is_inverted):
            return replace(seen, is_part=after.is_part)
        return replace(seen, quarter_turns=0, is_inverted=False)

    def likeness(self, grey: Greys) -> float:
        """Score how much a picture (rows, columns) looks like an upright chest X-ray."""
        return self._seen(grey).likeness

    def modality(self, scan: Scan, look: Look) -> Modality | None:
        """Tell what a scan shows, None for neither: by its look, its colour and its header.

        A header is a hint: it lets in what its own kind of picture is not unlike. It is no proof:
        X-rays are found tagged as CT, and a CT may be of a head or be a scout view.
        """
        if scan.chroma > COLOURED and look.chest < self.card.coloured_from:
            return None
        if scan.units is Units.HOUNSFIELD:
            is_scout = look.probabilities[Kind.XRAY] + look.probabilities[Kind.OTHER_XRAY] > SCOUT
            is_chest = look.probabilities[Kind.CT] >= HOUNSFIELD_HINTED
            return Modality.CT if is_chest and not is_scout else None
        hinted = scan.modality and look.probabilities[Kind(scan.modality)] >= HINTED
        return scan.modality if hinted else CHEST.get(look.kind)

    def _seen(self, grey: Greys) -> Look:
        inputs = to_input(grey, self.card.input_size)[np.newaxis]
        kinds, turns, inverted, part, distance = (
            np.asarray(output)[0] for output in self._session.run(OUTPUTS, {"grey": inputs})
        )
        shares = dict(zip(Kind, kinds.tolist(), strict=True))
        chest = float(chest_score(kinds[0] + kinds[1], distance))
        of_kind = set(CHEST) if chest >= self.card.chest_from else set(Kind) - set(CHEST)
        turn = int(turns.argmax())
        return Look(
            kind=max(of_kind, key=lambda kind: shares[kind]),
            probabilities=shares,
            chest=chest,
            quarter_turns=turn if turns[turn] >= self.card.turned_from else 0,
            is_inverted=bool(inverted[1] >= self.card.inverted_from),
            is_part=bool(part[1] >= self.card.part_from),
            distance=float(distance),
        )


def _read_card(folder: Path) -> GateCard:
    """Read and check the card; raises BrokenModel unless it names the network beside it."""
    try:
        card = GateCard(**json.loads((folder / CARD).read_text(encoding="utf-8")))
        digest = sha256(folder / ENGINE)
    except (OSError, ValueError, TypeError) as error:
        raise BrokenModel(f"gate/{CARD}: {error}", Flaw.CARD) from error
    if digest != card.sha256:
        raise BrokenModel(f"gate/{ENGINE}: sha256 is not the card's")
    return card
