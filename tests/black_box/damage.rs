//! A full disk, a read-only folder and a damaged store: each is refused with what to do, nobody is lost meanwhile, and afterwards the next run converges.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::api_support::tried;
use crate::support::{Company, JobTicket, Ran, people};
use crate::whole::{is_whole, snapshot, store};

/// Runs the program from a script of `sh`, in which it is `"$@"`.
fn scripted(company: &Company, script: &str, before: &[&OsStr], arguments: &[&str]) -> Ran {
    let program = company.command(arguments);
    let (shell, shell_arguments) = before.split_first().unwrap();
    let output = Command::new(shell)
        .args(shell_arguments)
        .args(["-c", script, "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .env("STATE", company.path("state"))
        .env("OUT", company.path("out"))
        .env("DROP", company.path("drop"))
        .envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program where no file may grow past so many blocks of 512 bytes (1024 where `sh` is bash): for it, the disk is full then.
pub(crate) fn limited(company: &Company, blocks: u32, arguments: &[&str]) -> Ran {
    let script = format!("trap '' XFSZ; ulimit -f {blocks} || exit 77; exec \"$@\"");
    scripted(company, &script, &[OsStr::new("sh")], arguments)
}

/// Runs a script where it may mount something that nobody else sees; `None`, and it is said, where this machine does not allow that.
fn with_mounts(company: &Company, script: &str) -> Option<Ran> {
    fs::create_dir_all(company.path("out")).unwrap();
    let root = nix::unistd::geteuid().is_root();
    let unshare = ["unshare", if root { "-m" } else { "-rm" }, "sh"].map(OsStr::new);
    let tried = Command::new("unshare").args(["-m", "true"]).status();
    if !root && !tried.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no mount namespaces here");
        return None;
    }
    let ran = scripted(company, script, &unshare, &["--run-now"]);
    if ran.code == 77 {
        eprintln!("skipped: nothing can be mounted here: {}", ran.stderr);
        return None;
    }
    Some(ran)
}

/// A company whose five people are acknowledged, with a backup of that, and seven people delivered.
struct Scene {
    jobticket: JobTicket,
    company: Company,
    backup: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let jobticket = JobTicket::start();
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(5));
        company.run_now().exits(0);
        let backup = company.path("backup.tar.gz");
        company.run(&["backup", backup.to_str().unwrap()]).exits(0);
        company.deliver_people("20261121", &people(7));
        Self {
            jobticket,
            company,
            backup,
        }
    }

    fn database(&self) -> PathBuf {
        self.company.path("state/state.db")
    }

    /// The next run takes the damage for what it is and says how to go on, or it does no harm. Then the backup helps where it was refused.
    #[track_caller]
    fn survives(&self, damage: &str) {
        let Self {
            jobticket, company, ..
        } = self;
        let damaged = fs::read(self.database()).unwrap();
        let pushed = tried(jobticket).len();
        let ran = company.run_now();
        let said = format!("{damage}: exit code {}, {}", ran.code, ran.stderr);
        match ran.code {
            // 3: a store that knows nobody, or an earlier state, may have to be adopted first.
            0 | 3 => {}
            1 => {
                assert!(ran.stderr.contains("backup"), "{said}");
                assert_eq!(tried(jobticket).len(), pushed, "{said}");
                assert_eq!(fs::read(self.database()).unwrap(), damaged, "{said}");
                company
                    .run(&["restore", self.backup.to_str().unwrap(), "--force"])
                    .exits(0);
                let again = company.run_now();
                assert!([0, 3].contains(&again.code), "{damage}: {}", again.stderr);
                is_whole(company, damage);
            }
            _ => panic!("{said}"),
        }
        self.nobody_is_lost(damage);
    }

    #[track_caller]
    fn nobody_is_lost(&self, when: &str) {
        let active = self.jobticket.active();
        for number in 1..=5 {
            assert!(
                active.contains(&format!("{number:05}")),
                "{when}: {active:?}"
            );
        }
    }

    /// Puts the state folder back as it was.
    fn put_back(&self, files: &[(PathBuf, Vec<u8>)]) {
        fs::remove_dir_all(self.company.path("state")).unwrap();
        for (path, content) in files {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

#[test]
fn a_disk_that_is_full_at_any_size_stops_the_run_and_the_next_one_finishes_the_job() {
    let mut failed = 0;
    for blocks in [16, 64, 160, 200, 240, 280, 320, 360, 400] {
        let jobticket = JobTicket::start();
        let company = Company::at(&jobticket);
        company.deliver_people("20261120", &people(120));
        let ran = limited(&company, blocks, &["--run-now"]);
        assert!([0, 1].contains(&ran.code), "{blocks}: {}", ran.stderr);
        if ran.code == 1 {
            failed += 1;
            ran.says("check the disk's room");
        }
        company.run_now().exits(0);
        assert_eq!(jobticket.active().len(), 120, "{blocks}");
        for push in tried(&jobticket) {
            assert_eq!(push["count"], 120, "{blocks}: every push is whole");
        }
        is_whole(&company, &format!("{blocks} blocks"));
    }
    assert!(failed >= 5, "the limit works: {failed}");
}

#[test]
fn a_disk_that_fills_up_later_stops_the_run_and_the_next_one_finishes_the_job() {
    for blocks in [2, 8, 60, 120] {
        let scene = Scene::new();
        let ran = limited(&scene.company, blocks, &["--run-now"]);
        assert!([0, 1].contains(&ran.code), "{blocks}: {}", ran.stderr);
        scene.nobody_is_lost("full");
        scene.company.run_now().exits(0);
        assert_eq!(scene.jobticket.active().len(), 7, "{blocks}");
        is_whole(&scene.company, &format!("{blocks} blocks"));
    }
}

#[test]
fn a_small_disk_that_fills_up_stops_the_run_and_room_is_enough_to_go_on() {
    let jobticket = JobTicket::start();
    let company = Company::at(&jobticket);
    company.deliver_people("20261120", &people(5));
    company.deliver_people("20261121", &people(6));
    fs::rename(
        company.path("drop/roster_20261121.csv"),
        company.path("next.csv"),
    )
    .unwrap();
    fs::create_dir(company.path("state")).unwrap();
    // One run with room, one on a disk that is full, one with room again.
    let script = r#"
        mount -t tmpfs -o size=2000k,mode=700 tmpfs "$STATE" || exit 77
        "$@" || exit 10
        mv "$DROP/../next.csv" "$DROP/roster_20261121.csv"
        cat /dev/zero > "$STATE/filler" 2>/dev/null
        "$@" && exit 11
        rm "$STATE/filler"
        "$@" || exit 12
        cp "$STATE"/* "$OUT"
    "#;
    let Some(ran) = with_mounts(&company, script) else {
        return;
    };
    let ran = ran.exits(0).says("room");
    assert_eq!(jobticket.active().len(), 6, "{}", ran.stderr);
    for push in tried(&jobticket) {
        assert!(push["count"].as_u64().unwrap() >= 5);
    }
    fs::remove_dir(company.path("state")).unwrap();
    fs::rename(company.path("out"), company.path("state")).unwrap();
    is_whole(&company, "after the full disk");
}

#[test]
fn a_state_folder_that_became_read_only_pushes_nothing_and_says_so() {
    let scene = Scene::new();
    let script = r#"
        mount --bind "$STATE" "$STATE" && mount -o remount,bind,ro "$STATE" || exit 77
        exec "$@"
    "#;
    let before = scene.company.state_files();
    if let Some(ran) = with_mounts(&scene.company, script) {
        ran.exits(1)
            .says("The state folder")
            .says("check that it exists, has room and belongs to this user");
        assert!(scene.company.state_files() == before);
        assert_eq!(tried(&scene.jobticket).len(), 1);
    }
    scene.company.run_now().exits(0);
    assert_eq!(scene.jobticket.active().len(), 7);
    is_whole(&scene.company, "after it was read-only");
}

#[test]
fn a_store_with_bytes_overwritten_anywhere_loses_nobody() {
    let scene = Scene::new();
    let files = scene.company.state_files();
    let whole = fs::read(scene.database()).unwrap();
    let pages = whole.len() / 4096;
    let offsets = [0, 18, 40, 60, 68, 100]
        .into_iter()
        .chain((1..pages).step_by(3).map(|page| page * 4096))
        .chain((0..pages).step_by(4).map(|page| page * 4096 + 4000));
    for offset in offsets {
        scene.put_back(&files);
        let mut bytes = whole.clone();
        bytes[offset..offset + 24].fill(0xa5);
        fs::write(scene.database(), bytes).unwrap();
        scene.survives(&format!("24 bytes at {offset}"));
    }
}

#[test]
fn a_store_that_was_cut_loses_nobody() {
    let scene = Scene::new();
    let files = scene.company.state_files();
    let whole = fs::read(scene.database()).unwrap();
    let length = whole.len();
    for cut in [
        0,
        1,
        99,
        512,
        4095,
        4096,
        8192,
        length / 2,
        length - 4096,
        length - 1,
    ] {
        scene.put_back(&files);
        fs::write(scene.database(), &whole[..cut]).unwrap();
        scene.survives(&format!("cut at {cut} of {length}"));
    }
}

#[test]
fn a_store_that_is_gone_is_told_by_the_audit_log_that_is_still_there() {
    let mut scene = Scene::new();
    let lines = scene.company.audit().len();
    fs::remove_file(scene.database()).unwrap();
    // In the same millisecond its first line would be, to the letter, the one that is there.
    "2026-11-23T05:30:00Z".clone_into(&mut scene.company.now);
    let ran = scene.company.run_now();
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
    scene.nobody_is_lost("gone");
    let told = &scene.company.events("store_is_behind")[0];
    assert_eq!(
        (&told["expected"], &told["found"]),
        (&0.into(), &lines.into())
    );
    // The backup is the way back to what was known.
    let backup = scene.backup.to_str().unwrap();
    scene.company.run(&["restore", backup, "--force"]).exits(0);
    let ran = scene.company.run_now();
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
    is_whole(&scene.company, "restored");
    scene.nobody_is_lost("restored");
}

#[test]
fn a_store_of_a_newer_version_is_left_alone_by_every_command_and_still_there_afterwards() {
    let scene = Scene::new();
    let version = |version: u32| {
        store(&scene.company)
            .pragma_update(None, "user_version", version)
            .unwrap();
    };
    let known: u32 = store(&scene.company)
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    version(99);
    let before = fs::read(scene.database()).unwrap();
    let other = scene.company.path("other.tar.gz");
    for arguments in [
        &["--run-now"][..],
        &["--run-now", "--dry-run"],
        &["check"],
        &["backup", other.to_str().unwrap()],
    ] {
        let ran = scene.company.run(arguments).exits(1);
        ran.says("version 99")
            .says("install the newer jobticket-sync again");
    }
    assert_eq!(fs::read(scene.database()).unwrap(), before);
    assert!(!other.exists());
    assert_eq!(tried(&scene.jobticket).len(), 1);
    version(known);
    scene.company.run_now().exits(0);
    assert_eq!(snapshot(&store(&scene.company)), 7);
    is_whole(&scene.company, "the known version");
}
