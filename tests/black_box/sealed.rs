//! A company whose files come encrypted, after its first push; and what it takes to run the program on one more file.

use std::path::PathBuf;

use crate::scene::tells_nothing_personal;
use crate::support::{Company, JobTicket, NOW, Ran, people, table};

/// A company of five people that JobTicket has acknowledged. Its private key is the file `private`; the public key of who signs, `signer`.
pub(crate) struct Sealed {
    pub(crate) jobticket: JobTicket,
    pub(crate) company: Company,
}

/// A roster of so many people.
pub(crate) fn roster(count: usize) -> Vec<u8> {
    table(&people(count)).into_bytes()
}

impl Sealed {
    /// With this private key, and further keys under `decrypt`, such as `, passphrase: {env: X}`. Files end in `.csv` and this.
    pub(crate) fn new(private: &[u8], further: &str, ending: &str) -> Self {
        Self::at(NOW, private, further, ending)
    }

    /// The same at another time, here and at JobTicket.
    pub(crate) fn at(now: &str, private: &[u8], further: &str, ending: &str) -> Self {
        let jobticket = JobTicket::with_clock("{}", Some(now));
        let mut company = Company::at(&jobticket);
        company.now = now.to_owned();
        std::fs::write(company.path("private"), private).unwrap();
        company.source +=
            &format!("        decrypt: {{private_key: {{file: private}}{further}}}\n");
        company.edit(
            "{name_date: \"roster_%Y%m%d.csv\"}",
            &format!("{{name_date: \"roster_%Y%m%d.csv{ending}\"}}"),
        );
        Self { jobticket, company }
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.company.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A file of this day goes through, and JobTicket has so many people.
    #[track_caller]
    pub(crate) fn takes(&self, name: &str, bytes: &[u8], count: usize) -> Ran {
        self.company.deliver(name, bytes);
        let ran = self.company.run_now().exits(0).says("Pushed");
        assert_eq!(self.jobticket.active().len(), count);
        ran
    }

    /// A file of this day fails the source, with these words; nobody is changed, nothing is sent, and nothing personal is told.
    #[track_caller]
    pub(crate) fn refuses(&self, name: &str, bytes: &[u8], says: &[&str]) {
        let before = (self.jobticket.pushes().len(), self.jobticket.active());
        self.company.deliver(name, bytes);
        let mut ran = self.company.run_now().exits(4);
        for text in says {
            ran = ran.says(text);
        }
        tells_nothing_personal(&ran);
        let after = (self.jobticket.pushes().len(), self.jobticket.active());
        assert_eq!(before, after, "something reached JobTicket");
    }
}
