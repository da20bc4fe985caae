"""A last layer for CT on a network that is there, and what is known of how well it does."""
