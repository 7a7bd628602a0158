//! Symptoms: what exactly was seen where a rule is broken. Those of `refuses-illegal` are told
//! with its rule.

use crate::story::{
    BYE, FORGOTTEN, Frame, PING, Story, TEXT, UNMASKED, asked, close, encoded, fragment, has_read,
    owing,
};
use hangup::exchange::{AfterDeadline, Death, Note, Standing, What};
use hangup::verdict::{Cause, Condition, Identity, Invariant, Symptom};
use hangup::wire::{FrameHead, LengthForm, Opcode};
use std::time::Duration;

/// The one symptom of a story that breaks the rule.
#[track_caller]
fn symptom(story: &Story, rule: Invariant) -> Symptom {
    story.breaks(rule).identity.symptom().expect("the judge knows it")
}

#[test]
fn the_symptom_of_a_hang_is_what_the_server_was_doing() {
    let reads = Standing { reads: Some(true), ..FORGOTTEN };
    let writes = Standing { writes: Some(true), ..reads };
    let hang = |standing| owing(Cause::OwnClose).stands(standing);
    for (standing, expected) in [
        (reads, Symptom::WaitsToRead),
        (FORGOTTEN, Symptom::Forgotten),
        (Standing { has_input: true, ..reads }, Symptom::IgnoresInput),
        (Standing { has_input: true, ..FORGOTTEN }, Symptom::IgnoresInput),
        (Standing { room: Some(0), ..writes }, Symptom::WaitsForRoom),
        (Standing { room: Some(0), has_input: true, ..writes }, Symptom::WaitsForRoom),
        (writes, Symptom::IgnoresRoom),
    ] {
        assert_eq!(symptom(&hang(standing), Invariant::EndsInTime), expected, "{standing:?}");
    }
}

#[test]
fn room_that_came_and_was_not_used_is_a_lost_wake_up_while_there_is_something_to_say() {
    let reads = Standing { reads: Some(true), ..FORGOTTEN };
    let room = |story: Story| story.then(What::WriteBlocked).at(2000).then(What::Writable);
    let wants_to_close = room(owing(Cause::AppClose)).stands(reads);
    assert_eq!(symptom(&wants_to_close, Invariant::EndsInTime), Symptom::IgnoresRoom);
    let has_closed = room(owing(Cause::OwnClose)).stands(reads);
    assert_eq!(symptom(&has_closed, Invariant::EndsInTime), Symptom::WaitsToRead);
    let nobody_left = room(owing(Cause::AppClose)).stands(FORGOTTEN);
    assert_eq!(symptom(&nobody_left, Invariant::EndsInTime), Symptom::Forgotten);
    // Who has read the end has nothing more to read.
    let read_all = room(owing(Cause::AppClose).fin().then(What::ReadEnd)).stands(FORGOTTEN);
    assert_eq!(symptom(&read_all, Invariant::EndsInTime), Symptom::IgnoresRoom);
    // Where none came, it is that for which it waits, whatever else it would do.
    let none_came = owing(Cause::AppClose).then(What::WriteBlocked);
    let full = Standing { room: Some(0), ..reads };
    assert_eq!(symptom(&none_came.stands(full), Invariant::EndsInTime), Symptom::WaitsForRoom);
}

#[test]
fn over_tcp_only_the_queues_are_seen() {
    let seen = Standing { reads: None, writes: None, room: None, ..FORGOTTEN };
    let hang = |standing| {
        let story = Story::open_seen_by_client().at(1000).client(BYE).at(60_000);
        story.then(What::Stands(standing)).then(What::Became(AfterDeadline::GaveUp))
    };
    for (standing, expected) in [
        (seen, Symptom::StillOpen),
        (Standing { has_input: true, unsent: 7, ..seen }, Symptom::IgnoresInput),
        // A send buffer takes that much.
        (Standing { unsent: 7, ..seen }, Symptom::StillOpen),
        (Standing { unsent: 1 << 20, ..seen }, Symptom::WaitsForRoom),
        // Who is stuck in a write does not read either.
        (Standing { has_input: true, unsent: 1 << 20, ..seen }, Symptom::WaitsForRoom),
    ] {
        assert_eq!(symptom(&hang(standing), Invariant::EndsInTime), expected, "{standing:?}");
    }
    let unknown = Story::open_seen_by_client().at(1000).client(BYE).at(60_000);
    let unknown = unknown.then(What::Became(AfterDeadline::GaveUp));
    assert_eq!(symptom(&unknown, Invariant::EndsInTime), Symptom::StillOpen);
}

