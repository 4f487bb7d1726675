"""The languages that cidx can name: what a filter accepts and what an index stores.

Values only: how a file's language is found out is `cidx.index.language`, which languages are cut on
syntax borders is `cidx.index.grammars`. A name, once released, stays: indexes and scripts hold it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """One language. Everything is lower case; extensions have their dot, interpreters no version.

    `covers` lists what a filter by this language finds besides its own files, because people mean
    both: `typescript` finds `.tsx`, `cpp` finds the `.h` headers that are called C.
    """

    name: str
    aliases: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()


def _language(
    name: str,
    extensions: str = "",
    aliases: str = "",
    filenames: str = "",
    interpreters: str = "",
    covers: str = "",
) -> Language:
    return Language(
        name=name,
        aliases=tuple(aliases.split()),
        extensions=tuple(f".{extension}" for extension in extensions.split()),
        filenames=tuple(filenames.split()),
        interpreters=tuple(interpreters.split()),
        covers=tuple(covers.split()),
    )


# An extension belongs to one language only: the one that most files in public repositories mean.
LANGUAGES: tuple[Language, ...] = (
    _language(
        "python",
        "py pyi pyw pyx pxd pxi wsgi gyp bzl bazel star",
        "py python3 starlark",
        "sconstruct sconscript wscript snakefile build.bazel workspace.bazel",
        "python pypy uv",
    ),
    _language("javascript", "js mjs cjs jsx es6", "js jsx node ecmascript", "jakefile", "node bun"),
    _language("typescript", "ts mts cts", "ts", "", "deno ts-node tsx", "tsx"),
    _language("tsx", "tsx"),
    _language("go", "go", "golang"),
    _language("rust", "rs", "rs", "", "rust-script"),
    _language("markdown", "md markdown mdown mkd mdx qmd rmd", "md"),
    _language("c", "c h"),
    _language(
        "cpp", "cc cpp cxx c++ hh hpp hxx h++ inl ipp tpp ino cu cuh", "c++ cplusplus cuda", covers="c"
    ),
    _language("objective-c", "m mm", "objc objectivec objective-c++", covers="c"),
    _language("csharp", "cs csx", "c# cs"),
    _language("fsharp", "fs fsi fsx", "f#"),
    _language("visual-basic", "vb vbs bas", "vb vbnet"),
    _language("java", "java jav"),
    _language("kotlin", "kt kts", "kt"),
    _language("scala", "scala sc sbt"),
    _language("groovy", "groovy gradle gvy", "gradle", "jenkinsfile", "groovy"),
    _language("clojure", "clj cljs cljc edn", "clj clojurescript", "", "bb clojure"),
    _language(
        "ruby",
        "rb rake gemspec ru podspec jbuilder",
        "rb",
        "rakefile gemfile guardfile podfile vagrantfile brewfile fastfile capfile",
        "ruby jruby rbx",
    ),
    _language("php", "php phtml php3 php4 php5", "", "", "php"),
    _language(
        "bash",
        "sh bash zsh ksh ash bats ebuild command",
        "sh shell zsh ksh",
        ".bashrc .bash_profile .bash_aliases .profile .zshrc .zshenv .zprofile .envrc pkgbuild apkbuild",
        "sh bash dash ash zsh ksh bats busybox",
    ),
    _language("fish", "fish", "", "", "fish"),
    _language("powershell", "ps1 psm1 psd1", "ps1 pwsh", "", "pwsh"),
    _language("batch", "bat cmd", "bat cmd"),
    _language("perl", "pl pm t pod", "pl", "cpanfile makefile.pl", "perl"),
    _language("raku", "raku rakumod p6 pm6", "perl6", "", "raku perl6"),
    _language("lua", "lua luau rockspec", "", "", "lua luajit"),
    _language("tcl", "tcl tk exp", "", "", "tclsh wish expect"),
    _language("awk", "awk", "", "", "awk gawk mawk nawk"),
    _language("r", "r rprofile", "rlang", ".rprofile", "rscript"),
    _language("julia", "jl", "jl", "", "julia"),
    _language("matlab", "mlx", "octave"),
    _language("fortran", "f f77 f90 f95 f03 f08 for"),
    _language("pascal", "pas dpr lpr", "delphi"),
    _language("ada", "adb ads"),
    _language("cobol", "cob cbl cpy"),
    _language("assembly", "s asm nasm", "asm"),
    _language("swift", "swift", "", "", "swift"),
    _language("dart", "dart", "", "", "dart"),
    _language("zig", "zig zon"),
    _language("nim", "nim nims nimble", "", "", "nim"),
    _language("crystal", "cr", "", "", "crystal"),
    _language("d", "d di", "dlang", "", "rdmd"),
    _language("v", "vsh", "vlang"),
    _language("haskell", "hs lhs hsc cabal", "hs", "", "runhaskell runghc stack"),
    _language("ocaml", "ml mli mll mly", "ml", "dune dune-project", "ocaml"),
    _language("elm", "elm"),
    _language("purescript", "purs"),
    _language("erlang", "erl hrl escript", "erl", "rebar.config", "escript"),
    _language("elixir", "ex exs heex leex eex", "ex", "mix.lock", "elixir"),
    _language("gleam", "gleam"),
    _language("lisp", "lisp lsp cl asd", "common-lisp", "", "sbcl"),
    _language("elisp", "el", "emacs-lisp emacs", ".emacs"),
    _language("scheme", "scm ss rkt sld", "racket", "", "racket guile"),
    _language("prolog", "plg", "", "", "swipl"),
    _language("coffeescript", "coffee litcoffee cson", "coffee", "cakefile", "coffee"),
    _language("solidity", "sol"),
    _language("verilog", "v sv svh vh", "systemverilog"),
    _language("vhdl", "vhd vhdl"),
    _language("glsl", "glsl vert frag comp geom hlsl wgsl metal", "hlsl wgsl shader"),
    _language("vim", "vim", "viml vimscript", ".vimrc vimrc _vimrc"),
    _language("nix", "nix"),
    _language("sql", "sql ddl psql pgsql plsql", "mysql postgres postgresql sqlite"),
    _language("html", "html htm xhtml shtml cshtml", "htm"),
    _language(
        "jinja", "j2 jinja jinja2 njk twig liquid hbs handlebars mustache ejs erb haml pug", "template"
    ),
    _language("css", "css scss sass less styl pcss", "scss sass less"),
    _language("vue", "vue"),
    _language("svelte", "svelte"),
    _language("astro", "astro"),
    _language(
        "json",
        "json jsonc json5 jsonl ndjson geojson webmanifest ipynb har map",
        "jsonc json5 jsonl",
        ".eslintrc .babelrc .prettierrc .swcrc composer.lock pipfile.lock flake.lock",
    ),
    _language("yaml", "yaml yml", "yml", ".clang-format .clang-tidy .yamllint"),
    _language("toml", "toml", "", "cargo.lock poetry.lock uv.lock pipfile pdm.lock"),
    _language(
        "xml",
        "xml xsd xsl xslt svg plist csproj fsproj vbproj vcxproj props targets resx xaml xib storyboard wsdl rss atom",
        "svg xsl",
    ),
    _language(
        "ini",
        "ini cfg conf cnf properties desktop service socket timer target mount editorconfig",
        "conf cfg properties systemd",
        ".editorconfig .gitconfig .gitmodules .npmrc .pylintrc .flake8 .coveragerc setup.cfg",
    ),
    _language("dotenv", "env", "env", ".env"),
    _language("nginx", "nginx nginxconf", "", "nginx.conf"),
    _language(
        "ignore", "", "gitignore", ".gitignore .dockerignore .npmignore .cidxignore .ignore .gitattributes"
    ),
    _language(
        "make",
        "mk mak make",
        "makefile",
        "makefile gnumakefile bsdmakefile kbuild makefile.am makefile.in",
        "make gmake",
    ),
    _language("cmake", "cmake", "", "cmakelists.txt"),
    _language("meson", "", "", "meson.build meson_options.txt meson.options"),
    _language("autoconf", "ac m4 am", "m4 automake", "configure.ac configure.in"),
    _language("just", "just", "justfile", "justfile .justfile", "just"),
    _language("dockerfile", "dockerfile containerfile", "docker containerfile", "dockerfile containerfile"),
    _language("terraform", "tf tfvars hcl", "hcl tf"),
    _language("proto", "proto", "protobuf"),
    _language("thrift", "thrift"),
    _language("graphql", "graphql gql graphqls", "gql"),
    _language("rst", "rst rest", "restructuredtext"),
    _language("asciidoc", "adoc asciidoc", "adoc"),
    _language("org", "org"),
    _language("tex", "tex sty cls bib ltx", "latex bibtex"),
    _language("po", "po pot", "gettext"),
    _language("csv", "csv tsv psv", "tsv"),
    _language("diff", "diff patch rej", "patch"),
    _language("log", "log"),
    _language(
        "text", "txt text", "txt plain plaintext", "readme license copying authors changelog news install"
    ),
)


def _names() -> dict[str, Language]:
    """Everything a person may write, a name before an alias before an extension."""
    found: dict[str, Language] = {}
    for language in LANGUAGES:
        found[language.name] = language
    for language in LANGUAGES:
        for alias in (*language.aliases, *language.extensions):
            found.setdefault(alias, language)
    return found


_BY_NAME = _names()


def by_name(name: str) -> Language | None:
    """The language that `name` means: its name, an alias or an extension with its dot, in any case."""
    return _BY_NAME.get(name.strip().lower())


def family(language: Language) -> tuple[str, ...]:
    """The language names that a filter by `language` lets through, its own first."""
    return (language.name, *language.covers)


def closest(name: str) -> tuple[str, ...]:
    """Names of languages that look like a misspelt `name`, best first; for an error's next step."""
    from difflib import get_close_matches  # 3 ms that only a wrong name pays

    near = get_close_matches(name.strip().lower(), _BY_NAME, n=6, cutoff=0.6)
    return tuple(dict.fromkeys(_BY_NAME[match].name for match in near))[:3]
