"""All SQL: items and their way through the states, the log, the register, templates. Nothing else has a database.

Every method that changes something is one transaction and writes the log entry of what it did in it.
"""

from pipeline.domain.types import Rules
from pipeline.store.accounts import AccountStore
from pipeline.store.attempts import AttemptStore
from pipeline.store.copies import CopyStore
from pipeline.store.database import Database
from pipeline.store.events import EventStore
from pipeline.store.hand_names import HandNameStore
from pipeline.store.items import ItemStore
from pipeline.store.log import Journal
from pipeline.store.metrics import MetricsStore
from pipeline.store.person_links import PersonLinkStore
from pipeline.store.places import PlaceStore
from pipeline.store.publications import PublicationStore
from pipeline.store.questions import QuestionStore
from pipeline.store.read_models import ReadModels
from pipeline.store.register import RegisterStore
from pipeline.store.retention import RetentionStore
from pipeline.store.review import ReviewStore
from pipeline.store.rights import RightsStore
from pipeline.store.spot_checks import SpotCheckStore
from pipeline.store.stops import StopStore
from pipeline.store.templates import TemplateStore
from pipeline.store.tombstones import TombstoneStore
from pipeline.store.undo import UndoStore
from pipeline.store.uploads import UploadStore

__all__ = ["Database", "ItemStore", "Journal", "RegisterStore", "Store", "TemplateStore"]


class Store:
    """The parts of the store on one database."""

    def __init__(self, url: str, rules: Rules | None = None) -> None:
        """Open the database and bring its schema up to date. Raises StoreError."""
        self.database = Database(url)
        self.journal = Journal(self.database)
        self.items = ItemStore(self.database, self.journal)
        self.register = RegisterStore(self.database, self.journal, rules)
        self.templates = TemplateStore(self.database, self.journal)
        self.hand_names = HandNameStore(self.database, self.journal)
        self.recall = PublicationStore(self.database, self.journal)
        self.places = PlaceStore(self.database, self.journal)
        self.review = ReviewStore(self.database, self.journal)
        self.events = EventStore(self.database, self.journal)
        self.questions = QuestionStore(self.database, self.journal)
        self.undo = UndoStore(self.database, self.journal)
        self.accounts = AccountStore(self.database, self.journal)
        self.attempts = AttemptStore(self.database, self.journal)
        self.uploads = UploadStore(self.database, self.journal)
        self.spot_checks = SpotCheckStore(self.database, self.journal)
        self.read_models = ReadModels(self.database)
        self.metrics = MetricsStore(self.database)
        self.links = PersonLinkStore(self.database, self.journal)
        self.copies = CopyStore(self.database, self.journal)
        self.stops = StopStore(self.database, self.journal)
        self.tombstones = TombstoneStore(self.database, self.journal)
        self.retention = RetentionStore(self.database, self.journal)
        self.rights = RightsStore(self.database, self.journal)

    def close(self) -> None:
        """Let go of the connections."""
        self.database.close()
