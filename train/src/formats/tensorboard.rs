//! TensorBoard's event file, written while the run goes on: returns, losses and solver reports
//! under the tags of Stable-Baselines3, and `solver/…` besides.
//!
//! | tag | what |
//! |---|---|
//! | `rollout/ep_rew_mean`, `rollout/ep_len_mean` | of the last hundred training episodes |
//! | `eval/mean_reward`, `eval/std_reward` | greedy evaluations |
//! | `train/<network>/loss`, `train/<figure of the agent>` | of the last update of a rollout |
//! | `solver/<network>/…` | λ, α, step norm, gain ratio and whatever else that update reported |
//! | `time/cpu_seconds` | of training |
//!
//! *Design.* A record of the file is a length, its checksum, an `Event` message and its checksum,
//! which are written by hand here: the crates that would do it are dead or need `protoc`. The steps
//! are environment steps, thinned as `updates.jsonl` is.
//!
//! Source: `tensorflow/core/util/event.proto`, `summary.proto`, `lib/io/record_writer.cc`.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufWriter, Write},
    path::Path,
    time::SystemTime,
};

use egn_solver::State;

use crate::{
    formats::protobuf::{Field, Message, fields},
    record::{contents::CurvePoint, error::RecordError, log_file::LogFile},
    trainer::{
        callback::{Callback, Flow, RolloutEvent},
        error::TrainError,
    },
};

/// The file in a record.
pub const EVENTS: &str = "events.out.tfevents.egn";

/// Tag of the only curve that tells of a clock.
const CPU_SECONDS: &str = "time/cpu_seconds";

/// Episodes in a mean, as in Stable-Baselines3.
const EPISODES_IN_MEAN: usize = 100;

/// Writes the events of a run.
pub struct Events {
    file: BufWriter<LogFile>,
    /// Thousandth of the run that was last written.
    slot: Option<u64>,
    /// Return and length of the last episodes.
    recent: VecDeque<[f64; 2]>,
}

impl Events {
    /// Begins the event file of a new run.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn begin(dir: &Path) -> Result<Self, RecordError> {
        let file = BufWriter::new(LogFile::create(dir.join(EVENTS))?);
        let mut events = Self { file, slot: None, recent: VecDeque::new() };
        // Field 3 of an event: the version of the file.
        events.record(event_now().text(3, "brain.Event:2"))?;
        Ok(events)
    }

    /// Opens the event file of a run that goes on from a checkpoint. Nothing is changed before
    /// [`Events::go_on`].
    ///
    /// # Errors
    /// When the state is none, or the file no longer what it was.
    pub fn resume(dir: &Path, state: &State) -> Result<Self, TrainError> {
        let state = state.part("events");
        let mark = state.get_all::<u64>("mark", 2)?;
        let recent = state.get::<f64>("recent")?.as_chunks::<2>().0.iter().copied().collect();
        let slot = state.optional("slot")?;
        let file = BufWriter::new(LogFile::reopen(dir.join(EVENTS), [mark[0], mark[1]])?);
        Ok(Self { file, slot, recent })
    }

    /// Removes the events that came after the checkpoint.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn go_on(&self) -> Result<(), RecordError> {
        self.file.get_ref().cut()
    }

    fn scalars(&mut self, step: u64, scalars: &BTreeMap<String, f64>) -> Result<(), RecordError> {
        let mut summary = Message::default();
        for (tag, value) in scalars {
            summary.message(1, Message::default().text(1, tag).float(2, *value as f32));
        }
        self.record(event_now().integer(2, step).message(5, &summary))
    }

    fn record(&mut self, event: &Message) -> Result<(), RecordError> {
        let event = event.as_bytes();
        let length = (event.len() as u64).to_le_bytes();
        let parts = [&length[..], &masked_crc(&length).to_le_bytes(), event, &masked_crc(event).to_le_bytes()];
        let written = self.file.write_all(&parts.concat());
        written.map_err(|source| self.io_error(source))
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        self.file.flush().map_err(|source| self.io_error(source))
    }

    fn io_error(&self, source: std::io::Error) -> RecordError {
        RecordError::io("write", self.file.get_ref().path(), source)
    }

    /// What a rollout has to tell.
    fn figures(&self, event: &RolloutEvent<'_>) -> BTreeMap<String, f64> {
        let mut figures = BTreeMap::new();
        let n = self.recent.len() as f64;
        if n > 0.0 {
            for (i, tag) in ["rollout/ep_rew_mean", "rollout/ep_len_mean"].into_iter().enumerate() {
                figures.insert(tag.to_owned(), self.recent.iter().map(|episode| episode[i]).sum::<f64>() / n);
            }
        }
        for (name, value) in &event.learned.metrics {
            figures.insert(format!("train/{name}"), *value);
        }
        for update in &event.learned.updates {
            let Ok(report) = &update.result else { continue };
            // A report is numbers and absent numbers; why a step was taken
            // back is text, and left out.
            let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(report) else { continue };
            for (name, value) in fields.iter().filter_map(|(name, value)| Some((name, value.as_f64()?))) {
                let room = if name == "loss" { "train" } else { "solver" };
                figures.insert(format!("{room}/{}/{name}", update.network), value);
            }
        }
        figures
    }
}

