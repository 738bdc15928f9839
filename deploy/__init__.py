"""From ``pipeline.toml`` to running infrastructure. An application of kstream: it is not in the wheel."""
