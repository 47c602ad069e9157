//! A log: appended to while its run goes on, and cut back to where a checkpoint saw it
//! when it is gone on with.
//!
//! *Design.* A checkpoint holds length and digest of every log. A log that no longer begins with
//! those very bytes is refused: what would be appended to it is the end of another record.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use egn_solver::Digest;

use crate::record::error::RecordError;

/// Length of a log and the digest of its bytes, as a checkpoint has them.
pub type Mark = [u64; 2];

/// A log on disk.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    length: u64,
    digest: Digest,
}

impl LogFile {
    /// An empty log, in place of any that was there.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn create(path: PathBuf) -> Result<Self, RecordError> {
        let file = File::create(&path).map_err(|source| RecordError::io("create", &path, source))?;
        Ok(Self { path, file, length: 0, digest: Digest::default() })
    }

    /// A log as it was at a checkpoint. What came after is still there until [`LogFile::cut`].
    ///
    /// # Errors
    /// [`RecordError::Changed`] when it is missing or does not begin as it
    /// did; [`RecordError::Io`].
    pub fn reopen(path: PathBuf, [length, expected]: Mark) -> Result<Self, RecordError> {
        let changed = |problem: String| RecordError::Changed { path: path.clone(), problem };
        let file = match File::options().read(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(changed("it is missing".to_owned())),
            Err(source) => return Err(RecordError::io("go on with", &path, source)),
        };
        let (found, digest) =
            digest_of((&file).take(length)).map_err(|source| RecordError::io("read", &path, source))?;
        if found < length {
            return Err(changed(format!("it is shorter than the {length} bytes that the checkpoint saw")));
        }
        if digest.value() != expected {
            return Err(changed(format!("its first {length} bytes are not those that the checkpoint saw")));
        }
        Ok(Self { path, file, length, digest })
    }

    /// Removes what a log that was reopened has beyond its checkpoint.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn cut(&self) -> Result<(), RecordError> {
        self.file.set_len(self.length).map_err(|source| RecordError::io("go on with", &self.path, source))
    }

    /// How far the log has come, all of it being on the disk.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn mark(&self) -> Result<Mark, RecordError> {
        self.file.sync_all().map_err(|source| RecordError::io("write", &self.path, source))?;
        Ok([self.length, self.digest.value()])
    }

    /// The path of the log.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.digest.add(&bytes[..n]);
        self.length += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Number and digest of all bytes of `source`.
fn digest_of(mut source: impl Read) -> io::Result<(u64, Digest)> {
    let (mut length, mut digest, mut buffer) = (0, Digest::default(), [0; 1 << 13]);
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok((length, digest)),
            n => {
                digest.add(&buffer[..n]);
                length += n as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_on_only_where_it_begins_as_it_did() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = LogFile::create(path.clone()).unwrap();
        log.write_all(b"one\ntwo\n").unwrap();
        let mark = log.mark().unwrap();
        log.write_all(b"three\n").unwrap();

        let again = LogFile::reopen(path.clone(), mark).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\nthree\n", "nothing is cut yet");
        again.cut().unwrap();
        let mut again = LogFile::reopen(path.clone(), mark).unwrap();
        again.write_all(b"3\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n3\n");
        LogFile::reopen(path.clone(), again.mark().unwrap()).unwrap();

        let refused = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            LogFile::reopen(path.clone(), mark).unwrap_err().to_string()
        };
        for i in 0..8 {
            let mut edited = b"one\ntwo\n3\n".to_vec();
            edited[i] ^= 1;
            assert!(refused(&edited).contains("its first 8 bytes are not those"));
        }
        assert!(refused(b"one\ntwo").contains("shorter than the 8 bytes"));
        std::fs::remove_file(&path).unwrap();
        let said = LogFile::reopen(path.clone(), mark).unwrap_err().to_string();
        assert!(said.contains("log: it is missing") && said.contains("--force begins anew"), "{said}");
        assert!(!path.exists());
    }
}
