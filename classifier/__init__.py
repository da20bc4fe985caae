"""Pictures in, findings out; knows nothing of Telegram or databases."""
