//! RFC 6455, section 5, read octet by octet: what a receiver must make of the bytes of one direction.
//!
//! It knows nothing of the library. Where octets break several rules, the first octet counts, and in an octet the order of
//! section 5.2: reserved bits, opcode, FIN, what may follow what; then MASK, then the length.

use crate::utf8::Utf8;

/// A rule that the sender broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    ReservedBits(u8),
    ReservedOpcode(u8),
    FragmentedControl(u8),
    UnexpectedContinuation,
    UnfinishedMessage(u8),
    WrongType,
    Unmasked,
    Masked,
    ControlTooLong(u8),
    LengthNotMinimal { length: u64, bits: u8 },
    LengthTooLarge(u64),
    InvalidUtf8,
    IncompleteUtf8,
    CloseTooShort,
    CloseCode(u16),
    CloseReason,
}

impl Rule {
    /// The code of the Close that it calls for (section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Rule::WrongType => 1003,
            Rule::InvalidUtf8 | Rule::IncompleteUtf8 | Rule::CloseReason => 1007,
            _ => 1002,
        }
    }
}

/// What MASK must be (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    Always,
    Never,
    Either,
}

/// A whole frame.
#[derive(Clone, Debug)]
pub struct Frame {
    pub fin: bool,
    pub opcode: u8,
    pub key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
    /// How many octets there are up to its end.
    pub end: usize,
}

/// The frame that is being read.
struct Open {
    fin: bool,
    opcode: u8,
    key: Option<[u8; 4]>,
    length: u64,
    payload: Vec<u8>,
}

/// Reads one direction.
pub struct Oracle {
    mask: Mask,
    text: bool,
    /// Reads on behind a Close: for a sender, who must know what may follow.
    reads_on: bool,
    /// How many octets have passed.
    pub octets: usize,
    head: Vec<u8>,
    open: Option<Open>,
    in_message: bool,
    utf8: Utf8,
    /// Where the frame begins that is being read.
    pub start: usize,
    /// Of all data frames, the one that is being read included.
    pub payload: Vec<u8>,
    pub frames: Vec<Frame>,
    /// The peer's Close: its code and its reason.
    pub close: Option<(Option<u16>, String)>,
    /// Nothing is read after it.
    pub broken: Option<Rule>,
}

impl Oracle {
    pub fn new(mask: Mask, text: bool) -> Self {
        Oracle {
            mask,
            text,
            reads_on: false,
            octets: 0,
            head: Vec::new(),
            open: None,
            in_message: false,
            utf8: Utf8::default(),
            start: 0,
            payload: Vec::new(),
            frames: Vec::new(),
            close: None,
            broken: None,
        }
    }

    /// At the sender.
    pub fn of_sender(mask: Mask, text: bool) -> Self {
        Oracle { reads_on: true, ..Oracle::new(mask, text) }
    }

    /// Whether all octets belong to whole frames.
    pub fn is_between_frames(&self) -> bool {
        self.head.is_empty() && self.open.is_none()
    }

    /// The payload without a code point that is not complete.
    pub fn whole_points(&self) -> usize {
        self.payload.len() - self.utf8.unfinished()
    }

