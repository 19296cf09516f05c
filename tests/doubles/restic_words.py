"""What restic and the programs that it runs print when they fail, by version and reason."""

import json

from restic_reporter.model.errors import Reason

REST = "rest:http://u:sesame@127.0.0.1:8000/x/"


SHOWN = "rest:http://u:***@127.0.0.1:8000/x/"


def v14(text: str) -> str:
    """What 0.14 adds to an error of the first request."""
    return f"Fatal: {text}\nIs there a repository at the following location?\n{SHOWN}\n"


def v18(text: str, code: int = 1) -> str:
    """The last words of 0.18, of an error of the first request."""
    place = f"\nIs there a repository at the following location?\n{SHOWN}"
    return words(f"Fatal: {text}{place}", code)


def v19(text: str, code: int = 1) -> str:
    """The last words of 0.19, likewise."""
    return words(f"Fatal: {text}\n{SHOWN}", code)


def words(message: str, code: int = 1) -> str:
    """An ``exit_error`` line."""
    return json.dumps({"message_type": "exit_error", "code": code, "message": message}) + "\n"


CLEAN = "\x1b[2Ksignal interrupt received, cleaning up\n"


OPEN = "unable to open config file: "


HTTP = OPEN + "unexpected HTTP response "


HEAD = OPEN + 'client.Head: Head "http://u:***@127.0.0.1:1/x/config": '


KEY = "6ee6c5e5b0bef019162f650b4285f7cff808f26b52828bf2e6f6ef9ecc270547"


DAMAGED = f"Fatal: config or key {KEY} is damaged: ciphertext verification failed"


SFTP_14 = (
    "Fatal: unable to open repository at sftp:u@h:/x: unable to start the sftp session, error: "
)


SFTP_18 = SFTP_14 + (
    "error receiving version packet from server: server unexpectedly closed connection:"
    " unexpected EOF"
)


TRACE = (
    "main.open\n\tgithub.com/restic/restic/cmd/restic/global.go:760\n"
    "github.com/spf13/cobra.(*Command).execute\n\tgithub.com/spf13/cobra/command.go:916\n"
    "runtime.main\n\truntime/proc.go:250\n"
)


