from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from imgmatch.catalog.turns import Turns


def test_threads_have_their_turn_in_the_order_they_came() -> None:
    turns, served = Turns(), list[int]()

    def serve(number: int) -> None:
        assert turns.take(60)
        served.append(number)
        turns.end()

    with ThreadPoolExecutor(20) as threads:
        assert turns.take(0)
        for number in range(20):
            threads.submit(serve, number)
            while len(turns._waiting) <= number:  # noqa: SLF001 -- that it waits is seen nowhere else
                time.sleep(0.001)
        turns.end()
    assert served == list(range(20))


def test_one_turn_is_had_at_a_time() -> None:
    turns, inside, most = Turns(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            assert turns.take(60)
            inside += 1
            most = max(most, inside)
            inside -= 1
            turns.end()

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(work) for _ in range(8)]:
            done.result()
    assert most == 1


def test_who_has_waited_long_enough_gives_up_and_holds_nobody_up() -> None:
    turns = Turns()
    assert turns.take(0)
    assert not turns.take(0.01)
    turns.end()
    assert turns.take(0)
    turns.end()
    waiting = threading.Thread(target=turns.take, args=(60,))
    waiting.start()
    waiting.join()
    assert not turns.take(0)
