//! Reads a configuration file into the tree, and tells every error with its line, key and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};

use super::location::{Place, Places, Step, path_text};
use super::problem::{Problems, kind_name};
use super::{After, Config, Login, SecretRef, SourceType};

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// Which key, such as `integrations[0].sources[0].folder`; empty for the whole file.
    pub key: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("The configuration {path} cannot be read ({cause}); name it with --config FILE")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file says something that cannot be.
    #[error("{}", findings_text(path, findings))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// All of it, by line.
        findings: Vec<Finding>,
    },
}

fn findings_text(path: &Path, findings: &[Finding]) -> String {
    let mut text = match findings.len() {
        1 => "The configuration has an error:".to_owned(),
        count => format!("The configuration has {count} errors:"),
    };
    for finding in findings {
        let Finding {
            place,
            key,
            message,
        } = finding;
        let file = path.display();
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("{key}: ")
        };
        let line = [format!("\n  {file}:{}:{}: ", place.line, place.column), key];
        text.extend(line);
        text.push_str(message);
    }
    text
}

/// The file that a configuration was read from.
#[derive(Debug, Clone, Default)]
pub(crate) struct File {
    path: PathBuf,
    places: Places,
}

impl File {
    pub(super) fn wrong(&self, found: Vec<(usize, &'static str, String)>) -> ConfigError {
        let steps = found.into_iter().map(|(integration, key, message)| {
            let at = vec![
                Step::Key("integrations".to_owned()),
                Step::Index(integration),
                Step::Key("jobticket".to_owned()),
                Step::Key(key.to_owned()),
            ];
            (at, message)
        });
        self.findings(steps)
    }

    pub(super) fn wrong_decrypt(
        &self,
        integration: usize,
        source: usize,
        found: Vec<(&'static str, String)>,
    ) -> ConfigError {
        let steps = found.into_iter().map(|(key, message)| {
            let at = vec![
                Step::Key("integrations".to_owned()),
                Step::Index(integration),
                Step::Key("sources".to_owned()),
                Step::Index(source),
                Step::Key("decrypt".to_owned()),
                Step::Key(key.to_owned()),
            ];
            (at, message)
        });
        self.findings(steps)
    }

    fn findings(&self, found: impl Iterator<Item = (Vec<Step>, String)>) -> ConfigError {
        let findings = found.map(|(at, message)| Finding {
            place: self.places.find(&at),
            key: path_text(&at),
            message,
        });
        ConfigError::Wrong {
            path: self.path.clone(),
            findings: findings.collect(),
        }
    }
}

/// Reads and checks a file.
///
/// # Errors
/// All that is wrong in it, at once. Secrets are not read here: [`SecretRef::read`] does that where they are used.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Read {
        path: path.to_owned(),
        cause,
    })?;
    let folder = std::path::absolute(path)
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned))
        .unwrap_or_else(|| PathBuf::from("."));
    let mut config = parse(&text, &folder).map_err(|findings| ConfigError::Wrong {
        path: path.to_owned(),
        findings,
    })?;
    path.clone_into(&mut config.file.path);
    Ok(config)
}

