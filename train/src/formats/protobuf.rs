//! Protocol buffers, as far as this program has to do with any:
//! TensorBoard's events and ONNX models.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

/// How a field is laid out.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

/// A message under construction: fields in the order in which they were put.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A whole number, or one of an enumeration.
    pub fn integer(&mut self, field: u64, value: u64) -> &mut Self {
        self.key(field, Wire::Varint);
        self.varint(value);
        self
    }

    /// An f64.
    pub fn double(&mut self, field: u64, value: f64) -> &mut Self {
        self.key(field, Wire::Fixed64);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// An f32.
    pub fn float(&mut self, field: u64, value: f32) -> &mut Self {
        self.key(field, Wire::Fixed32);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Bytes.
    pub fn bytes(&mut self, field: u64, value: &[u8]) -> &mut Self {
        self.key(field, Wire::Bytes);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// Text.
    pub fn text(&mut self, field: u64, value: &str) -> &mut Self {
        self.bytes(field, value.as_bytes())
    }

    /// A message within this one.
    pub fn message(&mut self, field: u64, value: &Message) -> &mut Self {
        self.bytes(field, &value.bytes)
    }

    /// The message as it is written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn key(&mut self, field: u64, wire: Wire) {
        self.varint(field << 3 | wire as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

/// A field that was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Field<'a> {
    Integer(u64),
    Double(f64),
    Bytes(&'a [u8]),
    Float(f32),
}

/// The fields of a message with their numbers, in order; `None` where it is damaged.
pub(crate) fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let field = match key & 7 {
            0 => Field::Integer(take_varint(&mut bytes)?),
            1 => Field::Double(f64::from_le_bytes(*bytes.split_off(..8)?.first_chunk()?)),
            2 => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                Field::Bytes(bytes.split_off(..length)?)
            }
            5 => Field::Float(f32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?)),
            _ => return None,
        };
        fields.push((key >> 3, field));
    }
    Some(fields)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        let mut inner = Message::default();
        inner.integer(1, 150);
        assert_eq!(inner.as_bytes(), [0x08, 0x96, 0x01]);
        let mut outer = Message::default();
        outer.text(2, "testing").message(3, &inner);
        assert_eq!(outer.as_bytes(), b"\x12\x07testing\x1a\x03\x08\x96\x01");
    }

    #[test]
    fn a_message_reads_back_and_a_cut_one_does_not() {
        let mut message = Message::default();
        message.integer(1, u64::MAX).double(2, -0.5).text(3, "tag").float(4, 1.5);
        let expected = [
            (1, Field::Integer(u64::MAX)),
            (2, Field::Double(-0.5)),
            (3, Field::Bytes(b"tag")),
            (4, Field::Float(1.5)),
        ];
        assert_eq!(fields(message.as_bytes()).unwrap(), expected);
        let cuts = (1..message.as_bytes().len()).filter(|&cut| fields(&message.as_bytes()[..cut]).is_some());
        // Between two fields a message may end.
        assert_eq!(cuts.collect::<Vec<_>>(), [11, 20, 25]);
    }
}
