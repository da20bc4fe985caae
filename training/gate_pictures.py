"""Pictures that are no chest scan, out of unpacked packages, for the gate to learn from.

`python -m training.gate_pictures PACKAGES --out FOLDER`: `PACKAGES/<package>/` holds what
`dpkg-deb -x` or `unzip` made of a package of `SOURCES`; those that are not there are left out, and
told. `FOLDER/<family>/<package>/<number>-<part>.png` gets what they hold, shrunk. Nothing of it is
ever shipped.
"""

import gzip
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from classifier.labels import FloatArray

LONGEST = 320
SMALLEST = 100
CROPS = 4
# A picture of so many pixels a side still shows something when cut into pieces.
LARGE = 900
MOST = 500
# Hounsfield windows (lowest, width) as viewers show bone, soft tissue, brain and lung.
WINDOWS = ((-450, 1800), (-160, 400), (0, 80), (-1350, 1500))


@dataclass(frozen=True, slots=True)
class Source:
    """What a package holds of one family: the files that `pattern` finds."""

    family: str
    package: str
    pattern: str


SKIMAGE_PHOTOS = (
    "astronaut brick camera chelsea coffee coins grass gravel moon motorcycle_left rocket"
)
SKIMAGE_MEDICAL = "cell ihc microaneurysms retina"
SOURCES = (
    Source("photographs", "mate-backgrounds", "**/nature/*.jpg"),
    Source("photographs", "ukui-wallpapers", "**/*.jpg"),
    Source("photographs", "opencv-doc", "**/*.jpg"),
    Source("photographs", "tuxpaint-stamps-default", "**/stamps/[!s]*/**/*.png"),
    *(
        Source("photographs", "scikit-image", f"**/data/{each}.*")
        for each in SKIMAGE_PHOTOS.split()
    ),
    Source("photographs", "scikit-learn", "**/images/*.jpg"),
    Source("photographs", "matplotlib", "**/sample_data/grace_hopper.jpg"),
    Source("documents", "gimp-help-en", "**/*.png"),
    Source("documents", "gnome-user-docs", "**/*.png"),
    Source("documents", "opencv-doc", "**/*.png"),
    Source("documents", "scikit-image", "**/data/page.png"),
    Source("documents", "scikit-image", "**/data/text.png"),
    Source("drawings", "plasma-workspace-wallpapers", "**/screenshot.*"),
    Source("drawings", "gnome-backgrounds", "**/*.webp"),
    Source("drawings", "desktop-base", "**/*.png"),
    Source("drawings", "mate-backgrounds", "**/abstract/*.png"),
    Source("drawings", "tuxpaint-stamps-default", "**/cartoon/*.png"),
    Source("drawings", "tuxpaint-stamps-default", "**/symbols/**/*.png"),
    Source("other_modalities", "mricron-data", "**/ch2.nii.gz"),
    Source("other_modalities", "mricron-data", "**/inia19-t1-brain.nii.gz"),
    Source("other_modalities", "nilearn", "**/*_t1_*.nii.gz"),
    Source("other_modalities", "dipy", "**/S0_10slices.nii.gz"),
    *(
        Source("other_modalities", "scikit-image", f"**/data/{e}.*")
        for e in SKIMAGE_MEDICAL.split()
    ),
    Source("other_modalities", "pydicom-data", "**/*.dcm"),
    Source("other_modalities", "pydicom", "**/test_files/*.dcm"),
    Source("other_body_parts", "invesalius-examples", "**/*.inv3"),
    Source("other_xrays", "invesalius-examples", "**/*.inv3"),
    Source("other_xrays", "pydicom-data", "**/RG3*.dcm"),
)


def main(
    packages: Annotated[Path, typer.Argument(help="folder of unpacked packages")],
    out: Annotated[Path, typer.Option(help="gets FAMILY/PACKAGE/*.png; must not exist yet")],
) -> None:
    """Gather the pictures of all families that the unpacked packages hold."""
    out.mkdir()
    for source in SOURCES:
        folder = out / source.family / source.package
        folder.mkdir(parents=True, exist_ok=True)
        count = len(list(folder.glob("*.png")))
        for number, picture in enumerate(_pictures(packages, source)):
            for part, image in enumerate(picture):
                image.save(folder / f"{count + number:04}-{part}.png")
        print(f"{source.family}, {source.package} {source.pattern}: {len(list(folder.glob('*')))}")


