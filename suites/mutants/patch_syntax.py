"""Whether the patched C files and headers still compile: their syntax alone, with the compiler and the
flags that a configured build has for them. That a patch applies does not say so, and the run that
builds them all is nightly.
"""
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from patch_files import git_apply

OUTPUTS = ("-o", "-MQ", "-MF", "-MT")  # options that name a file to write
PLAIN = ["-Wno-error", "-fdiagnostics-color=never"]  # a mutant may leave a variable unused


class Flags:
    """The compiler's command for a source file, from a build's compile_commands.json; of a header,
    which has none, that of any file."""

    def __init__(self, build):
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as text:
            entries = json.load(text)
        self.of = {}
        for entry in entries:
            path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
            self.of.setdefault(path, entry)

    def command(self, original, patched, tree):
        """Its patched files are found before those of the build."""
        entry = self.of.get(os.path.realpath(original))
        if not entry and not original.endswith(".h"):
            return None, None
        entry = entry or next(iter(self.of.values()))
        words = shlex.split(entry["command"])
        kept = [word for at, word in enumerate(words)
                if word not in OUTPUTS + ("-c", "-MD", entry["file"])
                and words[at - 1] not in OUTPUTS]
        at = next(i for i, word in enumerate(kept) if word.startswith("-"))
        return kept[:at] + ["-fsyntax-only", "-I" + tree] + kept[at:] + PLAIN + ["-x", "c", patched], \
            entry["directory"]


def copy_touched(patch, tree, to):
    for name in patch.touched:
        source, target = os.path.join(tree, name), os.path.join(to, name)
        if os.path.isfile(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)


def complaint_of(patch, tree, flags):
    """The compiler's first error, or ""; "" as well where the patch does not apply (another fault)."""
    with tempfile.TemporaryDirectory(prefix="mutants-syntax-") as folder:
        copy_touched(patch, tree, folder)
        if git_apply(folder, patch.path):
            return ""
        for name in patch.touched:
            patched = os.path.join(folder, name)
            if not name.endswith((".c", ".h")) or not os.path.isfile(patched):
                continue
            command, directory = flags.command(os.path.join(tree, name), patched, folder)
            if not command:
                return f"{name} is not part of the build"
            done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                lines = [line for line in done.stderr.splitlines() if "error:" in line]
                return (lines or ["the compiler failed"])[0].replace(folder + "/", "")
    return ""


def syntax_faults(patches, tree, build):
    """A line for each patch that does not compile in the build's configuration."""
    flags = Flags(build)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = list(pool.map(lambda patch: complaint_of(patch, tree, flags), patches))
    for patch, complaint in zip(patches, complaints):
        if complaint:
            yield f"{patch.id}: does not compile: {complaint}"
