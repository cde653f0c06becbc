"""The tester tested: a project of two functions, patches whose fate is known, and what the runner
makes of each. TAP on standard output."""
import os
import tempfile
import types

from patch_files import PatchError, faults, read_all
from patch_syntax import syntax_faults
from results import Report, page
from scratch import Scratch, ScratchError, content_of

SOURCES = {
    "meson.build": """project('tiny', 'c')
number = static_library('number', 'number.c')
test('sum', executable('sum', 'suites/unit/sum.c', link_with: number), suite: 'unit', timeout: 1,
  protocol: 'tap')
test('product', executable('product', 'suites/unit/product.c', link_with: number), suite: 'unit')
test('words', find_program('words.sh'), suite: 'ci', args: meson.current_source_dir())
test('slow', find_program('words.sh'), suite: ['unit', 'nightly'], args: '/nowhere')
""",
    "number.c": """int sum(int a, int b);
int product(int a, int b);

int sum(int a, int b)
{
    return a + b;
}

int product(int a, int b)
{
    return a * b;
}
""",
    "suites/unit/sum.c": """#include <stdio.h>
int sum(int a, int b);
int main(void)
{
    puts("1..2");
    puts("ok 1 - nothing");
    if (sum(2, 3) == 5)
        puts("ok 2 - two and three");
    else
        printf("not ok 2 - two and three\\n# got %d, want 5\\n", sum(2, 3));
    return 0;
}
""",
    "suites/unit/product.c": """int product(int a, int b);
int main(void)
{
    return product(2, 3) != 6;
}
""",
    "words.sh": """#!/bin/sh
! grep -q mutant "$1/number.c"
""",
}

HEADER = {"mutant": """catalogue: X00
area: losses
about: something
source: nobody
expect: unit/{expect}
tier: T1
""", "equivalent": """area: losses
about: something
why: no reason
"""}

# id, kind, the line to replace and what by, the expected test, status, and where it was caught
PATCHES = [
    ("caught", "mutant", "return a + b;", "return a - b;", "sum", "caught", "unit/sum two and three"),
    ("crash", "mutant", "return a * b;", "return a / (b - b);", "product", "caught", "unit/product"),
    ("endless", "mutant", "return a + b;", "for (;;)\n        ;", "sum", "caught", "unit/sum"),
    ("other_test", "mutant", "return a + b;", "return a - b;", "product", "caught",
     "unit/sum two and three"),
    ("survivor", "mutant", "return a * b;", "return b * a;", "product", "survived", ""),
    ("word", "mutant", "return a * b;", "return a * b; /* mutant */", "product", "survived", ""),
    ("no_compile", "mutant", "return a + b;", "return a +;", "sum", "error", ""),
    ("no_place", "mutant", "return a + c;", "return a - c;", "sum", "error", ""),
    ("harmless", "equivalent", "return a + b;", "return b + a;", "", "passed", ""),
    ("harmful", "equivalent", "return a * b;", "return a * a;", "", "flagged", "unit/product"),
]
EMPTY = "catalogue: X00\narea: losses\nabout: nothing\nsource: nobody\nexpect: unit/sum\ntier: T1\n\n"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    if path.endswith(".sh"):
        os.chmod(path, 0o755)


def diff(old, new):
    """A patch to number.c that replaces the line `old`, which may be one that is not there."""
    lines = SOURCES["number.c"].splitlines()
    at = next((i for i, line in enumerate(lines) if old in line), 5)
    added = ["+    " + new.splitlines()[0]] + ["+" + line for line in new.splitlines()[1:]]
    return "\n".join(["--- a/number.c", "+++ b/number.c",
                      f"@@ -{at},3 +{at},{2 + len(added)} @@", " " + lines[at - 1], "-    " + old,
                      *added, " " + lines[at + 1], ""])


def make_project(tree):
    for name, text in SOURCES.items():
        write(os.path.join(tree, name), text)
    folder = {"mutant": "patches", "equivalent": "equivalent"}
    for name, kind, old, new, expect, _, _ in PATCHES:
        header = HEADER[kind].format(expect=expect)
        write(os.path.join(tree, "suites/mutants", folder[kind], name + ".patch"),
              header + "\n" + diff(old, new))
    write(os.path.join(tree, "suites/mutants/patches/empty.patch"), EMPTY)


