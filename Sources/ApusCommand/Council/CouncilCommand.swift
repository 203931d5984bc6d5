import ArgumentParser

/// What those do who govern a registry on a chain.
struct CouncilCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "council",
        abstract: "Govern a name registry on a chain: stakes, proposals, votes.",
        discussion: """
            A council owns the storages of a registry and selects the one logic that may write them. Members hold stakes. \
            One proposal is voted on at a time; it passes with more than half of all stakes and is executed after a delay.

            Before you vote, the proposal is shown in words, with the hash that votes name, computed here from its content. \
            This program refuses to vote on what it cannot put into words in full.

            The key of the account that signs is read from --key-file, a file of 64 hexadecimal digits that only you can \
            read, or from the variable APUS_COUNCIL_KEY.

            Exit codes: 0 done; 1 refused, with the reason; 2 there is no such proposal or contract; 3 not yet, try again \
            later; 9 the proposal was not voted on, since what it does cannot be told in full; 64 the command was not \
            understood; 69 no chain node can be reached.
            """,
        subcommands: [
            CouncilDeploy.self, CouncilShow.self, CouncilDelegate.self, CouncilPropose.self, CouncilVote.self,
            CouncilExecute.self, CouncilWithdraw.self, CouncilClose.self, CouncilHistoryCommand.self,
        ]
    )
}
