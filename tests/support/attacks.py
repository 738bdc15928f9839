"""Partition keys that would like to be something else: JSON, templates, other records, other streams."""

from __future__ import annotations

import random
import unicodedata

FORGED = "Zm9yZ2Vk"
"""The data of any record that a key forges, in base64."""
VICTIM = "victim"
"""The stream that a key would rather go to."""

# The two attacks that are published against templates of this kind come first.
_WHOLE = (
    f'k"}},{{"Data":"{FORGED}","PartitionKey":"x',
    f'k","StreamName":"{VICTIM}',
    f'k","StreamName":"{VICTIM}"',
    f"k\\'}},{{\\'Data\\':\\'{FORGED}\\'",
    f'\\\'"}},{{"Data":"{FORGED}","PartitionKey":"x',
    f'\\"}},{{\\"Data\\":\\"{FORGED}\\",\\"PartitionKey\\":\\"x',
    f'\\\\\'","StreamName":"{VICTIM}',
    "$input.body",
    "$util.base64Encode($input.body)",
    f'#set($records = [])#end"}}],"StreamName":"{VICTIM}"}}',
    "${context.requestId}",
    "$!{foreach.index}",
    "#end#end#end",
    "#stop",
    "#*",
    "##",
    "#[[",
    "]]#",
    "*#",
    "\\u0022",
    "\\u005c\\u0022",
    "%22%7D",
    "&quot;",
    "'",
    "''",
    "\\",
    "\\\\",
    "\\'",
    "{}",
    "null",
    "@stream@",
)
_PIECES = (
    *"\"\\'/,:{}[]$#!@*%&;<>=|`~^()?+-_. \t",
    *(chr(code) for code in range(32)),
    *"\x7f\x80\x85\xa0\xad\u2028\u2029\u200b\u200f\u202e\ufeff\ufffd\ufffe\uffff",
    *"é\u0301ßİﬁ漢字한\u0600",
    "😀",
    "👩‍👩‍👧‍👦",
    "\U0010ffff",
    "\\n",
    "\\u0000",
    "\\ud83d",
    "StreamName",
    VICTIM,
    FORGED,
    '"Data":',
    '"PartitionKey":',
    "}]}",
    "$input",
    "$util",
    "$context",
    "#if(true)",
    "#else",
    "#end",
    "#foreach($i in [1..3])",
    "replaceAll",
    "a",
    "customer-7",
)


def partition_keys(count: int, *, seed: int = 20130613) -> list[str]:
    """So many different keys of 1 to 256 characters, the same for the same ``seed``."""
    source = random.Random(seed)
    keys = dict.fromkeys((*_WHOLE, *_PIECES))
    while len(keys) < count:
        pieces = source.choices(_PIECES, k=source.randint(1, 12))
        if source.random() < 0.3:
            pieces.insert(source.randrange(len(pieces)), source.choice(_WHOLE))
        keys["".join(pieces)[: source.choice((256, 256, 256, 8))]] = None
    return list(keys)


def header_keys(count: int, *, seed: int = 20130613) -> list[str]:
    """Likewise, of what an HTTP header can hold: no controls, no blanks at its ends."""
    keys: dict[str, None] = {}
    while len(keys) < count:
        for key in partition_keys(count, seed=seed):
            bare = "".join(letter for letter in key if unicodedata.category(letter) not in ("Cc", "Cs"))
            if trimmed := bare.strip():
                keys[trimmed] = None
        seed += 1
    return list(keys)[:count]


def trace_headers(count: int, *, seed: int = 20130613) -> list[str]:
    """So many values for a header that an envelope keeps: hostile ones, a few of them after something that is right."""
    good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    forged = (
        '","forged":"yes',
        '"}}\\n' + FORGED,
        f'"}},"x":{{"traceparent":"{good}',
        '\\"}}',
        f'","PartitionKey":"x"}},{{"Data":"{FORGED}',
        "}}",
        "==",
        "fX0K",
    )
    values = dict.fromkeys((*forged, *(good + attack for attack in forged)))
    values |= dict.fromkeys(header_keys(count, seed=seed))
    return list(values)[:count]
