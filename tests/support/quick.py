"""The CPU time that hostile data take, apart from a pause that passes."""

import time
from collections.abc import Callable
from contextlib import suppress


def is_quick(call: Callable[[], object], seconds: float) -> bool:
    """Say whether a call takes less CPU time than that, whatever it returns or raises.

    To be asked where a first call took longer: data that take long do so every time, while a long
    garbage collection or a pause of the machine is over.
    """
    started = time.process_time()
    with suppress(Exception):
        call()
    return time.process_time() - started < seconds