#[test]
fn an_end_that_comes_late_is_the_servers_own_unless_the_client_did_something() {
    let late = |story: Story| symptom(&story.server_drops(), Invariant::EndsInTime);
    let closed = || Story::open_seen_by_client().at(1000).client(BYE).later(1).server(BYE);
    assert_eq!(late(closed().at(9000)), Symptom::OwnTimer);
    assert_eq!(late(closed().at(8999).client(PING).at(9000)), Symptom::StillOpen);
    assert_eq!(late(closed().at(8000).client(PING).at(9000)), Symptom::OwnTimer);
    assert_eq!(late(closed().at(5000).client(PING).at(9000)), Symptom::OwnTimer);
    // In virtual time the client waits for what it is owed.
    let room = owing(Cause::OwnClose).at(8000).client(PING).at(9000);
    assert_eq!(late(room), Symptom::OwnTimer);
}

#[test]
fn a_socket_that_is_kept_after_fin_is_told_apart_from_one_that_is_kept_after_a_reset() {
    let kept = owing(Cause::OwnClose).server_shuts().stands(FORGOTTEN);
    assert_eq!(symptom(&kept, Invariant::ReleasesInTime), Symptom::KeepsSocket);
    let held = owing(Cause::ClientReset).stands(FORGOTTEN);
    assert_eq!(symptom(&held, Invariant::ReleasesInTime), Symptom::Forgotten);
    // Who served a violation and then answered a Close owes no more than to that Close.
    let served = has_read(UNMASKED).at(3000).client_closes(3000).server_reads_all();
    let served = served.server_closes(3000).server_shuts().at(7000).server_drops();
    assert_eq!(symptom(&served, Invariant::RefusesIllegal), Symptom::ServesUnmasked);
    // But a Close that comes when the release is overdue makes it no less late.
    let shut = has_read(UNMASKED).server_shuts().at(6003).client_closes(3000).server_reads_all();
    let overdue = shut.app_closes().server_bytes([0x88]);
    assert!(overdue.broken().contains(&Invariant::ReleasesInTime), "{:?}", overdue.broken());
    let late = owing(Cause::OwnClose).server_shuts().at(9000).server_drops();
    assert_eq!(symptom(&late, Invariant::ReleasesInTime), Symptom::OwnTimer);
}

#[test]
fn a_close_is_told_by_its_kind_whether_it_is_not_answered_or_refused() {
    let reason = close(1000, b"bye");
    for (payload, unanswered, refused) in [
        (vec![], Symptom::EmptyClose, Symptom::RefusesEmptyClose),
        (close(1000, b""), Symptom::DefinedCode, Symptom::RefusesBareCode),
        (close(1014, b""), Symptom::RegisteredCode, Symptom::RefusesRegisteredCode),
        (close(1014, b"x"), Symptom::RegisteredCode, Symptom::RefusesRegisteredCode),
        (close(3000, b""), Symptom::PrivateCode, Symptom::RefusesPrivateCode),
        (close(4999, b"x"), Symptom::PrivateCode, Symptom::RefusesPrivateCode),
        (reason, Symptom::CloseWithReason, Symptom::RefusesReason),
    ] {
        let read = Story::open().client((Opcode::CLOSE, &payload)).server_reads_all();
        let dropped = read.clone().server_drops();
        assert_eq!(symptom(&dropped, Invariant::AnswersClose), unanswered, "{payload:?}");
        let blamed = read.server_closes(1002).server_drops();
        assert_eq!(symptom(&blamed, Invariant::AcceptsLegal), refused, "{payload:?}");
    }
    let part = asked().server_bytes([0x88]).server_drops();
    assert_eq!(symptom(&part, Invariant::AnswersClose), Symptom::PartOfAnswer);
}

#[test]
fn a_legal_frame_that_is_refused_is_told_by_what_it_is() {
    let refused = |bytes: &[u8]| has_read(bytes).server_closes(1002).server_drops();
    let ping = encoded(FrameHead::client(Opcode::PING), b"");
    let inside = [fragment(TEXT), ping.clone()].concat();
    let symptom = |bytes: &[u8]| symptom(&refused(bytes), Invariant::AcceptsLegal);
    assert_eq!(symptom(&inside), Symptom::RefusesControlInside);
    let then_more =
        [fragment(TEXT), ping.clone(), encoded(FrameHead::client(Opcode::CONTINUATION), b"")];
    assert_eq!(symptom(&then_more.concat()), Symptom::RefusesControlInside);
    let close = encoded(FrameHead::client(Opcode::CLOSE), b"");
    let inside = [fragment(TEXT), close.clone()].concat();
    assert_eq!(symptom(&inside), Symptom::RefusesCloseInside);
    assert_eq!(symptom(&[close, ping.clone()].concat()), Symptom::RefusesEmptyClose);
    assert_eq!(symptom(&ping), Symptom::RefusesOther);
}

