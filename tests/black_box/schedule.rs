//! Scheduled runs, as far as they show without the daemon: the configuration, what `check` tells, and the age of files.

use serde_json::Value;

use crate::support::{Company, Ran, people};

/// A company with these keys in its schedule.
fn scheduled(keys: &str) -> Company {
    let mut company = Company::new();
    company.integration = format!("    schedule: {{{keys}}}\n");
    company.deliver_people("20261120", &people(5));
    company
}

/// A schedule with these keys is refused, at its line, by all commands, with these words.
#[track_caller]
fn refused(keys: &str, key: &str, says: &str) {
    let company = scheduled(keys);
    let config = std::fs::read_to_string(company.write_config()).unwrap();
    let line = config.lines().position(|line| line.contains("schedule:"));
    let place = format!("config.yaml:{}:", line.unwrap() + 1);
    let key = format!(": integrations[0].schedule{key}: ");
    for arguments in [&["check", "--offline"][..], &["--run-now"]] {
        company
            .run(arguments)
            .exits(2)
            .says(&place)
            .says(&key)
            .says(says);
    }
    assert!(company.state_files().is_empty());
}

fn check(company: &Company) -> Ran {
    company.run(&["check", "--offline"]).exits(0)
}

#[test]
fn a_cron_that_is_not_understood_is_refused_with_its_field() {
    let key = ".cron[0]";
    refused(
        "cron: [\"15 25 * * *\"]",
        key,
        "The hour of this cron is not understood; write 0 to 23",
    );
    refused(
        "cron: [\"15 5 * * Mo-Fr\"]",
        key,
        "The day of the week of this cron is not understood; write 0 to 7 or Sun to Sat",
    );
    refused("cron: [\"5 * * *\"]", key, "This cron has 4 fields");
    refused(
        "cron: [\"30 15 5 * * *\"]",
        key,
        "write 0 there, or leave the field out",
    );
    refused("cron: [5]", key, "Expected a cron in quotes");
    refused(
        "cron: [\"0 5 * * *\", \"0 5 30 2 *\"]",
        ".cron[1]",
        "never comes",
    );
}

#[test]
fn other_keys_of_a_schedule_are_as_strict() {
    refused("cron: []", ".cron", "Write at least one cron");
    refused(
        "cron: \"15 5 * * *\"",
        ".cron",
        "Expected a list, found text",
    );
    refused("catch_up: true", "", "The key `cron` is missing here");
    let cron = "cron: [\"15 5 * * Mon-Fri\"], ";
    for (key, value, says) in [
        ("timezone", "Europe/Berln", "is not a time zone"),
        ("jitter_seconds", "3601", "Write 0 to 3600 seconds"),
        ("retry_minutes", "0", "Write 1 to 1440 minutes"),
        ("give_up_hours", "169", "Write 0 to 168 hours"),
        ("catch_up", "always", "Expected true or false"),
        ("catchup", "true", "did you mean `catch_up`?"),
    ] {
        refused(&format!("{cron}{key}: {value}"), &format!(".{key}"), says);
    }
    for day in ["2026-02-30", "25.12.2026", "20261225"] {
        let keys = format!("{cron}holidays: [2026-12-25, {day}]");
        let says = "Write a day of the calendar such as 2026-12-25";
        refused(&keys, ".holidays[1]", says);
    }
}

#[test]
fn a_run_that_would_never_be_tried_again_is_refused_unless_that_is_said() {
    let cron = "cron: [\"15 5 * * *\"], ";
    let key = ".retry_minutes";
    let never = "No run would ever be tried again: it is given up 1 hours after its scheduled time, and the next try would come 90 minutes after it";
    let keys = format!("{cron}retry_minutes: 90, give_up_hours: 1");
    refused(&keys, key, never);
    refused(
        &keys,
        key,
        "Write at most 60 minutes, a larger give_up_hours, or give_up_hours: 0",
    );
    // The run may start so late that nothing is left of the hour.
    let keys = format!("{cron}jitter_seconds: 3600, give_up_hours: 1, retry_minutes: 1");
    refused(
        &keys,
        key,
        "1 minutes and up to 3600 seconds of jitter after it. Write less jitter",
    );
    for keys in [
        "retry_minutes: 60, give_up_hours: 1",
        "retry_minutes: 90, give_up_hours: 0",
        "retry_minutes: 59, jitter_seconds: 60, give_up_hours: 1",
    ] {
        check(&scheduled(&format!("{cron}{keys}")));
    }
}

