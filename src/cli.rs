//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

/// Where the configuration is unless it is said.
pub const DEFAULT_CONFIG: &str = "/etc/jobticket-sync/config.yaml";

/// Keeps JobTicket+ in step with the employee rosters of your HR system
#[derive(Debug, Parser, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(version, about, after_help = EXAMPLES, after_long_help = LONG_EXAMPLES, disable_help_subcommand = true)]
#[expect(clippy::struct_excessive_bools, reason = "a switch each")]
pub struct Cli {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        default_value = DEFAULT_CONFIG
    )]
    #[serde(skip)]
    pub config: PathBuf,

    /// Make one run over every integration now, and end
    #[arg(long)]
    pub run_now: bool,

    /// Show what a run would do, and push nothing
    #[arg(long, requires = "run_now")]
    pub dry_run: bool,

    /// Only this integration
    #[arg(long, value_name = "NAME", global = true)]
    pub integration: Option<String>,

    /// How the result is written
    #[arg(long, value_name = "FORMAT", global = true, default_value = "text")]
    pub output: Output,

    /// How long to wait for another run of the same integration, seconds
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "run_now",
        default_value_t = 60
    )]
    pub wait: u64,

    /// Push even an unchanged roster
    #[arg(long, requires = "run_now")]
    pub resync: bool,

    /// Go on although the clock is far from that of the last run or of JobTicket
    #[arg(long, requires = "run_now")]
    pub accept_clock: bool,

    /// What else to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do with recipes.
#[derive(Debug, Subcommand, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum RecipesCommand {
    /// Each with its name and how far it was tested
    List,
    /// Print one, as YAML with its traps in comments
    Show {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// What else to do.
#[derive(Debug, Subcommand, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Command {
    /// Check the configuration, the secrets, the sources and the API, and say what a run would do; changes nothing but the request ledger
    Check {
        /// Only the configuration and the secrets; reach neither sources nor API
        #[arg(long)]
        offline: bool,

        /// Show the paths and the masked values of one record of the first page, for sources of type rest; the first record is 1
        #[arg(long, value_name = "N", conflicts_with = "offline", value_parser = clap::value_parser!(u64).range(1..))]
        show_record: Option<u64>,

        /// Only tell which fields of people go where, and for how long, as a table for the works council
        #[arg(long, conflicts_with_all = ["offline", "show_record"])]
        privacy: bool,
    },
    /// List the recipes for HR systems that a source of type rest may name; with `show`, all that one of them says
    Recipes {
        /// What to do with them; `list` where nothing is said
        #[command(subcommand)]
        command: Option<RecipesCommand>,
    },
    /// Tell how each integration stands: last and next run, snapshot, holds, sources, what stops it; needs no secret and changes nothing
    Status,
    /// List what waits for a decision; with `show`, everything about one hold
    #[command(args_conflicts_with_subcommands = true)]
    Holds {
        /// Those that are over, too
        #[arg(long)]
        all: bool,

        /// What to do with one
        #[command(subcommand)]
        command: Option<HoldsCommand>,
    },
    /// Let the people of a hold go, or its whole plan; the next run acts on it
    Approve {
        /// The hold's number
        #[arg(value_name = "HOLD")]
        id: u64,

        /// People who are not approved with the others
        #[arg(long, value_name = "HRID", num_args = 1..)]
        except: Vec<String>,

        /// Why, and for whom
        #[command(flatten)]
        words: WordsArgs,

        /// Ask nobody, as in scripts
        #[arg(long)]
        yes: bool,

        /// Accept that people with a new number lose the ticket under their old one
        #[arg(long)]
        accept_key_change: bool,
    },
    /// Keep the people of a hold as they are, until they are no longer in question
    Reject {
        /// The hold's number
        #[arg(value_name = "HOLD")]
        id: u64,

        /// Why, and for whom
        #[command(flatten)]
        words: WordsArgs,
    },
    /// Keep somebody until a day, whatever the sources say
    Keep {
        /// Who
        #[arg(value_name = "HRID")]
        hr_id: String,

        /// The last day, at most 366 days ahead
        #[arg(long, value_name = "YYYY-MM-DD")]
        until: String,

        /// Why, and for whom
        #[command(flatten)]
        words: WordsArgs,
    },
    /// Make this installation the one that writes, after another one has pushed or the state was restored
    Adopt {
        /// The integration
        #[arg(value_name = "NAME")]
        name: String,

        /// Why, and for whom
        #[command(flatten)]
        words: WordsArgs,

        /// Ask nobody, as in scripts
        #[arg(long)]
        yes: bool,
    },
    /// Read and push nothing of an integration until a day, by the schedule or by hand; a dry run goes on working
    Pause {
        /// The integration
        #[arg(value_name = "NAME")]
        name: String,

        /// The last day, at most 366 days ahead
        #[arg(long, value_name = "YYYY-MM-DD")]
        until: String,

        /// Why, and for whom
        #[command(flatten)]
        words: WordsArgs,
    },
    /// End the pause of an integration
    Resume {
        /// The integration
        #[arg(value_name = "NAME")]
        name: String,

        /// Why, and for whom
        #[command(flatten)]
        words: WordsArgs,
    },
    /// Remove the values of somebody who left from the state and from the audit log, whose chain still holds; the hrId stays
    Forget {
        /// Who
        #[arg(value_name = "HRID")]
        hr_id: String,

        /// Why, and for whom
        #[command(flatten)]
        words: WordsArgs,

        /// Ask nobody, as in scripts
        #[arg(long)]
        yes: bool,
    },
    /// Tell everything that is known about one person, and what a run would do now; changes nothing
    Explain {
        /// Who
        #[arg(value_name = "HRID")]
        hr_id: String,
    },
    /// Compare JobTicket's employees with the snapshot; changes nothing but the request ledger and the audit log
    Drift,
    /// Read the audit log: what happened, to whom, why and on whose word; `verify` says whether the log was changed
    #[command(args_conflicts_with_subcommands = true)]
    #[serde(skip)]
    Audit(AuditArgs),
    /// Write what happened in a span of time to one page for auditors and the works council, or to a table
    #[serde(skip)]
    Report(ReportArgs),
    /// Notifications
    Notify {
        /// What to do
        #[command(subcommand)]
        command: NotifyCommand,
    },
    /// Write the store, the audit log and the configuration to one file, also while a run is in progress; it holds personal data
    Backup {
        /// The file to write (a gzip-compressed tar archive), for its owner alone
        file: PathBuf,

        /// Replace the file if it is there already
        #[arg(long)]
        force: bool,
    },
    /// Put the store and the audit log of a backup in place; no run counts on them until a person has adopted each integration
    Restore {
        /// A file that the command backup has written
        file: PathBuf,

        /// Move a store and an audit log that are there already aside, to a folder replaced-<time> in the state folder
        #[arg(long)]
        force: bool,

        /// Also write the configuration of the backup beside the current one, as <config>.restored
        #[arg(long)]
        with_config: bool,
    },
    /// Serve the imitation of the JobTicket API alone, on a loopback address, until it is stopped
    #[serde(skip)]
    Sandbox(SandboxArgs),
}