/// Reads and checks the text of a file whose relative paths are relative to `folder`.
///
/// # Errors
/// All that is wrong in it, by line.
pub fn parse(text: &str, folder: &Path) -> Result<Config, Vec<Finding>> {
    let tree: serde_json::Value = serde_yaml::from_str(text).map_err(|error| {
        let place = error
            .location()
            .map_or(Place { line: 1, column: 1 }, |at| Place {
                line: at.line(),
                column: at.column(),
            });
        vec![Finding {
            place,
            key: String::new(),
            message: format!("This is not YAML as expected here: {}", syntax(&error)),
        }]
    })?;
    let places = Places::of(text);
    let mut findings: Vec<Finding> = places
        .duplicates
        .iter()
        .map(|(pointer, place)| Finding {
            place: *place,
            key: path_text(pointer),
            message: "This key stands here twice; keep one of the two".to_owned(),
        })
        .collect();
    findings.extend(places.odd_numbers.iter().map(|(pointer, place)| Finding {
        place: *place,
        key: path_text(pointer),
        message: "YAML does not read this number as it stands here; write plain digits, or put it in quotes".to_owned(),
    }));
    let finding = |at: &[Step], message: String| Finding {
        place: places.find(at),
        key: path_text(at),
        message,
    };
    let config = match deserr::deserialize::<Config, _, Problems>(tree) {
        Ok(mut config) => {
            resolve(&mut config, folder);
            config.file.places = places.clone();
            Some(config)
        }
        Err(problems) => {
            findings.extend(
                problems
                    .0
                    .into_iter()
                    .map(|problem| finding(&problem.at, problem.message)),
            );
            None
        }
    };
    findings.sort_by_key(|a| a.place);
    findings.dedup();
    match config {
        Some(config) if findings.is_empty() => Ok(config),
        _ => Err(findings),
    }
}

/// The message without the place, which the finding names itself.
fn syntax(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let text = match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    };
    if text.contains("cannot start any token") {
        return format!(
            "{text}; put a text that begins with a sign in quotes, and indent with blanks, not with tabs"
        );
    }
    text
}

/// Makes relative paths absolute.
fn resolve(config: &mut Config, folder: &Path) {
    let absolute = |path: &mut PathBuf| *path = folder.join(&*path).components().collect();
    absolute(&mut config.state_dir);
    config.ledger_dir.iter_mut().for_each(absolute);
    config.control.socket.iter_mut().for_each(absolute);
    config.audit.path.iter_mut().for_each(absolute);
    let channels = config.notify.iter_mut();
    for channel in channels.flat_map(|notify| &mut notify.channels) {
        channel.ca_file.iter_mut().for_each(absolute);
        for secret in channel.secrets_mut() {
            if let SecretRef::File(path) = secret {
                absolute(path);
            }
        }
    }
    for integration in &mut config.integrations {
        integration.hrid_map.iter_mut().for_each(absolute);
        let jobticket = &mut integration.jobticket;
        jobticket.ca_file.iter_mut().for_each(absolute);
        for secret in [&mut jobticket.api_key_id, &mut jobticket.api_key_secret] {
            if let Some(SecretRef::File(path)) = secret {
                absolute(path);
            }
        }
        for source in &mut integration.sources {
            for secret in source
                .auth
                .iter_mut()
                .flatten()
                .flat_map(Login::secrets_mut)
            {
                if let SecretRef::File(path) = secret {
                    absolute(path);
                }
            }
            if let Some(rest) = &mut source.rest {
                rest.ca_file.iter_mut().for_each(absolute);
                for secret in rest.secrets_mut() {
                    if let SecretRef::File(path) = secret {
                        absolute(path);
                    }
                }
                continue;
            }
            if let Some(decrypt) = &mut source.decrypt {
                let secrets = [Some(&mut decrypt.private_key), decrypt.passphrase.as_mut()];
                for secret in secrets.into_iter().flatten() {
                    if let SecretRef::File(path) = secret {
                        absolute(path);
                    }
                }
                let signers = decrypt.verify_with.iter_mut().flatten();
                signers.for_each(absolute);
            }
            if source.kind == SourceType::Sftp {
                // Its folders are the server's.
                continue;
            }
            absolute(&mut source.folder);
            if let After::Archive(path) = &mut source.after {
                absolute(path);
            }
        }
    }
}

impl Deserr<Problems> for PathBuf {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        match value {
            Value::String(path) if !path.is_empty() => Ok(path.into()),
            Value::String(_) => Err(Problems::one(at, "This path is empty")),
            other => Err(Problems::one(
                at,
                format!("Expected a path, found {}", kind_name(other.kind())),
            )),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}: {}: {}",
            self.place.line, self.key, self.message
        )
    }
}
