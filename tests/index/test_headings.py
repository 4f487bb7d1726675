"""Markdown is read as nested sections."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cidx.index.headings import sections


def check(source: str, *expected: str) -> None:
    """Each section as `path first-last`."""
    lines = source.encode().splitlines(keepends=True)
    assert [f"{one.path} {one.start_line}-{one.end_line}" for one in sections(lines)] == list(expected)


def test_a_section_reaches_to_the_next_heading_of_its_rank() -> None:
    check("# A\n## B\ntext\n### C\n## D\n# E\n", "A 1-5", "A > B 2-4", "A > B > C 4-4", "A > D 5-5", "E 6-6")


def test_a_skipped_rank_still_nests() -> None:
    check("# A\n### B\n## C\n", "A 1-3", "A > B 2-2", "A > C 3-3")


def test_underlined_titles_are_headings() -> None:
    check("Title\n=====\n\nPart one\n---\ntext\n", "Title 1-6", "Title > Part one 4-6")


def test_a_line_after_a_list_table_or_paragraph_is_no_underline() -> None:
    check("- item\n---\n\na paragraph\nof two lines\n---\n\n| a |\n---\n\n---\n\n---\n")


def test_closing_hashes_are_not_the_title_but_a_sharp_sign_is() -> None:
    check("# A ##\n# C#\n# #\n#no\n####### seven\n", "A 1-1", "C# 2-5")


def test_fenced_code_holds_no_heading() -> None:
    check("# A\n```sh\n# no\n~~~\n```\n~~~~\n# no\n~~~\n# no\n~~~~\n# B\n", "A 1-10", "B 11-11")


def test_an_open_fence_reaches_to_the_end() -> None:
    check("# A\n```\n# no\n", "A 1-3")


def test_inline_code_opens_no_fence() -> None:
    check("```a``` b\n# A\n", "A 2-2")


def test_front_matter_holds_no_heading() -> None:
    check("---\ntitle: x\n---\n# A\n", "A 4-4")
    check("---\n# A\n", "A 2-2")


def test_windows_line_ends_are_not_part_of_a_title() -> None:
    check("# A\r\n\r\nB\r\n-----\r\n", "A 1-4", "A > B 3-4")


def test_a_title_that_is_not_utf8_is_shown_as_far_as_it_can_be() -> None:
    (section,) = sections([b"# caf\xe9\n"])
    assert (section.name, section.kind, section.header) == ("caf\ufffd", "section", "# caf\ufffd")


@settings(deadline=None)
@given(st.lists(st.sampled_from(["# a", "## b", "### c", "t", "===", "---", "```", "~~~", "", "    x"])))
def test_sections_nest_properly(lines: list[str]) -> None:
    found = sections([f"{line}\n".encode() for line in lines])
    open_until: list[int] = []
    for section in found:
        assert 1 <= section.start_line <= section.end_line <= len(lines)
        while open_until and open_until[-1] < section.start_line:
            open_until.pop()
        assert not open_until or section.end_line <= open_until[-1]
        open_until.append(section.end_line)
    assert [one.start_line for one in found] == sorted({one.start_line for one in found})
