//! Words and what they mean.

use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<Args, clap::Error> {
    Args::try_parse_from(std::iter::once("mujinactl").chain(line.split_whitespace()))
}

#[test]
fn definition_holds_together() {
    Args::command().debug_assert();
}

#[test]
fn every_command_is_found_by_its_name() {
    for (line, name) in [
        ("status", "status"),
        ("status --watch", "status"),
        ("miner list", "miner list"),
        ("miner list -l site=a,model!=x --filter hashrate_1h.ratio<0.9 -o wide", "miner list"),
        ("miner label rig1 rig2 site=a rack-", "miner label"),
        ("miner label -l site=a zone=7 --yes", "miner label"),
        ("miner remove rig1", "miner remove"),
        ("miner release rig1", "miner release"),
        ("miner summary -l site=a", "miner summary"),
        ("context import admin.context.toml --use", "context import"),
        ("context add a --address https://h.example:1 --authority ca.pem --token-file -", "context add"),
        ("context use a", "context use"),
        ("context list", "context list"),
        ("context remove a", "context remove"),
        ("context show", "context show"),
        ("context export a", "context export"),
        ("login https://h.example:1 --token-file - --certificate", "login"),
        ("login --renew --context a", "login"),
        ("enroll token create --ttl 1h --uses 3 --label site=a --label rack=7 --approval", "enroll token create"),
        ("enroll token list", "enroll token list"),
        ("enroll token revoke 0a", "enroll token revoke"),
        ("enroll list --pending", "enroll list"),
        ("enroll approve 3", "enroll approve"),
        ("enroll refuse 3 --reason unknown", "enroll refuse"),
        ("enroll revoke --miner rig1", "enroll revoke"),
        ("enroll certificates", "enroll certificates"),
        ("profile list", "profile list"),
        ("profile apply -f - --yes", "profile apply"),
        ("profile delete north", "profile delete"),
        ("profile resolve rig1", "profile resolve"),
        ("profile clear-override rig1", "profile clear-override"),
        ("apply -f north.yaml --yes --wait", "apply"),
        ("diff -f north.yaml", "diff"),
        ("rollout plan -f north.yaml --waves 1,10%,100% --max-unavailable 10% --order label:rack", "rollout plan"),
        (
            "rollout start -f n.yaml --soak 1m --pause-between 10s --canary a=b --on-failure rollback -y",
            "rollout start",
        ),
        ("rollout start r1 --no-share-gate --wait", "rollout start"),
        ("rollout start -f n.yaml --approvals 2", "rollout start"),
        ("rollout approve r1", "rollout approve"),
        ("rollout list", "rollout list"),
        ("rollout show r1", "rollout show"),
        ("rollout watch r1", "rollout watch"),
        ("rollout pause r1 --reason noise", "rollout pause"),
        ("rollout resume r1 --accept-wave", "rollout resume"),
        ("rollout abort r1", "rollout abort"),
        ("rollout rollback r1", "rollout rollback"),
        ("op list", "op list"),
        ("op show o1", "op show"),
        ("op watch o1", "op watch"),
        ("op cancel o1", "op cancel"),
        ("op retry o1", "op retry"),
        ("op bundle o1 rig1 --to rig1.json", "op bundle"),
        ("op run reconnect --pool a --immediate rig1 rig2", "op run reconnect"),
        ("op run pause --all --ramp 5kW --yes", "op run pause"),
        ("op run resume -l site=a --ramp 800W", "op run resume"),
        ("op run restart rig1", "op run restart"),
        ("op run test-pool --all --pool a", "op run test-pool"),
        ("op run self-test rig1 --board b", "op run self-test"),
        ("op run collect-bundle --filter faults>0 --detach", "op run collect-bundle"),
        ("pause rig1 rig2 --yes", "pause"),
        ("pool reconnect primary --miners rig1,rig2", "pool reconnect"),
        ("stats query -l a=b --step 1m --since 1h --group-by label:site,pool", "stats query"),
        ("stats export --format parquet --to x.parquet", "stats export"),
        ("event list -n 5", "event list"),
        ("event watch --after 7", "event watch"),
        ("audit list --target rig1", "audit list"),
        ("audit verify --after 5 --hash 00", "audit verify"),
        ("audit export --to audit.jsonl", "audit export"),
        ("access binding add operator:bob viewer -l site=a", "access binding add"),
        ("access token create bob --ttl 12h", "access token create"),
        ("access payout propose -f list.yaml", "access payout propose"),
        ("access payout approve p1", "access payout approve"),
        ("auth can-i pause --miner rig1", "auth can-i"),
        ("auth whoami", "auth whoami"),
        ("miner get", "miner get"),
        ("miner get rig1", "miner get"),
        ("pool list -m rig1", "pool list"),
        ("pool set stratum2+tcp://other.example/KEY --user bc1q...", "pool set"),
        ("pool set URL --user u --name spare --password-stdin --dry-run", "pool set"),
        ("pool add URL -u u --group main --first --password-file /x", "pool add"),
        ("pool remove spare", "pool remove"),
        ("pool add URL -u u --quota 3 --strategy quota --worker-name w --tls-pin a --tls-pin b", "pool add"),
        ("pool set URL -u u --authority-key K --redirect-host h.example --wide-version-rolling", "pool set"),
        ("pool set URL -u u --no-extranonce-subscribe --no-suggest-difficulty --strategy failover", "pool set"),
        ("pool list -o wide", "pool list"),
        ("pool test primary", "pool test"),
        ("pool test stratum+tcp://pool.example -u alice --password-stdin --timeout 1m", "pool test"),
        ("pool pin spare --for 1h", "pool pin"),
        ("pool unpin", "pool unpin"),
        ("pool history -n 5", "pool history"),
        ("pool channels -m rig1", "pool channels"),
        ("board list -m rig1", "board list"),
        ("board list --watch", "board list"),
        ("board get cpu", "board get"),
        ("board chips emberone-1 --map", "board chips"),
        ("board constraints emberone-1", "board constraints"),
        ("board tune gamma-1 --frequency 525MHz --voltage 1150mV --soft-limit asic=65C --dry-run", "board tune"),
        ("board tune bitaxe-gamma --power 15W --fan-target 55C --hard-limit asic=70C --wait", "board tune"),
        ("board tune gamma-1 --reset --hash-rate 1.1TH/s --no-soft-limit asic --no-fan-target", "board tune"),
        ("board locate gamma-1 --for 30s", "board locate"),
        ("board locate gamma-1 --off", "board locate"),
        ("board self-test gamma-1", "board self-test"),
        ("board reinit gamma-1", "board reinit"),
        ("shares rejects --pool primary --limit 3", "shares rejects"),
        ("pool reconnect --trace", "pool reconnect"),
        ("pool reconnect primary --immediate --all --wait", "pool reconnect"),
        ("pause --reason maintenance", "pause"),
        ("resume --all", "resume"),
        ("shares stats", "shares stats"),
        ("shares stats --all --since 7d", "shares stats"),
        ("shares tail --outcome accepted,rejected -n 5", "shares tail"),
        ("shares list --outcome lost --outcome below-target --limit 7", "shares list"),
        ("spec get -o yaml", "spec get"),
        ("spec apply -f spec.yaml", "spec apply"),
        ("spec diff --file -", "spec diff"),
        ("trace show 0af7651916cd43dd8448eb211c80319c", "trace show"),
        ("completion fish", "completion"),
        ("version --output=json", "version"),
    ] {
        let args = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(args.command.name(), name, "{line}");
    }
}

