"""The default test programs of a build, run cheapest first until one fails.

They are what `meson test` would run, with the same environment, time limits and verdicts; they are
started from here because the order matters, the first failure ends it, and starting `meson test` a
hundred times would take longer than most of the tests.
"""
import json
import mmap
import os
import queue
import re
import signal
import struct
import subprocess
import threading
import time

# Suites that look at sources, documents, pictures or the build: what they catch is no regression of
# training. Nor do those of the other backend count, for mutants are put into the CPU's, nor what
# needs a peer that is not installed everywhere.
NOT_BEHAVIOUR = {"ci", "headers", "mutants", "plots", "sanitizer", "symbols", "cuda", "emulated",
                 "emulation", "parity", "races", "interchange"}
NIGHTLY = "nightly"
SKIPPED = 77

# Recorded runs hold to the bit on the numerics that they were recorded with, and by their tolerances
# on others. With these a change that moves results by rounding is held to the tolerances.
OTHER_NUMERICS = {"golden": {"OPENBLAS_CORETYPE": "Sandybridge"}}
SLACK = 3  # times a test's own limit: this machine may be busy


class Program:
    """A test program: "suite/name", its command, environment and limit in seconds."""

    def __init__(self, entry, build_folder):
        suite = entry["suite"][0].split(":")[-1]
        self.suite = suite
        self.name = f"{suite}/{entry['name']}"
        self.command = entry["cmd"]
        self.environment = entry["env"]
        self.limit = entry["timeout"] * SLACK
        self.parallel = entry["is_parallel"]
        self.tap = entry["protocol"] == "tap"
        self.folder = entry["workdir"] or build_folder


class Outcome:
    """Of one run of a program: "passed", "skipped" or "failed", and where failed, which case."""

    def __init__(self, program, verdict, seconds, case="", message=""):
        self.program = program
        self.verdict = verdict
        self.seconds = seconds
        self.case = case
        self.message = message


def targets_of(programs, build_folder):
    """What ninja has to build for them, besides what it builds by default."""
    commands = [program.command[0] for program in programs]
    return [os.path.relpath(command, build_folder) for command in commands
            if command.startswith(build_folder + os.sep)]


def default_programs(build_folder):
    listed = subprocess.run(["meson", "introspect", build_folder, "--tests"], capture_output=True,
                            text=True, check=True)
    programs = []
    for entry in json.loads(listed.stdout):
        suites = {suite.split(":")[-1] for suite in entry["suite"]}
        if not suites & (NOT_BEHAVIOUR | {NIGHTLY}):
            programs.append(Program(entry, build_folder))
    return programs


class Counter:
    """Training passes and optimiser steps made by the programs: a file of two numbers, which
    count_steps.c adds to."""

    def __init__(self, folder, library):
        self.path = os.path.join(folder, "steps")
        self.library = library if os.path.exists(library) else None
        self.clear()

    def clear(self):
        with open(self.path, "wb") as file:
            file.write(bytes(16))

    def read(self):
        """(passes, steps), or None where they are not counted."""
        if not self.library:
            return None
        with open(self.path, "rb") as file, mmap.mmap(file.fileno(), 16, prot=mmap.PROT_READ) as at:
            return struct.unpack("qq", at[:])

    def environment(self):
        return {"LD_PRELOAD": self.library, "DETCHECK_STEPS": self.path} if self.library else {}


def what_failed(output, errors):
    """(case, message) of the first failed case, from what the program printed."""
    match = re.search(r"^(\w+/\w+) (failed|crashed|timed out)$\n?(.*)", errors, re.MULTILINE)
    if match:  # suites/failed_test.c
        how = "" if match.group(2) == "failed" else match.group(2) + ": "
        return match.group(1), how + match.group(3).strip()
    match = re.search(r"^not ok \d* ?-? ?(.*)$\n?((?:^[# ].*\n?)*)", output, re.MULTILINE)
    if match:
        return match.group(1).strip(), " ".join(match.group(2).replace("#", " ").split())
    lines = [line for line in (errors + "\n" + output).splitlines() if line.strip()]
    failed = [line for line in lines if re.search(r"\b(FAIL|failed|differs)", line)]
    return "", (failed or lines or [""])[0].strip()