#[test]
fn check_tells_the_next_five_times_in_the_zone_of_the_schedule() {
    // It is Monday, 06:15 in Berlin.
    let company = scheduled("cron: [\"15 5 * * Mon-Fri\"], holidays: [2026-11-25]");
    check(&company).says(
        "schedule: next Tue 2026-11-24 05:15, Thu 2026-11-26 05:15, Fri 2026-11-27 05:15, Mon 2026-11-30 05:15, Tue 2026-12-01 05:15 (Europe/Berlin)\n",
    );
    let company = scheduled(
        "cron: [\"0 12 * * *\", \"0 0 12 * * Mon\", \"30 18 * * *\"], timezone: America/New_York, jitter_seconds: 60",
    );
    check(&company).says(
        "schedule: next Mon 2026-11-23 12:00, Mon 2026-11-23 18:30, Tue 2026-11-24 12:00, Tue 2026-11-24 18:30, Wed 2026-11-25 12:00 (America/New_York), each up to 60 seconds later",
    );
    let json = company.run(&["check", "--offline", "--output", "json"]);
    let json: Value = serde_json::from_str(&json.exits(0).stdout).unwrap();
    let schedule = &json["checks"][0]["schedule"];
    assert_eq!(schedule["timezone"], "America/New_York");
    assert_eq!(schedule["jitterSeconds"], 60);
    assert_eq!(schedule["next"][0], "2026-11-23T12:00:00-05:00");
    assert_eq!(schedule["next"].as_array().unwrap().len(), 5);
}

#[test]
fn the_zone_of_the_file_is_that_of_a_schedule_without_one() {
    let mut company = scheduled("cron: [\"0 12 * * *\"]");
    company.top = "timezone: Asia/Tokyo\n".to_owned();
    check(&company).says("next Tue 2026-11-24 12:00, ");
    check(&company).says("(Asia/Tokyo)");
}

#[test]
fn check_says_where_an_integration_has_no_schedule() {
    let company = Company::new();
    check(&company).says("schedule: none; this integration runs only where somebody starts it");
    let json = company.run(&["check", "--offline", "--output", "json"]);
    let json: Value = serde_json::from_str(&json.exits(0).stdout).unwrap();
    assert_eq!(json["checks"][0]["schedule"], Value::Null);
}

/// A company whose file is of this day, with a schedule of weekdays, on this morning.
fn on(now: &str, delivered: &str, holidays: &str) -> Company {
    let mut company = Company::new();
    company.integration =
        format!("    schedule: {{cron: [\"15 5 * * Mon-Fri\"], holidays: [{holidays}]}}\n");
    company.now = now.to_owned();
    company.source += "        max_age_hours: 36\n";
    company.deliver_people(delivered, &people(5));
    company
}

#[test]
fn monday_morning_runs_with_the_file_of_friday() {
    let monday = "2026-11-23T04:15:00Z";
    on(monday, "20261120", "").run_now().exits(0).says("Pushed");
    // Without a schedule the same file is too old.
    let mut company = on(monday, "20261120", "");
    company.integration = String::new();
    let ran = company.run_now().exits(4);
    ran.says("is stale: it is 77 hours old and max_age_hours is 36");
}

#[test]
fn thursdays_file_is_too_old_on_monday_unless_friday_was_a_holiday() {
    // The date in the name counts from its midnight.
    let monday = "2026-12-28T04:15:00Z";
    on(monday, "20261224", "2026-12-25")
        .run_now()
        .exits(0)
        .says("Pushed");
    on(monday, "20261224", "").run_now().exits(4).says(
        "is stale: it is 53 hours old (101 with the days that have no scheduled run) and max_age_hours is 36",
    );
}
