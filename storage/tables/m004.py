"""Announcements and who is to get them."""

M004 = """
"""