impl Callback for Events {
    fn on_rollout(&mut self, event: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        for episode in event.episodes {
            self.recent.push_back([episode.episode_return, episode.length as f64]);
            if self.recent.len() > EPISODES_IN_MEAN {
                self.recent.pop_front();
            }
        }
        let slot = event.after.thousandth();
        if self.slot.replace(slot) != Some(slot) {
            let figures = self.figures(event);
            if !figures.is_empty() {
                self.scalars(event.after.env_steps, &figures)?;
            }
        }
        Ok(Flow::Continue(()))
    }

    fn on_evaluation(&mut self, point: &CurvePoint) -> Result<Flow, TrainError> {
        let figures =
            [("eval/mean_reward", point.mean), ("eval/std_reward", point.std), (CPU_SECONDS, point.cpu_seconds)];
        self.scalars(point.env_steps, &figures.map(|(tag, value)| (tag.to_owned(), value)).into())?;
        self.flush()?;
        Ok(Flow::Continue(()))
    }

    fn on_checkpoint(&mut self, state: &mut State) -> Result<(), TrainError> {
        self.flush()?;
        let mut events = State::default();
        events.put("mark", &self.file.get_ref().mark()?);
        events.put("slot", self.slot.as_slice());
        let recent: Vec<f64> = self.recent.iter().flatten().copied().collect();
        events.put("recent", &recent);
        state.put_part("events", events);
        Ok(())
    }
}

/// A point of a curve in an event file: environment steps, tag, value.
pub type Scalar = (u64, String, f32);

/// Every point in an event file, in order; `None` where the file is damaged.
pub fn scalars(mut file: &[u8]) -> Option<Vec<Scalar>> {
    let mut scalars = Vec::new();
    while !file.is_empty() {
        let length = file.split_off(..8)?;
        let n = usize::try_from(u64::from_le_bytes(*length.first_chunk()?)).ok()?;
        let of_length = take_checksum(&mut file)?;
        let event = file.split_off(..n)?;
        if (of_length, take_checksum(&mut file)?) != (masked_crc(length), masked_crc(event)) {
            return None;
        }
        let event = fields(event)?;
        let step = event.iter().find_map(|field| match field {
            (2, Field::Integer(step)) => Some(*step),
            _ => None,
        });
        for (_, field) in event.iter().filter(|(number, _)| *number == 5) {
            let Field::Bytes(summary) = field else { return None };
            for (_, value) in fields(summary)? {
                let Field::Bytes(value) = value else { return None };
                let [(1, Field::Bytes(tag)), (2, Field::Float(value))] = fields(value)?[..] else { return None };
                scalars.push((step?, String::from_utf8(tag.to_vec()).ok()?, value));
            }
        }
    }
    Some(scalars)
}

/// Every point but those of clocks, values as their bits: equal for equal runs. `None`
/// where the file is damaged.
pub fn scalars_without_clock(file: &[u8]) -> Option<Vec<(u64, String, u32)>> {
    let kept = scalars(file)?.into_iter().filter(|(_, tag, _)| tag != CPU_SECONDS);
    Some(kept.map(|(step, tag, value)| (step, tag, value.to_bits())).collect())
}

fn take_checksum(file: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*file.split_off(..4)?.first_chunk()?))
}

/// An event that happens now, of which only the time is told yet.
fn event_now() -> Message {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut event = Message::default();
    event.double(1, now.map_or(0.0, |since| since.as_secs_f64()));
    event
}

/// CRC-32C (Castagnoli), rotated and shifted as TensorFlow's records have it.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_standard() {
        // RFC 3720, B.4: 32 bytes of zeros; and the usual check value.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_is_length_checksum_message_checksum() {
        let dir = tempfile::tempdir().unwrap();
        let mut events = Events::begin(dir.path()).unwrap();
        events.scalars(7, &[("a".to_owned(), 0.5)].into()).unwrap();
        events.flush().unwrap();
        let bytes = std::fs::read(dir.path().join(EVENTS)).unwrap();
        let mut at = 0;
        let mut messages = Vec::new();
        while at < bytes.len() {
            let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            messages.push(&bytes[at + 12..at + 12 + length]);
            at += 16 + length;
        }
        // Wall time, then the step 7, then a summary of one value.
        let value = [&[0x0a, 1, b'a', 0x15][..], &0.5_f32.to_le_bytes()].concat();
        let summary = [&[0x0a, value.len() as u8], &value[..]].concat();
        let expected = [&[0x10, 7, 0x2a, summary.len() as u8], &summary[..]].concat();
        assert_eq!(messages[1][9..], expected);
        assert!(messages[0].ends_with(b"brain.Event:2") && messages.len() == 2);

        assert_eq!(scalars(&bytes), Some(vec![(7, "a".to_owned(), 0.5)]));
        for damaged in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[damaged] ^= 1;
            assert_eq!(scalars(&bytes), None, "byte {damaged}");
        }
    }
}