#[test]
fn switches_stand_before_or_after_the_command() {
    for line in [
        "--address /run/a.sock --miner rig1 -o json --wait --timeout 5m --trace -q pool list",
        "pool list --address unix:///run/a.sock -m rig1 --output json --wait --timeout 5m --trace --quiet",
    ] {
        let Global { address, context: _, miner, output, wait, yes: _, timeout, trace, quiet } =
            parse(line).unwrap().global;
        assert_eq!(address, Some(Address::Unix("/run/a.sock".into())));
        assert_eq!(
            (miner, output, timeout),
            (Some("rig1".parse().unwrap()), Format::Json, Some(Duration::from_secs(300)))
        );
        assert!(wait && trace && quiet);
    }
}

#[test]
fn wrong_words_are_refused_with_the_reason() {
    for (line, reason) in [
        ("", "Usage"),
        ("pool", "Usage"),
        ("pool set URL", "--user"),
        ("pool set --user u", "<URL>"),
        ("pool set URL --user u --password hunter2", "--password"),
        ("pool set URL --user u --password-file /x --password-stdin", "cannot be used with"),
        ("status --timeout 30", "duration has no unit"),
        ("status --miner Rig_1", "use only a-z"),
        ("status --address 10.0.0.1:50051", "is not this machine"),
        ("status -o xml", "possible values: table, wide, json, yaml"),
        ("pool pin spare", "--for"),
        ("pool pin spare --for 60", "duration has no unit"),
        ("pool add URL -u u --quota 0", "0 is not in 1.."),
        ("pool add URL -u u --strategy random", "possible values: failover, quota"),
        ("pool history -n 0", "0 is not in 1.."),
        ("board get", "<BOARD>"),
        ("board tune gamma-1 --frequency 525MHz", "--voltage"),
        ("board tune gamma-1 --frequency 525 --voltage 1.15V", "has no unit that is known; write for example 525MHz"),
        ("board tune gamma-1 --power 15W --hash-rate 1TH", "cannot be used with"),
        ("board tune gamma-1 --soft-limit 65C", "has no sensor"),
        ("board locate gamma-1", "--for"),
        ("board locate gamma-1 --for 30s --off", "cannot be used with"),
        ("shares list --outcome fine", "possible values"),
        ("spec apply", "--file"),
        ("completion tcsh", "possible values"),
        ("op run pause --ramp 5", "give it with its unit"),
        ("op run pause --all -l a=b", "cannot be used with"),
        ("enroll token create --label site", "write KEY=VALUE"),
        ("rollout start", "required"),
        ("rollout start r1 -f x", "cannot be used with"),
        ("miner list --context a --address /x", "cannot be used with"),
        ("frobnicate", "unrecognized subcommand"),
    ] {
        let error = parse(line).unwrap_err().to_string();
        assert!(error.contains(reason), "{line}: {error}");
    }
}