/// What a report tells of, and how.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Not before: a day YYYY-MM-DD, a month YYYY-MM, or a time in RFC 3339
    #[arg(long, value_name = "WHEN")]
    pub since: String,

    /// Not after; a day or month counts to its end. Until now where it is not said
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,

    /// The file to write, for its owner alone; - for the terminal
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Replace the file if it is there already
    #[arg(long)]
    pub force: bool,

    /// A page for people, or a table with a line for each thing that happened
    #[arg(long, value_name = "FORMAT", default_value = "html")]
    pub format: ReportFormat,

    /// The language of the page; `language` of the configuration where it is not said
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Option<ReportLanguage>,

    /// Names of people who left, where the audit log has them: masked, or as they are
    #[arg(long, value_name = "VALUES", default_value = "masked")]
    pub values: ReportValues,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A page that needs nothing from anywhere.
    Html,
    /// A table.
    Csv,
}

/// The language of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportLanguage {
    /// English.
    En,
    /// German.
    De,
}

/// How names stand in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportValues {
    /// First letters.
    Masked,
    /// As the audit log has them.
    Full,
}

/// What to do with notifications.
#[derive(Debug, Subcommand, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum NotifyCommand {
    /// Send a test message over every channel, and say what each receiver answered
    Test {
        /// Only over this one
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
    },
}

/// What to do with one hold.
#[derive(Debug, Subcommand, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum HoldsCommand {
    /// Everything about it
    Show {
        /// The hold's number
        #[arg(value_name = "HOLD")]
        id: u64,

        /// Only the table for `hrid_map`, of people with new numbers, as CSV
        #[arg(long)]
        pairs: bool,
    },
    /// Ask about its people again
    Reopen {
        /// The hold's number
        #[arg(value_name = "HOLD")]
        id: u64,

        /// Why, and for whom
        #[command(flatten)]
        words: WordsArgs,
    },
}

/// Why somebody decides, and for whom.
#[derive(Debug, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordsArgs {
    /// Why; stands in the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// For whom, where that is somebody else; the login user is recorded in any case
    #[arg(long, value_name = "NAME")]
    pub on_behalf_of: Option<String>,
}

/// What to read of the audit log.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Which lines
    #[command(flatten)]
    pub filter: FilterArgs,

    /// How the lines are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: AuditFormat,

    /// What else to do with the log
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
}

/// Which lines of the audit log; all that is given has to hold.
#[derive(Debug, Default, Clone, Args)]
pub struct FilterArgs {
    /// Not before: a day YYYY-MM-DD, a month YYYY-MM, or a time in RFC 3339
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,

    /// Not after; a day or month counts to its end
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,

    /// Of this run
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,

    /// That name this person
    #[arg(long, value_name = "HRID")]
    pub hrid: Option<String>,

    /// Of this kind: an event such as decision or guard; joins, leaves or changes of any plan; offboarded or onboarded for what JobTicket acknowledged
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,

    /// Of this user, or on behalf of whom somebody decided
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,

