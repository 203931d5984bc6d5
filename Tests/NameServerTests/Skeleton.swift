@testable import NameServer
