"""Whether the data of a JPEG are whole; Pillow draws what it can of damaged ones and is silent."""

import simplejpeg


def is_damaged(data: bytes) -> bool:
    """Tell whether libjpeg has a warning about a JPEG: data that end early, or are no code.

    A few bytes changed may be a code again, and are then not noticed.
    """
    try:
        _, _, colours, _ = simplejpeg.decode_jpeg_header(data)
        wanted = "CMYK" if colours in ("CMYK", "YCCK") else "GRAY"
        # All is decoded as far as the warnings come from; what is drawn is an eighth of the size.
        simplejpeg.decode_jpeg(data, wanted, min_factor=8)
    except ValueError:
        return True
    return False
