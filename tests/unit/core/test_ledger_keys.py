from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kstream.core.ledger_keys import key_digest, scope_key, sequence_key, sequence_of
from kstream.core.ports import Scope

_sequence = st.integers(0, 10**129 - 1)
_scope = st.builds(Scope, *[st.text("a#%23", max_size=4)] * 3)


@given(_sequence, _sequence)
def test_keys_sort_as_their_numbers_do(one: int, other: int) -> None:
    assert (sequence_key(one) < sequence_key(other)) == (one < other)


@given(_sequence)
def test_a_key_is_read_back_as_its_number(sequence: int) -> None:
    assert sequence_of(sequence_key(sequence)) == sequence


@given(_scope, _scope)
def test_two_scopes_never_share_a_key(one: Scope, other: Scope) -> None:
    assert (scope_key(one) == scope_key(other)) == (one == other)


@given(st.text())
def test_any_text_is_an_idempotency_key(key: str) -> None:
    assert len(key_digest(key)) == 20
    assert key_digest(key + "\ud800") != key_digest(key)
