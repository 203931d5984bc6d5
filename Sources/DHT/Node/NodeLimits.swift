/// How much of everything a node keeps, and how long it waits.
///
/// Everything that a peer can make grow has its bound here.
package struct NodeLimits: Sendable {
    /// Known nodes of one family.
    package var nodes = 16_384
    /// Searches of one family.
    package var searches = 16_384
    package var pendingRequests = 65_536
    /// Store requests whose signatures are being checked elsewhere.
    package var pendingChecks = 1024
    package var blacklist = 4096
    /// Bytes of values in one answer to a get of a node that is known to be where it says.
    package var answerBytes = 2 << 20
    /// Bytes of values in one answer to anybody else, whose address may be forged.
    package var unverifiedAnswerBytes = 128 << 10
    /// Bytes of selected fields in one answer; they go in one datagram.
    package var rowBytes = 12 << 10
    /// Bytes of values that are answered in a second, to one address and in all.
    package var answeredBytesPerAddress = 8 << 20
    package var answeredBytes = 64 << 20
    /// What an update counts for among these, besides its values.
    package var leastUpdateCost = 1024
    /// Requests that are served in a second, from one address and in all.
    package var requestsPerAddress = 1024
    package var requests = 8192
    /// Addresses whose rates are told apart.
    package var ratedAddresses = 16_384
    /// Bytes of values that others store here.
    package var storedBytes = 64 << 20
    /// Values that one listener remembers in order to report each only once.
    package var heardValues = 4096
    /// Bytes of these values; of those beyond only marks are kept.
    package var heardBytes = 4 << 20
    /// Values that are fetched one by one from one node.
    package var pagedValues = 16_384
    /// Rows of fields that one query finds.
    package var foundRows = 16_384
    /// Different contents of one id that a listener remembers.
    package var heardVariants = 8
    package var addressVotes = 32
    /// After this long a get answers what it has, and a put fails.
    package var operation = Duration.seconds(60)
    /// An update of a listener is split beyond this many bytes of values.
    package var updateBytes = 56 << 10

    package var pacing = PacingLimits()

    package init() {}

    /// Serves as much as comes.
    package mutating func liftRates() {
        requestsPerAddress = .max
        requests = .max
        answeredBytesPerAddress = .max
        answeredBytes = .max
    }
}

/// The times and numbers of the protocol.
///
/// Source: DHT protocol, "Constants".
enum Timing {
    static let firstRetry = Duration.milliseconds(1000)
    static let retryJitter = Duration.milliseconds(250)
    static let attempts = 3
    /// Between two refusals of the system to send, so that they are not one.
    static let secondRefusal = Duration.milliseconds(500)
    /// Before this no answer is late.
    static let leastPatience = Duration.milliseconds(50)
    /// So long a get that found nothing waits for answers that are late: a device may be busy, and is asked twice.
    static let hope = Duration.milliseconds(1500)

    static let syncLifetime = Duration.seconds(600)
    static let watch = Duration.seconds(60)
    static let stepPause = Duration.milliseconds(100)
    static let searchIdle = Duration.seconds(62 * 60)
    static let listenRefresh = Duration.seconds(20)
    /// Among nodes that do not come and go.
    static let stableListenRefresh = Duration.seconds(290)
    static let storageMaintenance = Duration.seconds(600)
    static let storageMaintenanceStep = Duration.seconds(5)
    static let storageMaintenanceSteps = 100
    /// How long a listening goes on without listeners.
    static let listenLinger = Duration.seconds(60)
    /// After this long what a node pushed when it confirmed has arrived.
    static let listenSettling = Duration.seconds(4)
    static let listenSweep = Duration.seconds(15)
    static let announceMargin = Duration.seconds(10)
    static let bucketSilence = Duration.seconds(600)
    static let growthIsRecent = Duration.seconds(150)
    static let bootstrapInitial = Duration.seconds(4)
    static let bootstrapCap = Duration.seconds(600)
    static let secretRotation = Duration.seconds(15 * 60)...Duration.seconds(45 * 60)
    static let sweep = Duration.seconds(120)...Duration.seconds(360)
    static let confirmFirst = Duration.seconds(3)...Duration.seconds(5)
    static let connectingCheck = Duration.seconds(5)
    static let confirmSoon = Duration.seconds(5)...Duration.seconds(25)
    static let confirmLater = Duration.seconds(60)...Duration.seconds(180)

    static let searchNodes = 14
    static let target = 8
    static let wantsBothOneIn = 38
    static let listenNodes = 4
    static let parallelGets = 4
    /// Values that are fetched from one node at the same time, when they are fetched one by one.
    static let parallelPages = 4
    /// An answer in parts that has been still for so long has lost some of them.
    static let answerSilence = Duration.milliseconds(500)
    static let toleratedBadNodes = 25
}
