public import Keys
public import Runtime

/// Why the files of an account cannot be used.
public enum AccountFolderError: Error, Equatable, Sendable {
    case file(FileError, name: String)
    /// The device's key cannot be read.
    case key(KeyError)
    /// The certificates cannot be read, or are not those of the key.
    case certificate(CertificateError)
    /// The receipt does not bind the device to the account.
    case receipt(ReceiptError)
    case archive(ArchiveError)
}

/// The folder of one account: its archive, and the device's key, certificates and receipt.
///
/// Files have the mode 0600, the folder 0700; each is written so that a loss of power leaves the old or the new one. All
/// calls block; those that seal or open an archive with a password take about half a second. Source: accounts protocol,
/// "Files" and "Receipt and device announcement".
public struct AccountFolder: Sendable {
    private enum Name {
        static let archive = "archive.gz"
        static let key = "device.key"
        static let chain = "device.crt"
        static let receipt = "receipt"
        static let signature = "receipt.sig"
    }

    public let path: String

    public init(path: String) {
        self.path = path
    }

    /// Whether an account was stored here completely: the signature of the receipt is written last.
    public var isComplete: Bool {
        DurableFile.exists(path + "/" + Name.signature)
    }

    // MARK: The whole

    /// Stores a new account; when this returns, it survives a loss of power.
    public func store(
        _ account: NewAccount,
        password: String = "",
        randomness: inout Randomness
    ) throws(AccountFolderError) {
        try storeArchive(account.archive, password: password, randomness: &randomness)
        try storeDevice(EnrolledDevice(identity: account.device, receipt: account.receipt))
    }

    // MARK: The device

    /// Stores a device with its certificates and its receipt.
    public func storeDevice(_ device: EnrolledDevice) throws(AccountFolderError) {
        try makeFolder()
        try write(Array(device.identity.key.pem.utf8), to: Name.key)
        try write(Array(device.identity.chain.pem.utf8), to: Name.chain)
        try write(device.receipt.text, to: Name.receipt)
        try write(device.receipt.signature, to: Name.signature)
    }

    /// Reads the device and checks everything that must hold before it may be used.
    ///
    /// - Parameters:
    ///   - now: the time that the certificates must be valid at.
    ///   - revocations: what the account has revoked.
    /// - Returns: the device.
    /// - Throws: `AccountFolderError.file`, `.key`, `.certificate` or `.receipt`. For the last two, the archive can give the
    ///   device new certificates and a new receipt.
    public func openDevice(
        at now: WallTime,
        revocations: [RevocationList] = []
    ) throws(AccountFolderError) -> EnrolledDevice {
        let device = try readDevice()
        do throws(ReceiptError) {
            try device.receipt.verify(for: device.identity, at: now, revocations: revocations)
        } catch {
            throw .receipt(error)
        }
        return device
    }

    /// Reads the device without asking whether its certificates and receipt still hold.
    public func readDevice() throws(AccountFolderError) -> EnrolledDevice {
        let key = try readKey()
        let chainText = try read(Name.chain, limit: CertificateLimits.chainSize)
        let identity: DeviceIdentity
        do throws(CertificateError) {
            identity = try DeviceIdentity(chain: CertificateChain(pem: chainText), key: key)
        } catch {
            throw .certificate(error)
        }
        let text = try read(Name.receipt, limit: Receipt.maximumSize)
        let signature = try read(Name.signature, limit: Receipt.maximumSize)
        do throws(ReceiptError) {
            return EnrolledDevice(identity: identity, receipt: try Receipt(text: text, signature: signature))
        } catch {
            throw .receipt(error)
        }
    }

    /// Gives the device new certificates and a new receipt out of the archive, after they ran out or were damaged.
    ///
    /// The keys stay, and with them all ids. Source: accounts protocol, "Renewal".
    public func renewDevice(
        password: String = "",
        at now: WallTime,
        randomness: inout Randomness
    ) throws(AccountFolderError) -> EnrolledDevice {
        var archive = try openArchive(password: password)
        let key = try readKey()
        let isRenewed: Bool
        let device: EnrolledDevice
        do throws(KeyError) {
            isRenewed = try archive.renewCertificates(at: now, randomness: &randomness)
            device = try archive.enroll(deviceKey: key, at: now, randomness: &randomness)
        } catch {
            throw .key(error)
        }
        if isRenewed { try storeArchive(archive, password: password, randomness: &randomness) }
        try storeDevice(device)
        return device
    }

    // MARK: The archive

    public func openArchive(password: String = "") throws(AccountFolderError) -> AccountArchive {
        let file = try read(Name.archive, limit: AccountArchive.maximumSize)
        do throws(ArchiveError) {
            return try AccountArchive(file: file, password: password)
        } catch {
            throw .archive(error)
        }
    }

    public func storeArchive(
        _ archive: AccountArchive,
        password: String = "",
        randomness: inout Randomness
    ) throws(AccountFolderError) {
        try makeFolder()
        let file: [UInt8]
        do throws(ArchiveError) {
            file = try archive.file(password: password, randomness: &randomness)
        } catch {
            throw .archive(error)
        }
        try write(file, to: Name.archive)
    }

    /// Whether the archive asks for a password.
    public func archiveNeedsPassword() throws(AccountFolderError) -> Bool {
        AccountArchive.needsPassword(try read(Name.archive, limit: AccountArchive.maximumSize))
    }

    // MARK: Files

    private func readKey() throws(AccountFolderError) -> RSAPrivateKey {
        let text = try read(Name.key, limit: 65_536)
        do throws(KeyError) {
            return try RSAPrivateKey(pem: String(decoding: text, as: UTF8.self))
        } catch {
            throw .key(error)
        }
    }

    private func makeFolder() throws(AccountFolderError) {
        do throws(FileError) {
            try DurableFile.makeFolder(path)
        } catch {
            throw .file(error, name: "")
        }
    }

    private func read(_ name: String, limit: Int) throws(AccountFolderError) -> [UInt8] {
        do throws(FileError) {
            return try DurableFile.read(path + "/" + name, limit: limit)
        } catch {
            throw .file(error, name: name)
        }
    }

    private func write(_ content: [UInt8], to name: String) throws(AccountFolderError) {
        do throws(FileError) {
            try DurableFile.write(content, to: name, in: path)
        } catch {
            throw .file(error, name: name)
        }
    }
}
