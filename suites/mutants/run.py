#!/usr/bin/env python3
"""Puts known regressions back into the code, one at a time, and sees whether the tests notice.

  run.py                     all patches: builds, tests, a line each and the score
  run.py --only ID[,ID...]   some of them (a part of the id will do)
  run.py --page docs/mutation_score.md [--from JSON]
                             all, and the page; or the page of results that --json wrote
  run.py --check             no build: headers, areas, counts, and that every patch still applies
  run.py --check --build DIR also that what they patch compiles, with the flags of that build
  run.py --self-test         the runner itself, on a small project with known mutants
  run.py --list              ids, areas and what they are about

A mutant (patches/) is to be caught by a default test, an equivalent change (equivalent/) by none. A
patch that does not apply or build is an error, never a catch, and neither is a test that fails on the
unchanged sources: then nothing is run. Status 0: all as it should be, 1: not, 2: bad usage or no
build, 77: git is missing.
"""
import argparse
import json
import os
import signal
import sys
import time

sys.dont_write_bytecode = True

from patch_files import PatchError, faults, have_git, read_all  # noqa: E402
from patch_syntax import syntax_faults  # noqa: E402
from results import Report, Result  # noqa: E402
from scratch import Scratch, ScratchError  # noqa: E402
from test_programs import Counter, Runner, default_programs, targets_of  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
AT_A_TIME = 12  # programs that are built before they are run
# Without debugging information it compiles and links quicker.
OPTIONS = ["-Dshared=true", "-Ddebug=false", "-Dcuda=disabled"]


def in_order(programs, seconds, patches):
    """One order for all patches: first the programs that mutants name, those first that cost the
    fewest seconds a mutant; then the others, quickest first."""
    named = [patch.get("expect") for patch in patches]

    def cost(program):
        count = named.count(program.name)
        return (count == 0, seconds[program.name] / max(1, count))

    return sorted(programs, key=cost)


