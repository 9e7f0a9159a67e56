"""The people of bench/console.py: each signs in, and looks at a page every one to three seconds."""

from __future__ import annotations

import os
import random
import re

from locust import HttpUser, between, task

from bench.console import PAGES, PASSWORD


class Person(HttpUser):
    """An officer with every role."""

    wait_time = between(1, 3)

    def on_start(self) -> None:
        """Sign in, as a browser does."""
        page = self.client.get("/login", name="sign in: page").text
        csrf = re.search(r'name="csrf" value="(\w+)"', page)
        body = {"csrf": csrf[1] if csrf else "", "name": "bench", "password": PASSWORD}
        self.client.post("/login", body, name="sign in: password", allow_redirects=False)

    @task
    def look(self) -> None:
        """At any page."""
        name, path = random.choice(list(PAGES.items()))  # noqa: S311
        film = int(os.environ["BENCH_HELD"])
        self.client.get(path.format(film=film, held=film - 50), name=name)
