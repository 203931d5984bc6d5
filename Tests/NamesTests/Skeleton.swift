@testable import Names