def failed_tap(output):
    return re.search(r"^not ok\b(?!.*# (?:skip|todo))", output, re.MULTILINE | re.IGNORECASE)


class Runner:
    """Runs programs, `jobs` at a time, in the order given, until one fails or time is up."""

    def __init__(self, jobs, counter):
        self.jobs = jobs
        self.counter = counter

    def run(self, programs, deadline, stop_at_failure=True, other_numerics=False):
        """Outcomes of the programs that came to an end, in that order. other_numerics: recorded runs
        are compared by tolerance."""
        waiting = queue.SimpleQueue()
        alone = [program for program in programs if not program.parallel]
        for program in programs:
            if program.parallel:
                waiting.put(program)
        batch = Batch(self.counter, deadline, stop_at_failure)
        batch.of_suite = OTHER_NUMERICS if other_numerics else {}
        threads = [threading.Thread(target=batch.work, args=(waiting,)) for _ in range(self.jobs)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for program in alone:
                waiting.put(program)
            batch.work(waiting)
        finally:  # an interrupt leaves no program behind
            batch.stop()
        return batch.outcomes


class Batch:
    """One call of Runner.run."""

    def __init__(self, counter, deadline, stop_at_failure):
        self.environment = {**os.environ, "MALLOC_PERTURB_": "173", **counter.environment()}
        if stop_at_failure:
            self.environment["CRITERION_FAIL_FAST"] = "1"
        self.of_suite = {}  # more of the environment
        self.deadline = deadline
        self.stop_at_failure = stop_at_failure
        self.stopped = False
        self.lock = threading.Lock()
        self.running = set()
        self.outcomes = []

    def work(self, waiting):
        while not self.stopped and time.monotonic() < self.deadline:
            try:
                program = waiting.get_nowait()
            except queue.Empty:
                return
            self.record(self.run_one(program))

    def record(self, outcome):
        with self.lock:
            if outcome is None or self.stopped:
                return
            self.outcomes.append(outcome)
        if outcome.verdict == "failed" and self.stop_at_failure:
            self.stop()

    def stop(self):
        with self.lock:
            self.stopped = True
            for process in self.running:
                kill(process)

    def run_one(self, program):
        """The outcome, or None where the program was ended from outside."""
        started = time.monotonic()
        with self.lock:
            if self.stopped:
                return None
            process = subprocess.Popen(
                program.command, cwd=program.folder,
                env={**self.environment, **program.environment,
                     **self.of_suite.get(program.suite, {})},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                errors="replace", start_new_session=True)
            self.running.add(process)
        limit = min(program.limit, max(0.0, self.deadline - started))
        late = False
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            late = True
            kill(process)
            output, errors = process.communicate()
        with self.lock:
            self.running.discard(process)
        seconds = time.monotonic() - started
        if late and limit < program.limit:  # the mutant's time is up, not the program's
            return None
        return judge(program, process.returncode, late, output, errors, seconds)


def kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def judge(program, status, late, output, errors, seconds):
    """As `meson test` judges: a time limit, an exit status, and for TAP its lines."""
    if late:
        return Outcome(program, "failed", seconds, "", f"no end in {seconds:.0f} s")
    if status == SKIPPED:
        return Outcome(program, "skipped", seconds)
    if status == 0 and not (program.tap and failed_tap(output)):
        skipped = program.tap and re.search(r"^1\.\.0\b", output, re.MULTILINE)
        return Outcome(program, "skipped" if skipped else "passed", seconds)
    case, message = what_failed(output, errors)
    if not message:
        message = f"exit status {status}"
    return Outcome(program, "failed", seconds, case, message[:300])
