"""A labelled folder, or the doctors' corrections, in; a better model out."""

import os

# On processors without AVX-512 TensorFlow leaves oneDNN off, and a step takes half as long again.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
