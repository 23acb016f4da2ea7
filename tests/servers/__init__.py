"""Real servers and the ways to hurt them: what tests of every kind start, fill, cut off and kill.

`from tests.servers.service_process import ServiceProcess`. Only `feast_repo` imports Feast, which takes seconds.
"""
