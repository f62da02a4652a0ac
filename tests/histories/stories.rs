//! What may happen in a history, and how often. Shrinking leaves out steps and makes the rest plainer: what comes first in a choice is the plainest.

use jobticket_sync::sandbox::{
    Answer, Behaviour, DuplicateSyncId, Fault, FaultKind, FaultTarget, LinkKey,
    LinksAfterOffboarding, Presence, Processing, Refusal, RetryAfterForm,
};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use crate::decisions::Decision;
use crate::deliveries::Drop;
use crate::people::{Change, Wrong};

/// Each half of a history has at most so many steps. Two halves, for their lengths are evenly spread and shrinking leaves out single steps.
const STEPS_OF_HALF: usize = 18;

/// One history.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) sources: usize,
    pub(crate) people: usize,
    /// Whether files that were used are moved away.
    pub(crate) archive: bool,
    pub(crate) behaviour: Behaviour,
    pub(crate) steps: Vec<Step>,
}

/// What happens between two looks at everything.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Minutes that pass first.
    pub(crate) passes: u64,
    pub(crate) changes: Vec<Change>,
    /// What each source delivers.
    pub(crate) drops: [Drop; 2],
    pub(crate) trouble: Option<Trouble>,
    pub(crate) decision: Option<(usize, Decision)>,
    /// By how many minutes the clock of the run is wrong.
    pub(crate) clock: Option<i64>,
    /// At which pass of a crash point the run dies.
    pub(crate) crash: Option<u32>,
    pub(crate) runs: Runs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    One,
    Two,
    AtOnce,
}

/// What is wrong with JobTicket for one step.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// Pushes, so often.
    Push(FaultKind, u32),
    /// Reads of the list, so often, after some that are answered well.
    List(FaultKind, u32, u32),
    /// Reads of the integration.
    Integration(FaultKind, u32),
    /// Every request, so often, after some that are answered well.
    All(FaultKind, u32, u32),
    /// The record of this person is refused.
    Spoilt(usize),
}

impl Trouble {
    /// As the sandbox takes it; `number` is the person that was chosen.
    pub(crate) fn fault(&self, number: impl FnOnce(usize) -> Option<String>) -> Option<Fault> {
        let on = |method: &str, path: &str| {
            Some(FaultTarget {
                method: Some(method.to_owned()),
                path_prefix: Some(path.to_owned()),
            })
        };
        let (on, kind, times, after) = match self {
            Self::Push(kind, times) => (on("POST", "/hr-integrations"), kind.clone(), *times, 0),
            Self::List(kind, times, after) => {
                (on("GET", "/employees"), kind.clone(), *times, *after)
            }
            Self::Integration(kind, times) => {
                (on("GET", "/hr-integrations"), kind.clone(), *times, 0)
            }
            Self::All(kind, times, after) => (None, kind.clone(), *times, *after),
            Self::Spoilt(who) => {
                let hr_id = number(*who)?;
                (None, FaultKind::SpoilRecord { hr_id }, 1_000, 0)
            }
        };
        Some(Fault {
            on,
            times,
            after,
            kind,
        })
    }
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status {
        code,
        retry_after: None,
        body: None,
    }
}

/// What can happen to any request.
fn fault() -> impl Strategy<Value = FaultKind> {
    prop_oneof![
        proptest::sample::select(vec![503u16, 500, 502, 401, 403, 404, 409, 429]).prop_map(status),
        Just(FaultKind::DropBefore),
        Just(FaultKind::Html200),
        Just(FaultKind::Redirect {
            code: 302,
            to: "/elsewhere".to_owned()
        }),
    ]
}

