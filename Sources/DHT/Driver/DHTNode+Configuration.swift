public import Keys
public import Runtime

extension DHTNode {
    public struct Configuration: Sendable {
        /// An IPv4 address; without it the node does without IPv4.
        public var bindAddress: String? = "0.0.0.0"
        /// An IPv6 address; without it the node does without IPv6.
        public var bindAddress6: String? = "::"
        /// Of both families, where IPv6 can have the port of IPv4; 0 lets the system choose.
        public var port = 0
        /// Nodes of other networks are not heard.
        public var network: UInt32 = 0
        /// `host`, `host:port` or `[IPv6]:port`; the default port is 4222.
        public var bootstrap: [String] = []
        /// The key that signs and opens values, and the chain of its certificate, which is published.
        public var identity: (key: RSAPrivateKey, chain: CertificateChain)?
        /// The id of the node; `nil` takes that of the key, or of the saved state, or one by chance.
        public var id: InfoHash?
        /// Whether to stay out of the routing tables of others.
        public var isClient = false
        /// Whether to look for nodes on the local network, and to be found there.
        public var discovery = false
        /// Whether requests beyond a rate are dropped; only measurements on a private network can do without.
        public var limitsRequests = true
        /// Whether the nodes of the network stay for long, as in a private network of servers: then others are told every
        /// five minutes instead of every twenty seconds what is listened to.
        public var isNetworkStable = false
        /// Whether values of others are handed on to nodes that have come closer to their keys.
        public var maintainsStorage = false
        /// Bytes of values that are kept for others.
        public var storedBytes = 64 << 20
        /// Keys that are looked for, put to or listened at, those of the last hour included; each counts once for each
        /// address family, and more fail.
        public var searches = 16_384
        /// Types of values besides the standard ones, or in their place.
        public var valueTypes: [ValueType] = []
        public var randomness = Randomness.secure
        /// What ``DHTNode/export()`` gave in an earlier run, or the state of another node.
        ///
        /// When the node starts, its nodes are asked too, and those of its values that still live are stored again.
        public var savedState: NodeState?

        public init() {}
    }
}
