"""Every route of the console, with the roles that may use it. A route that is not here does not exist."""

from __future__ import annotations

from pipeline.console.pages import accounts, audit, door, film, gallery, monitor, oidc, register, review, today, upload
from pipeline.console.routing import (
    ADMINISTRATOR,
    ANYBODY,
    COMMUNICATOR,
    EVERYONE,
    OFFICER,
    UPLOADER,
    Declared,
)
from pipeline.store.accounts import AccountRole

POST, PUT = ("POST",), ("PUT",)


def _only(*roles: AccountRole) -> frozenset[AccountRole]:
    return frozenset(roles)


TABLE = (
    Declared("/static/{name}", door.static, ANYBODY),
    Declared("/login", door.login, ANYBODY),
    Declared("/login", door.sign_in, ANYBODY, POST),
    Declared("/welcome", door.welcome, ANYBODY),
    Declared("/welcome", door.accept, ANYBODY, POST),
    Declared("/language", door.language, ANYBODY, POST),
    Declared("/oidc/login", oidc.login, ANYBODY),
    Declared("/oidc/callback", oidc.callback, ANYBODY),
    Declared("/healthz", monitor.healthz, ANYBODY, machine=True),
    Declared("/healthz/live", monitor.live, ANYBODY, machine=True),
    Declared("/metrics", monitor.figures, ANYBODY, machine=True),
    Declared("/", door.home, EVERYONE),
    Declared("/logout", door.sign_out, EVERYONE, POST),
    Declared("/account", door.account, EVERYONE),
    Declared("/account/password", door.password, EVERYONE, POST),
    Declared("/today", today.today, _only(OFFICER, ADMINISTRATOR)),
    Declared("/today/now", today.now, _only(OFFICER, ADMINISTRATOR)),
    Declared("/review", review.queue, _only(OFFICER)),
    Declared("/review/{item:int}", review.item, _only(OFFICER)),
    Declared("/review/{item:int}/original", review.original, _only(OFFICER)),
    Declared("/review/{item:int}/film", film.film, _only(OFFICER)),
    Declared("/review/{item:int}/paths", film.paths, _only(OFFICER)),
    Declared("/review/{item:int}/people", review.people, _only(OFFICER)),
    Declared("/review/{item:int}/act", review.act, _only(OFFICER), POST),
    Declared("/review/{item:int}/alike/{face:int}", review.alike, _only(OFFICER)),
    Declared("/review/{item:int}/face/{face:int}", review.face, _only(OFFICER)),
    Declared("/review/{item:int}/together", review.together, _only(OFFICER), POST),
    Declared("/audit", audit.search, _only(OFFICER)),
    Declared("/audit/entry/{seq:int}", audit.entry, _only(OFFICER)),
    Declared("/audit/item/{item:int}", audit.item, _only(OFFICER)),
    Declared("/audit/verify", audit.verify, _only(OFFICER), POST),
    Declared("/audit/export", audit.export, _only(OFFICER)),
    Declared("/audit/spot", audit.spot, _only(OFFICER)),
    Declared("/audit/spot", audit.draw, _only(OFFICER), POST),
    Declared("/audit/spot/{check:int}", audit.look, _only(OFFICER)),
    Declared("/audit/spot/{check:int}/mark", audit.mark, _only(OFFICER), POST),
    Declared("/gallery", gallery.gallery, _only(COMMUNICATOR, OFFICER)),
    Declared("/gallery/withdrawn", gallery.withdrawn, _only(COMMUNICATOR, OFFICER)),
    Declared("/gallery/zip", gallery.together, _only(COMMUNICATOR, OFFICER), POST),
    Declared("/gallery/{file:int}", gallery.one, _only(COMMUNICATOR, OFFICER)),
    Declared("/gallery/{file:int}/thumbnail", gallery.thumbnail, _only(COMMUNICATOR, OFFICER)),
    Declared("/gallery/{file:int}/picture", gallery.picture, _only(COMMUNICATOR, OFFICER)),
    Declared("/gallery/{file:int}/download", gallery.download, _only(COMMUNICATOR, OFFICER)),
    Declared("/gallery/{file:int}/place", gallery.place, _only(COMMUNICATOR, OFFICER), POST),
    Declared("/gallery/{file:int}/report", gallery.report, _only(COMMUNICATOR, OFFICER), POST),
    Declared("/gallery/task/{task:int}", gallery.done, _only(COMMUNICATOR, OFFICER), POST),
    Declared("/gallery/incident/{incident:int}", gallery.close_incident, _only(OFFICER), POST),
    Declared("/register", register.people, _only(OFFICER, ADMINISTRATOR)),
    Declared("/register/notices", register.notices_, _only(OFFICER, ADMINISTRATOR)),
    Declared("/register/sync", register.sync, _only(OFFICER, ADMINISTRATOR), POST),
    Declared("/register/person/{person}", register.person, _only(OFFICER, ADMINISTRATOR)),
    Declared("/register/person/{person}/export", register.export, _only(OFFICER, ADMINISTRATOR), POST),
    Declared("/register/person/{person}/erase", register.erase, _only(OFFICER, ADMINISTRATOR), POST),
    Declared("/register/person/{person}/portrait", register.portrait, _only(OFFICER, ADMINISTRATOR), POST,
             takes="file", limit=20 << 20),
    Declared("/upload", upload.upload, _only(UPLOADER)),
    Declared("/upload/begin", upload.begin, _only(UPLOADER), POST),
    Declared("/upload/mine", upload.mine, _only(UPLOADER)),
    Declared("/upload/{key}", upload.state, _only(UPLOADER)),
    Declared("/upload/{key}", upload.piece, _only(UPLOADER), PUT, takes="piece", limit=8 << 20),
    Declared("/accounts", accounts.accounts, _only(ADMINISTRATOR)),
    Declared("/accounts", accounts.add, _only(ADMINISTRATOR), POST),
    Declared("/accounts/{name}", accounts.change, _only(ADMINISTRATOR), POST),
    Declared("/{rest:path}", door.missing, ANYBODY),
)  # fmt: skip