fn times() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1u32), 2u32..4, Just(1_000u32)]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let refusal = FaultKind::Status {
        code: 422,
        retry_after: None,
        body: Some(r#"{"errors":{"employees.1.email":["refused"]}}"#.to_owned()),
    };
    let unheard = prop_oneof![
        3 => Just(FaultKind::DropAfter),
        2 => proptest::sample::select(vec![500u16, 503, 504]).prop_map(|code| FaultKind::StatusAfter { code }),
        1 => Just(FaultKind::StatusAfter { code: 422 }),
    ];
    let list = prop_oneof![
        2 => fault(),
        2 => (-3i64..4).prop_map(|add| FaultKind::LieTotal { add }),
        1 => Just(FaultKind::CutBody),
    ];
    prop_oneof![
        4 => (unheard, times()).prop_map(|(kind, times)| Trouble::Push(kind, times)),
        3 => (fault(), times()).prop_map(|(kind, times)| Trouble::Push(kind, times)),
        1 => times().prop_map(move |times| Trouble::Push(refusal.clone(), times)),
        2 => (list, times(), 0u32..3).prop_map(|(kind, times, after)| Trouble::List(kind, times, after)),
        1 => (fault(), times()).prop_map(|(kind, times)| Trouble::Integration(kind, times)),
        1 => (fault(), times(), 0u32..4).prop_map(|(kind, times, after)| Trouble::All(kind, times, after)),
        2 => (0usize..30).prop_map(Trouble::Spoilt),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let who = || 0usize..30;
    let wrong = proptest::sample::select(vec![
        Wrong::Email,
        Wrong::Birth,
        Wrong::EndsBeforeStart,
        Wrong::NoName,
    ]);
    prop_oneof![
        3 => (0usize..2).prop_map(Change::Join),
        1 => (0usize..2, 1u64..40).prop_map(|(home, days)| Change::JoinsLater(home, days)),
        3 => who().prop_map(Change::Leave),
        3 => (who(), -5i64..4).prop_map(|(who, days)| Change::End(who, days)),
        1 => (who(), -90i64..-60).prop_map(|(who, days)| Change::End(who, days)),
        2 => who().prop_map(Change::Exclude),
        1 => who().prop_map(Change::Include),
        2 => who().prop_map(Change::Marry),
        2 => who().prop_map(Change::Renumber),
        2 => who().prop_map(Change::Transfer),
        2 => who().prop_map(Change::Reuse),
        1 => who().prop_map(Change::HandOver),
        1 => (who(), who()).prop_map(|(one, other)| Change::Swap(one, other)),
        2 => (who(), wrong).prop_map(|(who, how)| Change::Spoil(who, how)),
        2 => who().prop_map(Change::Correct),
        2 => who().prop_map(Change::Return),
    ]
}

fn drop() -> impl Strategy<Value = Drop> {
    prop_oneof![
        24 => Just(Drop::Good),
        4 => Just(Drop::Nothing),
        2 => (0usize..100).prop_map(Drop::Cut),
        1 => (1usize..9).prop_map(Drop::Short),
        1 => Just(Drop::Empty),
        2 => (0usize..5).prop_map(Drop::EmptiedColumn),
        1 => Just(Drop::Renamed),
        1 => (1usize..9).prop_map(Drop::Foreign),
        2 => Just(Drop::Unready),
        1 => Just(Drop::Stale),
        1 => Just(Drop::Cleared),
    ]
}

fn decision() -> impl Strategy<Value = (usize, Decision)> {
    let what = prop_oneof![
        4 => Just(Decision::Approve),
        1 => (0usize..30).prop_map(Decision::ApproveExcept),
        2 => Just(Decision::Reject),
        1 => (0usize..30, 1u64..20).prop_map(|(who, days)| Decision::Keep(who, days)),
        1 => Just(Decision::Adopt),
    ];
    (0usize..4, what)
}

fn step() -> impl Strategy<Value = Step> {
    const DAY: u64 = 24 * 60;
    const HOUR: i64 = 60;
    let passes = prop_oneof![
        12 => DAY - 60..DAY + 60,
        3 => 2u64..180,
        1 => 2 * DAY..5 * DAY,
    ];
    let clock = proptest::sample::select(vec![
        -3,
        3,
        -2 * HOUR,
        20 * HOUR,
        30 * HOUR,
        -30 * HOUR,
        10 * 24 * HOUR,
        -10 * 24 * HOUR,
        100 * 24 * HOUR,
    ]);
    let runs = prop_oneof![
        14 => Just(Runs::One),
        2 => Just(Runs::Two),
        1 => Just(Runs::AtOnce),
    ];
    (
        passes,
        vec(change(), 0..3),
        [drop(), drop()],
        weighted(0.25, trouble()),
        weighted(0.3, decision()),
        weighted(0.06, clock),
        weighted(0.15, 1u32..18),
        runs,
    )
        .prop_map(
            |(passes, changes, drops, trouble, decision, clock, crash, runs)| Step {
                passes,
                changes,
                drops,
                trouble,
                decision,
                clock,
                crash,
                runs,
            },
        )
}

/// JobTicket, under any answer to what its documentation leaves open. What a push does to people of nobody or of others is not drawn: no version of the program can
/// keep them.
fn behaviour() -> impl Strategy<Value = Behaviour> {
    let either = any::<[bool; 9]>();
    let processing = prop_oneof![
        3 => Just(Processing::AtOnce),
        1 => (0u32..6).prop_map(|after_requests| Processing::Later { after_requests }),
    ];
    (processing, either).prop_map(|(processing, either)| {
        let [
            links,
            link_ids,
            ids,
            refusal,
            wait,
            again,
            email,
            key,
            twice,
        ] = either;
        Behaviour {
            processing,
            links_after_offboarding: if links {
                LinksAfterOffboarding::Go
            } else {
                LinksAfterOffboarding::Stay
            },
            last_sync_id_on_links: presence(link_ids),
            last_sync_id_on_integration: presence(ids),
            refusal: if refusal {
                Refusal::NamedRecords
            } else {
                Refusal::WholeRoster
            },
            retry_after: if wait {
                RetryAfterForm::HttpDate
            } else {
                RetryAfterForm::Seconds
            },
            resent_gets_subscription_back: if again { Answer::No } else { Answer::Yes },
            known_email_is_linked: if email { Answer::No } else { Answer::Yes },
            link_key: if key {
                LinkKey::Corrected
            } else {
                LinkKey::AsDocumented
            },
            duplicate_sync_id: if twice {
                DuplicateSyncId::Ignore
            } else {
                DuplicateSyncId::Reprocess
            },
            ..Behaviour::default()
        }
    })
}

fn presence(absent: bool) -> Presence {
    if absent {
        Presence::Absent
    } else {
        Presence::Present
    }
}

/// A history of any kind.
pub(crate) fn story() -> impl Strategy<Value = Story> {
    (
        1usize..=2,
        8usize..=25,
        any::<bool>(),
        behaviour(),
        [
            vec(step(), 0..=STEPS_OF_HALF),
            vec(step(), 0..=STEPS_OF_HALF),
        ],
    )
        .prop_map(|(sources, people, archive, behaviour, steps)| Story {
            sources,
            people,
            archive,
            behaviour,
            steps: steps.concat(),
        })
}
