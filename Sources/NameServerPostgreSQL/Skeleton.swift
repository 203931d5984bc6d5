import CPostgreSQL
import NameServer
