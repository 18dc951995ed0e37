from sparktest.cli.restarts import LONGEST_SECONDS, MOST, WITHIN_SECONDS, Restarts


def test_each_death_that_is_not_long_ago_doubles_the_wait() -> None:
    restarts = Restarts()

    assert [restarts.delay("api", now) for now in range(4)] == [0.25, 0.5, 1.0, 2.0]
    assert restarts.delay("api", 4 + WITHIN_SECONDS) == 0.25


def test_the_wait_has_a_limit_and_so_has_the_number_of_deaths() -> None:
    restarts = Restarts()

    delays = [restarts.delay("api", now / 10) for now in range(MOST + 1)]

    assert delays[-1] is None
    assert delays[-2] == LONGEST_SECONDS


def test_the_deaths_of_others_do_not_count() -> None:
    restarts = Restarts()
    for now in range(MOST):
        restarts.delay("api", now)

    assert restarts.delay("controller", MOST) == 0.25
