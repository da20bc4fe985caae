"""Colour that no film has: what another program painted over it, such as its own heat map."""

import numpy as np
from PIL import Image

SIDE = 96
BINS = 12
# So much of a picture may be coloured otherwise: a marker, a name.
SMALL = 2.0


def patches(rgb: Image.Image) -> float:
    """Tell how far colours lie apart that are equally bright, from 0 to 1.

    A tint gives each brightness one colour, so that it is 0 for film of whatever tint, and for what
    covers less than a fiftieth.
    """
    small = np.asarray(rgb.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32).reshape(-1, 3)
    grey = small.mean(1)
    colour = (small - grey[:, np.newaxis]) / 255
    apart = [
        np.abs(colour[alike] - np.median(colour[alike], axis=0)).max(1)
        for alike in np.array_split(np.argsort(grey), BINS)
    ]
    return float(np.percentile(np.concatenate(apart), 100 - SMALL))
