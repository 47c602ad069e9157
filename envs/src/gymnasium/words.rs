//! What environments print: kept within bounds, with its warnings apart.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ChildStderr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Bytes that are kept of the beginning of what is printed.
const HEAD: u64 = 512 << 10;

/// Bytes that are kept of its end.
const TAIL: usize = 64 << 10;

/// Bytes of what one child printed last, for the message about its death.
const LAST_WORDS: usize = 4000;

/// Bytes of a line at most: a longer one is broken.
const LINE: usize = 4096;

/// Different warnings that are told of.
const WARNINGS: usize = 20;

/// What the environments of a run print, to standard output or error: all children of settings
/// that were cloned from each other print into one.
#[derive(Debug, Clone, Default)]
pub struct Printed(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// Where all goes, once that is known.
    path: Option<PathBuf>,
    /// The open file, from its first line on.
    file: Option<File>,
    /// The beginning, as long as there is no file.
    waiting: Vec<u8>,
    n_head: u64,
    tail: VecDeque<u8>,
    n_left_out: u64,
    told: BTreeSet<String>,
    warnings: Vec<String>,
}

impl PartialEq for Printed {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Printed {
    /// Appends what was printed so far, and what will be, to a file: half a mebibyte of its
    /// beginning, and of its end 64 kibibytes. A file that is not there is made with a first line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut kept = self.lock();
        kept.path = Some(path.to_owned());
        // Of a run that goes on there is one.
        if path.exists() || !kept.waiting.is_empty() { kept.write() } else { Ok(()) }
    }

    /// Warnings that were not told of yet, each once however often it is printed; few enough
    /// for a screen.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().warnings)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, its end included.
    fn push(&self, line: &str) {
        self.lock().push(line);
    }
}

impl Kept {
    /// Writes what waits, where it is known where.
    fn write(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        if self.file.is_none() {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            self.n_head += file.metadata()?.len();
            self.file = Some(file);
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(&waiting))
    }

    fn push(&mut self, line: &str) {
        let n = line.len() as u64;
        if self.n_head + n <= HEAD && self.tail.is_empty() {
            self.n_head += n;
            self.waiting.extend_from_slice(line.as_bytes());
            // A disk that is full has no room for the words of environments either.
            let _ = self.write();
        } else {
            self.tail.extend(line.as_bytes());
            while self.tail.len() > TAIL {
                // Whole lines.
                let end = self.tail.iter().position(|&byte| byte == b'\n').map_or(self.tail.len(), |end| end + 1);
                self.n_left_out += self.tail.drain(..end).len() as u64;
            }
        }
        let line = line.trim_end();
        if is_warning(line) && self.told.len() <= WARNINGS && self.told.insert(line.to_owned()) {
            let is_last = self.told.len() > WARNINGS;
            self.warnings.push(if is_last { "there are more warnings".to_owned() } else { shortened(line) });
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(file) = &mut self.file else { return };
        if self.n_left_out > 0 {
            let _ = writeln!(file, "[... {} bytes left out ...]", self.n_left_out);
        }
        let _ = file.write_all(self.tail.make_contiguous());
    }
}

/// Whether a line looks like those of Python's `warnings`, Gymnasium's logger or a simulator.
fn is_warning(line: &str) -> bool {
    let lower = line.to_lowercase();
    lower.contains("warning:") || lower.starts_with("warn:") || lower.starts_with("[warn")
}

fn shortened(line: &str) -> String {
    const MOST: usize = 400;
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

/// A text without the codes that color it on a terminal.
pub fn plain(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            plain.push(c);
            continue;
        }
        match rest.next() {
            // Parameters, and a letter that ends them.
            Some('[') => drop(rest.find(|c| ('@'..='~').contains(c))),
            // A title or a link, up to a bell or another escape.
            Some(']') => drop(rest.find(|c| matches!(c, '\u{7}' | '\\'))),
            _ => {}
        }
    }
    plain
}

/// Reads what a child prints for as long as it lives, helpers that outlive it notwithstanding.
#[derive(Debug)]
pub struct Listener {
    /// Closed, it wakes the thread, which reads what is there and ends.
    bell: UnixStream,
    thread: JoinHandle<Vec<u8>>,
}

