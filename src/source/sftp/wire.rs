//! The part of SFTP that a source needs: version 3 of the protocol (draft-ietf-secsh-filexfer-02), which every server speaks.
//!
//! It is written here because names and handles are bytes: the crates that there are take them for text, so that a handle of a server that numbers them in binary
//! comes back as another one. Everything that a server sends has a limit, and nothing is set aside for what it only announces.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::{Duration, timeout};

/// Types of packets (section 3).
mod kind {
    pub(super) const INIT: u8 = 1;
    pub(super) const VERSION: u8 = 2;
    pub(super) const OPEN: u8 = 3;
    pub(super) const CLOSE: u8 = 4;
    pub(super) const READ: u8 = 5;
    pub(super) const LSTAT: u8 = 7;
    pub(super) const FSTAT: u8 = 8;
    pub(super) const OPENDIR: u8 = 11;
    pub(super) const READDIR: u8 = 12;
    pub(super) const REMOVE: u8 = 13;
    pub(super) const MKDIR: u8 = 14;
    pub(super) const RENAME: u8 = 18;
    pub(super) const STATUS: u8 = 101;
    pub(super) const HANDLE: u8 = 102;
    pub(super) const DATA: u8 = 103;
    pub(super) const NAME: u8 = 104;
    pub(super) const ATTRS: u8 = 105;
}

/// The version that is spoken here.
const VERSION: u32 = 3;
/// `SSH_FX_EOF` (section 7).
const EOF: u32 = 1;
/// `SSH_FX_NO_SUCH_FILE`.
const NO_SUCH_FILE: u32 = 2;
/// `SSH_FXF_READ` (section 6.3).
const FOR_READING: u32 = 1;
/// Answers but listings are this small; OpenSSH sends at most 256 KiB.
const MOST_PACKET: u64 = 256 << 10;

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

/// Speaks to a server.
pub(super) struct Wire<S> {
    stream: BufReader<S>,
    next: Id,
    silence: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Begins to speak. No answer takes longer than `silence`.
    pub(super) async fn open(stream: S, silence: Duration) -> Result<Self, WireError> {
        let mut wire = Self {
            stream: BufReader::with_capacity(64 << 10, stream),
            next: 0,
            silence,
        };
        let mut hello = Packet::new(kind::INIT);
        hello.number(VERSION);
        wire.send(hello.finish()).await?;
        let packet = wire.packet(MOST_PACKET).await?;
        let mut fields = Fields(&packet);
        if fields.byte()? != kind::VERSION {
            return Err(WireError::Garbage("no version"));
        }
        if fields.number()? != VERSION {
            return Err(WireError::Garbage("another version than 3"));
        }
        Ok(wire)
    }

    /// The handle of a folder, for listing it.
    pub(super) async fn open_folder(&mut self, path: &[u8]) -> Result<Vec<u8>, WireError> {
        self.handle(kind::OPENDIR, path, |_| {}).await
    }

    /// The handle of a file, for reading it.
    pub(super) async fn open_file(&mut self, path: &[u8]) -> Result<Vec<u8>, WireError> {
        let for_reading = |packet: &mut Packet| {
            packet.number(FOR_READING);
            // No attributes.
            packet.number(0);
        };
        self.handle(kind::OPEN, path, for_reading).await
    }

    async fn handle(
        &mut self,
        kind: u8,
        path: &[u8],
        more: impl FnOnce(&mut Packet),
    ) -> Result<Vec<u8>, WireError> {
        match self.ask(kind, path, more, MOST_PACKET).await? {
            Answer::Handle(handle) => Ok(handle),
            other => Err(wrong(&other)),
        }
    }

    /// The next files of a folder, in a packet of at most `most` bytes. `None`: there are no more.
    pub(super) async fn more_names(
        &mut self,
        handle: &[u8],
        most: u64,
    ) -> Result<Option<Vec<Named>>, WireError> {
        match self.ask(kind::READDIR, handle, |_| {}, most).await? {
            Answer::Names(names) => Ok(Some(names)),
            Answer::Status(EOF) => Ok(None),
            other => Err(wrong(&other)),
        }
    }

    /// What stands at a path; a link itself and not where it leads.
    pub(super) async fn at_path(&mut self, path: &[u8]) -> Result<Attrs, WireError> {
        self.attrs(kind::LSTAT, path).await
    }

    /// The file of a handle.
    pub(super) async fn at_handle(&mut self, handle: &[u8]) -> Result<Attrs, WireError> {
        self.attrs(kind::FSTAT, handle).await
    }

    async fn attrs(&mut self, kind: u8, of: &[u8]) -> Result<Attrs, WireError> {
        match self.ask(kind, of, |_| {}, MOST_PACKET).await? {
            Answer::Attrs(attrs) => Ok(attrs),
            other => Err(wrong(&other)),
        }
    }

    pub(super) async fn close(&mut self, handle: &[u8]) -> Result<(), WireError> {
        self.order(kind::CLOSE, handle, |_| {}).await
    }

