"""What each mitigation does against the fault it is meant for, in a calibrated world.

Each experiment asks the same items twice, without the mitigation and with it, of the same minds: so
what differs is the mitigation's.
"""

from bench.mitigations.ballots import fencing, other_family, rotation, style, swaying
from bench.mitigations.loops import converged, keep_best, plans
from bench.mitigations.options import early_stop, jury, majority, second_look
from bench.mitigations.trials import Effect, votes, winners

__all__ = [
    "Effect",
    "converged",
    "early_stop",
    "fencing",
    "jury",
    "keep_best",
    "majority",
    "other_family",
    "plans",
    "rotation",
    "second_look",
    "style",
    "swaying",
    "votes",
    "winners",
]
