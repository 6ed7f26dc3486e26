//! `enroll` and `leave`: makes this miner one of a fleet, and ends that. Only prints; the work is done in `home`.

use crate::{
    config::Config,
    home::{self, EnrolRequest, Enrolled, Progress},
};
use clap::Args;
use mujina_core::units::duration;
use std::{
    error::Error,
    io::{self, Read},
    time::{Duration, SystemTime},
};
use tokio::runtime;

/// Where a token stands that is not on the command line, which others on the machine can read.
const STANDARD_INPUT: &str = "-";
/// Far above the length of any token.
const LONGEST_TOKEN: u64 = 4096;

#[derive(Debug, Args)]
pub(super) struct Enroll {
    /// The control plane, as https://host:port
    url: String,
    /// The token that an operator made for it, or - to read it from the standard input
    token: String,
    /// What the miner is called in its fleet [default: its configured name or that of the machine]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long to wait for the operator where one has to approve, for example 10m; 0s = only ask
    #[arg(long, value_parser = duration::parse, value_name = "DURATION", default_value = "1h")]
    wait: Duration,
    /// Enrol again although the miner is enrolled; what is there stays until the new certificate has come
    #[arg(long)]
    force: bool,
}

/// Enrols and prints how it goes.
pub(super) fn enroll(what: Enroll, config: &Config) -> Result<(), Box<dyn Error>> {
    let Enroll { url, token, name, wait, force } = what;
    let token = if token == STANDARD_INPUT { read_token()? } else { token };
    let request = EnrolRequest {
        name,
        configured_name: config.name.clone(),
        wait,
        force,
        tell: Some(Box::new(|progress| println!("{}", progress_text(&progress)))),
        ..EnrolRequest::new(&config.state_dir, url, token)
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let enrolled = runtime.block_on(home::enrol(request))?;
    println!("{}", enrolled_text(&enrolled, SystemTime::now()));
    Ok(())
}

/// Ends an enrolment and prints whose it was.
pub(super) fn leave(config: &Config) -> Result<(), Box<dyn Error>> {
    match home::leave(&config.state_dir)? {
        Some((url, name)) => println!(
            "left {url}: the key and the certificate of `{name}` are removed\n\
             the certificate itself stays valid until it expires: an operator can revoke it there"
        ),
        None => println!("this miner is not enrolled; there is nothing to leave"),
    }
    Ok(())
}

fn read_token() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().take(LONGEST_TOKEN).read_to_string(&mut text)?;
    Ok(text)
}

fn progress_text(progress: &Progress) -> String {
    match progress {
        Progress::Asking { url, name, authority, key } => format!(
            "asks {url} to be enrolled as `{name}`\n\
             authority of the control plane  {authority}\n\
             key of this miner               {key}"
        ),
        Progress::Pending(again) => format!(
            "an operator has to approve this miner, and should compare its key; asks again every {} (Ctrl-C and the same \
             command later goes on with the same key)",
            duration::human(*again)
        ),
    }
}

fn enrolled_text(enrolled: &Enrolled, now: SystemTime) -> String {
    let Enrolled { name, url, authority: _, expires_at } = enrolled;
    let valid = expires_at.duration_since(now).unwrap_or_default();
    format!(
        "enrolled as `{name}`; the certificate is valid for {} and renews itself\n\
         calls {url} from the next start on: restart the miner if it runs",
        duration::human(valid)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_proto::tls::Fingerprint;

    #[test]
    fn both_fingerprints_are_shown_before_anybody_is_asked() {
        let text = progress_text(&Progress::Asking {
            url: "https://control.example:50443".parse().unwrap(),
            name: "rig1".parse().unwrap(),
            authority: Fingerprint::of(b"authority"),
            key: Fingerprint::of(b"key"),
        });
        for part in [&Fingerprint::of(b"authority").to_string(), &Fingerprint::of(b"key").to_string(), "`rig1`"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn enrolled_miner_is_told_what_comes_next() {
        let now = SystemTime::UNIX_EPOCH;
        let enrolled = Enrolled {
            name: "rig1".parse().unwrap(),
            url: "https://control.example:50443".parse().unwrap(),
            authority: Fingerprint::of(b"authority"),
            expires_at: now + Duration::from_secs(30 * 24 * 60 * 60),
        };
        let text = enrolled_text(&enrolled, now);
        assert!(text.contains("30d") && text.contains("restart"), "{text}");
    }
}
