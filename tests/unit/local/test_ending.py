"""A signal ends the program whatever task it hits."""

import asyncio
import os
import signal
from unittest.mock import Mock

import pytest

from deploy.commands.up import Ending, Stopped, stopped_by_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_midst_of_a_task_ends_all_of_them(number: int) -> None:
    supervisor, ended = Mock(), []

    async def busy(name: int) -> None:
        try:
            while True:
                if name == 1:
                    os.kill(os.getpid(), number)  # the handler runs in here
                await asyncio.sleep(0)
        finally:
            ended.append(name)

    async def show(ending: Ending) -> None:
        with ending.cancelling():
            async with asyncio.TaskGroup() as tasks:
                for name in range(3):
                    tasks.create_task(busy(name))

    before = signal.getsignal(number)
    with pytest.raises(Stopped), stopped_by_signals(supervisor) as ending:
        asyncio.run(show(ending))
    assert sorted(ended) == [0, 1, 2]
    assert signal.getsignal(number) is before


def test_a_second_signal_kills_what_is_left() -> None:
    supervisor = Mock()
    with stopped_by_signals(supervisor):
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
        assert not supervisor.hurry.called
        os.kill(os.getpid(), signal.SIGTERM)
        assert supervisor.hurry.called


def test_a_task_that_is_cancelled_for_another_reason_is_no_end() -> None:
    async def show(ending: Ending) -> None:
        with ending.cancelling():
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError), stopped_by_signals(Mock()) as ending:
        asyncio.run(show(ending))
