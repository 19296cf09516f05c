"""Help texts of the console script, besides its options: at most 78 columns wide."""

COMMANDS = """\
examples:
  restic-reporter check-config --config config.json
      Is the config valid?
  restic-reporter check-config --connect --config config.json
      Are the repositories reachable, and are the passwords right?
  restic-reporter collect --config config.json
      How old are the backups?
  restic-reporter run --config config.json --cron "17 * * * *"
      Serve metrics on port 9121; collect at start, and at 17 past each hour.

Each command has its own help: restic-reporter collect --help"""

RUN = """\
Run the daemon in the foreground, without a pidfile."""

BACKENDS = """\
List the installed backends: for each scheme the package that lists its
repositories, and the readers for it.

Exit status: 0, or 1 if a plugin is broken."""

CHECK_CONFIG = """\
Check a config as the daemon does, and print it as JSON, with the defaults in
each entry and without secrets. It reads no repository and no Vault.
With --web-config, check that file too.

With --connect: look up secrets, connect to each repository, and test that the
password opens it. Print a line for each instead of the config.

Exit status: 0; 1 if the config is invalid; 3 if --connect failed for some
repositories."""

CONNECT = "Also connect to each repository and test its password. Reads no snapshots."
NO_FILES = "Check the config alone, where the files that it names are missing. Prints nothing."

CHECK_CONFIG_EXAMPLES = """\
examples:
  restic-reporter check-config --config config.json
  restic-reporter check-config --config config.json --connect --timeout 30"""

COLLECT = """\
Read all repositories once, as the daemon does, and print the result: a table
on a terminal, the oldest backups first; metrics if the output is redirected.

Exit status: 0; 1 for an invalid option or config; 3 if some repositories
could not be read; 130 after Ctrl-C."""

COLLECT_EXAMPLES = """\
examples:
  restic-reporter collect --config config.json
      Show a table.
  restic-reporter collect --config config.json > metrics.txt
      Print the metrics in Prometheus's text format.
  restic-reporter collect --config config.json \\
          --textfile /var/lib/prometheus/node-exporter/restic.prom
      Write them for the textfile collector of node_exporter."""

STATE = """\
Show what the daemon remembers across restarts: for each backup set its
repository, host, user, newest backup, snapshots, runs known and since when,
and the maximum age learned from them. A table on a terminal; lines with tabs
if the output is redirected. It may run beside the daemon, and changes nothing.

Exit status: 0, or 1 if nothing can be read."""

STATE_EXAMPLES = """\
examples:
  restic-reporter state --state-dir /var/lib/restic-reporter
      Show a table.
  restic-reporter state --state-dir /var/lib/restic-reporter \\
          forget rest:https://backup.example.com/web www-old
      Drop the backup sets of the host www-old. Stop the daemon before."""

FORGET = """\
Drop what is remembered of a repository, or of one host's backup sets in it.
The daemon must be stopped. Sets whose snapshots still exist come back with the
next read; their rhythm is learned again from these snapshots.

Exit status: 0; 1 if a daemon runs, or the name is unknown."""

COMPLETION = """\
Print a script for shell completion. The tab key then completes commands,
options and file names."""

COMPLETION_EXAMPLES = """\
examples:
  bash:  eval "$(restic-reporter completion bash)"    in ~/.bashrc
  zsh:   restic-reporter completion zsh > DIR/_restic-reporter
             for a folder DIR of $fpath
  fish:  restic-reporter completion fish \\
             > ~/.config/fish/completions/restic-reporter.fish"""
