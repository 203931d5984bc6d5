@testable import NameRegistry