class Session:
    """One run over patches: the scratch copy, its programs in their order, and the limits."""

    def __init__(self, scratch, jobs, limit, patches):
        self.scratch = scratch
        self.jobs = jobs
        self.limit = limit  # seconds a patch
        self.patches = patches  # all of them: what they name decides the order
        self.programs = []
        self.counter = self.runner = None  # made when the sources are built

    def prepare(self, options, report, known):
        """Builds the unchanged sources and runs their tests (or takes `known` seconds for them)."""
        started = time.monotonic()
        self.scratch.configure(options)
        programs = default_programs(self.scratch.build_folder)
        self.scratch.build(targets_of(programs, self.scratch.build_folder), self.jobs, 3600)
        report.build_seconds = time.monotonic() - started
        self.counter = Counter(self.scratch.folder, os.path.join(
            self.scratch.build_folder, "suites/mutants/libcount_steps.so"))
        self.runner = Runner(self.jobs, self.counter)
        if known:
            report.baseline = {p.name: known.get(p.name, 1.0) for p in programs}
        else:
            programs = self.run_unchanged(programs, report)
        self.programs = in_order(programs, report.baseline, self.patches)

    def run_unchanged(self, programs, report):
        started = time.monotonic()
        outcomes = self.runner.run(programs, started + 3600, stop_at_failure=False)
        report.baseline_seconds = time.monotonic() - started
        failed = [outcome for outcome in outcomes if outcome.verdict == "failed"]
        if failed:
            raise ScratchError("tests fail without any mutant: " + "; ".join(
                f"{o.program.name} {o.case} {o.message}" for o in failed))
        if len(outcomes) < len(programs):
            raise ScratchError("the unchanged tests did not come to an end")
        report.skipped = [o.program.name for o in outcomes if o.verdict == "skipped"]
        ran = [outcome for outcome in outcomes if outcome.verdict == "passed"]
        if not ran:
            raise ScratchError("no test ran")
        report.baseline = {outcome.program.name: outcome.seconds for outcome in ran}
        return [outcome.program for outcome in ran]

    def examine(self, patch):
        result = Result(patch)
        deadline = time.monotonic() + self.limit
        self.counter.clear()
        try:
            self.scratch.apply(patch)
            self.verdict(result, self.test(result, deadline))
            if result.status == "caught":
                self.test_expected(result, deadline)
        except ScratchError as error:
            result.status, result.message = "error", str(error)
        finally:
            self.scratch.put_back()
        return result

    def build(self, programs, result, deadline):
        started = time.monotonic()
        self.scratch.build(targets_of(programs, self.scratch.build_folder), self.jobs,
                           max(0.0, deadline - started))
        result.build_seconds += time.monotonic() - started

    def test(self, result, deadline):
        """Outcomes up to the first failure. Programs are built a few at a time, as they come: most
        mutants are caught before the most are needed."""
        outcomes = []
        other_numerics = result.patch.get("rounding") == "yes"
        for first in range(0, len(self.programs), AT_A_TIME):
            programs = self.programs[first:first + AT_A_TIME]
            self.build(programs, result, deadline)
            started = time.monotonic()
            outcomes += self.runner.run(programs, deadline, other_numerics=other_numerics)
            result.test_seconds += time.monotonic() - started
            if time.monotonic() >= deadline or any(o.verdict == "failed" for o in outcomes):
                break
        return outcomes

    def verdict(self, result, outcomes):
        mutant = result.patch.kind == "mutant"
        result.programs = len(outcomes)
        counts = self.counter.read()
        if counts:
            result.passes, result.steps = counts
        failed = [outcome for outcome in outcomes if outcome.verdict == "failed"]
        if failed:
            result.status = "caught" if mutant else "flagged"
            result.suite, result.case = failed[0].program.name, failed[0].case
            result.message = failed[0].message
        elif len(outcomes) < len(self.programs):
            result.message = f"{len(outcomes)} of {len(self.programs)} programs in {self.limit:.0f} s"
        else:
            result.status = "survived" if mutant else "passed"

    def test_expected(self, result, deadline):
        """Whether the test that the patch names fails too; None where it cannot run here. Takes no
        part in the result's times."""
        expected = result.patch.get("expect")
        if result.suite == expected:
            result.expected_fails = True
            return
        deadline = max(deadline, time.monotonic() + 60)
        there = [program for program in self.programs if program.name == expected]
        self.build(there, Result(result.patch), deadline)
        outcomes = self.runner.run(there, deadline)
        if outcomes:
            result.expected_fails = outcomes[0].verdict == "failed"


def chosen(patches, only):
    """The patches whose ids hold one of the texts in `only` (comma-separated; None: all)."""
    if not only:
        return patches
    wanted = only.split(",")
    for text in wanted:
        if not any(text in patch.id for patch in patches):
            raise PatchError(f"--only {text}: no patch has that in its id")
    return [patch for patch in patches if any(text in patch.id for text in wanted)]


def run_patches(session, patches, report, arguments):
    started = time.monotonic()
    for number, patch in enumerate(patches, 1):
        result = session.examine(patch)
        report.results.append(result)
        report.total_seconds = (time.monotonic() - started + report.build_seconds +
                                report.baseline_seconds)
        if arguments.json:  # each time, so that a run that is ended leaves what it has
            report.write_json(arguments.json)
        if arguments.tap:
            print(f"{'ok' if result.good() else 'not ok'} {number} - {result.line()}")
            if not result.good():
                print("# " + result.message.replace("\n", "\n# "))
        else:
            print(f"[{number}/{len(patches)}] {result.line()}")
        sys.stdout.flush()


def known_seconds(path):
    if not path:
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)["baseline"]


def copies(patches, scratch):
    """The patches as they were copied with the sources: work on the tree may go on meanwhile."""
    copied = {patch.id: patch for patch in read_all(
        os.path.join(scratch.source, os.path.relpath(HERE, TREE)))}
    return [copied[patch.id] for patch in patches]


