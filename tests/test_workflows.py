"""The workflows pin what they run, ask for the least permissions, and end in time."""

import copy
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tools.normalise import ROOT

ZIZMOR = Path(sys.executable).with_name("zizmor")
FOLDER = ROOT / ".github" / "workflows"
NAMES = sorted(path.name for path in FOLDER.glob("*.yml"))
# What a job may ask for beyond reading the repository.
PERMISSIONS = {
    ("publish.yml", "deploy"): {"pages": "write", "id-token": "write"},
    ("weekly.yml", "report"): {"issues": "write"},
}


def complaints(name, workflow):
    """Yield what is wrong with a parsed workflow."""
    if workflow.get("permissions") != {"contents": "read"}:
        yield "the workflow's permissions must be 'contents: read'"
    triggers = workflow[True]  # YAML 1.1 reads the key 'on' as true
    if "pull_request_target" in triggers or "workflow_run" in triggers:
        yield "a trigger that gives strangers' code the repository's rights"
    for job_name, job in workflow["jobs"].items():
        allowed = PERMISSIONS.get((name, job_name))
        if job.get("permissions") not in (None, allowed):
            yield f"{job_name}: permissions {job['permissions']}"
        if "uses" in job:
            if not job["uses"].startswith("$/"):  # GitHub's sign for this repository and commit
                yield f"{job_name}: a workflow of another repository"
            continue
        if not 0 < job.get("timeout-minutes", 0) <= 90:
            yield f"{job_name}: no timeout-minutes, or more than 90"
        for step in job["steps"]:
            action = step.get("uses", "")
            if action and not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action):
                yield f"{job_name}: {action} is not pinned by a full commit"
            if (
                action.startswith("actions/checkout")
                and step.get("with", {}).get("persist-credentials") is not False
            ):
                yield f"{job_name}: checkout leaves its token behind"
            if "${{" in step.get("run", ""):
                yield f"{job_name}: an expression in a script; pass it as an environment variable"


def read(name):
    return yaml.safe_load((FOLDER / name).read_text())


@pytest.mark.parametrize("name", NAMES)
def test_workflow(name):
    assert list(complaints(name, read(name))) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_names_its_version_and_there_is_one_per_action(name):
    """The comment tells people, and Dependabot, what the commit is."""
    for line in (FOLDER / name).read_text().splitlines():
        if "uses:" in line and "$/" not in line:
            assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line
    pins = {}
    for other in NAMES:
        for action, commit in re.findall(
            r"uses: (\S+)@([0-9a-f]{40})", (FOLDER / other).read_text()
        ):
            assert pins.setdefault(action, commit) == commit, f"{action} has two pins"


def step(workflow, job):
    return workflow["jobs"][job]["steps"][0]


