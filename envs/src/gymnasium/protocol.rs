//! Frames between this process and `child.py`. All numbers are little-endian.
//!
//! | from | frame |
//! |---|---|
//! | child | `H`, observation entries u32, action kind u8 (0 discrete, 1 box), actions or entries u32, time limit u64 (0: none), reward threshold f64 (NaN: none), length u32 and bytes of Gymnasium's version, bounds f32: observations low, high, actions low, high |
//! | parent | for every environment: command u8 (0 nothing, 1 reset, 2 step), seed u32, action entries f32 |
//! | child | `R`, then for every environment: flags u8 (1 terminated, 2 truncated), reward f64, observation entries f32 |
//! | child | `T`, environment u32: a sign of life before any other frame, where that takes more than a second |
//! | child | `E`, kind u8, environment u32, length u32 and bytes of a text; the child then ends |
//!
//! When the parent closes its direction, the child closes its environments and ends.

use std::io::{self, Read};

use crate::env::Step;
use crate::space::Space;

/// The child's first frame: what the environment is.
#[derive(Debug, Clone, PartialEq)]
pub struct Hello {
    pub observation_space: Space,
    pub action_space: Space,
    pub max_episode_steps: Option<usize>,
    pub reward_threshold: Option<f64>,
    pub version: String,
}

/// Why the child gave up, and over which of its environments.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub kind: RefusalKind,
    pub index: usize,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RefusalKind {
    NoGymnasium,
    NotMade,
    NotSupported,
    Raised,
    Stuck,
}

/// What one environment is asked to do in a round trip.
#[derive(Debug, Clone, Copy)]
pub enum Command {
    Idle,
    Reset { seed: u32 },
    Step,
}

/// Reads a frame that starts with `tag`, or the child's refusal in its place.
pub fn read_tag(from: &mut impl Read, tag: u8) -> io::Result<Option<Refusal>> {
    loop {
        match bytes::<1>(from)? {
            [found] if found == tag => return Ok(None),
            [b'E'] => return read_refusal(from).map(Some),
            [b'T'] => drop(read_u32(from)?),
            [found] => return Err(invalid(format!("frame {found:#x} where {tag:#x} is due"))),
        }
    }
}

fn read_refusal(from: &mut impl Read) -> io::Result<Refusal> {
    let kind = match bytes::<1>(from)? {
        [0] => RefusalKind::NoGymnasium,
        [1] => RefusalKind::NotMade,
        [2] => RefusalKind::NotSupported,
        [4] => RefusalKind::Stuck,
        _ => RefusalKind::Raised,
    };
    let index = read_u32(from)? as usize;
    let text = read_text(from)?;
    Ok(Refusal { kind, index, text })
}

/// Reads the first frame, its tag excepted.
pub fn read_hello(from: &mut impl Read) -> io::Result<Hello> {
    let n_entries = read_u32(from)? as usize;
    let [kind] = bytes::<1>(from)?;
    let count = read_u32(from)? as usize;
    let limit = u64::from_le_bytes(bytes(from)?) as usize;
    let threshold = f64::from_le_bytes(bytes(from)?);
    let version = read_text(from)?;
    let observation_space = Space::Box { low: read_f32s(from, n_entries)?, high: read_f32s(from, n_entries)? };
    let action_space = match kind {
        0 => Space::Discrete { n: count },
        _ => Space::Box { low: read_f32s(from, count)?, high: read_f32s(from, count)? },
    };
    Ok(Hello {
        observation_space,
        action_space,
        max_episode_steps: Some(limit).filter(|&limit| limit > 0),
        reward_threshold: Some(threshold).filter(|threshold| !threshold.is_nan()),
        version,
    })
}

/// Appends one environment's request.
pub fn push_request(frame: &mut Vec<u8>, command: Command, action: &[f32]) {
    let (code, seed) = match command {
        Command::Idle => (0, 0),
        Command::Reset { seed } => (1, seed),
        Command::Step => (2, 0),
    };
    frame.push(code);
    frame.extend(u32::to_le_bytes(seed));
    action.iter().for_each(|x| frame.extend(x.to_le_bytes()));
}

/// Length of one environment's reply.
pub fn reply_len(n_entries: usize) -> usize {
    1 + 8 + 4 * n_entries
}

