"""Every word a person reads in the chat, in Chinese and English."""
