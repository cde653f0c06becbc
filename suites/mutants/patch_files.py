"""The patches: reading their headers, and what must hold of all of them before any is built.

A patch file is a block of `key: value` lines (a line that starts with blanks goes on the one before),
an empty line, and a diff that `git apply` takes. Its name without `.patch` is its id.
"""
import os
import re
import shutil
import subprocess

KINDS = {"patches": "mutant", "equivalent": "equivalent"}  # folder: what its patches are
KEYS = {
    "mutant": ["catalogue", "area", "about", "source", "expect", "tier"],
    "equivalent": ["area", "about", "why"],
}
MAY = {"mutant": [], "equivalent": ["rounding"]}  # rounding: yes, results move by rounding
TIERS = ["T0", "T1", "T2", "T3", "T4", "T5"]

# Every area has a mutant; these have several.
AREAS = ["losses", "normalisation", "sampler", "matcher", "anchors", "box coder", "RoIAlign", "NMS",
         "optimiser", "clipping", "schedule", "precision", "data", "initialisation", "evaluation",
         "checkpoint"]
SEVERAL = ["losses", "normalisation", "sampler", "matcher"]
LEAST = {"mutant": 40, "equivalent": 5}


class PatchError(Exception):
    """What is wrong with a patch, in one line."""


class Patch:
    """One patch file: its id, kind, path, the header's values and the files that its diff names."""

    def __init__(self, path, kind):
        self.path = path
        self.kind = kind
        self.id = os.path.basename(path)[: -len(".patch")]
        with open(path, encoding="utf-8") as text:
            header, _, diff = text.read().partition("\n\n")
        self.values = parse_header(self.id, header)
        self.touched = sorted(set(re.findall(r"^(?:---|\+\+\+) [ab]/(\S+)", diff, re.MULTILINE)))

    def get(self, key):
        return self.values.get(key, "")


def parse_header(name, header):
    values = {}
    last = None
    for line in header.splitlines():
        match = re.match(r"([a-z]+): (\S.*)$", line)
        if match:
            last = match.group(1)
            values[last] = match.group(2)
        elif last and line.startswith(" ") and line.strip():
            values[last] += " " + line.strip()
        else:
            raise PatchError(f"{name}: `{line}` is no `key: value` line of its header")
    return values


def read_all(folder):
    """Every patch below the folder, mutants first, by id."""
    found = []
    for sub, kind in KINDS.items():
        inside = os.path.join(folder, sub)
        names = sorted(os.listdir(inside)) if os.path.isdir(inside) else []
        for name in names:
            if not name.endswith(".patch"):
                raise PatchError(f"{sub}/{name}: not a .patch file")
            found.append(Patch(os.path.join(inside, name), kind))
    return found


def git_apply(tree, path, *options):
    """`git apply` in a tree that may lie in no repository, or in that of something else; returns
    what it complains about, "" where it applied."""
    environment = dict(os.environ, GIT_CEILING_DIRECTORIES=os.path.dirname(os.path.abspath(tree)))
    if os.path.exists(os.path.join(tree, ".git")):
        environment.pop("GIT_CEILING_DIRECTORIES")
    done = subprocess.run(["git", "apply", "--allow-empty", *options, os.path.abspath(path)], cwd=tree,
                          env=environment, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or "git apply failed"


def header_faults(patch):
    missing = [key for key in KEYS[patch.kind] if not patch.get(key)]
    unknown = [key for key in patch.values if key not in KEYS[patch.kind] + MAY[patch.kind]]
    if missing:
        yield f"{patch.id}: the header lacks {', '.join(missing)}"
    if unknown:
        yield f"{patch.id}: the header has unknown {', '.join(unknown)}"
    if patch.kind != "mutant" or missing:
        return
    if patch.get("area") not in AREAS:
        yield f"{patch.id}: area `{patch.get('area')}` is none of {', '.join(AREAS)}"
    if patch.get("tier") not in TIERS:
        yield f"{patch.id}: tier `{patch.get('tier')}` is none of {', '.join(TIERS)}"


def expectation_fault(patch, tree):
    """`expect` names suite/name of a test program: there must be such a file."""
    expected = patch.get("expect")
    if not re.match(r"^\w+/\w+$", expected):
        return f"{patch.id}: expect `{expected}` is not SUITE/NAME"
    places = [os.path.join(tree, "suites", expected + ending) for ending in (".c", ".sh")]
    if expected.startswith("oracle/vectors_"):
        places.append(os.path.join(tree, "suites/oracle/vectors.sh"))
    if not any(os.path.exists(place) for place in places):
        return f"{patch.id}: expect names {expected}, which is no test"
    return ""


def set_faults(patches):
    """What is wrong with the patches as a whole."""
    for kind, least in LEAST.items():
        count = sum(patch.kind == kind for patch in patches)
        if count < least:
            yield f"{count} of kind {kind}, want at least {least}"
    areas = [patch.get("area") for patch in patches if patch.kind == "mutant"]
    for area in AREAS:
        least = 2 if area in SEVERAL else 1
        if areas.count(area) < least:
            yield f"area {area} has {areas.count(area)} mutants, want at least {least}"
    ids = [patch.id for patch in patches]
    for twice in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"{twice}: two patches of that name"


def faults(patches, tree):
    """Everything that is wrong, a line each; applies each patch to the tree, without changing it."""
    for patch in patches:
        yield from header_faults(patch)
        fault = expectation_fault(patch, tree) if patch.kind == "mutant" else ""
        fault = fault or ("" if patch.touched else f"{patch.id}: the diff names no file")
        if fault:
            yield fault
        complaint = git_apply(tree, patch.path, "--check")
        if complaint:
            yield f"{patch.id}: does not apply: {complaint.splitlines()[0]}"
    yield from set_faults(patches)


def have_git():
    return shutil.which("git") is not None
