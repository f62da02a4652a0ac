//! Packets of SFTP, from bytes and to bytes. Any bytes are an answer or an error.

/// Types of packets (section 3).
pub(super) mod kind {
    pub(in super::super) const INIT: u8 = 1;
    pub(in super::super) const VERSION: u8 = 2;
    pub(in super::super) const OPEN: u8 = 3;
    pub(in super::super) const CLOSE: u8 = 4;
    pub(in super::super) const READ: u8 = 5;
    pub(in super::super) const LSTAT: u8 = 7;
    pub(in super::super) const FSTAT: u8 = 8;
    pub(in super::super) const OPENDIR: u8 = 11;
    pub(in super::super) const READDIR: u8 = 12;
    pub(in super::super) const REMOVE: u8 = 13;
    pub(in super::super) const MKDIR: u8 = 14;
    pub(in super::super) const RENAME: u8 = 18;
    pub(in super::super) const STATUS: u8 = 101;
    pub(in super::super) const HANDLE: u8 = 102;
    pub(in super::super) const DATA: u8 = 103;
    pub(in super::super) const NAME: u8 = 104;
    pub(in super::super) const ATTRS: u8 = 105;
}

/// `SSH_FX_EOF` (section 7).
pub(super) const EOF: u32 = 1;
/// `SSH_FX_NO_SUCH_FILE`.
const NO_SUCH_FILE: u32 = 2;

/// More names than this come in no packet.
const MOST_NAMES: u32 = 200_000;

/// Why a server does not answer as it should.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum WireError {
    #[error("the server has closed the connection")]
    Closed,
    #[error("the server has said nothing for {0} seconds")]
    Silent(u64),
    #[error("what the server sends is not SFTP ({0})")]
    Garbage(&'static str),
    #[error("the server says: {}", words(*.0))]
    Status(u32),
}

impl WireError {
    /// Whether the server says that there is no such file.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Status(NO_SUCH_FILE))
    }
}

/// What a status means, in our words: those of the server could be anything.
fn words(status: u32) -> String {
    match status {
        EOF => "the end was reached".to_owned(),
        NO_SUCH_FILE => "no such file or folder".to_owned(),
        3 => "permission denied".to_owned(),
        4 => "failure".to_owned(),
        5 => "bad message".to_owned(),
        8 => "it does not do that".to_owned(),
        other => format!("status {other}"),
    }
}

/// What a server tells of a file. It may leave out anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Attrs {
    pub(super) size: Option<u64>,
    /// As in `st_mode`.
    pub(super) mode: Option<u32>,
    /// Seconds since 1970.
    pub(super) modified: Option<u32>,
}

/// A file as it is listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: Vec<u8>,
    /// As `ls -l` shows it, in whatever form.
    pub(super) long: Vec<u8>,
    pub(super) attrs: Attrs,
}

/// What a server answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Status(u32),
    Handle(Vec<u8>),
    Data(Vec<u8>),
    Names(Vec<Named>),
    Attrs(Attrs),
}

/// The number of a request, by which its answer is known.
pub(super) type Id = u32;

/// An answer, and the number of the request that it is to.
pub(super) fn read_answer(packet: &[u8]) -> Result<(Id, Answer), WireError> {
    let mut fields = Fields(packet);
    let kind = fields.byte()?;
    let id = fields.number()?;
    let answer = match kind {
        kind::STATUS => Answer::Status(fields.number()?),
        kind::HANDLE => Answer::Handle(fields.text()?.to_vec()),
        kind::DATA => Answer::Data(fields.text()?.to_vec()),
        kind::ATTRS => Answer::Attrs(fields.attrs()?),
        kind::NAME => {
            let count = fields.number()?;
            if count > MOST_NAMES {
                return Err(WireError::Garbage("more names at once than a folder has"));
            }
            let mut names = Vec::new();
            for _ in 0..count {
                names.push(Named {
                    name: fields.text()?.to_vec(),
                    long: fields.text()?.to_vec(),
                    attrs: fields.attrs()?,
                });
            }
            Answer::Names(names)
        }
        _ => return Err(WireError::Garbage("a packet of an unknown kind")),
    };
    Ok((id, answer))
}

/// A packet that is put together, with room for its length.
pub(super) struct Packet(pub(super) Vec<u8>);

impl Packet {
    pub(super) fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind])
    }

    pub(super) fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    pub(super) fn text(&mut self, bytes: &[u8]) {
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend(bytes);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// What is left of a packet.
pub(super) struct Fields<'p>(pub(super) &'p [u8]);

impl<'p> Fields<'p> {
    fn take(&mut self, count: usize) -> Result<&'p [u8], WireError> {
        let cut = self.0.split_at_checked(count);
        let (taken, left) = cut.ok_or(WireError::Garbage("a packet that is cut short"))?;
        self.0 = left;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn number(&mut self) -> Result<u32, WireError> {
        let bytes = self.take(4)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn text(&mut self) -> Result<&'p [u8], WireError> {
        let length = self.number()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Section 5: a word says which values follow.
    fn attrs(&mut self) -> Result<Attrs, WireError> {
        let has = self.number()?;
        let mut attrs = Attrs::default();
        if has & 1 != 0 {
            let high = u64::from(self.number()?);
            attrs.size = Some(high << 32 | u64::from(self.number()?));
        }
        if has & 2 != 0 {
            self.take(8)?;
        }
        if has & 4 != 0 {
            attrs.mode = Some(self.number()?);
        }
        if has & 8 != 0 {
            self.take(4)?;
            attrs.modified = Some(self.number()?);
        }
        if has & 0x8000_0000 != 0 {
            for _ in 0..self.number()? {
                self.text()?;
                self.text()?;
            }
        }
        Ok(attrs)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_are_read_whatever_the_server_leaves_out() {
        let all = [
            &0x8000_000F_u32.to_be_bytes()[..],
            &5_000_000_000_u64.to_be_bytes(),
            &[0; 8],
            &0o100_644_u32.to_be_bytes(),
            &1_u32.to_be_bytes(),
            &2_u32.to_be_bytes(),
            &1_u32.to_be_bytes(),
            &[0, 0, 0, 1, b'k', 0, 0, 0, 0],
        ];
        let whole = Attrs {
            size: Some(5_000_000_000),
            mode: Some(0o100_644),
            modified: Some(2),
        };
        let bytes = all.concat();
        let mut fields = Fields(&bytes);
        assert_eq!(fields.attrs().unwrap(), whole);
        assert!(fields.0.is_empty());
        assert_eq!(Fields(&[0; 4]).attrs().unwrap(), Attrs::default());
        assert!(Fields(&bytes[..bytes.len() - 1]).attrs().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_answer(&bytes);
        }
    }
}
