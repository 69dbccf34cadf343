"""What an outcome has to say in the log: remarks, what is unknown, what did not arrive."""

import logging

from runmetrics.pipeline import Outcome
from runmetrics.report import problem_line

_log = logging.getLogger("runmetrics")


def log_outcome(outcome: Outcome) -> None:
    """A line each: notices as warnings, problems and sinks' failures as errors."""
    problems = outcome.collection.problems
    several = len({tuple(problem.tags.items()) for problem in problems}) > 1
    for notice in (*outcome.collection.notices, *outcome.notices):
        _log.warning(notice)
    for problem in problems:
        _log.error(problem_line(problem, several_projects=several))
    for delivery in outcome.deliveries:
        for notice in delivery.notices:
            _log.warning(notice)
        if delivery.error:
            _log.error(delivery.error)
