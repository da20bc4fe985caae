"""Which models run, and what candidates say unseen."""

M005 = """
"""
