//! What goes without asking, and what a person decides: the limits of the guard, and what is read back from JobTicket.

use deserr::Deserr;
use serde::Serialize;

use super::limit::Limit;
use super::problem::Problems;
use super::validate;

/// What a run may do without asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::limits -> Problems)]
pub struct Limits {
    /// People who are missing without an explanation, in one run.
    #[deserr(default = Limits::default().leavers)]
    pub leavers: Limit,
    /// The same over days, so that many small runs cannot do what one large run may not.
    #[deserr(default = Limits::default().windows)]
    pub windows: Vec<Window>,
    /// People whose employment ended by a date, or who now have a value that is listed in `exclude`.
    #[deserr(default = Limits::default().explained_leavers)]
    pub explained_leavers: Limit,
    /// New people.
    #[deserr(default = Limits::default().joiners)]
    pub joiners: Limit,
    /// People with a changed value.
    #[deserr(default = Limits::default().changed)]
    pub changed: Limit,
    /// People with a new number.
    #[deserr(default = Limits::default().key_drift)]
    pub key_drift: Limit,
    /// From this share of leavers on, percent, it is probably the wrong file: the whole plan waits.
    #[deserr(default = Limits::default().keep_percent)]
    pub keep_percent: u8,
    /// A field that most had and that more than this share of them have lost, percent, is probably a column that was withdrawn.
    #[deserr(default = Limits::default().emptied_percent)]
    pub emptied_percent: u8,
    /// Who is missing without an explanation leaves only after deliveries of so many different days without them.
    #[deserr(default = Limits::default().missing_days)]
    pub missing_days: u32,
    /// What waits where a limit on leavers trips.
    #[deserr(default)]
    pub on_leavers: OnTrip,
    /// What waits where the limit on joiners trips.
    #[deserr(default)]
    pub on_joiners: OnTrip,
    /// Whether the first push to an address and integration waits for approval; where absent, it does outside the sandbox.
    #[deserr(default)]
    pub first_push: Option<FirstPush>,
    /// For how many hours an approval holds.
    #[deserr(default = Limits::default().approval_hours)]
    pub approval_hours: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let limit = |percent, count, at_least| Limit {
            percent,
            count,
            at_least,
        };
        Self {
            leavers: limit(5.0, Some(10), 2),
            windows: vec![
                Window {
                    days: 1,
                    limit: limit(5.0, Some(10), 2),
                },
                Window {
                    days: 30,
                    limit: limit(15.0, Some(60), 5),
                },
            ],
            explained_leavers: limit(20.0, Some(100), 5),
            joiners: limit(20.0, Some(100), 5),
            changed: limit(50.0, None, 10),
            key_drift: limit(1.0, Some(3), 1),
            keep_percent: 20,
            emptied_percent: 10,
            missing_days: 3,
            on_leavers: OnTrip::Wait,
            on_joiners: OnTrip::Wait,
            first_push: None,
            approval_hours: 96,
        }
    }
}

/// A limit on people who left without an explanation and without an approval, over calendar days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Window {
    /// Calendar days, today among them.
    pub days: u32,
    /// How many.
    #[serde(flatten)]
    pub limit: Limit,
}

/// What waits where a limit trips.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum OnTrip {
    /// The people it counts; the rest goes out.
    #[default]
    Wait,
    /// The whole plan.
    Stop,
}

/// Whether a first push waits for approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum FirstPush {
    /// It does.
    Approve,
    /// It does not.
    Allow,
}

/// What is read back from JobTicket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::read_back -> Problems)]
pub struct ReadBack {
    /// All employees before a push, so that the plan counts with whom JobTicket really has.
    #[deserr(default = true)]
    pub before_push: bool,
    /// All employees after a push, to see what arrived.
    #[deserr(default = true)]
    pub after_push: bool,
    /// What is not seen after so many hours is drift.
    #[deserr(default = 24)]
    pub within_hours: u32,
}

impl Default for ReadBack {
    fn default() -> Self {
        Self {
            before_push: true,
            after_push: true,
            within_hours: 24,
        }
    }
}

/// What happens where JobTicket refuses single records of a push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
pub enum OnRejectedRows {
    /// Known people keep their acknowledged values, new ones are left out, and the rest goes out.
    #[default]
    #[deserr(rename = "carry_forward")]
    CarryForward,
    /// Nothing goes out.
    Stop,
}

/// What a linked employee costs ("Employee Onboarding, notice: using an HR integration adds 1 EUR for each linked employee"; it names no period).
#[derive(Debug, Clone, PartialEq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields, validate = validate::cost -> Problems)]
pub struct Cost {
    /// How much, for each.
    pub amount: f64,
    /// In which currency.
    #[deserr(default = "EUR".to_owned())]
    pub currency: String,
}

impl Default for Cost {
    fn default() -> Self {
        Self {
            amount: 1.0,
            currency: "EUR".to_owned(),
        }
    }
}
