"""What the keys of an entry mean: the tables of docs/config.md are made of this."""

from collections.abc import Mapping

from attrs import frozen


@frozen
class KeyText:
    """The type and the meaning of a key; the latter in Markdown."""

    type: str
    meaning: str


# Those of `keys.CHECKS` but for the ones below. Keys of one backend have their texts in its `Key`s.
ENTRY: Mapping[str, KeyText] = {
    "disabled": KeyText(
        "bool",
        "true: not collected, and only the names and types of its keys are checked. Default false",
    ),
    "repo": KeyText(
        "string",
        "the repository, in restic's own syntax; required",
    ),
    "password": KeyText(
        "string",
        'its password. An empty one must be written as `""`',
    ),
    "password_file": KeyText(
        "path",
        "the file with the password",
    ),
    "password_command": KeyText(
        "string",
        "command that prints the password; split into words like in a shell, but run without a"
        " shell",
    ),
    "cacert": KeyText(
        "path",
        "PEM: the CAs to trust for this repository, *instead* of the system's",
    ),
    "tls_client_cert": KeyText(
        "path",
        "PEM: client certificate and its unencrypted private key",
    ),
    "key_hint": KeyText(
        "string",
        "restic's `--key-hint`: the id of the key to try first",
    ),
    "env": KeyText(
        "map of strings",
        "environment variables for restic, such as `AWS_ACCESS_KEY_ID`",
    ),
    "options": KeyText(
        "map of strings",
        "restic's extended options (`-o`), such as `s3.region` or `sftp.args`. Numbers, `true`"
        " and `false` are allowed",
    ),
    "reader": KeyText(
        "string",
        "like `--reader`, for this repository",
    ),
    "timeout": KeyText(
        "number",
        "like `--timeout`: greater than 0, at most a year",
    ),
    "cron": KeyText(
        "string",
        "like `--cron`: this repository has a schedule of its own",
    ),
    "copies": KeyText(
        "list of strings",
        "other repositories of this config that should hold the snapshots of this one too, each"
        " as in its own `repo`, or by its label `url`; see [Copies](copies.md)",
    ),
    "ping_url": KeyText(
        "string",
        "http or https URL, a secret: requested after each read"
        " [if all is well](without-prometheus.md), else `/fail` below it, with the reason",
    ),
}

# Those of `freshness.CHECKS`.
FRESHNESS: Mapping[str, KeyText] = {
    "max_age": KeyText(
        "duration",
        "maximum age of the newest snapshot in each set of the repository",
    ),
    "schedule": KeyText(
        "string",
        "instead of `max_age`: when backups are due, as a cron expression in local time. A set is"
        " overdue if no backup was made from a due time to the end of its `grace`. A backup may"
        " come later than its due time, never earlier",
    ),
    "grace": KeyText(
        "duration",
        "time for a backup from its due time on; default `6h`. Only with `schedule`",
    ),
    "expect": KeyText(
        "list of maps",
        "sets that must exist: `host`, and optionally `user` and a limit of their own (`max_age`,"
        " or `schedule` and `grace`). Without `user`, the limit is for all users of the host, and"
        " any of them will do",
    ),
    "retired": KeyText(
        "list of maps",
        "sets that are no longer backed up: `host`, and optionally `user` (default: all users of"
        " the host). They have no metric but `backup_set_retired`; their snapshots count in"
        " `backup_snapshot_count`",
    ),
    "group_by": KeyText(
        "list",
        "`paths`, `tags` or both: finer groups within each set, see `backup_group_snapshot_count`",
    ),
}

# Those of `upkeep.CHECKS`.
UPKEEP: Mapping[str, KeyText] = {
    "check": KeyText(
        "map, or `false`",
        "runs `restic check` on a schedule: `cron`, optionally `read_data_subset` and `timeout`",
    ),
    "size_cron": KeyText(
        "string, or `false`",
        "when to list all packs for the repository's size, as a cron expression in local time",
    ),
}