impl Listener {
    /// Starts to listen.
    pub fn start(stderr: ChildStderr, printed: Printed) -> io::Result<Self> {
        let (bell, ring) = UnixStream::pair()?;
        // SAFETY: fcntl sets a flag of a descriptor that is ours.
        if unsafe { libc::fcntl(stderr.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let thread = std::thread::spawn(move || listen(stderr, &ring, &printed));
        Ok(Listener { bell, thread })
    }

    /// What the child, which has ended, printed last.
    pub fn finish(self) -> String {
        drop(self.bell);
        let words = self.thread.join().unwrap_or_default();
        plain(&String::from_utf8_lossy(&words)).trim().to_owned()
    }
}

/// Reads until the end, or when the bell rings, until nothing is left to read.
fn listen(mut stderr: ChildStderr, ring: &UnixStream, printed: &Printed) -> Vec<u8> {
    // What a helper prints without an end, while we end.
    const MOST_AFTER: usize = 1 << 20;
    let (mut words, mut line, mut n_after) = (Vec::new(), Vec::new(), 0);
    let mut buffer = [0; 4096];
    let mut has_rung = false;
    loop {
        match stderr.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                words.extend_from_slice(&buffer[..n]);
                words.drain(..words.len().saturating_sub(LAST_WORDS));
                take_lines(&buffer[..n], &mut line, printed);
                n_after += if has_rung { n } else { 0 };
                if n_after > MOST_AFTER {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if has_rung {
                    break;
                }
                has_rung = wait_for([stderr.as_raw_fd(), ring.as_raw_fd()]);
            }
            Err(_) => break,
        }
    }
    if !line.is_empty() {
        take_lines(b"\n", &mut line, printed);
    }
    words
}

/// Hands over the lines that end in `bytes`; `line` is the beginning of one.
fn take_lines(bytes: &[u8], line: &mut Vec<u8>, printed: &Printed) {
    for part in bytes.split_inclusive(|&byte| byte == b'\n') {
        line.extend_from_slice(part);
        if line.ends_with(b"\n") || line.len() >= LINE {
            let mut text = plain(&String::from_utf8_lossy(line));
            if !text.ends_with('\n') {
                text.push('\n');
            }
            printed.push(&text);
            line.clear();
        }
    }
}

/// Waits until one of two descriptors has something; whether it is the second.
fn wait_for(descriptors: [RawFd; 2]) -> bool {
    let mut polled = descriptors.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    // SAFETY: the pointer is to two such structures, of descriptors that are open.
    unsafe {
        libc::poll(polled.as_mut_ptr(), 2, -1);
    }
    polled[1].revents != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(lines: impl Iterator<Item = String>) -> (Printed, Vec<String>) {
        let printed = Printed::default();
        lines.for_each(|line| printed.push(&(line + "\n")));
        let warnings = printed.take_warnings();
        (printed, warnings)
    }

    #[test]
    fn colors_are_left_out() {
        assert_eq!(plain("\u{1b}[33mWARN: \u{1b}[1;31mfoot\u{1b}[0m stuck"), "WARN: foot stuck");
        assert_eq!(plain("\u{1b}]8;;http://x\u{1b}\\ä\u{1b}"), "ä");
    }

    #[test]
    fn a_warning_is_told_once_and_floods_are_not() {
        let (printed, warnings) = filled((0..100).map(|_| "/a.py:3: UserWarning: unstable".to_owned()));
        assert_eq!(warnings, ["/a.py:3: UserWarning: unstable"]);
        printed.push("/a.py:3: UserWarning: unstable\n");
        printed.push("all is well\n");
        assert!(printed.take_warnings().is_empty());
        let (_, warnings) = filled((0..100).map(|i| format!("WARN: {i}")));
        assert_eq!(warnings.len(), WARNINGS + 1);
    }

    #[test]
    fn beginning_and_end_are_kept_whole_and_the_rest_is_counted() {
        let folder = std::env::temp_dir().join(format!("egn-printed-{}", std::process::id()));
        let n_lines = 200_000;
        let (printed, _) = filled((0..n_lines).map(|i| format!("line {i:06}")));
        printed.write_to(&folder).expect("writable");
        drop(printed);
        let text = std::fs::read_to_string(&folder).expect("text");
        std::fs::remove_file(&folder).expect("removed");
        assert!(text.len() as u64 <= HEAD + TAIL as u64 + 100, "{} bytes", text.len());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.first(), Some(&"line 000000"));
        assert_eq!(lines.last(), Some(&"line 199999"));
        let gap = lines.iter().position(|line| line.starts_with("[...")).expect("a gap");
        let number = |line: &str| line[5..].parse::<usize>().expect("a number");
        let n_left_out = (number(lines[gap + 1]) - number(lines[gap - 1]) - 1) * 12;
        assert_eq!(lines[gap], format!("[... {n_left_out} bytes left out ...]"));
    }
}
