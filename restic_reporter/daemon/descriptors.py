"""How many file descriptors there are, and how many of them clients may have."""

import resource

# For the log, the listening socket, the cache and whatever the libraries open.
_OWN = 64
# For one repository's read: eight connections, or a child's pipes, of both sides at first.
_EACH_READ = 24

# More than any daemon needs; some systems allow a thousand million.
_MOST = 2**16


def raise_limit() -> int:
    """
    Let this process have as many descriptors as it may, up to `_MOST`; the limit then.

    The soft limit is there for programs that use ``select``, which nothing here does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return soft
        return wanted
    return _MOST if soft == resource.RLIM_INFINITY else soft


def connections_for(limit: int, concurrency: int, wanted: int) -> int:
    """
    How many connections clients may have, at most ``wanted``, of ``limit`` descriptors, so
    that ``concurrency`` repositories can be read beside them; where there are too few for
    both, a quarter, of which some are for those that are just closing.
    """
    reserve = min(_OWN + _EACH_READ * concurrency, limit * 3 // 4)
    return max(1, min(wanted, (limit - reserve) * 2 // 3))
