from bench.width import Width


def settled(rate, limit=32, room=lambda number: True):
    """The number at which a device settles that ends ``rate(n)`` epochs a second with n cells at once."""
    now = [0.0]
    width = Width(limit=limit, room=room, clock=lambda: now[0])
    for _ in range(500):
        number = width.allowed(width.number)
        now[0] += 1 / rate(number)
        width.epoch()
    return width.allowed(width.number)


def test_the_number_doubles_while_that_pays():
    assert settled(lambda number: min(number, 5)) == 8
    assert settled(lambda number: 1.0) == 1
    assert settled(lambda number: number) == 32


def test_a_gain_of_less_than_five_percent_does_not_pay():
    assert settled(lambda number: {1: 1.0, 2: 1.04}.get(number, 9.0)) == 1
    assert settled(lambda number: {1: 1.0, 2: 1.06}.get(number, 1.0)) == 2


def test_the_limit_and_the_memory_are_kept():
    assert settled(lambda number: number, limit=6) == 4
    assert settled(lambda number: number, room=lambda number: number <= 2) == 2


def test_a_trial_counts_only_while_as_many_are_under_way():
    """Two cells are to be tried and one is still being built: what ends meanwhile says nothing about two."""
    now = [0.0]
    width = Width(limit=2, clock=lambda: now[0])
    for _ in range(3):
        now[0] += 1
        width.allowed(1)
        width.epoch()
    assert width.number == 2
    for _ in range(20):
        now[0] += 0.01
        width.allowed(1)
        width.epoch()
    assert width.number == 2
    for _ in range(5):
        now[0] += 1
        width.allowed(2)
        width.epoch()
    assert width.number == 1


def test_epochs_count_as_much_as_they_take():
    """Beside a cell of one second an epoch, one of three: a third fewer epochs a second, and a third more work."""
    now = [0.0]
    width = Width(limit=2, clock=lambda: now[0])
    for _ in range(3):
        now[0] += 1
        width.allowed(1)
        width.epoch(1.0)
    assert width.number == 2
    for work in (1.0, 3.0, 1.0, 3.0, 1.0):
        now[0] += 1.5
        width.allowed(2)
        width.epoch(work)
    assert width.number == 2, "4 seconds of work in 3"


def test_a_fixed_number_stays():
    width = Width.fixed(3)
    for _ in range(50):
        width.epoch()
    assert width.allowed(1) == 3
