public import Keys
public import Runtime

/// What was decided about an account, a device or an authority.
///
/// Source: accounts protocol, "Permission status".
public enum Permission: Sendable, Hashable {
    case undefined, allowed, banned

    /// Whether a peer may do what needs a permission.
    ///
    /// The chain must hold together; nobody on it may be banned; and somebody on it must be allowed, unless strangers are
    /// welcome.
    ///
    /// - Parameters:
    ///   - chain: the peer's certificates.
    ///   - allowsPublic: whether strangers are welcome.
    ///   - now: the time that the certificates must be valid at.
    ///   - revocations: what is known to be revoked.
    ///   - permission: what was decided about the key with a short id.
    /// - Returns: whether the peer is allowed.
    public static func isAllowed(
        _ chain: CertificateChain,
        allowsPublic: Bool,
        at now: WallTime,
        revocations: [RevocationList] = [],
        permission: (InfoHash) -> Permission
    ) -> Bool {
        var isAllowed = allowsPublic
        for certificate in chain.certificates {
            switch permission(certificate.publicKey.shortID) {
            case .undefined: break
            case .allowed: isAllowed = true
            case .banned: return false
            }
        }
        // The dear check comes last; a stranger who is not welcome does not cost it.
        return isAllowed && (try? PeerRule.account(of: chain, at: now, revocations: revocations)) != nil
    }
}

extension ContactRecord {
    /// What having (or having removed) somebody as a contact decides about them.
    public var permission: Permission {
        isActive ? .allowed : isBanned ? .banned : .undefined
    }
}
