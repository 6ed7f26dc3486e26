//! What each command does: asks a service, shows the answer. One file a verb; the shared steps beside them.

mod access;
mod apply;
mod audit;
mod board;
mod completion;
mod document;
mod edit;
mod enroll;
mod file;
mod following;
mod known;
mod login;
mod message;
mod miner;
pub(crate) mod names;
mod op;
mod operation;
mod pages;
mod pause;
mod peer;
pub(crate) mod pool;
mod profile;
mod repeat;
mod resume;
mod rollout;
mod saved;
mod selection;
mod shares;
mod spec;
mod statistics;
mod status;
mod store;
mod trace;
mod version;
mod view;
mod wait;

use crate::{
    args::{Board, Command, Miner, Pool, Shares, Spec, Trace},
    context::Context,
    error::CliError,
};

/// Runs a command.
pub(crate) async fn run(command: Command, context: &mut Context<'_>) -> Result<(), CliError> {
    match command {
        Command::Status(args) => status::run(args, context).await,
        Command::Miner(Miner::List(args)) => miner::list::run(args, context).await,
        Command::Miner(Miner::Label(args)) => miner::label::label(args, context).await,
        Command::Miner(Miner::Remove { name }) => miner::label::remove(name, context).await,
        Command::Miner(Miner::Release { name }) => miner::label::release(name, context).await,
        Command::Miner(Miner::Summary { selector }) => miner::label::summary(selector, context).await,
        Command::Miner(Miner::Get { name }) => miner::get::run(name, context).await,
        Command::Pool(Pool::List) => pool::list::run(context).await,
        Command::Pool(Pool::Set(args)) => pool::set::run(*args, context).await,
        Command::Pool(Pool::Add(args)) => pool::add::run(*args, context).await,
        Command::Pool(Pool::Remove(args)) => pool::remove::run(args, context).await,
        Command::Pool(Pool::Reconnect(args)) => pool::reconnect::run(*args, context).await,
        Command::Pool(Pool::Test(args)) => pool::test::run(*args, context).await,
        Command::Pool(Pool::Pin(args)) => pool::pin::run(args, context).await,
        Command::Pool(Pool::Unpin) => pool::unpin::run(context).await,
        Command::Pool(Pool::History(args)) => pool::history::run(&args, context).await,
        Command::Pool(Pool::Channels) => pool::channels::run(context).await,
        Command::Board(Board::List(args)) => board::list::run(&args, context).await,
        Command::Board(Board::Get(args)) => board::get::run(args, context).await,
        Command::Board(Board::Chips(args)) => board::chips::run(args, context).await,
        Command::Board(Board::Constraints(args)) => board::constraints::run(args, context).await,
        Command::Board(Board::Tune(args)) => board::tune::run(*args, context).await,
        Command::Board(Board::Locate(args)) => board::locate::run(args, context).await,
        Command::Board(Board::SelfTest(args)) => board::self_test::run(args, context).await,
        Command::Board(Board::Reinit(args)) => board::reinit::run(args, context).await,
        Command::Pause(args) => pause::run(*args, context).await,
        Command::Resume(args) => resume::run(*args, context).await,
        Command::Shares(Shares::Stats { all, since }) => shares::stats::run(all.then_some(since), context).await,
        Command::Shares(Shares::Tail(args)) => shares::tail::run(args, context).await,
        Command::Shares(Shares::List(args)) => shares::list::run(args, context).await,
        Command::Shares(Shares::Rejects(args)) => shares::rejects::run(args, context).await,
        Command::Spec(Spec::Get) => spec::get::run(context).await,
        Command::Spec(Spec::Apply(args)) => spec::apply::run(&args.file, context).await,
        Command::Spec(Spec::Diff(args)) => spec::diff::run(&args.file, context).await,
        Command::Profile(command) => profile::run(command, context).await,
        Command::Apply(args) => apply::run(&args.file, args.dry_run, context).await,
        Command::Diff(args) => apply::diff(&args.file, context).await,
        Command::Rollout(command) => rollout::run(command, context).await,
        Command::Op(command) => op::run(command, context).await,
        Command::Stats(command) => statistics::run(command, context).await,
        Command::Event(command) => statistics::event(command, context).await,
        Command::Access(command) => access::run(command, context).await,
        Command::Auth(command) => access::auth(command, context).await,
        Command::Enroll(command) => enroll::run(command, context).await,
        Command::Audit(command) => audit::run(command, context).await,
        Command::Login(args) => login::run(args, context).await,
        Command::Context(command) => saved::run(command, context).await,
        Command::Trace(Trace::Show { id }) => trace::show::run(&id, context).await,
        Command::Completion { shell } => completion::run(shell, context),
        Command::Version => version::run(context).await,
    }
}

#[cfg(test)]
mod tests;
