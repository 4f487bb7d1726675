"""Text in UTF-8, whatever a file was written in."""

import codecs

import pytest

from cidx.text import encoding

JAPANESE = "# 設定 ファイル を 読み込む 関数\nvalue = 1  # ソケット を 渡す\n"
CHINESE = "// 读取配置文件的函数\nint a; // 中文注释\n"
TAIWANESE = "// 讀取設定檔案的函式\nint a; // 中文註解\n"
KOREAN = "# 설정 파일을 읽는 함수입니다\n"
RUSSIAN = "# Функция читает файл настроек и возвращает значение. Привет, Мир\n"
POLISH = "/* Zażółć gęślą jaźń */\n"
GREEK = "# αρχείο ρυθμίσεων\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (JAPANESE, "cp932"), (JAPANESE, "euc_jp"), (CHINESE, "gbk"), (TAIWANESE, "big5"), (KOREAN, "euc_kr"),
        (RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (RUSSIAN, "cp866"),
        (JAPANESE, "utf-16"), (JAPANESE, "utf-32"), (JAPANESE, "utf-8-sig"), (JAPANESE, "utf-8"),
    ],
)  # fmt: skip
def test_text_is_the_same_whatever_it_is_written_in(text: str, name: str) -> None:
    data = text.encode(name)
    assert not encoding.is_binary(data)
    assert encoding.utf8(data).decode() == text


@pytest.mark.parametrize(
    "text",
    [
        "# élève à l'école, où ça naît: façade, été créée\n", "# Größe über Maße, Prüfung: ÄÖÜ äöü\n",
        "µm °C © 2004 José, naïve\n", "# señal año ¿qué? ¡sí! coração não ação\n", "# kæreste på åben sø Ærø\n",
        "ÄÖÜ ÀÉÈ\n", "x = 'é'\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["cp1252", "latin-1"])
def test_western_text_is_taken_for_nothing_else(text: str, name: str) -> None:
    assert encoding.utf8(text.encode(name)).decode() == text


def test_windows_has_quotes_where_latin_1_has_nothing() -> None:
    text = "« Ça ira » — “quoted”\n"
    assert encoding.utf8(text.encode("cp1252")).decode() == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("# -*- coding: iso-8859-7 -*-\n" + GREEK, "iso-8859-7"),
        ("# vim: set fileencoding=cp1253 :\n" + GREEK, "cp1253"),
        ("<?xml version='1.0' encoding='windows-1250'?>\n" + POLISH, "cp1250"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">\n' + POLISH, "iso-8859-2"),
        ('@charset "windows-1250";\n' + POLISH, "cp1250"),
    ],
)
def test_what_a_file_declares_is_believed(text: str, name: str) -> None:
    assert encoding.utf8(text.encode(name)).decode() == text


@pytest.mark.parametrize("name", ["unicode_escape", "punycode", "idna", "utf-7", "rot13", "zlib", "nonsense"])
def test_what_is_no_encoding_of_text_is_not(name: str) -> None:
    data = f"# coding: {name}\n# \\x41 caf\xe9\n".encode("latin-1")
    assert encoding.utf8(data).decode() == f"# coding: {name}\n# \\x41 caf\xe9\n"


def test_utf_8_goes_before_what_a_file_declares() -> None:
    data = "# coding: latin-1\n# café\n".encode()
    assert encoding.utf8(data) == data


def test_a_stray_byte_does_not_make_it_another_encoding() -> None:
    data = "# größer, größer\n".encode() + b"x = '\xff'\n"
    assert encoding.utf8(data) == data


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "cp932", "cp1252", "utf-8-sig"])
def test_lines_keep_their_numbers(name: str) -> None:
    """U+0A0A and U+0D0A hold the bytes of line ends in UTF-16, U+0085 and U+2028 are none."""
    text = "first\r\n\u0a0a\u0d0a \u2028second\nthird" if name.startswith("utf") else "first\r\né\nthird"
    if name == "cp932":
        text = "first\r\n表示 ソース\nthird"
    mark = {
        "utf-16-le": codecs.BOM_UTF16_LE,
        "utf-16-be": codecs.BOM_UTF16_BE,
        "utf-32-le": codecs.BOM_UTF32_LE,
    }
    read = encoding.utf8(mark.get(name, b"") + text.encode(name))
    assert read.decode().split("\n") == text.split("\n")


def test_bytes_of_a_program_are_no_text() -> None:
    assert encoding.is_binary(b"\x7fELF\0\0")
    assert encoding.is_binary(codecs.BOM_UTF16_LE + b"\x40\0\0\0\0\0\x12\x34")
    assert encoding.is_binary(codecs.BOM_UTF16_LE + b"\0")
    assert not encoding.is_binary(codecs.BOM_UTF16_LE)
    assert not encoding.is_binary(b"")


def test_a_cut_off_character_is_no_reason_to_fail() -> None:
    assert encoding.utf8("ab".encode("utf-16") + b"\x41").decode() == "ab\ufffd"
    assert encoding.utf8(codecs.BOM_UTF16_LE + b"\x00\xd8a\0").decode().endswith("a")
