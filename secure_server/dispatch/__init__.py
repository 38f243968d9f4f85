"""The one gate that every request passes, what it has cleared, and the workers that run what may block."""
