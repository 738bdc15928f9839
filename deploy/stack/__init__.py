"""CloudFormation, asked and told: the only part of ``deploy`` that calls AWS.

``account`` finds out where we are; ``changes`` makes change sets, ``refusals`` says why one was not made; ``deployment``
executes them in order, ``widening`` a network first that is to shrink; ``adoption`` takes in what is ``standing`` already;
``following`` waits and tells events; ``failures`` says what went wrong. ``deletion`` takes everything away but data:
``leaving`` is what would go, ``holdings`` what it holds, ``ownership`` whose it is; ``polling`` is whether Lambda polls, and
``stilling`` stops a consumer for the last look. What they do with a stack depends on its ``state``, which CloudFormation
keeps, so each of them can be interrupted and run again.
"""
