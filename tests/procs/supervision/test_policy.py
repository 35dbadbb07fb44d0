"""When a stage that died is started again, in virtual time."""

from hypothesis import given
from hypothesis import strategies as st

from procs.supervision.children.policy import (
    EXIT_HOPELESS,
    RestartPolicy,
    StageDeath,
    restart_after_s,
)

POLICY = RestartPolicy(delay_s=0.1, delay_s_max=2.0, stable_s=5.0, death_count_max=4, window_s=60.0)


def crash_loop(life_s: float, policy: RestartPolicy = POLICY, rounds: int = 50) -> list[float]:
    """Return the delays of a stage that dies again and again after ``life_s``, until given up."""
    now_s, deaths, delays = 1_000.0, [], []
    for _ in range(rounds):
        started_s = now_s
        now_s += life_s
        deaths.append(StageDeath(now_s, started_s, 1))
        delay_s = restart_after_s(deaths, policy)
        if delay_s is None:
            break
        delays.append(delay_s)
        now_s += delay_s
    return delays


def test_delays_double_and_then_it_is_given_up() -> None:
    assert crash_loop(0.0) == [0.1, 0.2, 0.4]


def test_a_stable_life_restarts_the_delays() -> None:
    """Rare deaths are no crash loop: there is no end to them."""
    assert crash_loop(30.0, rounds=20) == [0.1] * 20


def test_delays_have_a_bound() -> None:
    patient = POLICY._replace(death_count_max=1_000)
    assert max(crash_loop(0.0, patient)) == 2.0


def test_a_stage_that_cannot_run_is_given_up_at_once() -> None:
    """Its configuration or its key will be the same at the next start."""
    assert restart_after_s([StageDeath(10.0, 0.0, EXIT_HOPELESS)], POLICY) is None


@given(
    lives=st.lists(st.tuples(st.floats(0, 200), st.integers(-15, 3)), min_size=1, max_size=40),
)
def test_never_more_deaths_in_a_window_than_allowed(lives: list[tuple[float, int]]) -> None:
    """Whatever the lives, a start after too many deaths in too short a time is never allowed."""
    now_s, deaths = 0.0, []
    for life_s, status in lives:
        started_s = now_s
        now_s += life_s
        deaths.append(StageDeath(now_s, started_s, status))
        delay_s = restart_after_s(deaths, POLICY)
        recent = [death for death in deaths if now_s - death.time_s < POLICY.window_s]
        assert (delay_s is None) == (len(recent) >= POLICY.death_count_max)
        if delay_s is None:
            return
        assert POLICY.delay_s <= delay_s <= POLICY.delay_s_max
        now_s += delay_s