MUTANTS = {
    "all permissions": lambda w: w.pop("permissions"),
    "too many permissions": lambda w: w.update(permissions="write-all"),
    "a job's permissions": lambda w: w["jobs"]["test"].update(permissions={"contents": "write"}),
    "no timeout": lambda w: w["jobs"]["test"].pop("timeout-minutes"),
    "a long timeout": lambda w: w["jobs"]["test"].update({"timeout-minutes": 360}),
    "a tag": lambda w: step(w, "test").update(uses="actions/checkout@v5"),
    "a short commit": lambda w: step(w, "test").update(uses="actions/checkout@08c6903"),
    "a token": lambda w: step(w, "test").pop("with"),
    "an injection": lambda w: step(w, "test").update(run="echo ${{ github.head_ref }}"),
    "a dangerous trigger": lambda w: w[True].update(pull_request_target=None),
    "a workflow of the checkout": lambda w: w["jobs"]["test"].update(
        uses="./.github/workflows/weekly.yml"
    ),
    "a stranger's workflow": lambda w: w["jobs"]["test"].update(
        uses="a/b/.github/workflows/c.yml@v1"
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_complaints_are_made(name):
    workflow = copy.deepcopy(read("test.yml"))
    MUTANTS[name](workflow)
    assert list(complaints("test.yml", workflow))


def audit(folder):
    """Return what zizmor, by the rules of the locked version, finds in a folder like .github."""
    command = [ZIZMOR, "--offline", "--no-progress", "--format=plain", folder]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode in (0, *range(10, 15)), run.stderr  # 11 to 14 name the gravest finding
    return run.stdout if run.returncode else ""


def test_zizmor_finds_nothing():
    assert audit(ROOT / ".github") == ""


def test_zizmor_would_find_something(tmp_path):
    """A mutant, so that a changed option of the command cannot silence it."""
    text = (FOLDER / "test.yml").read_text().replace("persist-credentials: false", "")
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "test.yml").write_text(text)
    assert "artipacked" in audit(folder.parent)


def commands(job):
    """Return what a job runs, as one text."""
    return "\n".join(step.get("run", "") for step in job["steps"])


def publishing(jobs):
    """Yield what is wrong with the order in which the book is published."""
    if jobs["test"].get("uses") != "$/.github/workflows/test.yml":
        yield "the tests are not those of a pull request"
    release = jobs["release"]
    if "python3 -m tools.release" not in commands(release) or release.get("continue-on-error"):
        yield "the tag that Colab installs is not compared"
    if release["steps"][0]["with"].get("fetch-depth") != 0:
        yield "the tags are not fetched"
    if set(jobs["build"]["needs"]) != {"test", "release"} or jobs["deploy"]["needs"] != "build":
        yield "something is published before it is checked"
    uploads = [step for step in jobs["build"]["steps"] if "upload-artifact@" in str(step)]
    if "make pdf slides" not in commands(jobs["build"]) or len(uploads) != 1:
        yield "the PDF and the slides cannot be fetched"


def test_publishing_waits_for_the_tests_and_the_tag():
    assert list(publishing(read("publish.yml")["jobs"])) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda jobs: jobs["test"].update(uses="$/.github/workflows/weekly.yml"),
        lambda jobs: jobs["release"]["steps"].pop(),
        lambda jobs: jobs["release"].update({"continue-on-error": True}),
        lambda jobs: jobs["release"]["steps"][0]["with"].pop("fetch-depth"),
        lambda jobs: jobs["build"].update(needs=["test"]),
        lambda jobs: jobs["build"].update(needs=["release"]),
        lambda jobs: jobs["deploy"].update(needs="test"),
        lambda jobs: jobs["build"]["steps"][2].update(run="make book"),
        lambda jobs: jobs["build"]["steps"].pop(3),
    ],
)
def test_publishing_too_early_is_found(spoil):
    jobs = read("publish.yml")["jobs"]
    spoil(jobs)
    assert list(publishing(jobs))


def showing(job):
    """Yield what keeps a reviewer from seeing the pages and the changes of a pull request."""
    steps = job["steps"]
    if steps[0]["with"].get("fetch-depth") != 0:
        yield "the main branch is not fetched, so nothing can be compared with it"
    runs = [step.get("run") for step in steps]
    if (
        ".ci/run" not in runs
        or "make changes BASE=origin/main" not in runs[runs.index(".ci/run") :]
    ):
        yield "no report is made, or before the pages are built"
    upload = steps[-1]
    if not upload.get("uses", "").startswith("actions/upload-artifact@"):
        yield "nothing is uploaded at the end"
    elif upload["with"]["path"].split() != ["_build/html", "_build/changes"]:
        yield "the pages or the changes are not uploaded"
    for last in steps[-2:]:
        if last.get("if") != (
            "github.event_name == 'pull_request' && matrix.part == 'tests' && !cancelled()"
        ):
            yield "a failed check hides what it is about, or every push makes a report"


