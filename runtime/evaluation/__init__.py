"""How good is an answer, for how much, how fast?  Given questions, asked in several ways.

- `items`: questions, each with what a right answer is; `variants`: the ways of asking.
- `grading`: is an answer right?  By comparison, or by a command that says so.
- `results`: a file that has every run as it begins and ends, so that nothing is bought twice.
- `spending`: what all runs together may cost; `running`: asks what has not been asked yet.
- `figures`: quality, quality per dollar and per second, with intervals; `picture`: an SVG.
"""
