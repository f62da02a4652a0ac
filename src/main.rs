//! `jobticket-sync`: arguments, logging, dispatch, exit code. What the program does is in the library.

mod logging;

use std::fs::File;
use std::io::{BufRead as _, BufWriter, IsTerminal as _, Write as _};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use jobticket_sync::audit::AuditFile;
use jobticket_sync::backup::{self, Restore};
use jobticket_sync::check;
use jobticket_sync::cli::{
    AuditArgs, Cli, Command, DEFAULT_CONFIG, Output, ReportArgs, SandboxArgs,
};
use jobticket_sync::clock::Clock;
use jobticket_sync::commands::{self, Called};
use jobticket_sync::config::{self, Config, Integration};
use jobticket_sync::control::{ControlError, ask_service, is_for_service};
use jobticket_sync::daemon::{self, DaemonError, Wish};
use jobticket_sync::decisions::{self, Answer, Said};
use jobticket_sync::exit::Exit;
use jobticket_sync::notice;
use jobticket_sync::report;
use jobticket_sync::review::Review;
use jobticket_sync::sandbox::{SandboxConfig, SandboxError, serve_until};
use jobticket_sync::source::chain;
use jobticket_sync::store::Store;
use jobticket_sync::sync::{self, Context, Options, RunReport, Secrets};
use jobticket_sync::user;
use logging::Progress;
use tokio::sync::mpsc;

/// A service is idle most of its life, and after a large run it is to be small again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Asked for by scripts and packages, which need none of the rest.
    let mut arguments = std::env::args_os().skip(1);
    if let (Some(word), None) = (arguments.next(), arguments.next())
        && (word == "--version" || word == "-V")
    {
        // As below: whoever was to read it may have gone.
        let _ = writeln!(
            std::io::stdout(),
            "jobticket-sync {}",
            env!("CARGO_PKG_VERSION")
        );
        return Exit::Done.into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are among these "errors"; only real ones have a code.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Configuration
            } else {
                Exit::Done
            }
            .into();
        }
    };
    std::panic::set_hook(Box::new(|panic| {
        // The message of a panic may hold a value; the place is enough to find it.
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        logging::say(&format!(
            "internal error at {place}; please report this line"
        ));
    }));
    let exit = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => {
                let exit = runtime.block_on(dispatch(cli));
                // A file server that hangs may hold a thread for ever.
                runtime.shutdown_timeout(Duration::from_secs(2));
                exit
            }
            Err(error) => say(
                Exit::Unexpected,
                &format!("The program cannot start its threads: {error}"),
            ),
        }
    }));
    exit.unwrap_or(Exit::Unexpected).into()
}

/// Says what is wrong on stderr.
fn say(exit: Exit, message: &str) -> Exit {
    logging::say(message);
    exit
}

/// Says what is wrong on stderr, and on stdout too where a program reads that.
fn say_as(output: Output, exit: Exit, message: &str) -> Exit {
    if output == Output::Json {
        print(output, &commands::error_json(exit, message), String::new);
    }
    say(exit, message)
}

