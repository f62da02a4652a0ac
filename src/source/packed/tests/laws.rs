//! Whatever happens to a packed file on its way, it never turns into a shorter roster.

use proptest::prelude::*;

use super::*;

/// Every form in which a roster can come, with a source that takes it.
fn forms() -> Vec<(&'static str, Vec<u8>, Ours)> {
    let open = || {
        let mut ours = Ours::with(&OURS);
        ours.source.decrypt = None;
        ours
    };
    let form = |compression, signed, aead, armored| {
        let made = Made {
            compression,
            signed,
            aead,
            armored,
            anonymous: false,
        };
        made.of(&ROSTER, &OURS)
    };
    let zlib = Some(CompressionAlgorithm::ZLIB);
    vec![
        ("roster.csv.gz", packed_with_gzip(&ROSTER), open()),
        ("roster.zip", archive_of("roster.csv", &ROSTER), open()),
        (
            "roster.gpg",
            form(zlib, true, false, false),
            Ours::with(&OURS).demanding(&SENDERS),
        ),
        (
            "roster.gpg",
            form(None, false, false, false),
            Ours::with(&OURS),
        ),
        (
            "roster.gpg",
            form(None, false, true, false),
            Ours::with(&OURS),
        ),
        (
            "roster.asc",
            form(zlib, false, false, true),
            Ours::with(&OURS),
        ),
        (
            "roster.zip.gpg",
            Made::default().of(&archive_of("roster.csv", &ROSTER), &OURS),
            Ours::with(&OURS),
        ),
    ]
}

static FORMS: LazyLock<Vec<(&'static str, Vec<u8>, Ours)>> = LazyLock::new(forms);

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// A file that was cut anywhere is no roster, least of all a shorter one.
    #[test]
    fn a_packed_file_cut_anywhere_is_refused(form in 0..7usize, cut: prop::sample::Index, from_end: bool) {
        let (name, whole, ours) = &FORMS[form];
        // Half of the cuts fall into the last bytes, where the ends of the layers stand.
        let length = if from_end {
            whole.len() - 1 - cut.index(100)
        } else {
            cut.index(whole.len())
        };
        // The line end behind the armor may go.
        let whole_but_blanks = whole.trim_ascii_end().len();
        if length < whole_but_blanks || !whole.starts_with(b"-----") {
            prop_assert!(ours.unpack(&whole[..length], name).is_err(), "{name} cut to {length} of {}", whole.len());
        }
    }

    /// A flipped byte makes the file useless, or changes nothing of the roster.
    #[test]
    fn a_packed_file_with_a_changed_byte_is_refused_or_whole(form in 0..7usize, at: prop::sample::Index, change in 1..=255u8) {
        let (name, whole, ours) = &FORMS[form];
        let mut changed = whole.clone();
        let at = at.index(changed.len());
        changed[at] ^= change;
        if let Ok(read) = ours.unpack(changed, name) {
            prop_assert!(read == *ROSTER, "{name} changed at {at}");
        }
    }
}
