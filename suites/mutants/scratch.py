"""A copy of the sources with a build folder of its own, in which patches come and go.

The copy is built once, its parts as shared libraries; a patch then costs the compilation of the
files that it changes and the linking of one library. What a patch touches is put back byte by byte.
"""
import os
import shutil
import subprocess
import tempfile

from patch_files import git_apply

LEFT_OUT = ("build", "runs", ".git", ".venv", "__pycache__")  # where git cannot say what is ours


class ScratchError(Exception):
    """A step that failed; the message ends with its output."""


def source_files(tree):
    """Paths of the project's files in the tree, changed and new ones included."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=tree, capture_output=True, text=True, check=False)
    if os.path.exists(os.path.join(tree, ".git")) and listed.returncode == 0:
        return [name for name in listed.stdout.split("\0") if name]
    found = []
    for folder, names, files in os.walk(tree):
        names[:] = [name for name in names if not name.startswith(LEFT_OUT)]
        found += [os.path.relpath(os.path.join(folder, name), tree) for name in files]
    return found


def content_of(path):
    """A file's bytes; None where there is none."""
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def copy_sources(tree, to):
    """Makes `to` a copy of the tree's sources; what is there and the same keeps its time."""
    names = {name for name in source_files(tree) if os.path.isfile(os.path.join(tree, name))}
    for folder, _, files in os.walk(to):
        for name in files:
            if os.path.relpath(os.path.join(folder, name), to) not in names:
                os.remove(os.path.join(folder, name))
    for name in names:
        source, target = os.path.join(tree, name), os.path.join(to, name)
        if content_of(source) != content_of(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)


def run(command, cwd, seconds, more_environment=None):
    """Runs a command; ScratchError with the end of its output where it fails or takes too long."""
    try:
        done = subprocess.run(command, cwd=cwd, env={**os.environ, **(more_environment or {})},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=seconds, check=False)
    except subprocess.TimeoutExpired as late:
        raise ScratchError(f"{command[0]}: not done in {seconds:.0f} s") from late
    if done.returncode != 0:
        raise ScratchError(f"{command[0]} failed:\n{done.stdout[-4000:]}")


class Scratch:
    """The copy; `folder` holds source/ and build/. Without one, a temporary folder is made, which
    close removes unless it is to be kept."""

    def __init__(self, tree, folder=None, keep=False):
        self.folder = os.path.abspath(folder) if folder else tempfile.mkdtemp(prefix="mutants-")
        self.keep = keep or folder is not None
        self.source = os.path.join(self.folder, "source")
        self.build_folder = os.path.join(self.folder, "build")
        self.saved = {}
        copy_sources(tree, self.source)

    def configure(self, options):
        if not os.path.exists(os.path.join(self.build_folder, "build.ninja")):
            run(["meson", "setup", self.build_folder, *options], self.source, 600)

    def build(self, targets, jobs, seconds):
        """The default targets and these. Then the program must start: a name that is missing in one of
        the libraries is no link error, and a test that cannot start is no catch."""
        run(["ninja", "-C", self.build_folder, f"-j{jobs}", "all", *targets], self.source, seconds)
        program = os.path.join(self.build_folder, "harness/detcheck")
        if os.path.exists(program):
            run([program, "--help"], self.source, 60, {"LD_BIND_NOW": "1"})

    def apply(self, patch):
        for name in patch.touched:
            path = os.path.join(self.source, name)
            self.saved[path] = content_of(path)
        complaint = git_apply(self.source, patch.path)
        if complaint:
            raise ScratchError(f"does not apply: {complaint}")

    def put_back(self):
        for path, content in self.saved.items():
            if content is None:
                if os.path.exists(path):
                    os.remove(path)
                continue
            with open(path, "wb") as file:
                file.write(content)
        self.saved = {}

    def close(self):
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
