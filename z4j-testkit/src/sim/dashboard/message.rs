//! The messages of a stream of server-sent events.

use serde_json::Value;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) event: String,
    pub(super) id: Option<String>,
    pub(super) data: Value,
}

/// What came of a message that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Reader {
    rest: String,
}

impl Reader {
    /// Takes bytes in; gives the messages that they complete. Comments are none.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.rest.push_str(&String::from_utf8_lossy(bytes));
        let mut whole = Vec::new();
        while let Some((block, rest)) = self.rest.split_once("\n\n") {
            whole.extend(parse(block));
            self.rest = rest.to_owned();
        }
        whole
    }
}

fn parse(block: &str) -> Option<Message> {
    let member = |name: &str| {
        let mut lines = block.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim_start()))
    };
    Some(Message {
        event: member("event")?.to_owned(),
        id: member("id").map(str::to_owned),
        data: serde_json::from_str(member("data")?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_from_its_pieces_and_a_comment_is_none() {
        let mut reader = Reader::default();
        assert!(reader.push(b": beat\n\nevent: ready\nda").is_empty());
        let read = reader.push(b"ta: {\"at\":1}\nid: x-1\n\nevent: counters\n");
        let ready = Message {
            event: "ready".to_owned(),
            id: Some("x-1".to_owned()),
            data: serde_json::json!({ "at": 1 }),
        };
        assert_eq!(read, [ready]);
        assert_eq!(reader.push(b"data: {}\n\n")[0].id, None);
    }
}
