//! The first contact with a control plane: whom the token is told, and what is kept.

use super::{Ran, World, door::Door};
use crate::{Environment, exit};
use std::{
    collections::VecDeque,
    io::{self, Read},
};

/// A terminal: what is typed, where "" is Ctrl-D.
struct Terminal(VecDeque<&'static [u8]>);

impl Read for Terminal {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(typed) = self.0.front_mut() else { return Ok(0) };
        let read = typed.read(buffer)?;
        if typed.is_empty() {
            self.0.pop_front();
        }
        Ok(read)
    }
}

/// Somebody who types this.
fn typing(world: &World, typed: &[&'static str]) -> Environment {
    let stdin = Box::new(Terminal(typed.iter().map(|text| text.as_bytes()).collect()));
    Environment { interactive: true, stdin, ..world.environment() }
}

async fn login(world: &World, url: &str, typed: &[&'static str], more: &str) -> Ran {
    world.run_in(typing(world, typed), &format!("login {url} --token-file - {more}")).await
}

#[tokio::test]
async fn token_is_typed_then_the_fingerprint_is_compared_and_the_login_is_done() {
    let world = World::of_control(&["rig1"]).await;
    let door = Door::open(&world).await;
    let ran = login(&world, &door.url, &["toktok\n", "", "y\n"], "").await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    assert!(ran.err.contains(&door.fingerprint.to_string()), "{}", ran.err);
    assert!(ran.out.contains("context alice for https://localhost"), "{}", ran.out);
    assert_eq!(world.control.state().bearer.as_deref(), Some("Bearer toktok"));
    assert_eq!(world.run("miner list").await.code, exit::OK);
}

#[tokio::test]
async fn nobody_is_told_the_token_before_a_person_compared_the_fingerprint() {
    let world = World::of_control(&["rig1"]).await;
    let door = Door::open(&world).await;
    // Neither a switch nor another answer than yes stands for having looked.
    for more in ["", "--yes"] {
        let ran = login(&world, &door.url, &["toktok\n", "", "n\n"], more).await;
        assert_eq!(ran.code, exit::FAILURE, "{}", ran.err);
        let line = format!("login {} --token-file - {more}", door.url);
        let ran = world.run_with_stdin(&line, "toktok\n").await;
        assert_eq!(ran.code, exit::USAGE, "{}", ran.err);
        assert!(ran.err.contains("give the --fingerprint"), "{}", ran.err);
    }
    assert_eq!(world.control.state().asked, Vec::<String>::new());
    let line = format!("login {} --token-file - --fingerprint {}", door.url, "00".repeat(32));
    assert_ne!(world.run_with_stdin(&line, "toktok\n").await.code, exit::OK);
    assert_eq!(world.control.state().bearer, None);
    let line = format!("login {} --token-file - --fingerprint {}", door.url, door.fingerprint);
    let ran = world.run_with_stdin(&line, "toktok\n").await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
}

#[tokio::test]
async fn login_to_another_service_leaves_the_key_of_the_first_one() {
    let world = World::of_control(&["rig1"]).await;
    let (north, south) = (Door::open(&world).await, Door::open(&world).await);
    let line =
        |door: &Door, name: &str| format!("login {} --token-file - --fingerprint {}{name}", door.url, door.fingerprint);
    assert_eq!(world.run_with_stdin(&line(&north, ""), "first").await.code, exit::OK);
    let ran = world.run_with_stdin(&line(&south, ""), "second").await;
    assert_eq!(ran.code, exit::USAGE, "{}", ran.err);
    assert!(ran.err.contains(&north.url) && ran.err.contains("--name"), "{}", ran.err);
    assert!(world.answer("context export alice").await.contains("first"));
    assert_eq!(world.run_with_stdin(&line(&south, " --name south"), "second").await.code, exit::OK);
    assert_eq!(world.run_with_stdin(&line(&north, ""), "third").await.code, exit::OK);
    assert!(world.answer("context export alice").await.contains("third"));
}

#[tokio::test]
async fn documents_that_are_typed_leave_the_question_its_answer() {
    let world = World::of_control(&["rig1", "rig2", "rig3"]).await;
    let typed = ["{kind: Profile, name: north, selector: site=north, spec: {paused: true}}\n", "", "y\n"];
    let ran = world.run_in(typing(&world, &typed), "apply -f -").await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    assert_eq!(world.control.state().asked, ["check profile", "apply profile"]);
}
