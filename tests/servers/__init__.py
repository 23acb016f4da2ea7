"""Real servers and the ways to hurt them: what tests of every kind start, fill, cut off and kill.

Import as `from servers.service_process import ServiceProcess`: pytest puts `tests/` on the path for every test package.
"""
