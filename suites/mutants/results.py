"""What became of each patch: lines while it runs, the table, JSON, and docs/mutation_score.md."""
import datetime
import json
import os
import platform
import statistics
import subprocess

GOOD = {"mutant": "caught", "equivalent": "passed"}


class Result:
    """One patch's. `status`: caught or survived (mutants), passed or flagged (equivalent changes),
    or error, with why in `message`: that is the patch's fault or the clock's, never a catch."""

    def __init__(self, patch):
        self.patch = patch
        self.status = "error"
        self.suite = self.case = self.message = ""
        self.build_seconds = self.test_seconds = 0.0
        self.programs = 0
        self.passes = self.steps = None  # not counted
        self.expected_fails = None  # not asked

    def good(self):
        return self.status == GOOD[self.patch.kind] and self.expected_fails is not False

    def seconds(self):
        return self.build_seconds + self.test_seconds

    def line(self):
        """One line for people."""
        where = " ".join(part for part in (self.suite, self.case) if part)
        text = f"{self.patch.id}: {self.status}" + (f" by {where}" if where else "")
        text += f", build {self.build_seconds:.1f} s, tests {self.test_seconds:.1f} s"
        if self.passes is not None:
            text += f", {self.passes} training passes"
        if self.expected_fails is False:
            text += f"; but {self.patch.get('expect')}, which is to catch it, passes"
        return text

    def as_json(self):
        return {"id": self.patch.id, "kind": self.patch.kind, **self.patch.values,
                "status": self.status, "suite": self.suite, "case": self.case,
                "message": self.message, "build_seconds": round(self.build_seconds, 3),
                "test_seconds": round(self.test_seconds, 3), "programs": self.programs,
                "training_passes": self.passes, "optimiser_steps": self.steps,
                "expected_fails": self.expected_fails}


def commit_of(tree):
    """The commit and whether there are changes beyond it; "" outside a repository."""
    if not os.path.exists(os.path.join(tree, ".git")):
        return ""
    said = subprocess.run(["git", "describe", "--always", "--dirty=, changed", "--abbrev=12"],
                          cwd=tree, capture_output=True, text=True, check=False)
    return said.stdout.strip()


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def compiler():
    said = subprocess.run([os.environ.get("CC", "cc"), "--version"], capture_output=True, text=True,
                          check=False)
    return said.stdout.splitlines()[0] if said.stdout else "unknown"


def result_of(patch, values):
    """A Result again, from what as_json made of it."""
    result = Result(patch)
    for name in ("status", "suite", "case", "message", "build_seconds", "test_seconds", "programs",
                 "expected_fails"):
        setattr(result, name, values[name])
    result.passes, result.steps = values["training_passes"], values["optimiser_steps"]
    return result


class Report:
    """All results of a run and where it was made."""

    def __init__(self, tree, jobs):
        self.tree = tree
        self.made = {
            "date": datetime.date.today().isoformat(),
            "commit": commit_of(tree),
            "processor": processor(),
            "cores": os.cpu_count(),
            "jobs": jobs,
            "load": round(os.getloadavg()[0], 1),
            "compiler": compiler(),
        }
        self.build_seconds = self.baseline_seconds = self.total_seconds = 0.0
        self.baseline = {}  # seconds of each program on the unchanged sources
        self.skipped = []  # programs that this machine cannot run
        self.results = []

    def take(self, values, patches):
        """Becomes what as_json wrote. Every patch must be in it, and nothing else."""
        found = {entry["id"]: entry for entry in values["results"]}
        if set(found) != {patch.id for patch in patches}:
            apart = set(found) ^ {patch.id for patch in patches}
            raise ValueError(f"these results are not of today's patches: {', '.join(sorted(apart))}")
        self.made = values["made"]
        self.baseline, self.skipped = values["baseline"], values["skipped"]
        self.build_seconds = values["build_seconds"]
        self.baseline_seconds = values["baseline_seconds"]
        self.total_seconds = values["total_seconds"]
        self.results = [result_of(patch, found[patch.id]) for patch in patches]

    def of(self, kind):
        return [result for result in self.results if result.patch.kind == kind]

    def good(self, kind):
        return [result for result in self.of(kind) if result.status == GOOD[kind]]

    def all_good(self):
        return all(result.good() for result in self.results)

    def score(self):
        mutants, equivalents = self.of("mutant"), self.of("equivalent")
        return (f"{len(self.good('mutant'))} of {len(mutants)} mutants caught, "
                f"{len(self.good('equivalent'))} of {len(equivalents)} equivalent changes passed")

    def as_json(self):
        return {"made": self.made, "score": self.score(),
                "build_seconds": round(self.build_seconds, 1),
                "baseline_seconds": round(self.baseline_seconds, 1),
                "total_seconds": round(self.total_seconds, 1),
                "skipped": self.skipped,
                "baseline": {name: round(seconds, 3) for name, seconds in self.baseline.items()},
                "results": [result.as_json() for result in self.results]}

    def write_json(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.as_json(), file, indent=1)
            file.write("\n")

    def closing(self):
        """The last lines: what is not as it should be, and the score."""
        bad = [f"{result.line()}\n    {result.message}" for result in self.results
               if not result.good()]
        return bad + [self.score()]

    def write_page(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(page(self)) + "\n")


