"""What doctors do in the chat."""
