//! Files of the real gpg where a signature is asked for: only one that holds, by the right key, at the right time, lets a roster in.

use crate::gpg_support::{EARLY, Gpg};
use crate::sealed::{Sealed, roster};

const FILE: &str = "roster_20261121.csv.gpg";
const CURVE: (&str, &str) = ("ed25519", "cv25519");

/// A company that asks for signatures by one key.
struct Scene {
    gpg: Gpg,
    to: String,
    signer: String,
    sealed: Sealed,
}

impl Scene {
    fn new(signer: (&str, &str), expire: &str) -> Option<Self> {
        let gpg = Gpg::start()?;
        let to = gpg.usual_key();
        let signer = gpg.key(signer, expire, "");
        let further = ", verify_with: [signer.asc]";
        let sealed = Sealed::new(&gpg.private(&to, ""), further, ".gpg");
        sealed.write("signer.asc", gpg.public(&signer));
        Some(Self {
            gpg,
            to,
            signer,
            sealed,
        })
    }

    fn signed_at(&self, time: &str, by: &str, further: &[&str]) -> Vec<u8> {
        let to = ["--recipient", &self.to, "--local-user", by];
        let arguments = [&to[..], further, &["--sign", "--encrypt"]].concat();
        self.gpg.run(time, &arguments, &roster(5))
    }

    fn signed(&self, by: &str) -> Vec<u8> {
        self.signed_at(EARLY, by, &[])
    }

    /// A file of the right signer goes through.
    fn recovers(&self) {
        let name = "roster_20261122.csv.gpg";
        self.sealed.takes(name, &self.signed(&self.signer), 5);
    }
}

#[test]
fn openpgp_signature_of_every_kind_of_key_that_gpg_makes_counts() {
    for algorithms in [
        CURVE,
        ("rsa2048", "rsa2048"),
        ("nistp256", "nistp256"),
        ("nistp384", "nistp384"),
        ("nistp521", "nistp521"),
    ] {
        let Some(scene) = Scene::new(algorithms, "never") else {
            return;
        };
        scene.sealed.takes(FILE, &scene.signed(&scene.signer), 5);
        let checked = scene.sealed.company.run(&["check"]).exits(0);
        let says = format!("signatures by {} count, without an end", scene.signer);
        checked.says(&says);
    }
}

#[test]
fn openpgp_signature_as_text_and_by_a_subkey_counts() {
    let Some(scene) = Scene::new(CURVE, "never") else {
        return;
    };
    let locked = ["--passphrase", ""];
    let add = ["--quick-add-key", &scene.signer, "ed25519", "sign", "never"];
    scene.gpg.call(EARLY, &[&locked[..], &add].concat());
    let signer = scene.gpg.public(&scene.signer);
    scene.sealed.write("signer.asc", signer);
    // gpg takes the newest part for signing: the subkey.
    let text = scene.signed_at(EARLY, &scene.signer, &["--textmode"]);
    scene.sealed.takes(FILE, &text, 5);
}

#[test]
fn openpgp_file_without_the_signature_that_is_asked_for_is_refused() {
    let Some(scene) = Scene::new(CURVE, "never") else {
        return;
    };
    let file = scene.gpg.encrypted(&scene.to, &[], &roster(5));
    scene.sealed.refuses(
        FILE,
        &file,
        &["there is none", "decrypt.verify_with asks for one"],
    );
    scene.recovers();
}

#[test]
fn openpgp_signature_by_a_stranger_is_refused() {
    let Some(scene) = Scene::new(CURVE, "never") else {
        return;
    };
    let stranger = scene.gpg.usual_key();
    let by = format!("it is by {}, and none of the keys", &stranger[24..]);
    scene.sealed.refuses(FILE, &scene.signed(&stranger), &[&by]);
    // Of two signatures, one is enough.
    let both = scene.signed_at(EARLY, &stranger, &["--local-user", &scene.signer]);
    scene.sealed.takes("roster_20261122.csv.gpg", &both, 5);
}