#[test]
fn an_answer_with_another_code_is_told_apart_from_one_with_none() {
    let other = asked().server_closes(1001).server_drops();
    assert_eq!(symptom(&other, Invariant::EchoesCode), Symptom::OtherCode);
    let none = asked().server((Opcode::CLOSE, b"")).server_drops();
    assert_eq!(symptom(&none, Invariant::EchoesCode), Symptom::NoCode);
}

#[test]
fn a_bad_close_is_told_by_what_is_wrong_with_it_and_by_who_wanted_it() {
    let long = close(1000, &[b'x'; 124]);
    let cut = encoded(FrameHead { fin: false, ..FrameHead::server(Opcode::CLOSE) }, b"");
    let sent = |payload: &[u8], asks: bool| {
        let story = if asks { owing(Cause::AppClose) } else { Story::open().at(1000) };
        let frame: Frame<'_> = (Opcode::CLOSE, payload);
        symptom(
            &story.server(frame).client(BYE).server_reads_all().server_drops(),
            Invariant::LegalClose,
        )
    };
    for (payload, by_itself, asked_for) in [
        (close(1005, b""), Symptom::NeverSentCode, Symptom::ApplicationsCode),
        (close(999, b""), Symptom::UnusedCode, Symptom::ApplicationsCode),
        (close(1000, b"\xff"), Symptom::BadReason, Symptom::ApplicationsReason),
        (long, Symptom::LongClose, Symptom::ApplicationsReason),
        (b"x".to_vec(), Symptom::OneByteClose, Symptom::OneByteClose),
    ] {
        assert_eq!(sent(&payload, false), by_itself);
        assert_eq!(sent(&payload, true), asked_for);
    }
    let cut = Story::open().server_bytes(cut).client(BYE).server_reads_all().server_drops();
    assert!(cut.broken().contains(&Invariant::LegalClose), "{:?}", cut.broken());
}

#[test]
fn a_bad_close_that_waited_for_room_is_the_applications_though_the_clients_came_meanwhile() {
    let long = close(1000, &[b'x'; 124]);
    let answered = |waits: bool| {
        let asks = owing(Cause::AppClose);
        let asks = if waits { asks.then(What::WriteBlocked) } else { asks };
        let story = asks.client((Opcode::CLOSE, &[3, 0xe8])).server_reads_all();
        symptom(&story.server((Opcode::CLOSE, &long)).server_drops(), Invariant::LegalClose)
    };
    assert_eq!(answered(true), Symptom::ApplicationsReason);
    assert_eq!(answered(false), Symptom::LongClose);
}

#[test]
fn what_comes_behind_a_close_is_told_by_what_it_is() {
    let behind = |bytes: Vec<u8>| {
        let closed = owing(Cause::OwnClose).client(BYE).server_reads_all();
        symptom(&closed.later(10).server_bytes(bytes).server_drops(), Invariant::NoDataAfterClose)
    };
    let plain = |frame: Frame<'_>| encoded(FrameHead::server(frame.0), frame.1);
    assert_eq!(behind(plain(TEXT)), Symptom::DataBehindClose);
    assert_eq!(behind(plain(PING)), Symptom::ControlBehindClose);
    assert_eq!(behind(vec![0x83, 0]), Symptom::NoFrameBehindClose);
}

#[test]
fn a_close_that_the_client_cannot_answer_is_told_by_why() {
    let at_once = owing(Cause::OwnClose).server_drops();
    assert_eq!(symptom(&at_once, Invariant::WaitsForAnswer), Symptom::EndsWithClose);
    let eaten =
        owing(Cause::OwnClose).later(50).then(What::Dropped { reset: true }).told_of_reset();
    assert_eq!(symptom(&eaten, Invariant::WaitsForAnswer), Symptom::ResetDestroysClose);
}

