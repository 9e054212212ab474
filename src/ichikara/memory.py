"""How much memory there is, to say in time that it does not suffice."""

import math
from pathlib import Path

__all__ = ["available", "rounded", "written"]


def available() -> float:
    """The bytes of memory that this process can still use; infinity where the system does not say."""
    found = [math.inf]
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith(("MemAvailable:", "SwapFree:")):
                found.append(1024.0 * int(line.split()[1]))
        found = [math.inf, sum(found[1:]) or math.inf]
        used, most = (Path(f"/sys/fs/cgroup/memory.{name}").read_text() for name in ("current", "max"))
        found.append(float(most) - float(used))  # of a container
    except (OSError, ValueError):  # another system, or no limit
        pass
    return min(found)


def written(count: float) -> str:
    """A number of bytes in words.

    >>> written(256_000_000_256)
    '256,000,000,256 bytes (256 GB)'
    """
    return f"{int(count):,} bytes" + (f" ({rounded(count)})" if count >= 1e6 else "")


def rounded(count: float) -> str:
    """A number of bytes in the unit that fits.

    >>> rounded(256_000_000_256), rounded(38_440)
    ('256 GB', '38.4 kB')
    """
    size, unit = next(((n, name) for n, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")) if count >= n), (1e3, "kB"))
    return f"{count / size:.3g} {unit}"
