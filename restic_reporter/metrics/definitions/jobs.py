"""The metrics of the job as a whole, and of the program."""

from .kinds import AT_SCRAPE, IN_USE, counter, gauge, info

JOB_LAST_SUCCESS = gauge(
    "backup_job_last_success_unixtime",
    "Time in Unix seconds when the last collection of all repositories ended, failed reads or not",
)
JOB_ERROR_COUNT = gauge("backup_job_error_count", "Number of repositories whose latest read failed")
JOB_RUNNING = gauge("backup_job_running", "1 during a collection, else 0", AT_SCRAPE)
JOB_DURATION = gauge("backup_job_duration_seconds", "Duration of the latest collection in seconds")
JOB_NEXT = gauge(
    "backup_job_next_timestamp_seconds",
    "Time of the next scheduled collection in Unix seconds",
    "As of the scrape",
)
JOB_SKIPPED = counter(
    "backup_job_skipped_total",
    "Number of scheduled collections skipped because the previous one still ran",
    when="Since the start",
)
CONFIG_SUCCESS = gauge(
    "backup_config_last_reload_successful",
    "1 if the latest load of the config succeeded, else 0",
    IN_USE,
)
CONFIG_SUCCESS_TIME = gauge(
    "backup_config_last_reload_success_timestamp_seconds",
    "Time of the last successful load of the config in Unix seconds",
    IN_USE,
)
VAULT_TOKEN_EXPIRY = gauge(
    "backup_vault_token_expiry_timestamp_seconds",
    "Time in Unix seconds when the Vault token expires, unless it is renewed",
    AT_SCRAPE,
)
STATE_WRITE_SUCCESS = gauge(
    "restic_reporter_state_write_success",
    "1 if the latest write to the state folder succeeded, else 0",
    AT_SCRAPE,
)
STATE_LAST_WRITE = gauge(
    "restic_reporter_state_last_write_timestamp_seconds",
    "Time of the last successful write to the state folder in Unix seconds",
    AT_SCRAPE,
)
BUILD_INFO = info(
    "restic_reporter_build_info",
    "Always 1; the labels name the versions of restic-reporter, Python and Twisted, and the shard",
    "Fixed at the start, not by a scheduled collection",
)
REACTOR_LAG = gauge(
    "restic_reporter_reactor_lag_seconds",
    "Longest time in seconds that the event loop was blocked since any client's previous scrape;"
    " up to 0.025 s too low",
    AT_SCRAPE,
)
LOG_LINES_DROPPED = counter(
    "restic_reporter_log_lines_dropped_total",
    "Number of log lines dropped because the log was not read or not writable",
    when="Since the start, as of the scrape, not of a scheduled collection",
)

# What one run from the command line does not have: a schedule, reloads, a token of Vault that
# lives on, an event loop that others wait for.
OF_A_DAEMON = frozenset(
    {
        JOB_RUNNING,
        JOB_NEXT,
        JOB_SKIPPED,
        CONFIG_SUCCESS,
        CONFIG_SUCCESS_TIME,
        VAULT_TOKEN_EXPIRY,
        REACTOR_LAG,
        LOG_LINES_DROPPED,
    }
)