#[test]
fn a_frame_that_none_may_be_is_told_by_its_kind() {
    let server = FrameHead::server(Opcode::TEXT);
    let sent =
        |bytes: Vec<u8>| symptom(&Story::open().server_bytes(bytes), Invariant::SendsValidFrames);
    let masked = encoded(FrameHead::client(Opcode::TEXT), b"a");
    assert_eq!(sent(masked), Symptom::WrongMask);
    let wide = encoded(FrameHead { length: LengthForm::Bits16, ..server }, b"a");
    assert_eq!(sent(wide), Symptom::WideLength);
    assert_eq!(
        sent(encoded(FrameHead::server(Opcode::CONTINUATION), b"a")),
        Symptom::FragmentOutOfPlace
    );
    assert_eq!(sent(encoded(server, b"\xff")), Symptom::TextNotUtf8);
    assert_eq!(sent(encoded(FrameHead { rsv: 4, ..server }, b"a")), Symptom::NoFrame);
    let wrong = hangup::wire::handshake::switching_protocols("d3Jvbmc=");
    let accepted = Story::accepted().client_bytes(hangup::wire::handshake::REQUEST);
    let wrong = accepted.server_reads_all().server_bytes(wrong);
    assert_eq!(symptom(&wrong, Invariant::SendsValidFrames), Symptom::WrongAccept);
}

#[test]
fn what_an_application_hears_wrongly_is_told_apart() {
    let reports =
        || Story::open().then(What::Noted(Note::Reports)).at(1000).client(BYE).server_reads_all();
    let ends = |story: Story| story.server_closes(1000).server_drops();
    let heard = |story: Story| symptom(&story, Invariant::ReportsEndCorrectly);
    assert_eq!(heard(ends(reports()).told(Some(1001))), Symptom::ToldOtherCode);
    assert_eq!(heard(ends(reports()).told(Some(1000)).told(Some(1000))), Symptom::ToldTwice);
    assert_eq!(heard(ends(reports())), Symptom::NeverTold);
    let given = reports().then(What::Noted(Note::Received { bytes: 4 })).told(Some(1000));
    assert_eq!(heard(ends(given)), Symptom::GivenDataBehindClose);
}

#[test]
fn a_program_that_breaks_is_told_by_how() {
    let died = |death| Story::open().then(What::Died(death));
    assert_eq!(symptom(&died(Death::StoodStill), Invariant::NoSpin), Symptom::StandsStill);
    assert_eq!(symptom(&died(Death::OutOfMemory), Invariant::BoundedMemory), Symptom::AllMemory);
    assert_eq!(symptom(&died(Death::Signal(6)), Invariant::NoPanic), Symptom::ProcessEnds);
    assert_eq!(symptom(&died(Death::Exited(1)), Invariant::NoPanic), Symptom::ProcessEnds);
    let spun = Story::open().then(What::Spun { polls: 9 });
    assert_eq!(symptom(&spun, Invariant::NoSpin), Symptom::PollsForEver);
    let panicked = Story::open().then(What::Panicked("oops".into()));
    assert_eq!(symptom(&panicked, Invariant::NoPanic), Symptom::Panics);
    let left = Story::open().then(What::Outlived { tasks: 1 });
    assert_eq!(symptom(&left, Invariant::NoLeak), Symptom::TaskLeft);
    let mut greedy = Story::open().promising(|bounds| {
        bounds.memory = Some(1);
        bounds.idle = Some(Duration::from_secs(1));
    });
    greedy.exchange.peak_heap = Some(2);
    assert_eq!(symptom(&greedy, Invariant::BoundedMemory), Symptom::MoreThanPromised);
}

#[test]
fn older_names_are_read_and_are_no_names_of_today() {
    let mut old = 0;
    for symptom in Symptom::ALL {
        for id in symptom.old_ids() {
            assert_eq!(Symptom::from_id(id), Some(*symptom), "{id}");
            assert!(Symptom::ALL.iter().all(|other| other.id() != *id), "{id}: a name of today");
            old += 1;
        }
    }
    for rule in Invariant::ALL {
        for id in rule.old_ids() {
            assert_eq!(Invariant::from_id(id), Some(*rule), "{id}");
            assert!(Invariant::ALL.iter().all(|other| other.id() != *id), "{id}: a name of today");
            old += 1;
        }
    }
    for condition in Condition::ALL {
        for id in condition.old_ids() {
            assert_eq!(Condition::from_id(id), Some(*condition), "{id}");
            assert!(Condition::ALL.iter().all(|one| one.id() != *id), "{id}: a name of today");
            old += 1;
        }
    }
    assert!(old >= 44, "{old}");
    let old = "lets-the-polite-finish (resets before its Close could be read): the client's FIN";
    let new = old.replace("lets-the-polite-finish", "waits-for-answer");
    assert_eq!(old.parse(), new.parse::<Identity>());
    assert_eq!(
        "ends-in-time: idle client, deaf".parse::<Identity>().map(|one| one.to_string()),
        Ok("ends-in-time: idle client, not reading".to_owned())
    );
    let hang = Symptom::from_id("waits to read, no timer ends it");
    assert_eq!(hang, Some(Symptom::WaitsToRead));
    assert_eq!(Symptom::from_id("waits to read"), None);
}
