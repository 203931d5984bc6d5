import AsyncHTTPClient
import BigInt
import CSecp256k1
import NIOCore