def _pictures(packages: Path, source: Source) -> Iterator[list[Image.Image]]:
    """Give each picture as a list of itself and its parts."""
    files = sorted(path for path in (packages / source.package).glob(source.pattern))
    for path in files[:: max(1, len(files) // MOST)]:
        if path.suffix == ".inv3":
            values = _invesalius(path)
            if source.family == "other_xrays":
                yield from ([_image(each)] for each in projections(values))
            else:
                yield from ([_image(each)] for each in _windowed(values))
        elif ".nii" in path.suffixes:
            yield from ([_image(each)] for each in _slices(_nifti(path)))
        elif path.suffix == ".dcm":
            if frame := _dicom(path, source.family):
                yield [frame]
        elif parts := _parts(path):
            yield parts


def _parts(path: Path) -> list[Image.Image]:
    """Open a picture that is not tiny; of a large one take crops too."""
    try:
        with Image.open(path) as image:
            rgba = image.convert("RGBA")
    except (OSError, ValueError):
        return []
    if min(rgba.size) < SMALLEST:
        return []
    black = Image.new("RGBA", rgba.size, "black")
    whole = Image.alpha_composite(black, rgba).convert("RGB")
    parts = [whole]
    rng = np.random.default_rng(len(path.name))
    for _ in range(CROPS if min(whole.size) > LARGE else 0):
        side = int(rng.uniform(0.2, 0.6) * min(whole.size))
        left, top = (int(rng.integers(0, room - side)) for room in whole.size)
        parts.append(whole.crop((left, top, left + side, top + side)))
    return [_shrunk(part) for part in parts]


def _dicom(path: Path, family: str) -> Image.Image | None:
    """Render a file of pydicom that is no chest, whatever its header says."""
    import pydicom
    from pydicom.pixels.processing import apply_voi_lut

    import classifier.reading.dicom  # noqa: F401  # for its decoders

    try:
        dataset = pydicom.dcmread(path)
        is_xray = dataset.Modality in ("CR", "DX", "RG")
        if dataset.Modality == "CT" or is_xray is not (family == "other_xrays"):
            return None
        pixels = apply_voi_lut(dataset.pixel_array, dataset).astype(np.float32)
    except Exception:
        # Many of these files are broken on purpose.
        return None
    if pixels.ndim != 2 or min(pixels.shape) < 64:
        return None
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        pixels = -pixels
    return _image(_stretched(pixels))


def _nifti(path: Path) -> FloatArray:
    """Read a NIfTI-1 volume by its dim, datatype and vox_offset; the first of a time series."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    kinds = {2: "<u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 256: "<i1", 512: "<u2"}
    shape = np.frombuffer(data, "<i2", 8, 40)[1:4].astype(int)
    kind = kinds[int(np.frombuffer(data, "<i2", 1, 70)[0])]
    start = int(np.frombuffer(data, "<f4", 1, 108)[0])
    values = np.frombuffer(data, kind, int(shape.prod()), start)
    return values.reshape(shape, order="F").astype(np.float32)


def _invesalius(path: Path) -> FloatArray:
    """Read the volume of an InVesalius project, (slices, rows, columns) in Hounsfield units."""
    with tarfile.open(path) as archive:
        member = next(each for each in archive.getmembers() if each.name.endswith("matrix.dat"))
        raw = archive.extractfile(member)
        assert raw is not None
        values = np.frombuffer(raw.read(), "<i2")
    return values.reshape(-1, 256, 256).astype(np.float32)


def _slices(volume: FloatArray) -> Iterator[FloatArray]:
    """Cut a volume along its three axes, every third slice, without its empty ends."""
    for axis in range(3):
        stack = np.moveaxis(volume, axis, 0)
        first, last = int(0.15 * len(stack)), int(0.85 * len(stack))
        for plane in stack[first:last:3]:
            if plane.std() > 0 and min(plane.shape) >= 40:
                yield _stretched(np.rot90(plane))


def _windowed(volume: FloatArray) -> Iterator[FloatArray]:
    for number, plane in enumerate(volume[5:-5:2]):
        lowest, width = WINDOWS[number % len(WINDOWS)]
        yield np.clip((plane - lowest) / width, 0, 1)


def projections(
    volume: FloatArray,
    spacing: tuple[float, float] = (1.5, 0.957),
    angles: Sequence[int] = range(0, 180, 6),
) -> Iterator[FloatArray]:
    """Project a CT (slices, rows, columns) in Hounsfield units from all around, as an X-ray would.

    Parallel rays; `spacing` is millimetres between slices and between pixels, `angles` degrees.
    """
    dense = np.clip((volume + 1000) / 1000, 0, 4)
    height = round(len(volume) * spacing[0] / spacing[1])
    for degrees in angles:
        turned = [
            np.asarray(Image.fromarray(each).rotate(degrees, Image.Resampling.BILINEAR)).sum(0)
            for each in dense
        ]
        rays = Image.fromarray(np.stack(turned[::-1])).resize(
            (volume.shape[2], height), Image.Resampling.BILINEAR
        )
        yield _stretched(np.asarray(rays, np.float32) ** np.float32(0.8))


def _stretched(values: FloatArray) -> FloatArray:
    low, high = np.percentile(values, (0.5, 99.5))
    stretched: FloatArray = np.clip((values - low) / max(float(high - low), 1e-6), 0, 1)
    return stretched


def _image(grey: FloatArray) -> Image.Image:
    return _shrunk(Image.fromarray((grey * 255).astype(np.uint8)))


def _shrunk(image: Image.Image) -> Image.Image:
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    return image


if __name__ == "__main__":
    typer.run(main)
