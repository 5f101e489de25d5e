"""Say in the summary on which versions Colab was simulated: another Python proves less."""


def pytest_terminal_summary(terminalreporter):
    """Write what tests/test_colab.py recorded, from whichever worker it came."""
    reports = terminalreporter.stats.get("passed", [])
    lines = [
        value for report in reports for name, value in report.user_properties if name == "colab"
    ]
    if lines:
        terminalreporter.section("Colab runtime")
        for line in lines:
            terminalreporter.line(line)
