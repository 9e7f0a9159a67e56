"""What the pages of one running console share: the application, sign-ins, templates, previews."""

from __future__ import annotations

from datetime import date

from anyio import CapacityLimiter

from pipeline.app import App
from pipeline.console.auth import Auth
from pipeline.console.oidc_client import OidcClient
from pipeline.console.own_pictures import OwnPictures
from pipeline.console.previews import Previews
from pipeline.console.render import Pages
from pipeline.console.similar_faces import Memory
from pipeline.publishing.recall_due import Obligations


class Console:
    """Everything that a page may use."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.context = app.context
        self.store = app.store
        self.clock = app.context.clock
        self.auth = Auth(app.store, app.context.clock, app.settings.console)
        self.pages = Pages(app.settings.school)
        self.previews = Previews(app.context)
        self.own_pictures = OwnPictures(app.context)
        self.memory = Memory(self.previews)
        self.obligations = Obligations()
        self.for_machines = CapacityLimiter(4)
        """Threads for programs that ask whether all is well: people's requests do not keep them waiting."""
        self.counted: tuple[date, dict[str, dict[str, int]]] | None = None
        """The charts of the days before this one."""
        oidc = app.settings.console.oidc
        self.outside = OidcClient(oidc, app.context.clock) if oidc.issuer else None

    def close(self) -> None:
        """Let go of the child processes that decode pictures for the pages."""
        self.previews.close()
        self.own_pictures.close()
