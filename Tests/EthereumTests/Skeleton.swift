@testable import Ethereum
