"""A self-hosted chat server where a URL is a room."""

__version__ = "0.1.0"
