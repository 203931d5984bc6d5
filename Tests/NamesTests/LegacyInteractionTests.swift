import Ethereum
import Foundation
import Keys
import NameRegistry
import TestSupport
import Testing

@testable import Names

/// Every interaction of the Jami daemon of 2023 with a scripted server, beside what we conclude from the same answers.
@Suite struct LegacyInteractionTests {
    /// What we conclude, for each step, where it differs from 2023 with the reason.
    private static let ours: [String: String] = [
        "lookupName uppercase notfound": "absent",
        "lookupName too short": "asks nobody",
        "lookupName 33 chars": "asks nobody",
        "lookupName space/unicode": "asks nobody",
        "lookupName with @host": "absent",
        "lookupName with http://user@host": "absent",
        "lookupName jami:bob": "absent",
        "lookupName found": "found unsigned",
        // Unsigned answers are not kept.
        "lookupName found cached": "found unsigned",
        "lookupAddress cached": "named",
        // 2023 passes the capitals on.
        "lookupName found mixed-case addr": "found unsigned",
        // 2023 takes all of these for "not found"; a refusal or a busy server is no answer here.
        "lookupName status 400": "refused",
        "lookupAddress status 400": "refused",
        "lookupName status 401": "refused",
        "lookupAddress status 401": "refused",
        "lookupName status 404": "absent",
        "lookupAddress status 404": "absent",
        "lookupName status 429": "trouble",
        "lookupAddress status 429": "trouble",
        "lookupName status 500": "trouble",
        "lookupAddress status 500": "trouble",
        "lookupName status 503": "trouble",
        "lookupAddress status 503": "trouble",
        "lookupName status 301": "refused",
        "lookupAddress status 301": "refused",
        "lookupName badjson": "malformed",
        "lookupName noaddr": "absent",
        // 2023 makes the text "12" an account of it.
        "lookupName intaddr": "malformed",
        "lookupName arr": "malformed",
        // 2023 asks for whatever it is given.
        "lookupAddress bad": "asks nobody",
        "lookupAddress found": "named",
        // 2023 puts the prefix into the path.
        "lookupAddress jami: prefix": "absent",
        // 2023 cannot tell these from a broken network.
        "registerName 400 {'success': False}": "refused",
        "registerName 401 {'success': False}": "refused",
        "registerName 403 {'success': False}": "taken",
        // 2023 takes these two for "taken".
        "registerName 404 {}": "refused",
        "registerName 409 {}": "taken",
        "registerName 429 {}": "trouble",
        "registerName 500 {'error': 'server error'}": "trouble",
        "registerName 200 {'success': False}": "malformed",
        "registerName 200 {}": "malformed",
        "registerName 201 {'success': True}": "registered",
        "registerName Alice_One-9 ok": "registered",
        "registerName same again": "alreadyYours",
        "registerName cached taken": "taken",
        "registerName invalid": "asks nobody",
        "registerName wrong pwd": "asks nobody",
        "signed s-ok": "found signed",
        "signed s-nul": "found signed",
        "signed s-der": "found signed",
        // 2023 compares capitals with small letters.
        "signed s-upper": "found signed",
        "signed s-no0x": "found signed",
        "signed s-0xbig": "found signed",
        "signed s-rawpem": "wrongEvidence",
        "signed s-badsig": "wrongEvidence",
        // 2023 takes half of the evidence for none, and the record for good.
        "signed s-nosig": "strippedSignature",
        "signed s-nopk": "strippedSignature",
        "signed s-zero": "wrongEvidence",
        "signed s-num0": "wrongEvidence",
        "signed s-empty": "found unsigned",
        "signed s-wrongaddr": "wrongEvidence",
        "signed s-othername": "otherName",
        "signed s-extra": "found signed",
        "signed s-null": "found unsigned",
        "signed s-wrap": "found signed",
        "signed s-urlsafe": "wrongEvidence",
        "noaccount lookup": "absent",
        "noaccount lookup addr": "absent",
    ]

    private static let carol = "aa00000000000000000000000000000000000001"

    @Test func `each of the 68 interactions is concluded as the table says, and never more trustingly than in 2023`()
        throws
    {
        let vector = try JSONVector(file: "jns-http-legacy", in: Bundle.module)
        let steps = vector["steps"].elements
        #expect(steps.count == 68 && Self.ours.count == 68)
        for step in steps {
            let title = step["step"].text
            let conclusion = try conclude(step, vector["signedResponses"])
            #expect(conclusion == Self.ours[title], "\(title)")
            let arguments = step["signal"]["args"]
            guard step["signal"]["name"].text == "registeredNameFound", arguments[0].integer != 0 else { continue }
            // 2023 refuses both for the capitals of the address alone.
            let isStricter = ["signed s-upper", "signed s-0xbig"].contains(title)
            #expect(conclusion.hasPrefix("found") == isStricter, "\(title)")
        }
    }

