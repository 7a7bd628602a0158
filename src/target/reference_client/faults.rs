//! Planted faults of clients: a client that closes well, as real ones get it wrong.
//!
//! Each says what it gets wrong, and the problems that it shows. They are the proof that the judge
//! bites: a test plays campaigns against all of them and finds exactly what is declared here.

use crate::target::planted::planted;

planted! {
    /// A bug that the reference client can be given.
    ClientFault of "reference-client" {
        /// The opening has no deadline.
        ConnectsForEver = "connects-for-ever", shows [ConnectsInTime: WaitsToRead];
        /// Every read moves the deadline of the opening.
        ReadRearmsConnect = "read-rearms-connect", shows [ConnectsInTime: OwnTimer];
        /// A 101 opens, whatever key or protocol it answers.
        TakesAnyAnswer = "takes-any-answer", shows [
            RefusesBadOpening: TakesWrongKey, RefusesBadOpening: TakesUnaskedProtocol
        ];
        /// The closing has no deadline.
        CloseWaitsForEver = "close-waits-for-ever", shows [
            EndsInTime: WaitsToRead, EndsInTime: WaitsForRoom, ReleasesInTime: KeepsSocket,
            IdleInTime: WaitsForRoom, IdleInTime: WaitsToRead
        ];
        /// Every frame moves the deadline of the closing.
        FrameRearmsClose = "frame-rearms-close", shows [EndsInTime: OwnTimer, ReleasesInTime: OwnTimer];
        /// Once both Closes are there, the wait for the server's FIN has no deadline.
        WaitsForFinForEver = "waits-for-fin-for-ever", shows [
            EndsInTime: WaitsToRead, EndsInTime: WaitsForRoom, ReleasesInTime: KeepsSocket
        ];
        /// The server's FIN is no end, where no Close came before it.
        IgnoresFin = "ignores-fin", shows [
            EndsInTime: OwnTimer, ReleasesInTime: OwnTimer
        ];
        /// The application's close drops the connection.
        DropsAtClose = "drops-at-close", shows [SendsClose: DropsAtClose];
        /// The server's Close is not answered.
        NeverAnswers = "never-answers", shows [AnswersClose: EmptyClose];
        /// The answer to a Close has the code 1000.
        AnswersNormal = "answers-normal", shows [EchoesCode: OtherCode];
        /// The application's close does not return when the connection has ended.
        CloseHangs = "close-hangs", shows [CloseReturns: CloseHangs];
        /// The application is not told of the end.
        NeverTells = "never-tells", shows [ReportsEndCorrectly: NeverTold];
        /// The application is told twice of the end.
        TellsTwice = "tells-twice", shows [ReportsEndCorrectly: ToldTwice];
        /// A Close without a code is told as 1000.
        TellsNormalForNone = "tells-normal-for-none", shows [ReportsEndCorrectly: ToldOtherCode];
        /// Where no Close came, the application is told the code of the client's own.
        TellsOwnCode = "tells-own-code", shows [ReportsEndCorrectly: CodeWithoutClose];
        /// Where no Close came, the application is told 1005, as if one without a code had.
        TellsLossAsNone = "tells-loss-as-none", shows [ReportsEndCorrectly: CodeWithoutClose];
        /// All frames have the same mask.
        SameMask = "same-mask", shows [FreshMaskingKey: SameKey];
        /// Control frames have one mask, and data another.
        TwoMasks = "two-masks", shows [FreshMaskingKey: SameKey];
        /// The mask of a Close is zero.
        ZeroMask = "zero-mask", shows [FreshMaskingKey: SameKey];
        /// Frames have no mask.
        NoMask = "no-mask", shows [SendsValidFrames: WrongMask];
        /// A server's frame may have a mask.
        TakesMasked = "takes-masked", shows [
            RefusesIllegal: ServesMasked, RefusesIllegal: RefusesWithOtherCode, ReleasesInTime: OwnTimer
        ];
        /// TCP ends as soon as both Closes are there.
        EndsTcpFirst = "ends-tcp-first", shows [LetsServerCloseTcp: EndsTcpFirst];
        /// The own side is shut down right behind the own Close.
        HalfClosesBehindItsClose = "half-closes", shows [
            LetsServerCloseTcp: EndsTcpFirst, LetsServerCloseTcp: EndsWithClose
        ];
        /// TCP ends right behind the own Close, whether the server has sent one or not.
        DropsBehindItsClose = "drops-behind-close", shows [
            LetsServerCloseTcp: EndsTcpFirst, LetsServerCloseTcp: EndsWithClose
        ];
        /// A pong that comes while closing panics.
        PongPanics = "pong-panics", shows [NoPanic: Panics];
    }
}
