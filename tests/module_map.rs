//! The module map in `src/lib.rs` says who may use whom; this reads the sources and holds them to it.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Words in backticks.
fn ticked(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// From the table: what each module may use; `None` is everything.
fn map() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let lib =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut map = BTreeMap::new();
    for line in lib.lines().filter(|line| line.starts_with("//! | `")) {
        let cells: Vec<&str> = line
            .trim_start_matches("//! |")
            .trim_end_matches('|')
            .split('|')
            .collect();
        let [modules, _, uses] = cells[..] else {
            panic!("three cells: {line}")
        };
        let uses = (!uses.contains("everything")).then(|| ticked(uses));
        for module in ticked(modules) {
            map.insert(module, uses.clone());
        }
    }
    map
}

/// The sources of a module: its file, or all files of its folder.
fn sources(at: &Path, found: &mut Vec<String>) {
    if at.is_dir() {
        for entry in std::fs::read_dir(at).unwrap() {
            sources(&entry.unwrap().path(), found);
        }
    } else if at.extension().is_some_and(|extension| extension == "rs") {
        found.push(std::fs::read_to_string(at).unwrap());
    }
}

/// The modules that a source names as `crate::…`, comments aside.
fn used(source: &str) -> BTreeSet<String> {
    let code: Vec<&str> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    code.match_indices("crate::")
        .map(|(at, _)| &code[at + "crate::".len()..])
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn every_module_stands_in_the_map_and_uses_only_what_the_map_allows() {
    let map = map();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(&src).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if module == "lib" {
            continue;
        }
        let uses = map
            .get(&module)
            .unwrap_or_else(|| panic!("`{module}` is missing from the map in src/lib.rs"));
        seen.insert(module.clone());
        let Some(allowed) = uses else { continue };
        let mut texts = Vec::new();
        sources(&path, &mut texts);
        for text in texts {
            for other in used(&text) {
                assert!(
                    other == module || allowed.contains(&other),
                    "`{module}` uses `{other}`, which the map does not allow"
                );
            }
        }
    }
    let told: BTreeSet<String> = map.into_keys().collect();
    assert_eq!(told, seen, "the map names modules that are not there");
}