class Tap:
    """TAP lines and whether one was `not ok`."""

    def __init__(self):
        self.count = self.failed = 0

    def check(self, name, got, want):
        self.count += 1
        good = got == want
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        if not good:
            print(f"# got {got!r}, want {want!r}")

    def end(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def test_verdicts(tap, session, patches):
    """Each patch's status and place, and that nothing of it stays."""
    wanted = {name: (status, where) for name, _, _, _, _, status, where in PATCHES}
    wanted["empty"] = ("survived", "")
    good = {"caught", "crash", "endless", "harmless"}
    results = []
    for patch in patches:
        result = session.examine(patch)
        results.append(result)
        where = " ".join(part for part in (result.suite, result.case) if part)
        tap.check(f"{patch.id}: status and place", (result.status, where), wanted[patch.id])
        tap.check(f"{patch.id}: counts as good", result.good(), patch.id in good)
    tap.check("everything is put back",
              content_of(os.path.join(session.scratch.source, "number.c")).decode(),
              SOURCES["number.c"])
    return results


def test_report(tap, tree, results, patches):
    """The score, the page, and results that are read back."""
    report, again = Report(tree, 1), Report(tree, 1)
    report.results = results
    again.take(report.as_json(), patches)
    tap.check("results read back are the same", again.as_json(), report.as_json())
    tap.check("the score", report.score(),
              "4 of 9 mutants caught, 1 of 2 equivalent changes passed")
    text = "\n".join(page(again))
    tap.check("the page has every patch", [p.id for p in patches if f"| {p.id} |" not in text], [])
    try:
        again.take(report.as_json(), patches[1:])
        said = "nothing"
    except ValueError as error:
        said = str(error)
    tap.check("results of other patches are refused", patches[0].id in said, True)


def test_syntax(tap, session, patches):
    tap.check("what does not compile is a fault", [fault.split(":")[0] for fault in syntax_faults(
        patches, session.scratch.source, session.scratch.build_folder)], ["no_compile"])


def test_time_limit(tap, session, patches):
    session.limit = 0.0
    survivor = next(patch for patch in patches if patch.id == "survivor")
    tap.check("a patch whose time is up is an error", session.examine(survivor).status, "error")


def test_broken_start(tap, new_session, scratch):
    """Tests that fail without a patch say nothing about patches."""
    write(os.path.join(scratch.source, "number.c"),
          SOURCES["number.c"].replace("return a + b;", "return a - b;"))
    try:
        new_session().prepare([], blank_report(), None)
        said = "nothing"
    except ScratchError as error:
        said = str(error)
    tap.check("tests that fail without a patch end the run", "fail without any mutant" in said, True)


def test_faults(tap, tree):
    """What --check has to see."""
    folder = os.path.join(tree, "suites/mutants/patches")
    tap.check("the made-up patches lack only what their makers left out", sorted(
        fault.split(":")[0] for fault in faults(read_all(os.path.join(tree, "suites/mutants")), tree)
        if ": " in fault and "area" not in fault), ["empty", "no_place"])
    bad = {"no_tier": EMPTY.replace("tier: T1\n", ""),
           "bad_area": EMPTY.replace("area: losses", "area: weather"),
           "bad_tier": EMPTY.replace("T1", "T9"), "no_test": EMPTY.replace("unit/sum", "unit/none"),
           "bad_key": EMPTY.replace("tier: T1", "tier: T1\ncolour: red")}
    for name, text in bad.items():
        path = os.path.join(folder, name + ".patch")
        write(path, text + diff("return a + b;", "return a - b;"))
        found = [fault for fault in faults(read_all(os.path.join(tree, "suites/mutants")), tree)
                 if fault.startswith(name + ":")]
        tap.check(f"{name} is a fault", len(found), 1)
        os.remove(path)
    write(os.path.join(folder, "junk.patch"), "no header\n")
    try:
        read_all(os.path.join(tree, "suites/mutants"))
        said = "nothing"
    except PatchError as error:
        said = str(error)
    tap.check("a header that is none is named", said.split(":")[0], "junk")


def blank_report():
    return types.SimpleNamespace(baseline={}, skipped=[], build_seconds=0.0, baseline_seconds=0.0)


def test_order(tap, patches):
    """Of three programs as quick as one another, the one that most patches name is first."""
    from run import in_order
    seconds = {"unit/a": 1.0, "unit/product": 1.0, "unit/sum": 1.0, "unit/b": 0.5}
    programs = [types.SimpleNamespace(name=name) for name in seconds]
    tap.check("programs that mutants name come first, then the quickest",
              [program.name for program in in_order(programs, seconds, patches)],
              ["unit/sum", "unit/product", "unit/b", "unit/a"])


def self_test(make_session):
    """make_session(scratch, patches): what run.py runs its patches with."""
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="mutants-self-test-") as tree:
        make_project(tree)
        scratch = Scratch(tree)
        try:
            patches = read_all(os.path.join(tree, "suites/mutants"))
            session = make_session(scratch, patches)
            session.prepare([], blank_report(), None)
            tap.check("nightly tests and those of documents are left out",
                      sorted(program.name for program in session.programs),
                      ["unit/product", "unit/sum"])
            test_order(tap, patches)
            results = test_verdicts(tap, session, patches)
            test_report(tap, tree, results, patches)
            test_syntax(tap, session, patches)
            test_time_limit(tap, session, patches)
            test_broken_start(tap, lambda: make_session(scratch, patches), scratch)
        finally:
            scratch.close()
        test_faults(tap, tree)
    return tap.end()