async fn dispatch(cli: Cli) -> Exit {
    let output = cli.output;
    let say = |exit: Exit, message: &str| say_as(output, exit, message);
    let clock = Clock::of_process();
    if cli.command.is_some() && cli.run_now {
        return say(
            Exit::Configuration,
            "--run-now makes a run and a command does something else; give one of the two",
        );
    }
    if let Some(exit) = without_configuration(&cli, &clock).await {
        return exit;
    }
    if cli.command.is_none() && !cli.run_now && cli.integration.is_some() {
        return say(
            Exit::Configuration,
            "The service runs all integrations; leave --integration out, or make one run with --run-now",
        );
    }
    let config = match config::load(&cli.config) {
        Ok(config) => config,
        Err(error) => return say(Exit::Configuration, &chain(&error)),
    };
    // Before another user is taken on: root may read what that user may not, and the audit log names who asked.
    let opened = match opened(&cli) {
        Ok(opened) => opened,
        Err(message) => return say(Exit::Configuration, &message),
    };
    let user = user::login_name();
    let progress = Progress::new(std::io::stderr().is_terminal());
    // The service knows root by the connection, so this too comes before another user is taken on.
    if is_for_service(&cli)
        && let Some(exit) = by_service(&cli, &config, &user, &progress).await
    {
        return exit;
    }
    if let Err(error) = user::become_owner_of(&config.state_dir) {
        let folder = config.state_dir.display();
        return say(
            Exit::Unexpected,
            &format!("Root could not become the owner of {folder} ({error}); run as that user"),
        );
    }
    if let Some(Command::Audit(arguments)) = &cli.command {
        return audit(&cli, arguments, &config, &clock);
    }
    let chosen = match commands::chosen(&cli, &config) {
        Ok(chosen) => chosen,
        Err((exit, message)) => return say(exit, &message),
    };
    logging::start(config.log, progress.clone());
    if let (Some(Command::Report(arguments)), Some(command)) = (&cli.command, &cli.command) {
        let chosen = chosen.into_iter().map(|(_, one)| one).collect();
        return report(&cli, (command, arguments), &config, chosen, &clock);
    }
    if let Some(file) = opened {
        let context = backup::Context {
            config: &config,
            clock: &clock,
            user: &user,
        };
        return back_up_or_restore(&cli, &context, file).await;
    }
    match &cli.command {
        Some(Command::Check { privacy: true, .. }) => {
            let integrations: Vec<&Integration> = chosen.iter().map(|(_, one)| *one).collect();
            let (text, json) = check::privacy(&config, &integrations);
            print(output, &json, || text);
            Exit::Done
        }
        Some(Command::Check {
            offline,
            show_record,
            privacy: false,
        }) => {
            let how = check::How {
                offline: *offline,
                record: *show_record,
            };
            checked(&cli, &config, &chosen, how, &clock, &progress).await
        }
        Some(command) => {
            let done = looked_or_decided(&cli, command, &config, &chosen, &clock, &user, &progress);
            let done = done.await;
            progress.end();
            match done {
                Ok(Said { text, json, exit }) => {
                    print(cli.output, &json, || text);
                    exit
                }
                Err((exit, message)) => say(exit, &message),
            }
        }
        None if !cli.run_now => serve(&cli, config, clock, user).await,
        None => run(&cli, &config, &chosen, &clock, &user, &progress).await,
    }
}

/// The commands that need no configuration; `None` for every other.
async fn without_configuration(cli: &Cli, clock: &Clock) -> Option<Exit> {
    match &cli.command {
        Some(Command::Sandbox(arguments)) => Some(sandbox(arguments, clock.clone()).await),
        Some(Command::Recipes { command }) => Some(match commands::recipes(command.as_ref()) {
            Ok(Said { text, json, exit }) => {
                print(cli.output, &json, || text);
                exit
            }
            Err((exit, message)) => say_as(cli.output, exit, &message),
        }),
        _ => None,
    }
}

/// Has the running service do it; `None` where there is none.
async fn by_service(cli: &Cli, config: &Config, user: &str, progress: &Progress) -> Option<Exit> {
    let program = decisions::program(&cli.config, Path::new(DEFAULT_CONFIG));
    let ask = |question: &str| {
        progress.end();
        ask(question)
    };
    let stage = |what: &str| progress.stage(what);
    let answer = ask_service(config, cli, user, &program, ask, stage).await;
    progress.end();
    match answer {
        Ok(None) => None,
        // All of it is in the state.
        Err(error @ ControlError::Silent(_)) if matches!(cli.command, Some(Command::Status)) => {
            logging::say(&chain(&error));
            None
        }
        Ok(Some((exit, Ok(text)))) => {
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            Some(exit)
        }
        Ok(Some((exit, Err(message)))) => Some(say_as(cli.output, exit, &message)),
        Err(error) => Some(say_as(cli.output, Exit::Unexpected, &chain(&error))),
    }
}

/// Reads the audit log, for as long as somebody reads the result.
fn audit(cli: &Cli, arguments: &AuditArgs, config: &Config, clock: &Clock) -> Exit {
    let review = Review {
        config,
        clock,
        integration: cli.integration.as_deref(),
        output: cli.output,
    };
    let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    match tokio::task::block_in_place(|| review.run(arguments, &mut out)) {
        Ok(exit) => exit,
        Err(error) if error.exit() == Exit::Done => Exit::Done,
        Err(error) => {
            let _ = out.flush();
            drop(out);
            say_as(cli.output, error.exit(), &chain(&error))
        }
    }
}

/// Writes a report from the state and the audit log.
fn report(
    cli: &Cli,
    (command, arguments): (&Command, &ReportArgs),
    config: &Config,
    chosen: Vec<&Integration>,
    clock: &Clock,
) -> Exit {
    let written = tokio::task::block_in_place(|| {
        let store = commands::store_for(command, config, clock)?;
        let context = report::Context {
            config,
            chosen,
            store: &store,
            clock,
        };
        report::write(&context, arguments)
    });
    match written {
        Ok(report) => {
            if arguments.out != std::path::Path::new("-") {
                let json = serde_json::json!({ "report": report, "exitCode": report.exit() });
                print(cli.output, &json, || report.to_string());
            }
            report.exit()
        }
        Err(error) => say_as(cli.output, error.exit(), &chain(&error)),
    }
}

