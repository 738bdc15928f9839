"""Writes a stream to S3, as JSON lines."""
