//! Contexts: kept, chosen, forgotten.

use super::World;
use crate::{Environment, exit};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn contexts_are_kept_chosen_and_forgotten() {
    let world = World::of_control(&["rig1"]).await;
    let address = world.address("control.sock");
    assert!(world.answer("context list").await.starts_with("there is no context"));
    let told = world.answer(&format!("context add here --address {address}")).await;
    assert!(told.ends_with("is kept; it is in use\n"), "{told}");
    world.answer("context add nowhere --address unix:///nonexistent.sock").await;
    let listed = world.json("context list").await;
    assert_eq!((&listed["contexts"][0]["inUse"], &listed["contexts"][1]["inUse"]), (&true.into(), &false.into()));
    let file = world.path("config/contexts/here.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(world.run("miner list").await.code, exit::OK);
    world.answer("context use nowhere").await;
    assert_eq!(world.run("miner list").await.code, exit::UNREACHABLE);
    assert_eq!(world.run("miner list --context here").await.code, exit::OK);
    let by_variable = Environment { context: Some("here".into()), ..world.environment() };
    assert_eq!(world.run_in(by_variable, "miner list").await.code, exit::OK);
    let address_first =
        Environment { context: Some("nowhere".into()), address: Some(address.to_string()), ..world.environment() };
    assert_eq!(world.run_in(address_first, "miner list").await.code, exit::OK);
    let exported = world.file("moved.toml", &world.answer("context export here").await);
    assert!(world.answer(&format!("context import {exported} --name there")).await.contains("context use there"));
    world.answer("context remove nowhere").await;
    assert_eq!(world.run("miner list").await.code, exit::OK, "without a context in use it is looked for");
    assert_eq!(world.run("context show").await.code, exit::NOT_FOUND);
    assert!(world.answer("context show there").await.contains("user of the socket"));
}

#[tokio::test]
async fn contexts_that_cannot_be_used_say_why() {
    let world = World::empty();
    for (text, why) in [
        ("name = 7", "is no context"),
        ("name = \"a\"\naddress = \"https://h:1\"", "no authority"),
        ("name = \"a\"\naddress = \"unix:///x\"\ntoken = \"t\"", "without TLS"),
        ("name = \"a\"\naddress = \"unix:///x\"\ntoken = \"t\"\nidentity = \"i\"", "leave one out"),
        ("name = \"a\"\naddress = \"https://h:1\"\nauthority = \"x\"", "in PEM form"),
        ("name = \"A/b\"\naddress = \"unix:///x\"", "is no context"),
    ] {
        let ran = world.run(&format!("context import {}", world.file("context.toml", text))).await;
        assert_eq!(ran.code, exit::USAGE, "{text}");
        assert!(ran.err.contains(why), "{text}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
    }
    for (line, code) in [
        ("miner list --context x", exit::NOT_FOUND),
        ("context use x", exit::NOT_FOUND),
        ("context remove x", exit::NOT_FOUND),
        ("miner list --context x --address /y", exit::USAGE),
        ("miner list --address https://127.0.0.1:1", exit::USAGE),
        ("login http://127.0.0.1:1 --token-file -", exit::USAGE),
        ("login", exit::USAGE),
        ("login --renew", exit::NOT_FOUND),
    ] {
        let ran = world.run(line).await;
        assert_eq!(ran.code, code, "{line}: {}", ran.err);
    }
}
