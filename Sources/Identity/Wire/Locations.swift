public import Keys

/// The keys of the DHT under which accounts and devices are found.
///
/// Source: accounts protocol, "Identifiers" and "Going online"; peer connections protocol, "Signalling over the DHT".
public enum Locations {
    /// Where trust requests and old-style messages for a device are put.
    public static func inbox(of shortDeviceID: InfoHash) -> InfoHash {
        InfoHash(hashing: "inbox:" + shortDeviceID.hex)
    }

    /// Where peers of before 2025 put connection requests for a device.
    public static func peerRequests(_ shortDeviceID: InfoHash) -> InfoHash {
        InfoHash(hashing: "peer:" + shortDeviceID.hex)
    }

    /// Where newer peers put connection requests for a device.
    public static func peerRequests(_ deviceID: LongID) -> InfoHash {
        InfoHash(hashing: "peer:" + deviceID.hex)
    }

    /// Where peers of before 2025 look for the certificates of a device.
    public static func certificate(_ shortDeviceID: InfoHash) -> InfoHash {
        shortDeviceID
    }

    /// Where newer peers look for the certificates of a device.
    public static func certificate(_ deviceID: LongID) -> InfoHash {
        InfoHash(hashing: deviceID.bytes)
    }

    /// Where the devices of an account announce themselves, and where its revocation lists are.
    public static func announcements(of accountID: InfoHash) -> InfoHash {
        accountID
    }
}
