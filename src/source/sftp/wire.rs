//! The part of SFTP that a source needs: version 3 of the protocol (draft-ietf-secsh-filexfer-02), which every server speaks.
//!
//! It is written here because names and handles are bytes: the crates that there are take them for text, so that a handle of a server that numbers them in binary
//! comes back as another one. Everything that a server sends has a limit, and nothing is set aside for what it only announces.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::{Duration, timeout};

use super::packet::{Answer, Attrs, EOF, Fields, Id, Named, Packet, WireError, kind, read_answer};

/// The version that is spoken here.
const VERSION: u32 = 3;
/// `SSH_FXF_READ` (section 6.3).
const FOR_READING: u32 = 1;
/// Answers but listings are this small; OpenSSH sends at most 256 KiB.
const MOST_PACKET: u64 = 256 << 10;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
