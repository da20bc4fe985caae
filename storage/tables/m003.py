"""What doctors say of cases, and which case is next."""

M003 = """
"""