    pub fn of_kind(&self, opcode: u8) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(move |frame| frame.opcode == opcode)
    }

    pub fn data(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| frame.opcode < 8)
    }

    pub fn push(&mut self, octets: &[u8]) {
        for octet in octets {
            if self.broken.is_some() || (self.close.is_some() && !self.reads_on) {
                return;
            }
            self.octets += 1;
            self.broken = self.step(*octet).err();
        }
    }

    fn step(&mut self, octet: u8) -> Result<(), Rule> {
        match self.open.as_mut() {
            None => {
                self.head.push(octet);
                self.read_head()?;
            }
            Some(frame) => {
                let octet = octet ^ frame.key.map_or(0, |key| key[frame.payload.len() % 4]);
                if frame.opcode < 8 {
                    if self.text && !self.utf8.take(octet) {
                        return Err(Rule::InvalidUtf8);
                    }
                    self.payload.push(octet);
                }
                frame.payload.push(octet);
            }
        }
        match self.open.take_if(|frame| frame.payload.len() as u64 == frame.length) {
            Some(frame) => self.end(frame),
            None => Ok(()),
        }
    }

    fn read_head(&mut self) -> Result<(), Rule> {
        let head = &self.head[..];
        let (first, opcode, is_control) = (head[0], head[0] & 15, head[0] & 8 != 0);
        let fin = first & 0x80 != 0;
        let Some(second) = head.get(1) else {
            return self.check_first(fin, first >> 4 & 7, opcode);
        };
        let (is_masked, short) = (second & 0x80 != 0, second & 0x7f);
        if head.len() == 2 {
            match self.mask {
                Mask::Always if !is_masked => return Err(Rule::Unmasked),
                Mask::Never if is_masked => return Err(Rule::Masked),
                _ => {}
            }
            if is_control && short > 125 {
                return Err(Rule::ControlTooLong(opcode));
            }
        }
        let wide = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(octets) = head.get(2..2 + wide) else { return Ok(()) };
        let mut length = u64::from(short);
        if wide > 0 {
            length = 0;
            octets.iter().for_each(|octet| length = length << 8 | u64::from(*octet));
            if length >= 1 << 63 {
                return Err(Rule::LengthTooLarge(length));
            }
            if length < if wide == 2 { 126 } else { 65_536 } {
                return Err(Rule::LengthNotMinimal { length, bits: 8 * wide as u8 });
            }
        }
        let mut key = None;
        if is_masked {
            let Some(octets) = head.get(2 + wide..2 + wide + 4) else { return Ok(()) };
            key = Some([octets[0], octets[1], octets[2], octets[3]]);
        }
        self.head.clear();
        self.open = Some(Open { fin, opcode, key, length, payload: Vec::new() });
        Ok(())
    }

    fn check_first(&self, fin: bool, reserved: u8, opcode: u8) -> Result<(), Rule> {
        if reserved != 0 {
            return Err(Rule::ReservedBits(reserved));
        }
        match opcode {
            3..=7 | 11..=15 => Err(Rule::ReservedOpcode(opcode)),
            8..=10 if !fin => Err(Rule::FragmentedControl(opcode)),
            0 if !self.in_message => Err(Rule::UnexpectedContinuation),
            1 | 2 if self.in_message => Err(Rule::UnfinishedMessage(opcode)),
            1 if !self.text => Err(Rule::WrongType),
            2 if self.text => Err(Rule::WrongType),
            _ => Ok(()),
        }
    }

    fn end(&mut self, frame: Open) -> Result<(), Rule> {
        let Open { fin, opcode, key, payload, .. } = frame;
        if opcode < 8 {
            self.in_message = !fin;
            if fin && self.utf8.unfinished() > 0 {
                return Err(Rule::IncompleteUtf8);
            }
        }
        if opcode == 8 {
            let close = read_close(&payload)?;
            self.close.get_or_insert(close);
        }
        self.frames.push(Frame { fin, opcode, key, payload, end: self.octets });
        self.start = self.octets;
        Ok(())
    }
}

/// Section 5.5.1, and the codes of section 7.4 and of IANA's registry.
fn read_close(payload: &[u8]) -> Result<(Option<u16>, String), Rule> {
    if payload.is_empty() {
        return Ok((None, String::new()));
    }
    if payload.len() == 1 {
        return Err(Rule::CloseTooShort);
    }
    let code = u16::from(payload[0]) * 256 + u16::from(payload[1]);
    if !is_on_the_wire(code) {
        return Err(Rule::CloseCode(code));
    }
    let mut utf8 = Utf8::default();
    if !payload[2..].iter().all(|octet| utf8.take(*octet)) || utf8.unfinished() > 0 {
        return Err(Rule::CloseReason);
    }
    Ok((Some(code), String::from_utf8_lossy(&payload[2..]).into_owned()))
}

/// Whether a Close may have this code.
pub fn is_on_the_wire(code: u16) -> bool {
    match code {
        1004..=1006 | 1015 => false,
        1000..=1014 => true,
        _ => (3000..5000).contains(&code),
    }
}
