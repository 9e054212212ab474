"""The pages of the course, on 127.0.0.1."""