def test_a_pull_request_shows_its_pages_and_changes():
    assert list(showing(read("test.yml")["jobs"]["test"])) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda steps: steps[0]["with"].pop("fetch-depth"),
        lambda steps: steps[-2].update(run="make changes"),
        lambda steps: steps[-2].pop("if"),
        lambda steps: steps[-1].update({"if": "github.event_name == 'pull_request'"}),
        lambda steps: steps[-1]["with"].update(path="_build/html"),
        lambda steps: steps.pop(),
        lambda steps: steps.insert(1, steps.pop(-2)),
    ],
)
def test_a_hidden_change_is_found(spoil):
    job = read("test.yml")["jobs"]["test"]
    spoil(job["steps"])
    assert list(showing(job))


CANARIES = {"myst"}  # with Python 3.14, the only ones that may fail


def unreported(jobs):
    """Yield what can fail in the weekly workflow without anybody hearing of it."""
    if set(jobs["report"]["needs"]) != set(jobs) - {"report"} - CANARIES:
        yield "the report leaves a job out, or waits for one that may fail"
    for name, job in jobs.items():
        may_fail = {
            "newest": "${{ matrix.python == '3.14' }}",
            **dict.fromkeys(CANARIES, True),
        }.get(name)
        if job.get("continue-on-error") != may_fail:
            yield f"{name}: who may fail has changed"
        if any(step.get("continue-on-error") for step in job["steps"]):
            yield f"{name}: a step may fail unseen"


def test_every_weekly_failure_but_those_of_canaries_is_reported():
    assert list(unreported(read("weekly.yml")["jobs"])) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda jobs: jobs["report"]["needs"].remove("links"),
        lambda jobs: jobs["report"]["needs"].append("myst"),
        lambda jobs: jobs["links"].update({"continue-on-error": True}),
        lambda jobs: jobs["newest"].update({"continue-on-error": True}),
        lambda jobs: jobs["myst"].pop("continue-on-error"),
        lambda jobs: jobs["benchmarks"]["steps"][-1].update({"continue-on-error": True}),
    ],
)
def test_an_unreported_failure_is_found(spoil):
    jobs = read("weekly.yml")["jobs"]
    spoil(jobs)
    assert list(unreported(jobs))


def test_the_weekly_jobs_run_what_make_test_leaves_out():
    jobs = read("weekly.yml")["jobs"]
    assert jobs["newest"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert jobs["locked"]["strategy"]["matrix"]["python"] == ["3.12", "3.13"]
    assert {"COLAB_CHAPTERS": "all"}.items() <= jobs["colab"]["steps"][-1]["env"].items()
    assert {"KERAS_HOME", "https_proxy"} <= jobs["offline"]["steps"][-1]["env"].keys()
    for name, command in {
        "benchmarks": "python -m benchmarks.stale",
        "colabs-keras": "tests/colab-requirements.txt",
        "links": "--builder linkcheck",
        "myst": "myst build",
        "workflows": "zizmor .github",
    }.items():
        assert command in commands(jobs[name])
    # Other sites are asked once a week, and never when somebody waits for the answer.
    for name in set(NAMES) - {"weekly.yml"}:
        assert "linkcheck" not in (FOLDER / name).read_text()


def test_ci_script_is_what_the_workflow_runs():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    assert script.read_text().rstrip().endswith("make test")
    assert "set -euo pipefail" in script.read_text()
    job = read("test.yml")["jobs"]["test"]
    assert {"run": ".ci/run", "env": {"PART": "${{ matrix.part }}"}} in job["steps"]


def test_the_two_halves_of_the_check_are_the_whole():
    """Each half is a folder of pytest's, so that the two jobs leave nothing out."""
    strategy = read("test.yml")["jobs"]["test"]["strategy"]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert strategy["matrix"]["part"] == settings["testpaths"]
    assert strategy["fail-fast"] is False, "a red half hides the other"
    assert re.search(r"^\t.*pytest .*\$\(PART\)", (ROOT / "Makefile").read_text(), re.M)
