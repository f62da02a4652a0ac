//! The program from outside: the real binary, real folders, real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::assigning_clones,
    clippy::format_collect,
    clippy::format_push_string,
    reason = "a test may fail, and is to be read; a copy costs it nothing"
)]
#![expect(unreachable_pub, reason = "a test crate has no outside")]

mod absence_files;
mod api_connections;
mod api_doubt;
mod api_limit;
mod api_secrets;
mod api_statuses;
mod api_support;
mod archive;
mod audit;
mod audit_files;
mod backup;
mod backup_support;
mod bad_deliveries;
mod bad_files;
mod changed_rules;
mod configuration;
mod configuration_example;
mod control;
mod crash;
mod crash_decisions;
mod daemon;
mod daemon_runs;
mod damage;
mod damaged_backups;
mod deciding;
mod decisions;
mod drift;
mod explain;
mod first_steps;
mod forget;
mod good_files;
mod good_tables;
mod gpg_support;
mod guard_runs;
mod holds;
mod hrid_map;
mod incidents;
mod journal;
mod later_decisions;
mod law;
mod locks;
mod metrics;
mod notify_mail;
mod notify_service;
mod notify_smtpd;
mod notify_webhook;
mod openpgp;
mod openpgp_gpg;
mod openpgp_signed;
mod output;
mod output_audit;
mod over_days;
mod packed_bombs;
mod power_loss;
mod refused_rows;
mod report;
mod report_page;
mod rest;
mod rest_auth;
mod rest_check;
mod rest_faults;
mod rest_join;
mod rest_proof;
mod rest_recipes;
mod rest_server;
mod rest_systems;
mod rest_tls;
mod restarts;
mod restore;
mod rows;
mod rows_dates;
mod scene;
mod schedule;
mod sealed;
mod service;
mod several_sources;
mod sftp;
mod sftp_absences;
mod sftp_between;
mod sftp_configuration;
mod sftp_doubt;
mod sftp_faults;
mod sftp_login;
mod sftp_server;
mod sftp_sshd;
mod sftp_without_sshd;
mod smtp_server;
mod status;
mod stops;
mod support;
mod two_sources;
mod watch;
mod whole;
mod wrong_files;
