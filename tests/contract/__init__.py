"""What clients rely on, word for word, asked of a real server by a client that knows no more."""
