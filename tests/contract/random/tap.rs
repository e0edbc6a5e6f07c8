//! What goes over the wire, listened to: RFC 6455 read octet by octet, and strictly.

/// A whole frame.
pub struct Frame {
    pub opcode: u8,
    pub payload: Vec<u8>,
    /// How many bytes of the wire there are up to its end.
    pub end: usize,
}

/// A Close: its code and its reason.
pub type Close = (Option<u16>, String);

struct Current {
    fin: bool,
    opcode: u8,
    key: [u8; 4],
    left: u64,
    payload: Vec<u8>,
}

/// Follows one direction.
pub struct Tap {
    masked: bool,
    text: bool,
    /// Whether what follows a Close is read too, and held against the sender.
    beyond: bool,
    /// How many bytes have passed.
    pub bytes: usize,
    head: Vec<u8>,
    current: Option<Current>,
    in_message: bool,
    /// Of a code point that is not complete.
    partial: Vec<u8>,
    /// Of all data frames, the unfinished one included.
    pub payload: Vec<u8>,
    pub frames: Vec<Frame>,
    /// How many of the frames carry data.
    pub data: usize,
    pub close: Option<Close>,
    /// The Close code that a broken rule calls for, and the rule. Nothing is read after it.
    pub broken: Option<(u16, &'static str)>,
}

type Verdict = Result<(), (u16, &'static str)>;

impl Tap {
    /// At the sender, whose frames are `masked` and of this type.
    pub fn of_sender(masked: bool, text: bool) -> Self {
        Tap { beyond: true, ..Self::of_receiver(masked, text) }
    }

    /// At the receiver, who expects this.
    pub fn of_receiver(masked: bool, text: bool) -> Self {
        Tap {
            masked,
            text,
            beyond: false,
            bytes: 0,
            head: Vec::new(),
            current: None,
            in_message: false,
            partial: Vec::new(),
            payload: Vec::new(),
            frames: Vec::new(),
            data: 0,
            close: None,
            broken: None,
        }
    }

    /// Neither inside a frame nor inside a message.
    pub fn is_idle(&self) -> bool {
        self.head.is_empty() && self.current.is_none() && !self.in_message
    }

    /// Inside a frame.
    pub fn is_cut(&self) -> bool {
        !self.head.is_empty() || self.current.is_some()
    }

    /// Inside the payload of a data frame.
    pub fn is_in_data(&self) -> bool {
        self.current.as_ref().is_some_and(|frame| frame.opcode < 8)
    }

    /// The payload without a code point that is not complete.
    pub fn valid_len(&self) -> usize {
        self.payload.len() - self.partial.len()
    }

    pub fn of_kind(&self, opcode: u8) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().filter(move |frame| frame.opcode == opcode).map(|frame| &frame.payload[..])
    }

    /// Where the last frame of one of these kinds ends.
    pub fn end_of(&self, is_kind: impl Fn(u8) -> bool) -> usize {
        self.frames.iter().rev().find(|frame| is_kind(frame.opcode)).map_or(0, |frame| frame.end)
    }

    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.bytes += 1;
            if self.broken.is_some() || (self.close.is_some() && !self.beyond) {
                continue;
            }
            if let Err(broken) = self.step(*byte) {
                self.broken = Some(broken);
            }
        }
    }

    fn step(&mut self, byte: u8) -> Verdict {
        match &mut self.current {
            None => {
                self.head.push(byte);
                self.read_head()?;
            }
            Some(frame) => {
                let byte = byte ^ frame.key[frame.payload.len() % 4];
                if frame.opcode < 8 {
                    if self.text {
                        self.partial.push(byte);
                        match std::str::from_utf8(&self.partial) {
                            Ok(_) => self.partial.clear(),
                            Err(error) if error.error_len().is_none() => {}
                            Err(_) => {
                                self.partial.pop();
                                return Err((1007, "text is not UTF-8"));
                            }
                        }
                    }
                    self.payload.push(byte);
                }
                frame.payload.push(byte);
                frame.left -= 1;
            }
        }
        if self.current.as_ref().is_some_and(|frame| frame.left == 0) { self.end_frame() } else { Ok(()) }
    }

    fn read_head(&mut self) -> Verdict {
        let head = &self.head[..];
        let (fin, opcode) = (head[0] & 0x80 != 0, head[0] & 0x0f);
        if head.len() == 1 {
            return match opcode {
                _ if head[0] & 0x70 != 0 => Err((1002, "reserved bit")),
                3..=7 | 11.. => Err((1002, "reserved opcode")),
                8.. if !fin => Err((1002, "fragmented control frame")),
                0 if !self.in_message => Err((1002, "continuation of nothing")),
                1 | 2 if self.in_message => Err((1002, "message in a message")),
                1 | 2 if (opcode == 1) != self.text => Err((1003, "other type")),
                0..8 if self.close.is_some() => Err((0, "data after the Close")),
                8 if self.close.is_some() => Err((0, "a second Close")),
                _ => Ok(()),
            };
        }
        let (masked, short) = (head[1] & 0x80 != 0, head[1] & 0x7f);
        if head.len() == 2 && masked != self.masked {
            return Err((1002, "masked or not"));
        }
        if head.len() == 2 && opcode >= 8 && short > 125 {
            return Err((1002, "long control frame"));
        }
        let extended = [0, 2, 8][usize::from(short.saturating_sub(125))];
        if head.len() < 2 + extended {
            return Ok(());
        }
        let length = head[2..2 + extended].iter().fold(0, |length, octet| length << 8 | u64::from(*octet));
        let least = [0, 126, 65536][usize::from(short.saturating_sub(125))];
        if length < least || length >> 63 != 0 {
            return Err((1002, "length in a longer form"));
        }
        let left = if extended == 0 { short.into() } else { length };
        if head.len() < 2 + extended + if masked { 4 } else { 0 } {
            return Ok(());
        }
        let key = if masked { head[2 + extended..].try_into().unwrap() } else { [0; 4] };
        self.head.clear();
        self.current = Some(Current { fin, opcode, key, left, payload: Vec::new() });
        Ok(())
    }

    fn end_frame(&mut self) -> Verdict {
        let Some(Current { fin, opcode, payload, .. }) = self.current.take() else { return Ok(()) };
        if opcode < 8 {
            self.in_message = !fin;
            self.data += 1;
            if fin && !self.partial.is_empty() {
                return Err((1007, "text is cut"));
            }
        }
        if opcode == 8 {
            let reason = payload.get(2..).unwrap_or_default().to_vec();
            let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            if payload.len() == 1 || code.is_some_and(|code| !may_be_sent(code)) {
                return Err((1002, "Close code"));
            }
            let reason = String::from_utf8(reason).map_err(|_| (1007, "Close reason"))?;
            self.close = Some((code, reason));
        }
        self.frames.push(Frame { opcode, payload, end: self.bytes });
        Ok(())
    }
}

/// RFC 6455, section 7.4, and the IANA registry.
pub fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