    /// Gives a file another name. What the server does where that is taken differs: look before.
    pub(super) async fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), WireError> {
        self.order(kind::RENAME, from, |packet| packet.text(to))
            .await
    }

    pub(super) async fn remove(&mut self, path: &[u8]) -> Result<(), WireError> {
        self.order(kind::REMOVE, path, |_| {}).await
    }

    pub(super) async fn make_folder(&mut self, path: &[u8]) -> Result<(), WireError> {
        self.order(kind::MKDIR, path, |packet| packet.number(0))
            .await
    }

    async fn order(
        &mut self,
        kind: u8,
        subject: &[u8],
        more: impl FnOnce(&mut Packet),
    ) -> Result<(), WireError> {
        match self.ask(kind, subject, more, MOST_PACKET).await? {
            Answer::Status(0) => Ok(()),
            other => Err(wrong(&other)),
        }
    }

    async fn ask(
        &mut self,
        kind: u8,
        subject: &[u8],
        more: impl FnOnce(&mut Packet),
        most: u64,
    ) -> Result<Answer, WireError> {
        let (id, mut packet) = self.request(kind, subject);
        more(&mut packet);
        self.send(packet.finish()).await?;
        match self.answer(most).await? {
            (of, answer) if of == id => Ok(answer),
            _ => Err(WireError::Garbage("an answer to no question")),
        }
    }

    fn request(&mut self, kind: u8, subject: &[u8]) -> (Id, Packet) {
        self.next = self.next.wrapping_add(1);
        let mut packet = Packet::new(kind);
        packet.number(self.next);
        packet.text(subject);
        (self.next, packet)
    }

    /// Asks for pieces of a file, each by where it begins and how many bytes it has, and waits for none of them. Their numbers, in the same order.
    pub(super) async fn ask_pieces(
        &mut self,
        handle: &[u8],
        pieces: &[(u64, u32)],
    ) -> Result<Vec<Id>, WireError> {
        let (mut all, mut ids) = (Vec::new(), Vec::new());
        for (begin, length) in pieces {
            let (id, mut packet) = self.request(kind::READ, handle);
            packet.0.extend(begin.to_be_bytes());
            packet.number(*length);
            all.extend(packet.finish());
            ids.push(id);
        }
        self.send(all).await?;
        Ok(ids)
    }

    /// The next piece that comes, by the number of its request. `None` in place of its bytes: the file ends before it.
    pub(super) async fn piece(&mut self) -> Result<(Id, Option<Vec<u8>>), WireError> {
        match self.answer(MOST_PACKET).await? {
            (id, Answer::Data(bytes)) => Ok((id, Some(bytes))),
            (id, Answer::Status(EOF)) => Ok((id, None)),
            (_, other) => Err(wrong(&other)),
        }
    }

    async fn answer(&mut self, most: u64) -> Result<(Id, Answer), WireError> {
        let packet = self.packet(most).await?;
        read_answer(&packet)
    }

    async fn send(&mut self, packet: Vec<u8>) -> Result<(), WireError> {
        let stream = self.stream.get_mut();
        let sent = async {
            stream.write_all(&packet).await?;
            stream.flush().await
        };
        match timeout(self.silence, sent).await {
            Ok(sent) => sent.map_err(|_| WireError::Closed),
            Err(_) => Err(WireError::Silent(self.silence.as_secs())),
        }
    }

    /// The next packet, without its length.
    async fn packet(&mut self, most: u64) -> Result<Vec<u8>, WireError> {
        let mut length = [0; 4];
        self.fill(&mut length).await?;
        let length = u64::from(u32::from_be_bytes(length));
        if length == 0 || length > most {
            return Err(WireError::Garbage("a packet of a wrong size"));
        }
        // It grows with what comes: what is announced may never come.
        let mut packet = Vec::new();
        while (packet.len() as u64) < length {
            let begin = packet.len();
            let left = usize::try_from(length).unwrap_or(usize::MAX) - begin;
            packet.resize(begin + left.min(64 << 10), 0);
            self.fill(&mut packet[begin..]).await?;
        }
        Ok(packet)
    }

    async fn fill(&mut self, bytes: &mut [u8]) -> Result<(), WireError> {
        match timeout(self.silence, self.stream.read_exact(bytes)).await {
            Ok(read) => read.map(|_| ()).map_err(|_| WireError::Closed),
            Err(_) => Err(WireError::Silent(self.silence.as_secs())),
        }
    }
}

fn wrong(answer: &Answer) -> WireError {
    match answer {
        Answer::Status(status) if *status != 0 => WireError::Status(*status),
        _ => WireError::Garbage("an answer of another kind"),
    }
}

fn read_answer(packet: &[u8]) -> Result<(Id, Answer), WireError> {
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
struct Packet(Vec<u8>);

impl Packet {
    fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind])
    }

    fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    fn text(&mut self, bytes: &[u8]) {
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend(bytes);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// What is left of a packet.
struct Fields<'p>(&'p [u8]);

impl<'p> Fields<'p> {
    fn take(&mut self, count: usize) -> Result<&'p [u8], WireError> {
        let cut = self.0.split_at_checked(count);
        let (taken, left) = cut.ok_or(WireError::Garbage("a packet that is cut short"))?;
        self.0 = left;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, WireError> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u32, WireError> {
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

    #[tokio::test]
    async fn what_is_announced_and_never_comes_ends_as_a_silence() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        theirs.write_all(&[0, 3, 0, 0, 2]).await.unwrap();
        let opened = Wire::open(ours, Duration::from_millis(50)).await;
        assert!(matches!(opened, Err(WireError::Silent(_))));
        let (ours, mut theirs) = tokio::io::duplex(1024);
        theirs.write_all(&[0xFF; 4]).await.unwrap();
        let opened = Wire::open(ours, Duration::from_secs(5)).await;
        assert!(matches!(opened, Err(WireError::Garbage(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_answer(&bytes);
        }
    }
}
