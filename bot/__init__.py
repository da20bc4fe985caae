"""Telegram: everything a person sees."""
