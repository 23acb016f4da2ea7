"""`feature-service parity`: what models get online beside what they are trained on, value by value.

`command` is loaded by the console command; `run` and all below it import Feast, when the command runs and only then.
"""
