"""Stands in for curl on a machine that has none: as much of it as the documentation uses. Takes curl's arguments."""

from __future__ import annotations

import argparse
import sys
import urllib.request


def main() -> None:
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d")
    parser.add_argument("url")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.H)
    body = None if given.d is None else given.d.encode()
    with urllib.request.urlopen(urllib.request.Request(given.url, body, headers), timeout=60) as answer:
        sys.stdout.buffer.write(answer.read())


if __name__ == "__main__":
    main()