#[test]
fn openpgp_signature_by_a_key_that_expired_or_was_revoked_is_refused() {
    let Some(scene) = Scene::new(CURVE, "2026-11-10") else {
        return;
    };
    let file = scene.signed(&scene.signer);
    scene
        .sealed
        .refuses(FILE, &file, &["expired on 2026-11-10"]);
    let checked = scene.sealed.company.run(&["check", "--offline"]).exits(4);
    checked
        .says("may sign at this time")
        .says("expired on 2026-11-10");

    let Some(scene) = Scene::new(CURVE, "never") else {
        return;
    };
    let file = scene.signed(&scene.signer);
    scene.gpg.revoke(&scene.signer);
    let revoked = scene.gpg.public(&scene.signer);
    scene.sealed.write("signer.asc", revoked);
    scene.sealed.refuses(FILE, &file, &["was revoked"]);
    let checked = scene.sealed.company.run(&["check", "--offline"]).exits(4);
    checked.says("was revoked");
}

#[test]
fn openpgp_signature_that_expired_or_is_of_the_future_or_uses_sha_1_is_refused() {
    let Some(scene) = Scene::new(CURVE, "never") else {
        return;
    };
    let short = ["--default-sig-expire", "2d"];
    let file = scene.signed_at(EARLY, &scene.signer, &short);
    scene
        .sealed
        .refuses(FILE, &file, &["expired on 2026-11-03"]);
    let file = scene.signed_at("20261201T080000", &scene.signer, &[]);
    scene
        .sealed
        .refuses(FILE, &file, &["which is in the future"]);
    let Some(scene) = Scene::new(("rsa2048", "rsa2048"), "never") else {
        return;
    };
    let weak = ["--digest-algo", "SHA1"];
    let file = scene.signed_at(EARLY, &scene.signer, &weak);
    scene.sealed.refuses(FILE, &file, &["uses a broken digest"]);
    scene.recovers();
}

#[test]
fn openpgp_signer_that_renewed_its_key_counts_again_with_the_new_public_key() {
    let Some(scene) = Scene::new(CURVE, "2026-11-10") else {
        return;
    };
    let renew = [
        "--passphrase",
        "",
        "--quick-set-expire",
        &scene.signer,
        "2027-11-10",
    ];
    scene.gpg.call("20261105T080000", &renew);
    let renewed = scene.gpg.public(&scene.signer);
    let file = scene.signed(&scene.signer);
    scene
        .sealed
        .refuses(FILE, &file, &["expired on 2026-11-10"]);
    scene.sealed.write("signer.asc", renewed);
    scene.recovers();
}

#[test]
fn openpgp_delivery_that_was_signed_before_the_last_one_or_long_ago_is_refused_under_any_name() {
    let Some(mut scene) = Scene::new(CURVE, "never") else {
        return;
    };
    let signed = |scene: &Scene, time: &str| scene.signed_at(time, &scene.signer, &[]);
    let old = signed(&scene, EARLY);
    let new = signed(&scene, "20261121T080000");
    scene.sealed.takes(FILE, &new, 5);
    let name = "roster_20261122.csv.gpg";
    let says = "was signed at 2026-11-01 08:00:00 UTC, before the one taken last";
    scene.sealed.refuses(name, &old, &[says]);
    let company = &mut scene.sealed.company;
    company.edit("max_age_hours: 100000", "max_age_hours: 72");
    company.edit("signer.asc]", "signer.asc, signer.asc]");
    let stale = signed(&scene, "20261115T080000");
    scene
        .sealed
        .refuses(name, &stale, &["signed at 2026-11-15"]);
}

#[test]
fn openpgp_signer_that_has_expired_beside_a_good_one_is_a_warning() {
    let Some(mut scene) = Scene::new(CURVE, "never") else {
        return;
    };
    let old = scene.gpg.key(CURVE, "2026-11-10", "");
    scene.sealed.write("old.asc", scene.gpg.public(&old));
    let signers = "verify_with: [signer.asc, old.asc]";
    scene
        .sealed
        .company
        .edit("verify_with: [signer.asc]", signers);
    let checked = scene.sealed.company.run(&["check", "--offline"]).exits(0);
    checked.says("WARNING: source headquarters: decrypt.verify_with: No key in");
    scene.recovers();
}
