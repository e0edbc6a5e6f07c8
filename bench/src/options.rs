//! The command line.

pub const USAGE: &str = "\
usage: cargo run --release -p bench -- [cost] [loopback] [options]

  cost, loopback      what to run; both if neither is named
  --quick             fewer rounds, under a minute in all
  --pin               loopback: a core for the writer, another for the reader
  --peer NAME         only peers whose name contains NAME ('' for all; ours always runs)
  --size BYTES        only this payload
  --column NAME       cost: srv-read, cli-read, srv-write or cli-write; loopback: cli-srv or srv-cli";

#[derive(Debug)]
pub struct Options {
    pub cost: bool,
    pub loopback: bool,
    pub quick: bool,
    pub pin: bool,
    peer: Option<String>,
    size: Option<usize>,
    column: Option<String>,
}

impl Options {
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options {
            cost: false,
            loopback: false,
            quick: false,
            pin: false,
            peer: None,
            size: None,
            column: None,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match &*arg {
                "cost" => options.cost = true,
                "loopback" => options.loopback = true,
                "--quick" => options.quick = true,
                "--pin" => options.pin = true,
                "--peer" => options.peer = Some(value()?),
                "--size" => options.size = Some(value()?.parse().map_err(|_| "--size needs a number")?),
                "--column" => options.column = Some(value()?),
                _ => return Err(format!("unknown argument {arg}")),
            }
        }
        if !options.cost && !options.loopback {
            (options.cost, options.loopback) = (true, true);
        }
        Ok(options)
    }

    pub fn wants_peer(&self, name: &str) -> bool {
        self.peer.as_ref().is_none_or(|peer| name.contains(peer))
    }

    pub fn names_peers(&self) -> bool {
        self.peer.is_some()
    }

    pub fn wants_size(&self, size: usize) -> bool {
        self.size.is_none_or(|only| only == size)
    }

    pub fn wants_column(&self, name: &str) -> bool {
        self.column.as_ref().is_none_or(|column| column == name)
    }
}
