"""The clock's memory, pauses, errors told."""

M006 = """
"""