def run(arguments, patches, everything):
    report = Report(TREE, arguments.jobs)
    scratch = Scratch(TREE, arguments.scratch, arguments.keep)
    try:
        patches = copies(patches, scratch)
        session = Session(scratch, arguments.jobs, arguments.limit, everything)
        if arguments.tap:
            print(f"1..{len(patches)}", flush=True)
        session.prepare(OPTIONS, report, known_seconds(arguments.baseline))
        run_patches(session, patches, report, arguments)
    finally:
        scratch.close()
        if scratch.keep:
            print(f"# kept: {scratch.folder}")
    if arguments.json:
        report.write_json(arguments.json)  # also where there was no patch
    if arguments.page:
        report.write_page(arguments.page)
    for line in report.closing():
        print("# " + line.replace("\n", "\n# ") if arguments.tap else line)
    return 0 if report.all_good() else 1


def page_from(path, page, patches):
    """The page of a run that wrote its results, the nightly one, say."""
    report = Report(TREE, 0)
    with open(path, encoding="utf-8") as file:
        report.take(json.load(file), patches)
    report.write_page(page)
    print(report.score())
    return 0 if report.all_good() else 1


def check(patches, build):
    found = list(faults(patches, TREE))
    if build:
        found += syntax_faults(patches, TREE, build)
    print("\n".join(found + [f"{len(patches)} patches, {len(found)} faults"]))
    return 1 if found else 0


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="ID", help="only patches with this in their id; a,b for more")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="tests and compilers at once")
    parser.add_argument("--limit", type=float, default=900, metavar="S", help="seconds a patch")
    parser.add_argument("--keep", action="store_true", help="keep the scratch folder")
    parser.add_argument("--scratch", metavar="DIR", help="the scratch folder; kept, and used again")
    parser.add_argument("--baseline", metavar="JSON", help="an earlier result: take the tests' seconds "
                        "from it in place of running the unchanged tests")
    parser.add_argument("--json", metavar="FILE", help="write the results")
    parser.add_argument("--page", metavar="FILE", help="write docs/mutation_score.md")
    parser.add_argument("--from", dest="results", metavar="JSON", help="with --page: of an earlier run's "
                        "results, without another run")
    parser.add_argument("--tap", action="store_true", help="a TAP line a patch, for meson")
    parser.add_argument("--check", action="store_true", help="look at the patches, build nothing")
    parser.add_argument("--build", metavar="DIR", help="with --check: a build folder, with whose flags "
                        "it is tried whether what they patch compiles")
    parser.add_argument("--self-test", action="store_true", help="test this program")
    parser.add_argument("--list", action="store_true", help="list the patches")
    arguments = parser.parse_args(argv)
    if arguments.page and arguments.only:
        parser.error("--page tells of all patches; it does not go with --only")
    if arguments.build and not arguments.check:
        parser.error("--build goes with --check")
    if arguments.results and not arguments.page:
        parser.error("--from goes with --page")
    return arguments


def main(argv):
    arguments = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("mutants: ended from outside"))
    if not have_git():
        print("mutants: git, which applies the patches, is missing")
        return 77
    try:
        if arguments.self_test:
            from self_test import self_test
            return self_test(lambda scratch, patches: Session(scratch, 2, 60.0, patches))
        everything = read_all(HERE)
        patches = chosen(everything, arguments.only)
        if arguments.list:
            for patch in patches:
                print(f"{patch.id}  [{patch.get('area')}, {patch.kind}]  {patch.get('about')}")
            return 0
        if arguments.results and arguments.page:
            return page_from(arguments.results, arguments.page, everything)
        return check(patches, arguments.build) if arguments.check else run(arguments, patches, everything)
    except (PatchError, ScratchError, OSError, ValueError, KeyError) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