def spread(values, unit):
    values = sorted(values)
    if not values:
        return "none"
    return (f"median {statistics.median(values):.1f}{unit}, largest {values[-1]:.1f}{unit}")


def markdown(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def row(*cells):
    return "| " + " | ".join(markdown(str(cell)) for cell in cells) + " |"


def number(value):
    return "-" if value is None else value


def head(report):
    made = report.made
    return [
        "# Mutation score",
        "",
        "Made by `suites/mutants/run.py --page docs/mutation_score.md`; not written by hand. Each mutant",
        "is one real regression, from the catalogue that [coverage.md](coverage.md) goes through, put back",
        "into the code as a patch (suites/mutants/patches/, each with its source). The runner builds each",
        "and runs the default test programs until one fails, in one order for all: first the programs that",
        "patches name, those first that cost the fewest seconds a patch, then the others. Tests of",
        "documents, style and builds are left out: they catch nothing here. Where another program was first,",
        "the one that the patch names is run too, and must fail as well.",
        "",
        f"**{report.score()}.**",
        "",
        f"Made on {made['date']} from commit {made['commit'] or 'unknown'}: {made['processor']}, "
        f"{made['cores']} cores, {made['jobs']} jobs, {made['compiler']}, load average {made['load']} at the "
        "start (whatever else runs makes the times longer).",
        f"The first build took {report.build_seconds:.0f} s, the unchanged tests "
        f"{report.baseline_seconds:.0f} s, everything {report.total_seconds / 60:.1f} minutes.",
        "",
    ]


def time_to_verdict(caught):
    lines = [
        "## Time to verdict",
        "From the change to the first failed test:",
        "",
        f"- build: {spread([r.build_seconds for r in caught], ' s')}",
        f"- tests: {spread([r.test_seconds for r in caught], ' s')}",
        f"- both: {spread([r.seconds() for r in caught], ' s')}",
    ]
    if all(result.passes is not None for result in caught):
        without = sum(result.passes == 0 for result in caught)
        trained = [result.passes for result in caught if result.passes]
        lines += [
            f"- {without} of {len(caught)} are caught before a single training pass is made; the others "
            f"after {spread(trained, '')} passes",
            "",
            "A training pass is one forward and backward of a batch, a step one update; both are counted",
            "where they happen, in every program that ran until then, those that passed included",
            "(suites/mutants/count_steps.c). Most are passes of nets of a few thousand weights.",
        ]
    return lines + [""]


def mutant_rows(report):
    lines = ["## Mutants", "",
             row("area", "mutant", "what changed", "caught by", "build s", "tests s", "passes", "steps",
                 "tier"),
             row(*["---"] * 9)]
    for result in sorted(report.of("mutant"), key=lambda r: (r.patch.get("area"), r.patch.id)):
        patch = result.patch
        where = f"{result.suite} {result.case}".strip() if result.suite else result.status
        lines.append(row(patch.get("area"), patch.id, patch.get("about"), where,
                         f"{result.build_seconds:.1f}", f"{result.test_seconds:.1f}",
                         number(result.passes), number(result.steps), patch.get("tier")))
    return lines + [""]


def equivalent_rows(report):
    lines = ["## Equivalent changes",
             "Changes that alter no result beyond rounding; all tests must pass. Where rounding moves",
             "results, recorded runs, which hold to the bit, are compared by their tolerances (as on another",
             "processor): that bits moved is what they are there to say.",
             "", row("change", "what changed", "why it is none", "result"), row(*["---"] * 4)]
    for result in report.of("equivalent"):
        patch = result.patch
        what = result.status + (f" by {result.suite} {result.case}" if result.suite else "")
        lines.append(row(patch.id, patch.get("about"), patch.get("why"), what))
    return lines + [""]


def slowest_rows(report):
    lines = ["## What the test programs take",
             f"On the unchanged sources, the slowest ten of {len(report.baseline)}:",
             "", row("program", "s"), row("---", "---")]
    for name, seconds in sorted(report.baseline.items(), key=lambda item: -item[1])[:10]:
        lines.append(row(name, f"{seconds:.1f}"))
    if report.skipped:
        lines += ["", "Skipped on this machine: " + ", ".join(report.skipped) + "."]
    return lines


def page(report):
    """docs/mutation_score.md, line by line."""
    return (head(report) + time_to_verdict(report.good("mutant")) + mutant_rows(report) +
            equivalent_rows(report) + slowest_rows(report))
