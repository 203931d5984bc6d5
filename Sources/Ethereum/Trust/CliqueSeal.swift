extension BlockHeader {
    /// Bytes in front that mean nothing.
    static let vanityByteCount = 32
    static let sealByteCount = 65

    /// The hash that a signer of a Clique chain signs: that of the header without its seal.
    ///
    /// Source: EIP-225.
    public func cliqueSealHash() throws(CliqueError) -> Word {
        guard extraData.count >= Self.vanityByteCount + Self.sealByteCount else { throw .malformedExtraData }
        var unsealed = self
        unsealed.extraData.removeLast(Self.sealByteCount)
        return unsealed.hash
    }

    /// Who sealed this block of a Clique chain.
    public func cliqueSigner() throws(CliqueError) -> Address {
        let hash = try cliqueSealHash()
        let seal = extraData.suffix(Self.sealByteCount)
        // Unlike in contracts, the last byte is 0 or 1 here.
        guard let last = seal.last, last <= 1, let signature = Signature(seal) else { throw .malformedSeal }
        do {
            return try signature.signer(of: hash)
        } catch {
            throw .malformedSeal
        }
    }

    /// The signers that a header of an epoch lists, in ascending order; none in other headers.
    public func cliqueSigners() throws(CliqueError) -> [Address] {
        let listed = extraData.count - Self.vanityByteCount - Self.sealByteCount
        guard listed >= 0, listed % Address.byteCount == 0 else { throw .malformedExtraData }
        let bytes = extraData[Self.vanityByteCount..<Self.vanityByteCount + listed]
        var signers: [Address] = []
        var rest = bytes
        while !rest.isEmpty, let signer = Address(rest.prefix(Address.byteCount)) {
            signers.append(signer)
            rest = rest.dropFirst(Address.byteCount)
        }
        guard zip(signers, signers.dropFirst()).allSatisfy({ $0 < $1 }) else { throw .malformedExtraData }
        return signers
    }
}

/// Two different blocks at one height by one signer: proof for anybody that this signer cheats.
public struct CliqueContradiction: Hashable, Sendable {
    public let signer: Address
    public let first: BlockHeader
    public let second: BlockHeader

    /// `nil` unless both headers are sealed by the same signer at the same height and differ in more than their seal.
    public init?(_ first: BlockHeader, _ second: BlockHeader) {
        guard first.number == second.number, let signer = try? first.cliqueSigner(),
            let other = try? second.cliqueSigner(), signer == other,
            (try? first.cliqueSealHash()) != (try? second.cliqueSealHash())
        else { return nil }
        self.signer = signer
        self.first = first
        self.second = second
    }
}
