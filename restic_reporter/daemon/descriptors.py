"""The limit of file descriptors, and the clients' share of it."""

import resource

# For the log, the listening socket, the cache and the libraries.
_OWN = 64
# For the read of one repository: eight connections, or both ends of a child's pipes.
_EACH_READ = 24

# More than any daemon needs; some systems allow a thousand million.
_MOST = 2**16


def raise_limit() -> int:
    """
    Raise the soft limit as far as allowed, up to `_MOST`; return the new limit.

    It only protects programs that use ``select``, and nothing here does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def connections_for(limit: int, concurrency: int, wanted: int) -> int:
    """
    Return how many of ``limit`` descriptors are for clients, at most ``wanted``.

    Enough remain to read ``concurrency`` repositories, if possible, else three quarters. A third
    of the clients' part is for closing connections.
    """
    reserve = min(_OWN + _EACH_READ * concurrency, limit * 3 // 4)
    return max(1, min(wanted, (limit - reserve) * 2 // 3))
