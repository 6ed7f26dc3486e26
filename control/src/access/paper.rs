//! Holds docs/security.md to the roles and the table.
//!
//! `MUJINA_REWRITE_DOCS=1 cargo test -p mujina-control --lib access::paper` writes what stands between the markers anew.

use super::{About, METHODS, Method, Needs, Permission, Role};
use std::fmt::Write as _;

const PAPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
const REWRITE: &str = "MUJINA_REWRITE_DOCS";

fn roles() -> String {
    let mut text = String::from("| permission | lets one |");
    for role in Role::ALL {
        write!(text, " {role} |").unwrap();
    }
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(Role::ALL.len()));
    text.push('\n');
    for permission in Permission::ALL {
        write!(text, "| `{permission}` | {} |", permission.about()).unwrap();
        for role in Role::ALL {
            text.push_str(if role.permits(*permission) { " yes |" } else { " |" });
        }
        text.push('\n');
    }
    text
}

fn calls() -> String {
    let mut text = String::from("| call | needs | changes | about |\n|---|---|---|---|\n");
    for Method { name, needs, changes, about } in METHODS {
        let needs = match needs {
            Needs::Nothing => "nothing".to_owned(),
            Needs::Proof => "a proof in the request".to_owned(),
            Needs::Miner => "to be that miner".to_owned(),
            Needs::AnyRole => "any role".to_owned(),
            Needs::One(permission) => format!("`{permission}`"),
            Needs::ByContent(some) => {
                let names: Vec<_> = some.iter().map(|one| format!("`{one}`")).collect();
                format!("by content: {}", names.join(", "))
            }
        };
        let changes = if *changes { "yes" } else { "" };
        let about = match about {
            About::OneMiner => "one miner",
            About::Miners => "each miner",
            About::Service => "the control plane",
        };
        writeln!(text, "| `{name}` | {needs} | {changes} | {about} |").unwrap();
    }
    text
}

/// The text with what stands between the markers of `part` replaced.
fn replaced(text: &str, part: &str, body: &str) -> String {
    let (begin, end) = (format!("<!-- {part}: written by a test -->\n"), format!("<!-- end of {part} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("docs/security.md lacks {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("docs/security.md lacks {end}"));
    format!("{before}{begin}{body}{end}{after}")
}

#[test]
fn paper_shows_the_roles_and_the_table_as_they_are() {
    let text = std::fs::read_to_string(PAPER).unwrap();
    for role in Role::ALL {
        assert!(text.contains(&format!("**{role}**")), "docs/security.md does not say what a {role} may do");
    }
    let current = replaced(&replaced(&text, "roles", &roles()), "calls", &calls());
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test, not a setting")]
    if std::env::var_os(REWRITE).is_some() {
        // At once, for other tests read it.
        let new = format!("{PAPER}.new");
        std::fs::write(&new, &current).unwrap();
        std::fs::rename(new, PAPER).unwrap();
        return;
    }
    assert!(text == current, "docs/security.md is out of date; run this test with {REWRITE}=1 and look at the change");
}
