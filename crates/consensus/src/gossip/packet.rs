//! The form in which small messages travel together.
//!
//! A packet is a list of `kind (1) | length (4, big-endian) | bytes`.

use bytes::Bytes;

/// Kind and length of one message, in bytes.
pub(super) const FRAME_BYTES: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A validator's message.
    Message,
    /// A signed transaction (EIP-2718).
    Transaction,
}

/// One message in a packet.
pub(super) struct Frame {
    pub kind: Kind,
    pub bytes: Bytes,
}

impl Frame {
    /// Bytes it takes in a packet.
    pub fn len(&self) -> usize {
        FRAME_BYTES + self.bytes.len()
    }

    pub fn write(&self, packet: &mut Vec<u8>) {
        packet.push(self.kind as u8);
        // Bounded by MESSAGE_BYTES_MAX here and by the pool's 128 KiB for transactions.
        packet.extend_from_slice(&(self.bytes.len() as u32).to_be_bytes());
        packet.extend_from_slice(&self.bytes);
    }
}

/// The bytes are no list of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The messages of a packet; the first error ends it.
pub(super) fn frames(mut packet: &[u8]) -> impl Iterator<Item = Result<(Kind, &[u8]), Malformed>> {
    std::iter::from_fn(move || {
        if packet.is_empty() {
            return None;
        }
        let Some((kind, bytes, rest)) = split_frame(packet) else {
            packet = &[];
            return Some(Err(Malformed));
        };
        packet = rest;
        Some(Ok((kind, bytes)))
    })
}

fn split_frame(packet: &[u8]) -> Option<(Kind, &[u8], &[u8])> {
    let (kind, packet) = packet.split_first()?;
    let kind = match kind {
        0 => Kind::Message,
        1 => Kind::Transaction,
        _ => return None,
    };
    let (length, packet) = packet.split_first_chunk::<4>()?;
    let (bytes, rest) = packet.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some((kind, bytes, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(frames: &[(Kind, &'static [u8])]) -> Vec<u8> {
        let mut packet = Vec::new();
        for (kind, bytes) in frames {
            Frame { kind: *kind, bytes: Bytes::from_static(bytes) }.write(&mut packet);
        }
        packet
    }

    #[test]
    fn frames_come_back_in_order() {
        let sent: [(Kind, &[u8]); 3] = [(Kind::Message, b"vote"), (Kind::Transaction, b""), (Kind::Message, b"code")];
        let packet = packet(&sent);
        assert_eq!(frames(&packet).collect::<Result<Vec<_>, _>>().unwrap(), sent);
    }

    #[test]
    fn what_is_no_packet_ends_at_its_first_error() {
        let whole = packet(&[(Kind::Message, b"vote"), (Kind::Message, b"code")]);
        for cut in 1..whole.len() {
            let found: Vec<_> = frames(&whole[..cut]).collect();
            let boundary = cut == whole.len() / 2;
            assert_eq!(found.last() == Some(&Err(Malformed)), !boundary, "{cut}");
        }
        assert_eq!(frames(&[2, 0, 0, 0, 0]).collect::<Vec<_>>(), [Err(Malformed)]);
        assert_eq!(frames(&[0, 0xff, 0xff, 0xff, 0xff, 1]).collect::<Vec<_>>(), [Err(Malformed)]);
    }
}
