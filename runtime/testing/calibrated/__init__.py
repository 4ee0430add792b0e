"""A world of models whose qualities and faults are known, for trying verdicts out offline.

Each question has a true answer, each plan points that it needs.  A :class:`Mind` is right about
them as often as it is made to be, and judges with the errors and biases that it is given.  All
actors are as they are, in virtual time; minds read what a prompt shows them and nothing else.  The
same seed is the same world, in whatever order it is asked.

    world = World(minds(3, right=0.7), seed=1)
    ended = world.plan("vote", question(17))
    world.worth(17, ended.text)

It shows whether a mitigation does what it is meant to, against the fault it is meant for, and at
what cost.  It says nothing of how often real models have that fault.
"""

from runtime.testing.calibrated.attacks import ATTACKS, Attack
from runtime.testing.calibrated.authors import Author
from runtime.testing.calibrated.controls import CONTROLS, Control
from runtime.testing.calibrated.items import Form, question
from runtime.testing.calibrated.judging import Bias
from runtime.testing.calibrated.minds import Mind, minds
from runtime.testing.calibrated.world import Asked, Ended, World

__all__ = [
    "ATTACKS",
    "CONTROLS",
    "Asked",
    "Attack",
    "Author",
    "Bias",
    "Control",
    "Ended",
    "Form",
    "Mind",
    "World",
    "minds",
    "question",
]
