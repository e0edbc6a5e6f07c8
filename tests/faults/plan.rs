//! A run: two programs, the network between them, and what is configured. Drawn from a seed, or taken from a list.

use std::time::Duration;

use fastwebsockets_stream::{Config, PayloadType};

use crate::dice::Dice;
use crate::network::{Disaster, Fate, Traits};
use crate::users::{Manner, User};

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// The client's, and the server's.
    pub users: [User; 2],
    pub manners: [Manner; 2],
    pub traits: [Traits; 2],
    pub disaster: Option<Disaster>,
    pub write_buffer: usize,
}

/// Every limit that the stream has is set: so nobody waits for ever, whatever happens.
pub fn config(write_buffer: usize) -> Config {
    Config::new(PayloadType::Binary)
        .keep_alive(Duration::from_secs(5))
        .stall_timeout(Duration::from_secs(20))
        .close_timeout(Duration::from_secs(10))
        .write_buffer(write_buffer)
}

/// The small dialogues that are cut at every byte.
pub const DIALOGUES: [(&str, [User; 2]); 7] = [
    ("request", [User::Asks(9), User::Answers(11)]),
    ("answer", [User::Answers(5), User::Asks(7)]),
    ("echo", [User::Talks { bytes: 9, owned: true }, User::Echoes]),
    ("talk", [User::Talks { bytes: 8, owned: false }, User::Talks { bytes: 6, owned: true }]),
    ("close", [User::Closes(7, 1000), User::Answers(0)]),
    ("away", [User::Answers(0), User::Closes(7, 1001)]),
    ("both-close", [User::Closes(0, 1000), User::Closes(0, 1001)]),
];

/// The networks on which they are.
pub const NETWORKS: [(&str, Traits); 2] = [
    ("fast", Traits { window: 4096, chunk: 4096, delay: 0, hesitates: false }),
    ("narrow", Traits { window: 1, chunk: 1, delay: 30, hesitates: true }),
];

impl Plan {
    /// A small dialogue.
    pub fn small(users: [User; 2], traits: Traits, disaster: Option<Disaster>) -> Self {
        let manner = Manner { piece: 4, rest: 0 };
        Plan { seed: 1, users, manners: [manner; 2], traits: [traits; 2], disaster, write_buffer: 0 }
    }

    pub fn draw(seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        let length = |dice: &mut Dice| match dice.below(8) {
            0 => 0,
            1..=4 => dice.below(60),
            5 | 6 => 100 + dice.below(200),
            _ => dice.below(1500),
        };
        let talks = |dice: &mut Dice| User::Talks { bytes: length(dice), owned: dice.one_in(2) };
        let mut users = match dice.below(9) {
            0 | 1 => [User::Asks(length(dice)), User::Answers(length(dice))],
            2 | 3 => [talks(dice), User::Echoes],
            4 | 5 => [talks(dice), talks(dice)],
            6 => {
                let code = dice.pick(&[1000, 1001]);
                [User::Closes(length(dice), code), User::Answers(0)]
            }
            7 => [talks(dice), User::Leaves(length(dice))],
            _ => [talks(dice), User::Stalls],
        };
        if dice.one_in(2) {
            users.reverse();
        }
        let mut traits = || Traits {
            window: match dice.below(4) {
                0 => 1,
                1 => 1 + dice.below(40),
                2 => 300,
                _ => 65_536,
            },
            // The handshake has ten seconds, also byte by byte.
            chunk: if dice.one_in(3) { 1 + dice.below(8) } else { usize::MAX },
            delay: dice.pick(&[0, 1, 20, 40]),
            hesitates: dice.one_in(3),
        };
        let traits = [traits(), traits()];
        let mut manner = || Manner {
            piece: dice.pick(&[1, 7, 64, 1000, 5000]),
            rest: if dice.one_in(4) { dice.pick(&[10, 1500]) } else { 0 },
        };
        let manners = [manner(), manner()];
        let disaster = (!dice.one_in(4)).then(|| Disaster {
            way: dice.below(2),
            at: match dice.below(4) {
                0 => dice.below(300),
                1 | 2 => 130 + dice.below(200),
                _ => 130 + dice.below(900),
            },
            fate: dice.pick(&[Fate::End, Fate::Reset, Fate::Silence]),
        });
        let write_buffer = if dice.one_in(4) { 1 + dice.below(300) } else { 0 };
        Plan { seed, users, manners, traits, disaster, write_buffer }
    }
}
