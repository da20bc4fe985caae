"""Bytes to a `Scan`: type by content, decoding in a child process with limits."""
