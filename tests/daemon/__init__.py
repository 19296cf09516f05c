"""Tests of the whole daemon, as the process that `twistd` starts."""
