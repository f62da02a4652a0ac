//! Wrong configurations: refused with file, line, key and what to write instead, all errors at once, and never with a secret.

use crate::support::{Company, JobTicket, Ran, people};

/// A company whose configuration has this text replaced.
fn edited(from: &str, to: &str) -> Company {
    let mut company = Company::new();
    company.edit(from, to);
    company.deliver_people("20261120", &people(5));
    company
}

/// The line of the configuration that first holds `text`, from 1.
#[track_caller]
fn line_of(company: &Company, text: &str) -> usize {
    let config = std::fs::read_to_string(company.write_config()).unwrap();
    let line = config.lines().position(|line| line.contains(text));
    line.expect("the configuration holds it") + 1
}

/// Every command that reads the configuration refuses it, with the line that holds `at`, the key, and these words; and leaves no state behind.
#[track_caller]
fn refused(company: &Company, at: &str, key: &str, says: &[&str]) -> Ran {
    let place = format!("config.yaml:{}:", line_of(company, at));
    let key = format!(": {key}: ");
    for arguments in [&["check", "--offline"][..], &["check"], &["--run-now"]] {
        let mut ran = company.run(arguments).exits(2).says(&place).says(&key);
        for text in says {
            ran = ran.says(text);
        }
        assert_eq!(ran.stdout, "");
    }
    assert!(company.state_files().is_empty());
    company.run(&["--run-now", "--dry-run"]).exits(2)
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    let company = edited(
        "        ready: rename\n",
        "        ready: rename\n        foldr: x\n",
    );
    let key = "integrations[0].sources[0].foldr";
    refused(&company, "foldr", key, &["did you mean `folder`?"]);
    let company = edited("state_dir: state\n", "state_dir: state\nxyz: 1\n");
    refused(&company, "xyz", "xyz", &["does not exist here; known are"]);
}

#[test]
fn a_prefix_that_nobody_could_read_and_a_warning_that_never_comes_are_refused() {
    for wrong in ["\"\"", "\"B \"", "\"B\\t\"", &"x".repeat(33)] {
        let key = format!("        id_prefix: {wrong}\n        ready: rename\n");
        let company = edited("        ready: rename\n", &key);
        let says = ["1 to 32 letters", "leave the key out"];
        let key = "integrations[0].sources[0].id_prefix";
        refused(&company, "id_prefix", key, &says);
    }
    for wrong in ["0", "8761"] {
        let mut company = edited("ready: rename", "ready: rename");
        company.integration = format!("    frozen_warn_hours: {wrong}\n");
        let key = "integrations[0].frozen_warn_hours";
        refused(
            &company,
            "frozen_warn_hours",
            key,
            &["Write 1 to 8760 hours"],
        );
    }
}

#[test]
fn a_wrong_type_is_refused() {
    let company = edited("integration_id: 7", "integration_id: seven");
    let key = "integrations[0].jobticket.integration_id";
    refused(
        &company,
        "integration_id",
        key,
        &["whole number", "found text"],
    );
}

#[test]
fn a_missing_key_is_refused() {
    let company = edited("          lastName: Nachname\n", "");
    let key = "integrations[0].sources[0].fields";
    refused(
        &company,
        "fields:",
        key,
        &["The key `lastName` is missing here; add it"],
    );
}

#[test]
fn a_word_that_is_not_known_is_refused_with_those_that_are() {
    let company = edited("environment: sandbox", "environment: prod");
    let key = "integrations[0].jobticket.environment";
    refused(
        &company,
        "environment",
        key,
        &["write one of", "production"],
    );
}

#[test]
fn a_date_without_its_format_is_refused() {
    let company = edited("{from: Eintritt, format: TT.MM.JJJJ}", "Eintritt");
    let key = "integrations[0].sources[0].fields.startDate";
    refused(
        &company,
        "startDate",
        key,
        &["write {from: Column, format: TT.MM.JJJJ}"],
    );
}

