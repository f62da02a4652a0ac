//! Files that the real gpg encrypted and signed, with every kind of key that it makes, and with everything that can be wrong with them.

use crate::gpg_support::{EARLY, Gpg};
use crate::sealed::{Sealed, roster};

const FIRST: &str = "roster_20261120.csv.gpg";
const SECOND: &str = "roster_20261121.csv.gpg";
const THIRD: &str = "roster_20261122.csv.gpg";

/// A company with a usual key of gpg, that has taken its first file.
struct Scene {
    gpg: Gpg,
    to: String,
    sealed: Sealed,
}

impl Scene {
    fn new() -> Option<Self> {
        let gpg = Gpg::start()?;
        let to = gpg.usual_key();
        let sealed = Sealed::new(&gpg.private(&to, ""), "", ".gpg");
        let scene = Self { gpg, to, sealed };
        scene.sealed.takes(FIRST, &scene.encrypted(&roster(5)), 5);
        Some(scene)
    }

    fn encrypted(&self, bytes: &[u8]) -> Vec<u8> {
        self.gpg.encrypted(&self.to, &[], bytes)
    }

    /// A good file goes through after the bad one.
    fn recovers(&self, bytes: &[u8]) {
        self.sealed.takes(THIRD, bytes, 6);
    }
}

#[test]
fn openpgp_files_to_every_kind_of_key_that_gpg_makes_arrive() {
    let Some(gpg) = Gpg::start() else { return };
    for algorithms in [
        ("ed25519", "cv25519"),
        ("rsa2048", "rsa2048"),
        ("rsa4096", "rsa4096"),
        ("nistp256", "nistp256"),
        ("nistp384", "nistp384"),
        ("nistp521", "nistp521"),
    ] {
        let to = gpg.key(algorithms, "never", "");
        let sealed = Sealed::new(&gpg.private(&to, ""), "", ".gpg");
        let ways = [
            &[][..],
            &["--compress-algo", "zip"],
            &["--compress-algo", "bzip2"],
            &["--compress-algo", "none"],
            &["--armor", "--throw-keyids"],
        ];
        let days = ["20261116", "20261117", "20261118", "20261119", "20261120"];
        for (count, (way, day)) in (1..).zip(ways.into_iter().zip(days)) {
            let file = gpg.encrypted(&to, way, &roster(count));
            let name = format!("roster_{day}.csv.gpg");
            sealed.takes(&name, &file, count);
        }
    }
}

#[test]
fn openpgp_key_that_is_locked_opens_with_its_passphrase_and_no_other() {
    let Some(gpg) = Gpg::start() else { return };
    let words = "Invented Words 27";
    let to = gpg.key(("ed25519", "cv25519"), "never", words);
    let further = ", passphrase: {file: words}";
    let sealed = Sealed::new(&gpg.private(&to, words), further, ".gpg");
    let file = gpg.encrypted(&to, &[], &roster(5));
    sealed.write("words", "Invented Words 28\n");
    let says = ["decrypt.passphrase: The passphrase does not open the private key"];
    sealed.refuses(FIRST, &file, &says);
    let checked = sealed.company.run(&["check", "--offline"]).exits(4);
    let checked = checked.says("sources[0].decrypt.passphrase: The passphrase does not open");
    assert!(!format!("{checked:?}").contains("Invented Words"));
    sealed.write("words", format!("{words}\n"));
    sealed.company.run(&["check", "--offline"]).exits(0);
    sealed.takes(FIRST, &file, 5);
}

#[test]
fn openpgp_file_to_another_key_is_refused_and_both_are_named() {
    let Some(scene) = Scene::new() else { return };
    let other = scene.gpg.usual_key();
    let file = scene.gpg.encrypted(&other, &[], &roster(6));
    let subkeys = |key: &str| {
        let listed = ["--with-colons", "--list-keys", key];
        let listed = String::from_utf8(scene.gpg.call(EARLY, &listed)).unwrap();
        let subkey = listed.lines().find(|line| line.starts_with("sub:"));
        subkey.unwrap().split(':').nth(4).unwrap().to_owned()
    };
    let to = format!("is encrypted to {}", subkeys(&other));
    let ours = format!("decrypt.private_key holds {}", subkeys(&scene.to));
    scene.sealed.refuses(SECOND, &file, &[&to, &ours]);
    scene.recovers(&scene.encrypted(&roster(6)));
}

#[test]
fn openpgp_file_with_a_passphrase_alone_is_refused() {
    let Some(scene) = Scene::new() else { return };
    let arguments = ["--passphrase", "invented", "--symmetric"];
    let file = scene.gpg.run(EARLY, &arguments, &roster(6));
    let says = ["is encrypted with a passphrase alone"];
    scene.sealed.refuses(SECOND, &file, &says);
}

#[test]
fn openpgp_files_that_were_cut_or_damaged_offboard_nobody() {
    let Some(scene) = Scene::new() else { return };
    let armored = scene.gpg.encrypted(&scene.to, &["--armor"], &roster(3));
    for whole in [scene.encrypted(&roster(3)), armored] {
        for at in (0..whole.len()).step_by(97) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x04;
            scene.sealed.refuses(SECOND, &damaged, &[SECOND]);
        }
        let mut everywhere = whole.clone();
        everywhere
            .iter_mut()
            .step_by(97)
            .for_each(|byte| *byte ^= 0x04);
        scene.sealed.refuses(SECOND, &everywhere, &[SECOND]);
        for length in (1..whole.len() - 1).step_by(71) {
            scene.sealed.refuses(SECOND, &whole[..length], &[SECOND]);
        }
    }
    scene.recovers(&scene.encrypted(&roster(6)));
}

#[test]
fn openpgp_file_that_is_suddenly_in_the_clear_is_refused() {
    let Some(scene) = Scene::new() else { return };
    let says = ["is not encrypted, and this source takes encrypted files only"];
    scene.sealed.refuses(SECOND, &roster(6), &says);
    let by = scene.gpg.usual_key();
    for way in ["--sign", "--clear-sign"] {
        let file = scene
            .gpg
            .run(EARLY, &["--local-user", &by, way], &roster(6));
        scene.sealed.refuses(SECOND, &file, &says);
    }
    scene.recovers(&scene.encrypted(&roster(6)));
}

#[test]
fn openpgp_key_of_our_own_that_expired_still_decrypts_and_check_warns() {
    let Some(gpg) = Gpg::start() else { return };
    let to = gpg.key(("ed25519", "cv25519"), "2026-11-10", "");
    let sealed = Sealed::new(&gpg.private(&to, ""), "", ".gpg");
    sealed.takes(FIRST, &gpg.encrypted(&to, &[], &roster(5)), 5);
    let checked = sealed.company.run(&["check"]).exits(0);
    let checked = checked.says("expired on 2026-11-10; files that come are still decrypted");
    checked.says(&format!("the private key {to} (subkey"));
    let soon = gpg.key(("ed25519", "cv25519"), "2026-12-20", "");
    sealed.write("private", gpg.private(&soon, ""));
    let checked = sealed.company.run(&["check", "--offline"]).exits(0);
    checked.says("expires on 2026-12-20; have it renewed");
}
