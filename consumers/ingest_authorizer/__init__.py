"""A Lambda authorizer for the ingest API that deploys as it is; the environment says whom it lets in."""
