"""The table of languages is consistent, and people's names for languages are understood."""

import pytest

from cidx.api.languages import LANGUAGES, by_name, closest, family


def check(written: str, expected: str | None) -> None:
    language = by_name(written)
    assert (language.name if language else None) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("python", "python"),
        ("Python", "python"),
        (" py ", "python"),
        (".py", "python"),
        (".PYI", "python"),
        ("js", "javascript"),
        ("jsx", "javascript"),
        ("ts", "typescript"),
        ("tsx", "tsx"),
        (".tsx", "tsx"),
        ("golang", "go"),
        ("rs", "rust"),
        ("c++", "cpp"),
        ("C#", "csharp"),
        ("cs", "csharp"),
        ("sh", "bash"),
        ("shell", "bash"),
        ("md", "markdown"),
        ("yml", "yaml"),
        ("docker", "dockerfile"),
        ("makefile", "make"),
        ("gettext", "po"),
        ("hcl", "terraform"),
        ("klingon", None),
        ("", None),
        (".", None),
    ],
)
def test_names_aliases_and_extensions_mean_their_language(written: str, expected: str | None) -> None:
    check(written, expected)


def test_every_name_means_itself() -> None:
    for language in LANGUAGES:
        check(language.name, language.name)


def test_no_name_alias_extension_or_interpreter_is_claimed_twice() -> None:
    for field in ("extensions", "filenames", "interpreters"):
        claimed = [key for language in LANGUAGES for key in getattr(language, field)]
        assert sorted(claimed) == sorted(set(claimed)), field
    names = [language.name for language in LANGUAGES]
    aliases = [alias for language in LANGUAGES for alias in set(language.aliases) - {language.name}]
    assert len(names + aliases) == len(set(names + aliases))


def test_everything_is_lower_case_and_extensions_have_one_dot() -> None:
    for language in LANGUAGES:
        keys = (language.name, *language.aliases, *language.extensions, *language.filenames)
        assert all(key == key.lower() and key.strip() == key and key for key in keys)
        assert all(extension.rfind(".") == 0 for extension in language.extensions)


def test_a_filter_by_typescript_also_finds_tsx() -> None:
    typescript, tsx = by_name("ts"), by_name("tsx")
    assert typescript is not None
    assert tsx is not None
    assert family(typescript) == ("typescript", "tsx")
    assert family(tsx) == ("tsx",)


def test_what_a_language_covers_exists() -> None:
    names = {language.name for language in LANGUAGES}
    assert all(set(family(language)) <= names for language in LANGUAGES)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("pyhton", "python"), ("javscript", "javascript"), ("Typescrip", "typescript"), ("rustt", "rust")],
)
def test_a_misspelt_name_gets_the_right_suggestion_first(written: str, expected: str) -> None:
    assert closest(written)[0] == expected


def test_a_hopeless_name_gets_no_suggestion() -> None:
    assert closest("qqqqqqqqqqqq") == ()