#[test]
fn only_watches_are_without_a_deadline() {
    let is_watch = |line| parse(line).unwrap().command.is_watch();
    assert!(is_watch("status --watch") && is_watch("shares tail") && is_watch("board list -w"));
    assert!(!is_watch("status") && !is_watch("pool reconnect") && !is_watch("shares list"));
    assert!(!is_watch("pool test x") && !is_watch("board list"));
    let deadline = |line| parse(line).unwrap().command.deadline(false);
    assert_eq!(parse("rollout start r1 --wait").unwrap().command.deadline(true), None);
    assert_eq!(deadline("op run pause --all"), None);
    assert_eq!(deadline("apply -f x"), Some(Duration::from_secs(300)));
    assert_eq!(deadline("status"), Some(Duration::from_secs(30)));
    assert_eq!(deadline("status --watch"), None);
    assert_eq!(deadline("board self-test x"), Some(Duration::from_secs(300)));
}

#[test]
fn every_example_of_the_paper_and_of_the_help_is_understood() {
    let paper = include_str!("../../../docs/mujinactl.md");
    let help = Args::command().find_subcommand_mut("board").unwrap().find_subcommand_mut("tune").unwrap().render_help();
    let help = help.to_string();
    let lines: Vec<_> =
        paper.lines().chain(help.lines()).filter_map(|line| line.trim().strip_prefix("mujinactl ")).collect();
    assert!(lines.len() > 15, "{lines:?}");
    for line in lines {
        let words = line.split(['#', '|', ';']).next().unwrap();
        parse(words).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}
