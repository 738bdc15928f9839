"""CloudFormation, asked and told: the only part of ``deploy`` that calls AWS.

``account`` finds out where we are; ``changes`` makes change sets, ``refusals`` says why one was not made; ``deployment``
executes them in order; ``adoption`` takes in what is ``standing`` already; ``following`` waits and tells events;
``deletion`` takes everything away but data. What they do with a stack depends on its ``state``
alone, which CloudFormation keeps, so each of them can be interrupted and run again.
"""
