"""
The metrics by what they are about, with what docs/metrics.md says besides their help texts.

Each group is a table there, in this order. The notes are in Markdown.
"""

from collections.abc import Mapping

from ..exposition import Family
from . import insight, jobs, repositories, sets

Notes = Mapping[Family, str]

# Labels url, host and user.
OF_SETS: Notes = {
    sets.NEWEST: "Absent if all snapshots are invalid or from the future.",
    sets.DAYS_AGE: "Absent like the newest.",
    sets.SET_COUNT: "",
    sets.OLDEST: "Absent like the newest.",
    sets.SET_OVERDUE: "1 too without a valid snapshot. Absent without `max_age` and `schedule`, see"
    " [Freshness](config.md#freshness).",
    sets.SET_MAX_AGE: "Absent without `max_age`.",
    sets.SET_DUE: "Absent without `schedule`.",
    sets.SET_LEARNED: "Learned from the last 400 days.",
    sets.SET_LATE: "Absent without either. See [Freshness](config.md#freshness).",
    sets.SET_RUNS_DUE: "Counts due times of the last 30 days whose `grace` has passed. Label"
    " `window`: `30d`. Due times before the oldest backup known do not count. Absent without"
    " `schedule`.",
    sets.SET_RUNS_MET: "A backup counts although its snapshot was removed later, if the daemon has"
    " seen it. Without `--state-dir` a restart forgets those.",
    sets.SET_EXPECTED: "For each item of `expect`. Without `user` in it, the label `user` is"
    " empty.",
    sets.SET_RETIRED: "It has no other metric.",
    sets.SET_RETAINED_DAYS: "Label `window`: `7d`, `30d`, `365d`.",
    sets.NEWEST_DURATION: "Absent without statistics, like the next three: older versions write"
    " none, and an older one as reader omits them.",
    sets.NEWEST_PROCESSED: "",
    sets.NEWEST_ADDED: "restic's `data_added`.",
    sets.NEWEST_FILES: "Label `state`: `new`, `changed`, `unmodified`.",
    insight.NEWEST_PROCESSED_RATIO: "Those with the same paths count; 0.1 is a"
    " tenth of the usual, see"
    " [What the snapshots tell](anomalies.md). Absent like the statistics, with fewer than"
    " five before it, and if the median is 0.",
    insight.NEWEST_ADDED_RATIO: "Likewise.",
    insight.NEWEST_FILES_RATIO: "Likewise.",
    insight.NEWEST_CHANGED_RATIO: "Likewise.",
    insight.SET_PATH_GROUPS: "Many lists mean that `forget` keeps too many snapshots: it goes by"
    " lists of paths.",
    insight.COPY_LAG: "For each repository in `copies`. Label `copy`: the label `url` of the copy."
    " Absent before both were read, see [Copies](copies.md).",
    insight.COPY_MISSING: "Likewise.",
    sets.NEWEST_INFO: "Labels `id`, `program_version` and `tags` (sorted, joined by commas). The"
    " only metric whose labels change with every backup.",
    sets.GROUP_NEWEST: "Groups as in `group_by`. Labels `paths` and `tags`, sorted and joined by"
    " commas; empty if not grouped by. Lists of more than 8 kB of text are all `(too long)`.",
    sets.GROUP_COUNT: "The 1,000 largest groups of a repository have series.",
}

# Label url.
OF_CONTENT: Notes = {
    repositories.SNAPSHOT_COUNT: "Includes the next two kinds.",
    repositories.FUTURE_COUNT: "By this machine's clock, until their time has come.",
    repositories.INVALID_COUNT: "That is a time or id that is invalid, or a host or user that is"
    " no text.",
    repositories.SERIES_DROPPED: "The limit is 1,000. Sets with series keep them, then larger sets"
    " come first.",
    repositories.LOCK_COUNT: "From the same listing as the snapshots. Absent without a backend, see"
    " [Repositories](repositories.md).",
    repositories.OLDEST_LOCK: "Its own time with the native reader, else that of its file, where"
    " the listing tells it. Absent without a lock.",
    repositories.STALE_LOCK_COUNT: "restic refreshes a lock in use every 5 minutes.",
    repositories.REPOSITORY_INFO: "Labels `backend`, `reader`, and `version` of the repository's"
    " format: `1` or `2` with the native reader.",
    insight.BACKDATED_COUNT: "Given by hand or forged, see"
    " [What the snapshots tell](forged-times.md).",
    insight.REMOVED: "Removed by `forget`, or replaced by `tag` or `rewrite`. With a"
    " [state folder](state.md#state) it goes on after a restart.",
    insight.LAST_REMOVAL: "Absent before the first.",
    insight.KEY_COUNT: "See [Keys](keys-and-locks.md). Absent while unknown.",
    insight.NEWEST_KEY: "Absent while unknown.",
    insight.STORED_BYTES: "As of the last listing by `size_cron`, see"
    " [Size](sizes.md). Absent before the first.",
    insight.PACK_COUNT: "Likewise.",
    repositories.STORAGE_REQUESTS: "Retries included; one look at a local repository is one. Label"
    " `operation`: `list`, `load` (files that the native reader fetched), `auth`. Absent without a"
    " backend.",
    repositories.STORAGE_BYTES: "Bodies only.",
}

# Label url.
OF_READS: Notes = {
    repositories.READ_ERROR_COUNT: "Absent before the first.",
    repositories.READ_SUCCESS: "Absent before the first.",
    repositories.READ_LAST_SUCCESS: "An unchanged list counts. Absent before the first.",
    repositories.READ_DURATION: "",
    repositories.READ_FAILURES: "Label `reason`, see [Reasons](reasons.md). Absent until the first"
    " failure with that reason, so `increase()` misses the first one: alert on"
    " `backup_read_error_count`.",
}

# Labels url and kind.
OF_RESULTS: Notes = {
    insight.RESULT_SUCCESS: "",
    insight.RESULT_TIME: "",
}

# Without labels.
OF_DAEMON: Notes = {
    jobs.JOB_LAST_SUCCESS: "A collection of repositories with a `cron` of their own counts only if"
    " all have one.",
    jobs.JOB_ERROR_COUNT: "Set when a collection ends.",
    jobs.JOB_RUNNING: "",
    jobs.JOB_DURATION: "",
    jobs.JOB_NEXT: "Of any schedule.",
    jobs.JOB_SKIPPED: "",
    jobs.CONFIG_SUCCESS: "",
    jobs.CONFIG_SUCCESS_TIME: "",
    jobs.STATE_WRITE_SUCCESS: "Absent without `--state-dir`.",
    jobs.STATE_LAST_WRITE: "Absent without `--state-dir`, and before the first.",
    jobs.BUILD_INFO: "Labels `version`, `python`, `twisted`, `shard` (as `--shard`).",
    jobs.VAULT_TOKEN_EXPIRY: "Absent without Vault, and with a token that never expires.",
    jobs.REACTOR_LAG: "",
    jobs.LOG_LINES_DROPPED: "See [Command](commands.md#command).",
}
