//! Server-sent events, as the HTML standard describes the stream (section 9.2.6).
//!
//! Bounded: an event that never ends costs at most [`EVENT_LIMIT_BYTES`].

/// Longest event, in bytes.
pub(crate) const EVENT_LIMIT_BYTES: usize = 1 << 20;

/// One event as it stands in the stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) id: Option<String>,
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// Why a stream is not one of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    #[error("an event is longer than {EVENT_LIMIT_BYTES} bytes")]
    TooLong,
    #[error("an event is not UTF-8")]
    NotUtf8,
}

/// Takes bytes as they arrive and gives whole events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// Bytes of the event that is not complete yet.
    pending: Vec<u8>,
}

impl Parser {
    /// Adds what has arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        if self.pending.len() + bytes.len() > EVENT_LIMIT_BYTES {
            return Err(SseError::TooLong);
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole event with data. Comments, which keep a connection alive, are skipped.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, SseError> {
        while let Some(end) = end_of_frame(&self.pending) {
            let frame: Vec<u8> = self.pending.drain(..end).collect();
            let text = std::str::from_utf8(&frame).map_err(|_| SseError::NotUtf8)?;
            if let Some(frame) = parse(text) {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }
}

/// Where the first frame ends: behind its empty line. Lines end with LF or CRLF; a lone CR, which
/// the standard also has, is not written by any service of this program.
fn end_of_frame(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let line = &bytes[line_start..at];
        line_start = at + 1;
        if line.is_empty() || line == b"\r" {
            return Some(line_start);
        }
    }
    None
}

fn parse(text: &str) -> Option<Frame> {
    let mut frame = Frame::default();
    let mut data: Option<String> = None;
    for line in text.lines().filter(|line| !line.starts_with(':')) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => frame.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut frame.kind),
            // Several lines are one text with line breaks.
            "data" => {
                let data = data.get_or_insert_default();
                if !data.is_empty() {
                    data.push('\n');
                }
                data.push_str(value);
            }
            _ => {}
        }
    }
    frame.data = data?;
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(parts: &[&str]) -> Vec<Frame> {
        let mut parser = Parser::default();
        let mut frames = Vec::new();
        for part in parts {
            parser.push(part.as_bytes()).expect("short");
            while let Some(frame) = parser.next().expect("UTF-8") {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn events_are_read_however_the_bytes_are_cut() {
        let text =
            ": alive\n\nid: 7\nevent: running\ndata: {\"a\":\ndata: 1}\n\nid:8\r\ndata:x\r\n\r\n";
        let whole = frames(&[text]);
        assert_eq!(whole.len(), 2);
        assert_eq!(whole[0].id.as_deref(), Some("7"));
        assert_eq!(whole[0].kind, "running");
        assert_eq!(whole[0].data, "{\"a\":\n1}");
        assert_eq!(whole[1].data, "x");
        let bytes: Vec<&str> = text.split("").collect();
        assert_eq!(frames(&bytes), whole);
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut parser = Parser::default();
        parser
            .push(&vec![b'x'; EVENT_LIMIT_BYTES])
            .expect("as long as may be");
        assert_eq!(parser.push(b"x"), Err(SseError::TooLong));
    }
}
