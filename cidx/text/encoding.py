"""The text of a file in UTF-8, whatever it was written in.

Decided in this order: a byte order mark; UTF-8 if it is valid; what the file declares (`coding:`, `encoding=`,
`charset=` in its first lines); what its bytes look like; else Windows-1252. A line end stays one and none is
added, so lines keep the numbers that an editor shows. The same bytes always give the same text.
"""

import codecs
import re
from collections.abc import Iterator

# git looks for a NUL byte in as much of a file to call it binary.
HEAD_BYTES = 8000

# The longer first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# PEP 263 and editors' modelines, XML, HTML, CSS.
_DECLARED = re.compile(rb"(?:coding\s*[:=]|charset\s*[ =])\s*[\"']?([A-Za-z][-\w.]*)")
_DECLARED_WITHIN = 1000
# Python also calls things codecs that are none, and some take quadratic time: only these are believed.
_BELIEVED = re.compile(
    r"(iso8859-\d+|cp\d+|koi8-[rut]|mac-\w+|shift_jis\w*|euc_\w+|gb\w+|big5\w*|johab|hz|tis-620|ptcp154|kz1048)"
)

# What text looks like in encodings that are told from their bytes: the pairs (or letters) that most of it consists of,
# and how much of what is not ASCII they make up at least. Only those in a row count: an accented letter of a western
# text, with what follows it, may look like one, but hardly like two.
_LOOKS = (
    # Kana, punctuation and the kanji of everyday use.
    ("cp932", re.compile(rb"(?:[\x81-\x84\x88-\x97][\x40-\x7e\x80-\xfc]){2,}"), 0.7),
    ("euc_jp", re.compile(rb"(?:[\xa4\xa5][\xa1-\xfe]){2,}"), 0.2),
    ("cp949", re.compile(rb"(?:[\xa1-\xa3\xb0-\xc8][\xa1-\xfe]){2,}"), 0.95),
    ("gb18030", re.compile(rb"(?:[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]){2,}"), 0.7),
    ("cp950", re.compile(rb"(?:[\xa1-\xc6][\x40-\x7e\xa1-\xfe]){2,}"), 0.9),
    # Words of small letters with perhaps a capital before them; never so many accented ones in a row.
    ("cp1251", re.compile(rb"[\xc0-\xdf\xa8]?[\xe0-\xff\xb8]{3,}"), 0.6),
    ("koi8-r", re.compile(rb"[\xe0-\xff\xb3]?[\xc0-\xdf\xa3]{4,}"), 0.6),
    ("cp866", re.compile(rb"[\x80-\x9f\xf0]?[\xa0-\xaf\xe0-\xef\xf1]{3,}"), 0.6),
)
_ONE_BYTE = ("cp1251", "koi8-r", "cp866")
_HIGH = re.compile(rb"[\x80-\xff]")
# Enough to tell: so much of the lines that are not ASCII is looked at.
_SAMPLE_BYTES = 16384
_WESTERN = ("cp1252", "latin-1")


def is_binary(head: bytes) -> bool:
    """Whether a file that begins with `head` is no text."""
    head = head[:HEAD_BYTES]
    for mark, name in _MARKS:
        if head.startswith(mark):
            text = head[len(mark) :].decode(name, "ignore")
            return "\0" in text or (len(head) > len(mark) and not text)
    return b"\0" in head


def utf8(data: bytes) -> bytes:
    """The text, without a byte order mark. What is broken UTF-8 here and there stays as it is."""
    if data.isascii():
        return data
    for mark, name in _MARKS:
        if data.startswith(mark):
            rest = data[len(mark) :]
            return rest if name == "utf-8" else _encoded(rest.decode(name, "replace"))
    if _is_utf8(data):
        return data
    sample = b"".join(_telling_lines(data))
    if _is_mostly_utf8(sample):
        return data
    for name in (*_declared(data), *_looks_like(sample), *_WESTERN):
        try:
            return _encoded(data.decode(name))
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 decodes anything")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_mostly_utf8(sample: bytes) -> bool:
    """Whether more of what is not ASCII is UTF-8 than not: a stray byte does not make it another encoding."""
    text = sample.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return _beyond_ascii(text) - broken > broken


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _declared(data: bytes) -> Iterator[str]:
    for found in _DECLARED.finditer(data[:_DECLARED_WITHIN]):
        try:
            name = codecs.lookup(found[1].decode()).name
        except LookupError:
            continue
        if _BELIEVED.fullmatch(name):
            yield name


def _looks_like(sample: bytes) -> Iterator[str]:
    for name, telling, least in _LOOKS:
        try:
            characters = _beyond_ascii(sample.decode(name))
        except UnicodeDecodeError:
            continue
        width = 1 if name in _ONE_BYTE else 2
        if sum(map(len, telling.findall(sample))) / width >= least * characters:
            yield name


def _telling_lines(data: bytes) -> Iterator[bytes]:
    """Lines that are not ASCII, whole so that no character is cut in two, as many as make a sample."""
    size, end = 0, 0
    while size < _SAMPLE_BYTES and (found := _HIGH.search(data, end)):
        start = data.rfind(b"\n", end, found.start()) + 1 or end
        end = data.find(b"\n", found.start()) + 1 or len(data)
        yield data[start:end]
        size += end - start