    // MARK: What we do with a step

    private func conclude(_ step: JSONVector, _ signed: JSONVector) throws -> String {
        if step["step"].text.hasPrefix("registerName") { return try concludeRegistration(step) }
        let arguments = step["signal"]["args"]
        let isAddress =
            step["step"].text.contains("ddr") && !step["step"].text.hasPrefix("lookupName")
            && !step["step"].text.hasPrefix("signed")
        let asked = isAddress ? arguments[1].text : arguments[2].text
        guard let query = try? NameQuery(asked) else {
            #expect(step["requests"].elements.isEmpty || asked == "====")
            return "asks nobody"
        }
        switch query.subject {
        case .name(let name):
            if let path = step["requests"].elements.first?["path"].text { #expect("/name/\(name)" == path) }
            return conclude { () throws(NameServerFault) in
                try NameAnswer.read(reply(name.text, signed), for: name).map { "found \($0.assurance.text)" }
            }
        case .account(let account):
            if asked == Self.carol { #expect("/addr/\(account)" == step["requests"][0]["path"].text) }
            return conclude { () throws(NameServerFault) in
                try NameAnswer.readName(reply(ofAccount: account.hex), of: account).map { _ in "named" }
            }
        }
    }

    private func conclude(_ read: () throws(NameServerFault) -> String?) -> String {
        do throws(NameServerFault) {
            return try read() ?? "absent"
        } catch {
            return error.code
        }
    }

    /// The scripted server's answers to questions for names.
    private func reply(_ name: String, _ signed: JSONVector) -> NameServerReply {
        if let record = signed["GET /name/\(name)"].content,
            let body = try? JSONSerialization.data(withJSONObject: record)
        {
            return NameServerReply(status: 200, body: Array(body))
        }
        if name.hasPrefix("code") { return .json("{}", status: Int(name.dropFirst(4)) ?? 0) }
        switch name {
        case "bob1": return .json(#"{"name":"bob1","addr":"0xc0dec0dec0dec0dec0dec0dec0dec0dec0dec0de"}"#)
        case "bob2": return .json(#"{"name":"bob2","addr":"0xC0DEc0dec0dec0dec0dec0dec0dec0dec0dec0d2"}"#)
        case "badjson": return .json("{not json")
        case "noaddr": return .json(#"{"name":"noaddr"}"#)
        case "intaddr": return .json(#"{"name":"intaddr","addr":12}"#)
        case "arr": return .json("[]")
        default: return .notFound
        }
    }

    private func reply(ofAccount digits: String) -> NameServerReply {
        if let status = Int(digits.suffix(3)), digits.hasPrefix("0000"), status > 200 {
            return .json(#"{"success":false}"#, status: status)
        }
        switch digits {
        case Self.carol: return .json(#"{"name":"carol"}"#)
        case "c0dec0dec0dec0dec0dec0dec0dec0dec0dec0de": return .json(#"{"name":"bob1"}"#)
        default: return .json(#"{"error":"address not registered"}"#, status: 404)
        }
    }

    private func concludeRegistration(_ step: JSONVector) throws -> String {
        let title = step["step"].text
        let captured = try CapturedRegistration()
        guard let name = Name(folding: step["signal"]["args"][1].text), title != "registerName wrong pwd" else {
            #expect(step["requests"].elements.isEmpty)
            return "asks nobody"
        }
        if let path = step["requests"].elements.first?["path"].text { #expect("/name/\(name)" == path) }
        let registration = Registration(name: name, account: captured.account, owner: .zero, evidence: nil)
        switch title {
        case "registerName same again":
            let body = #"{"success":false,"name":"\#(name)","addr":"\#(captured.account)"}"#
            return RegistrationOutcome.read(.json(body, status: 403), to: registration).code
        case "registerName cached taken":
            let body = #"{"success":false,"addr":"c0dec0dec0dec0dec0dec0dec0dec0dec0dec0de"}"#
            return RegistrationOutcome.read(.json(body, status: 403), to: registration).code
        case "registerName Alice_One-9 ok": return outcome(200, #"{"success":true}"#, registration)
        default:
            let parts = title.split(separator: " ", maxSplits: 2)
            let body = String(parts[2]).replacing("'", with: "\"").replacing("False", with: "false")
                .replacing("True", with: "true")
            return outcome(Int(parts[1]) ?? 0, String(body), registration)
        }
    }

    private func outcome(_ status: Int, _ body: String, _ registration: Registration) -> String {
        RegistrationOutcome.read(.json(body, status: status), to: registration).code
    }
}
