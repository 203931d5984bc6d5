public import JSON

extension BlockHeader {
    /// A header from a node's block, `nil` where a member is missing or malformed, or one is there that is not known.
    ///
    /// The caller compares ``hash`` with the block's: only then all members are what the chain knows.
    public init?(json block: JSONValue) {
        let members = HexMembers(block)
        guard let parentHash = members.word("parentHash"), let ommersHash = members.word("sha3Uncles"),
            let beneficiary = members.address("miner"), let stateRoot = members.word("stateRoot"),
            let transactionsRoot = members.word("transactionsRoot"), let receiptsRoot = members.word("receiptsRoot"),
            let logsBloom = members.bytes("logsBloom"), logsBloom.count == Self.bloomByteCount,
            let difficulty = members.number("difficulty"), let number = members.integer("number"),
            let gasLimit = members.integer("gasLimit"), let gasUsed = members.integer("gasUsed"),
            let timestamp = members.integer("timestamp"), let extraData = members.bytes("extraData"),
            let mixHash = members.word("mixHash"), let nonce = members.bytes("nonce"),
            nonce.count == Self.nonceByteCount, let baseFee = members.number("baseFeePerGas"),
            let later = Extension(members)
        else { return nil }
        self.parentHash = parentHash
        self.ommersHash = ommersHash
        self.beneficiary = beneficiary
        self.stateRoot = stateRoot
        self.transactionsRoot = transactionsRoot
        self.receiptsRoot = receiptsRoot
        self.logsBloom = logsBloom
        self.difficulty = difficulty
        self.number = number
        self.gasLimit = gasLimit
        self.gasUsed = gasUsed
        self.timestamp = timestamp
        self.extraData = extraData
        self.mixHash = mixHash
        self.nonce = nonce
        self.baseFee = baseFee
        self.later = later
    }
}

extension BlockHeader.Extension {
    fileprivate init?(_ members: HexMembers) {
        guard members.isPresent("withdrawalsRoot") else {
            self = .london
            return
        }
        guard let withdrawalsRoot = members.word("withdrawalsRoot") else { return nil }
        guard members.isPresent("parentBeaconBlockRoot") else {
            self = .shanghai(withdrawalsRoot: withdrawalsRoot)
            return
        }
        guard let used = members.integer("blobGasUsed"), let excess = members.integer("excessBlobGas"),
            let beacon = members.word("parentBeaconBlockRoot")
        else { return nil }
        guard members.isPresent("requestsHash") else {
            self = .cancun(
                withdrawalsRoot: withdrawalsRoot,
                blobGasUsed: used,
                excessBlobGas: excess,
                parentBeaconRoot: beacon
            )
            return
        }
        guard let requests = members.word("requestsHash") else { return nil }
        self = .prague(
            withdrawalsRoot: withdrawalsRoot,
            blobGasUsed: used,
            excessBlobGas: excess,
            parentBeaconRoot: beacon,
            requestsHash: requests
        )
    }
}
