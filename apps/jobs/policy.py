"""How the line is ordered: the smallest number runs first (Celery on Redis counts that way)."""

from apps.jobs.states import Tier

_BASE = {Tier.INTERACTIVE: 0, Tier.BATCH: 6}
_STEPS = (1, 4, 16)  # unfinished jobs from which an owner's next one steps back by one


def priority_for(tier: Tier, unfinished_of_owner: int) -> int:
    """0 to 3 for interactive jobs, 6 to 9 for batch: who has many jobs in line lets others pass before the next one."""
    return _BASE[tier] + sum(unfinished_of_owner >= step for step in _STEPS)