#[test]
fn the_day_of_notice_is_no_termination_date() {
    let company = edited("from: Austritt", "from: Kündigungsdatum");
    let key = "integrations[0].sources[0].fields.terminationDate";
    refused(
        &company,
        "terminationDate",
        key,
        &["not the last day of employment"],
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    for secret in [
        "s3cr3t-Hunter2",
        "{value: s3cr3t-Hunter2}",
        "[s3cr3t-Hunter2]",
        "{env: s3cr3t Hunter2}",
    ] {
        let company = edited(
            "integration_id: 7",
            &format!("integration_id: 7\n      api_key_secret: {secret}"),
        );
        let key = "integrations[0].jobticket.api_key_secret";
        let ran = refused(
            &company,
            "api_key_secret",
            key,
            &["write {env: NAME}, {file: /path}"],
        );
        assert!(!ran.stderr.contains("s3cr3t"), "{}", ran.stderr);
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_refused() {
    let jobticket = JobTicket::start();
    for (reference, says) in [
        ("{env: TEST_NOT_SET}", "variable TEST_NOT_SET is not set"),
        ("{file: not-there}", "not-there cannot be read"),
        ("{file: empty}", "empty"),
        ("{file: two}", "one line of text"),
        ("{credential: acme-secret}", "LoadCredential=acme-secret"),
    ] {
        let mut company = Company::at(&jobticket);
        std::fs::write(company.path("empty"), "\n").unwrap();
        std::fs::write(company.path("two"), "s3cr3t\nHunter2\n").unwrap();
        company.edit("{env: TEST_KEY_SECRET}", reference);
        company.deliver_people("20261120", &people(5));
        for arguments in [&["--run-now"][..], &["check"]] {
            let ran = company
                .run(arguments)
                .exits(2)
                .says("api_key_secret")
                .says(says);
            assert!(!format!("{ran:?}").contains("s3cr3t"));
        }
    }
    assert!(jobticket.pushes().is_empty());
}

#[test]
fn a_secret_comes_from_a_file_or_a_systemd_credential() {
    for reference in ["{file: secret}", "{credential: secret}"] {
        let jobticket = JobTicket::start();
        let mut company = Company::at(&jobticket);
        let folder = company.path("");
        std::fs::write(folder.join("secret"), crate::support::KEY_SECRET).unwrap();
        company.variables.push((
            "CREDENTIALS_DIRECTORY".to_owned(),
            folder.to_str().unwrap().to_owned(),
        ));
        company.edit("{env: TEST_KEY_SECRET}", reference);
        company.deliver_people("20261120", &people(5));
        company.run_now().exits(0);
        assert_eq!(jobticket.active().len(), 5);
    }
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let company = edited(
        "        ready: rename\n",
        "        ready: rename\n        ready: {quiet_seconds: 9}\n",
    );
    let key = "integrations[0].sources[0].ready";
    refused(
        &company,
        "quiet_seconds",
        key,
        &["stands here twice; keep one"],
    );
}

/// Another integration of this name, pushing to `jobticket`.
fn second(company: &mut Company, name: &str, jobticket: &str) {
    company.integration += &format!(
        "  - name: {name}
    jobticket:
{jobticket}    sources:
      - name: branch
        type: csv_drop
        folder: drop
        pattern: \"branch_*.csv\"
        ready: rename
        max_age_hours: 36
        fields: {{hrId: A, firstName: B, lastName: C, email: D}}
"
    );
}

#[test]
fn two_integrations_that_would_offboard_each_others_people_are_refused() {
    let mut company = Company::new();
    let same = company.jobticket.clone();
    second(&mut company, "other", &same);
    let key = "integrations[1].jobticket.integration_id";
    let says = ["`acme` pushes to the same API and integration_id"];
    let ran = company.run(&["check", "--offline"]).exits(2).says(key);
    ran.says(says[0]);
    // However the same address is written.
    let at = |url: &str| {
        format!(
            "      base_url: {url}\n      integration_id: 7\n      api_key_id: {{env: A}}\n      api_key_secret: {{env: A}}\n"
        )
    };
    for other in [
        "https://API.example.com",
        "https://api.example.com:443/",
        "https://api.example.com/",
    ] {
        let mut company = Company::new();
        company.source += "        max_age_hours: 36\n";
        company.jobticket = at("https://api.example.com");
        second(&mut company, "other", &at(other));
        let ran = company.run(&["check", "--offline"]).exits(2).says(key);
        ran.says(says[0]);
    }
}

#[test]
fn two_integrations_of_one_name_are_refused() {
    let mut company = Company::new();
    let other = company.jobticket.replace('7', "8");
    second(&mut company, "acme", &other);
    let ran = company.run(&["check", "--offline"]).exits(2);
    ran.says("integrations[1].name: This name stands twice");
}

/// A company with this address.
fn at(url: &str) -> Company {
    let mut company = Company::new();
    company.jobticket = format!(
        "      base_url: {url}\n      integration_id: 7\n      api_key_id: {{env: A}}\n      api_key_secret: {{env: A}}\n"
    );
    company.source += "        max_age_hours: 36\n";
    company
}

#[test]
fn an_address_that_anyone_could_read_along_is_refused() {
    let key = "integrations[0].jobticket.base_url";
    for url in [
        "http://api.example.com",
        "http://192.0.2.1:8080",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
    ] {
        refused(&at(url), "base_url", key, &["write https://"]);
    }
    for url in ["ftp://api.example.com", "file:///etc/passwd"] {
        refused(&at(url), "base_url", key, &["begins with https://"]);
    }
    refused(&at("api.example.com"), "base_url", key, &["https://"]);
}

#[test]
fn credentials_in_an_address_are_refused_and_not_repeated() {
    let key = "integrations[0].jobticket.base_url";
    let company = at("https://invented:s3cr3t@api.example.com");
    let ran = refused(
        &company,
        "base_url",
        key,
        &["use api_key_id and api_key_secret"],
    );
    assert!(!ran.stderr.contains("s3cr3t") && !ran.stderr.contains("invented"));
}

#[test]
fn an_address_and_an_environment_exclude_each_other() {
    let company = edited(
        "environment: sandbox",
        "environment: sandbox\n      base_url: https://api.example.com",
    );
    let key = "integrations[0].jobticket.base_url";
    refused(&company, "base_url", key, &["not both"]);
}

#[test]
fn outside_the_sandbox_max_age_hours_and_a_credential_are_required() {
    let company = edited("environment: sandbox", "environment: staging");
    let ran = company.run(&["--run-now"]).exits(2).says("has 3 errors");
    ran.says("jobticket.api_key_id: ")
        .says("jobticket.api_key_secret: ")
        .says("sources[0].max_age_hours: Outside the sandbox this is required, such as 36");
}

#[test]
fn all_errors_of_a_file_are_told_at_once_and_in_its_order() {
    let mut company = edited("integration_id: 7", "integration_id: x\n      nonsense: 1");
    company.edit("ready: rename", "ready: soon");
    company.edit(
        "format: TT.MM.JJJJ}\n          startDate",
        "format: TTT}\n          startDate",
    );
    company.edit(
        "state_dir: state",
        "state_dir: state\ntimezone: Europe/Bonn",
    );
    let ran = company.run(&["check"]).exits(2).says("has 5 errors:");
    let lines: Vec<usize> = ran
        .stderr
        .lines()
        .filter_map(|line| {
            line.split("config.yaml:")
                .nth(1)?
                .split(':')
                .next()?
                .parse()
                .ok()
        })
        .collect();
    assert_eq!(lines.len(), 5, "{}", ran.stderr);
    assert!(lines.is_sorted());
}

#[test]
fn text_that_is_no_yaml_is_refused_with_its_line() {
    let company = edited("state_dir: state\n", "state_dir: [state\n");
    company
        .run(&["check"])
        .exits(2)
        .says("config.yaml:")
        .says("not YAML");
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let ran = crate::support::run_alone(&["--config", "not-there.yaml", "--run-now"]).exits(2);
    ran.says("The configuration not-there.yaml cannot be read")
        .says("--config FILE");
}

#[test]
fn numbers_in_a_list_of_values_count_as_text() {
    let jobticket = JobTicket::start();
    let mut company = Company::at(&jobticket);
    company.integration =
        "        include: [{column: Personalnummer, in: [4711, 00002, yes, 1_000, -5]}]\n"
            .to_owned();
    let mut staff = people(4);
    staff[0].number = "4711".to_owned();
    staff[3].number = "yes".to_owned();
    company.deliver_people("20261120", &staff);
    company.run_now().exits(0);
    assert_eq!(jobticket.active(), ["00002", "4711", "yes"]);
}

#[test]
fn a_value_that_yaml_reads_as_something_else_has_to_be_quoted() {
    for value in ["true", "1.0", "1e3", "0x10", "+49", "0o17", "0b11"] {
        let mut company = Company::new();
        company.integration = format!("        include: [{{column: Vorname, in: [{value}]}}]\n");
        let key = "integrations[0].sources[0].include[0].in[0]";
        refused(&company, "include", key, &["in quotes"]);
    }
}

#[test]
fn limits_that_would_let_everybody_go_are_refused() {
    let mut company = Company::new();
    company.integration = "    limits: {leavers: {percent: 100, at_least: 2}}\n".to_owned();
    let key = "integrations[0].limits.leavers";
    refused(&company, "limits", key, &["write at most 50 percent"]);
}