/// A command that looks or decides, on the state itself.
async fn looked_or_decided(
    cli: &Cli,
    command: &Command,
    config: &Config,
    chosen: &[(usize, &Integration)],
    clock: &Clock,
    user: &str,
    progress: &Progress,
) -> commands::Done {
    let store = tokio::task::block_in_place(|| commands::store_for(command, config, clock));
    let store = store.map_err(|error| (Exit::Unexpected, chain(&error)))?;
    let called = Called {
        config,
        chosen: chosen.iter().map(|(_, integration)| *integration).collect(),
        store: &store,
        audit: &AuditFile::of(config),
        clock,
        user,
        program: &decisions::program(&cli.config, Path::new(DEFAULT_CONFIG)),
        ask: &ask,
        stage: &|what| progress.stage(what),
    };
    called.command(command).await
}

/// Asks on the terminal. Only a plain yes is one.
fn ask(question: &str) -> Answer {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Answer::NobodyThere;
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{question}");
    let _ = err.flush();
    let mut line = String::new();
    match stdin.lock().read_line(&mut line) {
        Ok(_) if matches!(line.trim(), "y" | "Y" | "yes") => Answer::Yes,
        _ => Answer::No,
    }
}

/// The service, until it is told to stop.
async fn serve(cli: &Cli, config: Config, clock: Clock, user: String) -> Exit {
    let (sender, wishes) = mpsc::channel(4);
    if let Err(error) = signals(sender) {
        return say(
            Exit::Unexpected,
            &format!("The program cannot listen for signals: {error}"),
        );
    }
    match daemon::serve(config, cli.config.clone(), clock, user, wishes).await {
        Ok(()) => Exit::Done,
        Err(error @ (DaemonError::Config(_) | DaemonError::Socket { .. })) => {
            say(Exit::Configuration, &chain(&error))
        }
        Err(error @ DaemonError::Busy(_)) => say(Exit::Busy, &chain(&error)),
        Err(error) => say(Exit::Unexpected, &chain(&error)),
    }
}

