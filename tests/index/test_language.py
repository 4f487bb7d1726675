"""A file's language follows from its name and its first line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cidx.api.languages import LANGUAGES, by_name
from cidx.index.language import detect


def check(path: bytes, expected: str, head: bytes = b"") -> None:
    assert detect(path, head) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"a/b/models.py", "python"),
        (b"stubs/x.pyi", "python"),
        (b"UPPER.PY", "python"),
        (b"app.jsx", "javascript"),
        (b"lib.mjs", "javascript"),
        (b"types.d.ts", "typescript"),
        (b"app.component.ts", "typescript"),
        (b"App.tsx", "tsx"),
        (b"main.go", "go"),
        (b"lib.rs", "rust"),
        (b"README.md", "markdown"),
        (b"x.tar.gz", "text"),
        (b"jquery.min.js", "javascript"),
        (b"stdio.h", "c"),
        (b"django.po", "po"),
        (b"run.sh", "bash"),
    ],
)
def test_the_last_extension_decides(path: bytes, expected: str) -> None:
    check(path, expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"src/Makefile", "make"),
        (b"Dockerfile", "dockerfile"),
        (b"CMakeLists.txt", "cmake"),
        (b"Gemfile", "ruby"),
        (b"Jenkinsfile", "groovy"),
        (b"Cargo.lock", "toml"),
        (b".bashrc", "bash"),
        (b".gitignore", "ignore"),
        (b"a/.env", "dotenv"),
        (b"meson.build", "meson"),
        (b"LICENSE", "text"),
    ],
)
def test_a_known_file_name_decides_before_its_extension(path: bytes, expected: str) -> None:
    check(path, expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"setup.py.in", "python"),
        (b"urls.py-tpl", "python"),
        (b"app.conf.example", "ini"),
        (b"docker-compose.yml.dist", "yaml"),
        (b"models.py.orig", "python"),
        (b"models.py~", "python"),
        (b"nginx.conf.j2", "nginx"),
        (b"index.html.erb", "html"),
        (b"page.erb", "jinja"),
        (b".env.example", "dotenv"),
        (b"Dockerfile.dev", "dockerfile"),
        (b"dev.Dockerfile", "dockerfile"),
        (b"Makefile.linux", "make"),
        (b"what.in", "text"),
        (b".py", "python"),
        (b".hidden", "text"),
    ],
)
def test_compound_names_mean_what_they_wrap(path: bytes, expected: str) -> None:
    check(path, expected)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"#!/bin/sh\n", "bash"),
        (b"#! /bin/bash -e\n", "bash"),
        (b"#!/usr/bin/python3.11\n", "python"),
        (b"#!/usr/bin/env python3\r\nimport x", "python"),
        (b"#!/usr/bin/env -S python3 -x\n", "python"),
        (b"#!/usr/bin/env -Snode --flag\n", "javascript"),
        (b"#!/usr/bin/env -i PATH=/bin perl -w\n", "perl"),
        (b"#!/usr/bin/env -u HOME /opt/bin/ruby2.7\n", "ruby"),
        (b"#!/usr/bin/env -S uv run --script\n", "python"),
        (b"#!/usr/bin/env Rscript\n", "r"),
        (b"#!/usr/bin/pypy3", "python"),
        (b"#!/sbin/openrc-run\n", "text"),
        (b"#!/usr/bin/env\n", "text"),
        (b"#!", "text"),
        (b"#!\n#!/bin/sh", "text"),
        (b"# !/bin/sh", "text"),
        (b"plain", "text"),
    ],
)
def test_without_a_telling_name_the_interpreter_decides(head: bytes, expected: str) -> None:
    check(b"bin/tool", expected, head)


def test_an_extension_beats_the_first_line() -> None:
    check(b"x.py", "python", b"#!/bin/sh\n")


def test_an_unknown_extension_leaves_it_to_the_first_line() -> None:
    check(b"hook.cgi", "perl", b"#!/usr/bin/perl\n")


def test_a_qt_translation_is_not_typescript() -> None:
    check(b"app_de.ts", "xml", b'\n<?xml version="1.0"?>\n<!DOCTYPE TS>')


def test_folders_do_not_decide() -> None:
    check(b"a.py/b.go/data", "text")


def test_a_path_that_is_not_utf8_keeps_its_language() -> None:
    check(b"caf\xe9/\xff\xfe.py", "python")


def test_every_extension_and_file_name_of_the_table_is_found() -> None:
    for language in LANGUAGES:
        for extension in language.extensions:
            check(b"dir/thing" + extension.encode(), language.name)
        for name in language.filenames:
            check(b"dir/" + name.encode(), language.name)


@settings(deadline=None)
@given(st.binary(), st.binary())
def test_any_bytes_have_a_language(path: bytes, head: bytes) -> None:
    assert by_name(detect(path, head)) is not None
    assert by_name(detect(path, b"#!" + head)) is not None


@pytest.mark.parametrize(
    "head",
    [
        b"#pragma once\nnamespace a::b {\n",
        b"class Thing : public Base {\n",
        b"template <typename T>\nT f();\n",
        b"struct A {\n public:\n  int x;\n};\n",
        b"#include <vector>\n",
    ],
)
def test_a_header_with_cpp_in_it_is_cpp(head: bytes) -> None:
    check(b"a.h", "cpp", head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"int class;\n",
        b"#include <string.h>\nstruct a { int x; };\n",
        b"/* a class of things\n * template\n */",
    ],
)
def test_any_other_header_is_c(head: bytes) -> None:
    check(b"a.h", "c", head)
