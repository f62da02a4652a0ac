//! Secrets: where the configuration says they are, and the value itself in a type that does not print.
//!
//! A secret never stands in the YAML file. It comes from an environment variable, a file, or a systemd credential.

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use deserr::{Deserr, IntoValue, Map as _, Value, ValuePointerRef};
use serde::Serialize;
use zeroize::Zeroizing;

use super::problem::Problems;

/// A key file that is larger is none.
const MOST_BYTES: u64 = 1 << 20;

/// Where a secret is to be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file whose whole content, without the line end, is the secret.
    File(PathBuf),
    /// A systemd credential (`LoadCredential=`), found below `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// A secret value. `Debug` and `Display` print no part of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A secret that is no line of text, such as a key file. `Debug` prints no part of it, and its memory is overwritten in the end.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// The bytes, for the one place that reads a key from them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Why a secret could not be read. The message names the place and never the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or not text.
    #[error(
        "The environment variable {0} is not set; set it for this program, or write file: or credential: instead"
    )]
    Env(String),
    /// The file cannot be read.
    #[error(
        "The secret file {path} cannot be read ({cause}); check that it exists and that this user may read it"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Not started by systemd with this credential.
    #[error(
        "The systemd credential {0} is not here; it is visible to the service only: set LoadCredential={0}:/path in the unit, or use env: or file: for runs by hand"
    )]
    Credential(String),
    /// There, but empty.
    #[error("The secret at {0} is empty")]
    Empty(String),
    /// More than one line, or characters that a header cannot carry.
    #[error(
        "The secret at {0} holds a line break or a control character; it must be one line of text"
    )]
    Unprintable(String),
}

impl SecretRef {
    /// Reads the secret.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let value = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
            Self::File(path) => read_file(path)?,
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| SecretError::Credential(name.clone()))?;
                read_file(&Path::new(&folder).join(name))
                    .map_err(|_| SecretError::Credential(name.clone()))?
            }
        };
        let value = value.trim_end_matches(['\r', '\n']);
        if value.trim().is_empty() {
            return Err(SecretError::Empty(self.to_string()));
        }
        if value.chars().any(char::is_control) {
            return Err(SecretError::Unprintable(self.to_string()));
        }
        Ok(Secret::new(value))
    }

    /// Reads a secret of several lines or of no text at all, as it stands.
    pub fn read_bytes(&self) -> Result<SecretBytes, SecretError> {
        use std::os::unix::ffi::OsStringExt as _;
        let bytes = match self {
            Self::Env(name) => {
                let value = std::env::var_os(name).ok_or_else(|| SecretError::Env(name.clone()))?;
                Zeroizing::new(value.into_vec())
            }
            Self::File(path) => whole_file(path)?,
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| SecretError::Credential(name.clone()))?;
                whole_file(&Path::new(&folder).join(name))
                    .map_err(|_| SecretError::Credential(name.clone()))?
            }
        };
        if bytes.trim_ascii().is_empty() {
            return Err(SecretError::Empty(self.to_string()));
        }
        Ok(SecretBytes(bytes))
    }

    /// What its file looks like, so that it shows when another secret was put there. `None` where it is not in a file, or that is not there.
    pub fn looks(&self) -> Option<String> {
        let metadata = std::fs::metadata(self.path()?).ok()?;
        let (at, nanos) = (metadata.mtime(), metadata.mtime_nsec());
        let (size, inode) = (metadata.len(), metadata.ino());
        Some(format!("{inode} {size} {at}.{nanos}"))
    }

    /// Whether every user of this machine may read it.
    pub fn is_open_to_all(&self) -> bool {
        let metadata = self.path().and_then(|path| std::fs::metadata(path).ok());
        metadata.is_some_and(|metadata| metadata.mode() & 0o004 != 0)
    }

    fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Env(_) => None,
            Self::File(path) => Some(path.clone()),
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY")?;
                Some(Path::new(&folder).join(name))
            }
        }
    }

    /// Whether systemd hands it to the unit, as it is when the unit starts.
    pub fn is_of_unit(&self) -> bool {
        matches!(self, Self::Credential(_))
    }

    /// Whether only a process that systemd started can read it.
    pub fn needs_unit(&self) -> bool {
        self.is_of_unit() && std::env::var_os("CREDENTIALS_DIRECTORY").is_none()
    }
}

/// A file in memory that is overwritten in the end; a growing buffer would leave copies behind.
fn whole_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let failed = |cause| SecretError::File {
        path: path.to_owned(),
        cause,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len().min(MOST_BYTES);
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(size).unwrap_or_default() + 1,
    ));
    file.take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 == MOST_BYTES {
        let large = "it is larger than any key";
        return Err(failed(std::io::Error::other(large)));
    }
    Ok(bytes)
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    std::fs::read_to_string(path).map_err(|cause| SecretError::File {
        path: path.to_owned(),
        cause,
    })
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env: {name}"),
            Self::File(path) => write!(f, "file: {}", path.display()),
            Self::Credential(name) => write!(f, "credential: {name}"),
        }
    }
}

const HOW: &str =
    "A secret does not stand in this file; write {env: NAME}, {file: /path} or {credential: name}";

impl Deserr<Problems> for SecretRef {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        let Value::Map(map) = value else {
            return Err(Problems::one(at, HOW));
        };
        if map.len() != 1 {
            return Err(Problems::one(at, HOW));
        }
        let (key, value) = map
            .into_iter()
            .next()
            .ok_or_else(|| Problems::one(at, HOW))?;
        let Value::String(word) = value.into_value() else {
            return Err(Problems::one(at, HOW));
        };
        let plain = |extra: &str| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        // Anything but the usual form of a variable's name may be the secret itself.
        let variable = plain("_")
            && !word.starts_with(|c: char| c.is_ascii_digit())
            && word == word.to_uppercase();
        match key.as_str() {
            "file" if !word.is_empty() => Ok(Self::File(word.into())),
            "env" if variable => Ok(Self::Env(word)),
            "credential" if plain("_-.") => Ok(Self::Credential(word)),
            "env" => Err(Problems::one(
                at,
                "A secret does not stand in this file; write {env: NAME}, {file: /path} or {credential: name}, and the NAME of a variable in capital letters, digits and _",
            )),
            _ => Err(Problems::one(at, HOW)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_no_part_of_itself() {
        assert_eq!(format!("{:?}", Secret::new("s3cret")), "Secret(redacted)");
    }

    #[test]
    fn a_key_file_keeps_its_lines_and_prints_no_part_of_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, b"geheim\r\n\xFF\n").unwrap();
        let read = SecretRef::File(path.clone()).read_bytes().unwrap();
        assert_eq!(read.expose(), b"geheim\r\n\xFF\n");
        assert_eq!(format!("{read:?}"), "SecretBytes(redacted)");
        std::fs::write(&path, "\n").unwrap();
        let empty = SecretRef::File(path).read_bytes().unwrap_err();
        assert!(matches!(empty, SecretError::Empty(_)));
    }

    #[test]
    fn the_line_end_of_a_secret_file_is_not_part_of_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "geheim\r\n").unwrap();
        assert_eq!(
            SecretRef::File(path.clone()).read().unwrap().expose(),
            "geheim"
        );
        std::fs::write(&path, "zwei\nZeilen\n").unwrap();
        let error = SecretRef::File(path).read().unwrap_err();
        assert!(matches!(error, SecretError::Unprintable(_)));
        assert!(!error.to_string().contains("zwei"));
    }
}