/// SIGTERM and SIGINT stop the service, SIGHUP makes it read its configuration again.
fn signals(wishes: mpsc::Sender<Wish>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            let wish = tokio::select! {
                _ = terminate.recv() => Wish::Stop,
                _ = interrupt.recv() => Wish::Stop,
                _ = hang_up.recv() => Wish::Reload,
            };
            if wishes.send(wish).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

async fn checked(
    cli: &Cli,
    config: &Config,
    chosen: &[(usize, &Integration)],
    how: check::How,
    clock: &Clock,
    progress: &Progress,
) -> Exit {
    let mut all = Vec::new();
    for (position, integration) in chosen {
        progress.stage(&format!("checking {}", integration.name));
        all.push(check::check(config, *position, how, clock).await);
    }
    progress.end();
    let exit = all
        .iter()
        .fold(Exit::Done, |exit, found| exit.and(found.exit_code));
    let text = || {
        all.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    print(
        cli.output,
        &serde_json::json!({ "checks": all, "exitCode": exit }),
        text,
    );
    exit
}

/// The file that `backup` or `restore` reads: the configuration, or a backup.
fn opened(cli: &Cli) -> Result<Option<File>, String> {
    let path = match &cli.command {
        Some(Command::Backup { .. }) => &cli.config,
        Some(Command::Restore { file, .. }) => file,
        _ => return Ok(None),
    };
    if cli.integration.is_some() {
        return Err("A backup holds all integrations; leave --integration out".to_owned());
    }
    let opened = File::open(path).map(Some);
    opened.map_err(|error| format!("{} cannot be read ({error})", path.display()))
}

async fn back_up_or_restore(cli: &Cli, context: &backup::Context<'_>, file: File) -> Exit {
    let done = match &cli.command {
        Some(Command::Backup { file: path, force }) => {
            tokio::task::block_in_place(|| backup::write(context, path, *force, file))
        }
        Some(Command::Restore {
            file: path,
            force,
            with_config,
        }) => {
            let mut beside = cli.config.clone().into_os_string();
            beside.push(".restored");
            let task = Restore {
                path,
                file,
                force: *force,
                configuration: with_config.then(|| beside.into()),
            };
            backup::restore(context, task).await
        }
        _ => return Exit::Done,
    };
    match done {
        Ok(report) => {
            let json = serde_json::json!({ "backup": report, "exitCode": Exit::Done });
            print(cli.output, &json, || report.to_string());
            Exit::Done
        }
        Err(error) => say_as(cli.output, error.exit(), &chain(&error)),
    }
}

async fn run(
    cli: &Cli,
    config: &Config,
    chosen: &[(usize, &Integration)],
    clock: &Clock,
    user: &str,
    progress: &Progress,
) -> Exit {
    let say = |exit: Exit, message: &str| say_as(cli.output, exit, message);
    let integrations: Vec<&Integration> = chosen.iter().map(|(_, one)| *one).collect();
    let secrets = match Secrets::read_all(config, &integrations) {
        Ok(secrets) => secrets,
        Err(error) => return say(Exit::Configuration, &chain(&error)),
    };
    let store = match tokio::task::block_in_place(|| Store::open(&config.state_dir, clock.clone()))
    {
        Ok(store) => store,
        Err(error) => return say(Exit::Unexpected, &chain(&error)),
    };
    let audit = AuditFile::of(config);
    let stage = |what: &str| {
        tracing::debug!("Now {what}");
        progress.stage(what);
    };
    let context = Context {
        config,
        store: &store,
        audit: &audit,
        clock,
        user,
        stage: &stage,
    };
    if !cli.dry_run
        && let Err(error) = sync::note_configuration(&context)
    {
        return say(Exit::Unexpected, &chain(&error));
    }
    let options = Options {
        dry_run: cli.dry_run,
        trigger: "--run-now".to_owned(),
        wait: Duration::from_secs(cli.wait),
        accept_clock: cli.accept_clock,
        by_hand: true,
        resync: cli.resync,
        stopping: Arc::default(),
    };
    let mut reports: Vec<RunReport> = Vec::new();
    for (integration, secrets) in integrations.into_iter().zip(&secrets) {
        reports.push(sync::run(&context, integration, secrets, &options).await);
    }
    let program = decisions::program(&cli.config, Path::new(DEFAULT_CONFIG));
    if !cli.dry_run && config.notify.is_some() {
        progress.stage("telling people");
        let program = decisions::program_anywhere(&cli.config, Path::new(DEFAULT_CONFIG));
        notify(config, &store, clock, &program).await;
    }
    progress.end();
    let Said { text, json, exit } = commands::runs(reports, &program, cli.output);
    print(cli.output, &json, || text);
    exit
}

/// Tells people of what is news, for so long as somebody who waits for a run may be kept waiting; the rest is for the service or the next run. Nothing of it fails the run.
async fn notify(config: &Config, store: &Store, clock: &Clock, program: &str) {
    const WITHIN: Duration = Duration::from_secs(20);
    let sender = notice::Sender {
        config,
        store,
        clock,
        program,
    };
    let told = match tokio::task::block_in_place(|| notice::look(config, store, clock)) {
        Ok(()) => sender.all(WITHIN).await,
        Err(error) => Err(error),
    };
    if let Err(error) = told {
        tracing::error!("Notifications could not be sent: {}", chain(&error));
    }
}

/// Writes a result to stdout. That nobody reads it is no error.
fn print(output: Output, json: &serde_json::Value, text: impl FnOnce() -> String) {
    let text = match output {
        Output::Text => text(),
        Output::Json => format!("{json:#}\n"),
    };
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

async fn sandbox(arguments: &SandboxArgs, clock: Clock) -> Exit {
    let SandboxArgs {
        listen,
        folder,
        integration_ids,
        key_id,
        key_secret,
        behaviour,
        control,
    } = arguments;
    let mut settings = SandboxConfig::new(
        key_id.clone(),
        key_secret.clone(),
        integration_ids.clone(),
        clock,
    );
    settings.listen = *listen;
    settings.folder.clone_from(folder);
    settings.control = *control;
    if let Some(text) = behaviour {
        match serde_json::from_str(text) {
            Ok(behaviour) => settings.behaviour = behaviour,
            Err(error) => {
                return say(
                    Exit::Configuration,
                    &format!("--behaviour is not understood: {error}"),
                );
            }
        }
    }
    let ready = |address| {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(
            out,
            "SANDBOX: an imitation of the JobTicket API is listening on http://{address}"
        );
        let _ = out.flush();
    };
    match serve_until(settings, stopped(), ready).await {
        Ok(()) => Exit::Done,
        Err(error @ SandboxError::NotLoopback { .. }) => say(Exit::Configuration, &chain(&error)),
        Err(error) => say(Exit::Unexpected, &chain(&error)),
    }
}

/// Ends with SIGTERM or SIGINT.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}