    /// About this hold: who waited, who decided, which push it let through
    #[arg(long, value_name = "HOLD")]
    pub hold: Option<u64>,
}

/// How lines of the audit log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// For people; no personal value but last days of employment.
    Text,
    /// The lines as they are, one JSON document each, with the values that the log holds.
    Jsonl,
    /// A table for spreadsheets; no personal value but last days of employment.
    Csv,
}

/// What else to do with the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the chain over all files, and its end against the store; exit code 1 where the log was changed, or a head cannot be compared
    Verify {
        /// Also against a head that was kept elsewhere, as `status` shows it; may be repeated
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Vec<String>,
    },
    /// Show the last lines
    Tail {
        /// How many
        #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 20)]
        lines: usize,

        /// Go on with those that come, until it is stopped
        #[arg(long, short)]
        follow: bool,

        /// Which lines
        #[command(flatten)]
        filter: FilterArgs,

        /// How the lines are written
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: AuditFormat,
    },
}

/// Options of the sandbox.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Where to listen; port 0 chooses a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,

    /// Folder for its state; without one it forgets everything when it ends
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,

    /// Number of an HR integration that exists; may be repeated
    #[arg(long = "integration-id", value_name = "NUMBER", default_value = "7")]
    pub integration_ids: Vec<u64>,

    /// The key id that it accepts; never a real one
    #[arg(long, value_name = "TEXT", default_value = "sandbox")]
    pub key_id: String,

    /// The key secret that it accepts; never a real one
    #[arg(long, value_name = "TEXT", default_value = "sandbox")]
    pub key_secret: String,

    /// What it does where the documentation is silent
    #[arg(
        long,
        value_name = "JSON",
        help = r#"What it does where the documentation is silent, as JSON, such as '{"links_after_offboarding":"go"}'"#
    )]
    pub behaviour: Option<String>,

    /// Also serve /_sandbox/, through which faults are ordered and its state is read, without a credential
    #[arg(long)]
    pub control: bool,
}

const EXAMPLES: &str = "\
Examples:
  jobticket-sync --config config.yaml check           is everything in order?
  jobticket-sync --config config.yaml --run-now --dry-run   what would a run do?
  jobticket-sync --config config.yaml --run-now       do it
  jobticket-sync --config config.yaml status          how does everything stand?
  jobticket-sync --config config.yaml holds           who waits for a decision?

Exit codes: 0 done or nothing to do, 2 configuration, 3 waits for a person, 4 source failed; all of them with --help.";

const LONG_EXAMPLES: &str = "\
Examples:
  jobticket-sync --config config.yaml check
      Is everything in order, and what would a run do? Reaches the sources and the API.
  jobticket-sync --config config.yaml check --offline
      Only the file itself and its secrets, for configuration management.
  jobticket-sync --config config.yaml --run-now --dry-run
      What would a run do? Pushes nothing.
  jobticket-sync --config config.yaml --run-now --integration acme --output json
      One run over one integration; the result as JSON.
  jobticket-sync --config config.yaml
      The service: runs by the schedule, until SIGTERM. systemd starts it; SIGHUP reloads.
  jobticket-sync --config config.yaml status --output json
      How each integration stands, for monitoring; the exit code says whether all is well.
  jobticket-sync --config config.yaml holds show 3
      Who waits in hold 3, and why.
  jobticket-sync --config config.yaml approve 3 --except 00123 --reason TEXT
      Let them go, one of them aside. `reject` keeps them; `keep 00123 --until 2026-12-31` keeps one by name.
  jobticket-sync --config config.yaml explain 00123
      Everything that is known about one person.
  jobticket-sync --config config.yaml audit --kind offboarded --since 2026-10 --until 2026-10
      Who was offboarded in October, and why. `audit --hrid 00123` tells everything that happened to one person.
  jobticket-sync --config config.yaml audit verify
      Was the audit log changed?
  jobticket-sync --config config.yaml report --since 2026-01 --until 2026-12 --out report.html
      A year as one page: people, runs, holds and who decided, who left and why.
  jobticket-sync --config config.yaml notify test --channel hr-mail
      Does a mail arrive? Says what the mail server answered.
  jobticket-sync --config config.yaml backup /var/backups/jobticket-sync.tar.gz --force
      A consistent copy of store, audit log and configuration, while runs go on. It holds personal data.
  jobticket-sync --config config.yaml restore /var/backups/jobticket-sync.tar.gz
      Store and audit log of the backup, checked first, to where the configuration says.
  jobticket-sync sandbox --listen 127.0.0.1:8090
      The JobTicket API imitated on this machine, for trying things out.

Exit codes, of which the first of 1, 2, 5, 6, 4, 8, 7, 3, 9 counts where several apply:
  0  done, or nothing to do
  1  something unexpected
  2  wrong usage or configuration
  3  somebody or something waits for a decision
  4  a source failed, or an empty roster was refused
  5  refused by JobTicket, or answered in a way that nobody can rely on
  6  JobTicket not reachable
  7  another run in progress
  8  JobTicket's employees differ from what it acknowledged, or somebody outside a push lost a ticket
  9  done, but rows were rejected";
