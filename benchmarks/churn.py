"""
Reads repositories while real restics change them, and compares every page with what was true.

``python -m benchmarks.churn --operations 100`` runs the cases of ``tests.test_churn``, each with
so many operations, and prints what was counted. It needs the tools that ``scripts/test`` fetches.
"""

import argparse
import sys
import unittest

from twisted.internet import reactor
from twisted.trial.reporter import MinimalReporter
from twisted.trial.runner import TestLoader, TrialRunner

from tests import churn, test_churn


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=100, help="of restic, in each case")
    parser.add_argument("--case", action="append", help="like rest_native; by default all")
    options = parser.parse_args()
    test_churn.OPERATIONS = options.operations
    test_churn.ChurnCase.timeout = 60 * options.operations
    suite = unittest.TestSuite(
        test
        for test in TestLoader().loadClass(test_churn.ChurnTests)
        if not options.case or test.id().rpartition(".test_")[2] in options.case
    )
    result = TrialRunner(MinimalReporter, workingDirectory="_trial_temp_churn").run(suite)
    cases = sorted({case for case, _ in churn.TALLY})
    kinds = sorted({kind for _, kind in churn.TALLY})
    print("| case | " + " | ".join(kinds) + " |")
    print("| --- |" + " ---: |" * len(kinds))
    for case in cases:
        numbers = [str(churn.TALLY[case, kind]) for kind in kinds]
        print(f"| {case.removeprefix('test_')} | " + " | ".join(numbers) + " |")
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    assert reactor
    main()
