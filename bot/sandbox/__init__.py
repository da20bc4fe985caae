"""A local Telegram for trying and for tests; never for patients."""
