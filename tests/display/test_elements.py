"""Tables that leave out rows show both ends and the rows that matter, and mark each gap."""

from hypothesis import given
from hypothesis import strategies as st

from nnefkit.display.elements import code_in, left_out, selection


@given(st.integers(0, 60), st.integers(0, 10), st.integers(0, 10), st.data())
def test_rows_keep_their_order_and_gaps_are_of_two_or_more(total, head, tail, data):
    rows = list(range(total))
    keep = data.draw(st.lists(st.integers(0, total - 1), max_size=5)) if total else []
    chosen = selection(rows, head, tail, keep)
    shown = [row for row in chosen if row is not None]
    assert shown == sorted(set(shown))
    wanted = {*rows[:head], *rows[total - min(tail, total) :], *keep}
    assert wanted <= set(shown)
    # Between two rows that are shown there is nothing, or a gap of at least two.
    place = -1
    gap = False
    for row in [*chosen, total]:
        if row is None:
            assert not gap
            gap = True
            continue
        missing = row - place - 1
        assert missing >= 2 if gap else missing == 0
        place, gap = row, False


def test_a_note_says_how_much_is_left_out():
    def words(line):
        return "".join(phrase.text for phrase in line)

    assert (
        words(left_out([1, None, 9], 2000, "rows", "x.all()")) == "2 of 2,000 rows · all: x.all()"
    )
    assert words(left_out([1, 2], 2, "rows", "x.all()")) == "x.all()"


def test_backticks_make_code():
    line = code_in("The runs diverge at `conv8` (line 3)")
    assert [(phrase.text, phrase.code) for phrase in line] == [
        ("The runs diverge at ", False),
        ("conv8", True),
        (" (line 3)", False),
    ]
