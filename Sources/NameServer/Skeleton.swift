import GRDB
import Hummingbird
import NameRegistry