# Exit status, stderr, reason.
FAILURES: tuple[tuple[int, str, Reason], ...] = (
    # The repository's password.
    (1, "Fatal: wrong password or no key found\n", Reason.AUTH),
    (12, words("Fatal: wrong password or no key found", 12), Reason.AUTH),
    # No repository.
    (1, v14(OPEN + "stat /none/config: no such file or directory"), Reason.NOT_FOUND),
    (1, v14(OPEN + "<config/> does not exist"), Reason.NOT_FOUND),
    (
        10,
        v18("repository does not exist: " + OPEN + "<config/> does not exist", 10),
        Reason.NOT_FOUND,
    ),
    (1, v14(OPEN + "Stat: The specified bucket does not exist"), Reason.NOT_FOUND),
    # The server's answers.
    (1, v14(HTTP + "(401): 401 Unauthorized"), Reason.AUTH),
    (1, v14(HTTP + "(403): 403 Forbidden"), Reason.AUTH),
    (1, v14(HTTP + "(301): 301 Moved Permanently"), Reason.REDIRECT),
    (1, v14(HTTP + "(400): 400 Bad Request"), Reason.PROTOCOL),
    (1, v14(HTTP + "(429): 429 Too Many Requests"), Reason.UNAVAILABLE),
    (1, v14(HTTP + "(500): 500 Internal Server Error"), Reason.UNAVAILABLE),
    (1, v14(HTTP + "(503): 503 Service Unavailable"), Reason.UNAVAILABLE),
    (
        1,
        "Stat(<config/>) failed: unexpected HTTP response (401): 401 Unauthorized\n"
        + v18(HTTP + "(401): 401 Unauthorized"),
        Reason.AUTH,
    ),
    (1, v19(HTTP + "(403): 403 Forbidden"), Reason.AUTH),
    # The network.
    (1, v14(HEAD + "dial tcp 127.0.0.1:1: connect: connection refused"), Reason.NETWORK),
    (1, v14(HEAD + "dial tcp: lookup nohost.invalid on 10.0.0.1:53: no such host"), Reason.NETWORK),
    (
        1,
        v14(HEAD + "read tcp 127.0.0.1:39232->127.0.0.1:1: read: connection reset by peer"),
        Reason.NETWORK,
    ),
    (1, v14(HEAD + "EOF"), Reason.NETWORK),
    # TLS.
    (1, v14(HEAD + "x509: certificate signed by unknown authority"), Reason.TLS),
    (1, v14(HEAD + "tls: first record does not look like a TLS handshake"), Reason.TLS),
    (1, v14(HEAD + "http: server gave HTTP response to HTTPS client"), Reason.TLS),
    (
        1,
        "unable to read root certificate: open /none.pem: no such file or directory\n" + TRACE,
        Reason.TLS,
    ),
    (
        1,
        words("Fatal: unable to read root certificate: open /none.pem: no such file or directory"),
        Reason.TLS,
    ),
    # Damaged files.
    (1, DAMAGED + "\n", Reason.KEYS),
    (1, words(DAMAGED), Reason.KEYS),
    (1, "config file has zero size, invalid repository?\n" + TRACE, Reason.KEYS),
    (1, words("config file has zero size, invalid repository?\n" + TRACE), Reason.KEYS),
    (1, "Fatal: Unmarshal: invalid character 'g' looking for beginning of value\n", Reason.KEYS),
    (1, words("Fatal: LoadRaw(<key/6ee6c5e5b0>): invalid data returned"), Reason.KEYS),
    # Locks.
    (11, words("Fatal: repository is already locked by PID 1 on h", 11), Reason.LOCKED),
    (1, "unable to create lock in backend: repository is already locked by PID 1\n", Reason.LOCKED),
    # Interrupted by somebody.
    (130, CLEAN, Reason.SIGNAL),
    (1, CLEAN + v18(OPEN + "context canceled"), Reason.SIGNAL),
    (130, v19(OPEN + "context canceled", 130), Reason.SIGNAL),
    (
        12,
        "\nsignal interrupt received, cleaning up \n"
        + words("Fatal: wrong password or no key found", 12),
        Reason.SIGNAL,
    ),
    # Files.
    (
        1,
        "Fatal: unable to open repository at /r: ReadDir: open /r/keys: permission denied\n",
        Reason.AUTH,
    ),
    (1, v18(OPEN + "stat /r/config: permission denied"), Reason.AUTH),
    # sftp.
    (1, f"subprocess ssh: u@h: Permission denied (publickey).\n{SFTP_14}EOF\n", Reason.AUTH),
    (1, "subprocess ssh: u@h: Permission denied (publickey).\n" + words(SFTP_18), Reason.AUTH),
    (1, "subprocess ssh: Host key verification failed.\n" + words(SFTP_18), Reason.AUTH),
    (
        1,
        f"subprocess ssh: Host key verification failed.\n{SFTP_14}"
        "failed to send packet: write |1: broken pipe\n",
        Reason.AUTH,
    ),
    (
        1,
        "subprocess ssh: ssh: Could not resolve hostname nohost.invalid: Name or service not"
        f" known\n{SFTP_14}EOF\n",
        Reason.NETWORK,
    ),
    (1, words(SFTP_14 + "read |0: file already closed"), Reason.NETWORK),
    (
        1,
        words(
            'Fatal: unable to open repository at sftp:h:/x: exec: "ssh": executable file not'
            " found in $PATH"
        ),
        Reason.RESTIC,
    ),
    # rclone.
    (
        1,
        'Fatal: unable to open repository at rclone:x:y: exec: "rclone": executable file not'
        " found in $PATH\n",
        Reason.RESTIC,
    ),
    (
        1,
        'rclone: 2026/01/01 00:00:00 Failed to create file system for "x:y": didn\'t find section'
        " in config file\nFatal: unable to open repository at rclone:x:y: error talking HTTP to"
        ' rclone: Get "http://localhost/file-55": unexpected EOF\n',
        Reason.RESTIC,
    ),
    # s3, b2, gs, azure, swift.
    (1, v14(OPEN + "Stat: The AWS Access Key Id you provided does not exist"), Reason.AUTH),
    (1, v14(OPEN + "Stat: Access Denied."), Reason.AUTH),
    (
        1,
        words(
            "Fatal: unable to open repository at s3:http://h/b: s3.getCredentials: no credentials"
            " found. Use `-o s3.unsafe-anonymous-auth=true` for anonymous authentication"
        ),
        Reason.AUTH,
    ),
    (
        1,
        v14(OPEN + "client.GetObject: Bucket name cannot be shorter than 3 characters"),
        Reason.RESTIC,
    ),
    (1, "Fatal: unable to open B2 backend: Account ID ($B2_ACCOUNT_ID) is empty\n", Reason.AUTH),
    (
        1,
        "Fatal: unable to open repository at gs:bucket:/: getStorageClient: google: could not find"
        " default credentials. See https://developers.google.com/x for more information.\n",
        Reason.AUTH,
    ),
    (
        1,
        "Fatal: unable to open repository at azure:c:/: no azure authentication information"
        " found\n",
        Reason.AUTH,
    ),
    (
        1,
        "Fatal: unable to open repository at swift:c:/: conn.Authenticate: Can't find AuthVersion"
        " in AuthUrl - set explicitly\n",
        Reason.AUTH,
    ),
    # Nothing better is known.
    (1, "unknown flag: --insecure-no-password\n", Reason.RESTIC),
    (
        1,
        "Fatal: parsing repository location failed: invalid backend\nIf the repository is in a"
        " local directory, you need to add a `local:` prefix\n",
        Reason.RESTIC,
    ),
    (2, "panic: runtime error: index out of range\n\ngoroutine 1 [running]:\n", Reason.RESTIC),
    (99, "", Reason.RESTIC),
    (1, "{", Reason.RESTIC),
    (1, '{"message": 5}\n[1]\n{"message_type": "exit_error"}\n', Reason.RESTIC),
    (1, "[" * 100_000 + "\n" + '{"a":' * 100_000, Reason.RESTIC),
)