/// Reads one environment's reply out of its bytes.
pub fn parse_reply(reply: &[u8], observation: &mut [f32]) -> Step {
    let (flags, rest) = (reply[0], &reply[1..]);
    let (reward, entries) = rest.split_at(8);
    for (x, bytes) in observation.iter_mut().zip(entries.chunks_exact(4)) {
        *x = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let reward = f64::from_le_bytes(std::array::from_fn(|i| reward[i]));
    Step { reward, terminated: flags & 1 != 0, truncated: flags & 2 != 0 }
}

fn bytes<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_u32(from: &mut impl Read) -> io::Result<u32> {
    bytes(from).map(u32::from_le_bytes)
}

fn read_f32s(from: &mut impl Read, n: usize) -> io::Result<Vec<f32>> {
    (0..n).map(|_| bytes(from).map(f32::from_le_bytes)).collect()
}

/// Bytes of a text at most: a longer one is no text, and is not worth the memory.
const MAX_TEXT: u32 = 1 << 20;

fn read_text(from: &mut impl Read) -> io::Result<String> {
    let length = read_u32(from)?;
    if length > MAX_TEXT {
        return Err(invalid(format!("a text of {length} bytes")));
    }
    let mut text = vec![0; length as usize];
    from.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_back() {
        let mut reply = vec![3];
        reply.extend(2.5_f64.to_le_bytes());
        reply.extend([1.0_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()));
        assert_eq!(reply.len(), reply_len(2));
        let mut observation = [0.0; 2];
        let step = parse_reply(&reply, &mut observation);
        assert_eq!(step, Step { reward: 2.5, terminated: true, truncated: true });
        assert_eq!(observation, [1.0, -2.0]);
    }

    #[test]
    fn a_refusal_stands_in_for_any_frame() {
        let mut frame: &[u8] = b"E\x01\x02\0\0\0\x03\0\0\0why";
        let refusal = read_tag(&mut frame, b'R').expect("readable").expect("a refusal");
        assert_eq!(refusal, Refusal { kind: RefusalKind::NotMade, index: 2, text: "why".to_owned() });
        assert!(read_tag(&mut &b"x"[..], b'R').is_err());
        assert_eq!(read_tag(&mut &b"T\x01\0\0\0T\x02\0\0\0R"[..], b'R').expect("readable"), None);
    }

    /// Bytes of a frame as the child sends them, some of them changed, cut or other bytes
    /// altogether; `EGN_FUZZ_SECONDS` makes it last.
    #[test]
    fn any_bytes_are_a_frame_or_an_error() {
        use proptest::{prelude::*, test_runner::TestRunner};

        let hello = b"H\x02\0\0\0\x01\x01\0\0\0\x64\0\0\0\0\0\0\0\0\0\0\0\0\0\xf8\x7f\x05\0\0\x001.3.0".to_vec();
        let bounds: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let refusal = b"E\x03\x01\0\0\0\x04\0\0\0boom".to_vec();
        let valid = prop_oneof![Just([hello, bounds].concat()), Just(refusal), Just(b"R\x01\0\0\0\0\0\0\0\0".to_vec())];
        let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
        let changed = (valid, changes, any::<prop::sample::Index>()).prop_map(|(mut bytes, changes, end)| {
            changes.iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = *byte);
            bytes.truncate(end.index(bytes.len() + 1));
            bytes
        });
        let frames = prop_oneof![2 => changed, 1 => prop::collection::vec(any::<u8>(), 0..200)];
        let seconds: u64 = std::env::var("EGN_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        let (started, mut n) = (std::time::Instant::now(), 0);
        while n == 0 || started.elapsed().as_secs() < seconds {
            let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..Default::default() });
            let read = |bytes: Vec<u8>| {
                for tag in [b'H', b'R'] {
                    let mut from = &bytes[..];
                    if let Ok(None) = read_tag(&mut from, tag) {
                        let _ = read_hello(&mut from);
                    }
                }
                if let Some(n_entries) = bytes.len().checked_sub(reply_len(0)).map(|rest| rest / 4) {
                    parse_reply(&bytes[..reply_len(n_entries)], &mut vec![0.0; n_entries]);
                }
                Ok(())
            };
            runner.run(&frames, read).unwrap();
            n += 256;
        }
        eprintln!("child-process frames: {n} inputs in {} s", started.elapsed().as_secs());
    }
}
