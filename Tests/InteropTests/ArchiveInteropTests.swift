import TestSupport
import Testing

extension InteropTests {
    @Suite(.needs(Peers.missingForInterop)) struct ArchiveInteropTests {
        @Test(.timeLimit(.minutes(4)), arguments: ["", "pässword 🐦"])
        func `an archive of ours opens in Jami as the same account`(password: String) async throws {
            try await withNetwork(named: "arch") { lab, bootstrap in
                let apus = try ApusPeer(on: await lab.host("apus"), in: lab, bootstrap: bootstrap)
                try await apus.startDaemon()
                let ours = try await apus.newAccount(alias: "Zoë", password: password)
                try await apus.stopDaemon()

                let jami = try await JamiPeer.start(on: lab.host("jami"), in: lab)
                let theirs = try await jami.newAccount(
                    alias: "",
                    bootstrap: bootstrap,
                    details: [
                        "Account.archivePath": "\(apus.folder)/\(ours.local)/archive.gz",
                        "Account.archivePassword": password,
                    ]
                )
                #expect(theirs.id == ours.id)
                #expect(theirs.device != ours.device)
                jami.kill()
                await apus.close()
            }
        }
    }
}
