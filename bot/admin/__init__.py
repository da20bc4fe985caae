"""What admins do in the chat."""
