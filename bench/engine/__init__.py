"""planhub at each of its front ends, as a measured program."""
