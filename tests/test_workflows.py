"""The workflows pin what they run, ask for the least permissions, and end in time."""

import copy
import os
import re
import subprocess

import pytest
import yaml

from tools.normalise import ROOT

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
            if not job["uses"].startswith("./"):
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
        if "uses:" in line and "./" not in line:
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
    "a stranger's workflow": lambda w: w["jobs"]["test"].update(
        uses="a/b/.github/workflows/c.yml@v1"
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_complaints_are_made(name):
    workflow = copy.deepcopy(read("test.yml"))
    MUTANTS[name](workflow)
    assert list(complaints("test.yml", workflow))


def test_publishing_waits_for_the_tests():
    jobs = read("publish.yml")["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert jobs["build"]["needs"] == "test"
    assert jobs["deploy"]["needs"] == "build"


def test_every_supported_python_colab_and_a_missing_network_have_their_turn():
    jobs = read("weekly.yml")["jobs"]
    assert jobs["newest"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert jobs["locked"]["strategy"]["matrix"]["python"] == ["3.12", "3.13"]
    assert {"COLAB_CHAPTERS": "all"}.items() <= jobs["colab"]["steps"][-1]["env"].items()
    assert {"KERAS_HOME", "https_proxy"} <= jobs["offline"]["steps"][-1]["env"].keys()
    assert "tests/colab-requirements.txt" in jobs["colabs-keras"]["steps"][-1]["run"]
    # A failure of any of them is reported.
    assert set(jobs["report"]["needs"]) == set(jobs) - {"report"}


def test_ci_script_is_what_the_workflow_runs():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    assert script.read_text().rstrip().endswith("make test")
    assert "set -euo pipefail" in script.read_text()
    assert {"run": ".ci/run"} in read("test.yml")["jobs"]["test"]["steps"]


def test_only_the_ci_script_knows_what_lies_beside_the_checkout():
    beside = "../" + "shared"
    listed = subprocess.run(
        ["git", "grep", "-lF", beside], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode > 1:
        pytest.skip("not a git checkout")
    assert set(listed.stdout.split()) <= {".ci/run"}
