//! What each command does: asks a service, shows the answer. One file a verb; the shared steps beside them.

mod board;
mod completion;
mod edit;
mod message;
mod miner;
mod operation;
mod pause;
mod peer;
pub(crate) mod pool;
mod repeat;
mod resume;
mod shares;
mod spec;
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
        Command::Miner(Miner::List) => miner::list::run(context).await,
        Command::Miner(Miner::Get { name }) => miner::get::run(name, context).await,
        Command::Pool(Pool::List) => pool::list::run(context).await,
        Command::Pool(Pool::Set(args)) => pool::set::run(*args, context).await,
        Command::Pool(Pool::Add(args)) => pool::add::run(*args, context).await,
        Command::Pool(Pool::Remove(args)) => pool::remove::run(args, context).await,
        Command::Pool(Pool::Reconnect(args)) => pool::reconnect::run(args, context).await,
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
        Command::Pause(args) => pause::run(args, context).await,
        Command::Resume(args) => resume::run(args, context).await,
        Command::Shares(Shares::Stats { all }) => shares::stats::run(all, context).await,
        Command::Shares(Shares::Tail(args)) => shares::tail::run(args, context).await,
        Command::Shares(Shares::List(args)) => shares::list::run(args, context).await,
        Command::Shares(Shares::Rejects(args)) => shares::rejects::run(args, context).await,
        Command::Spec(Spec::Get) => spec::get::run(context).await,
        Command::Spec(Spec::Apply(args)) => spec::apply::run(&args.file, context).await,
        Command::Spec(Spec::Diff(args)) => spec::diff::run(&args.file, context).await,
        Command::Trace(Trace::Show { id }) => trace::show::run(&id, context).await,
        Command::Completion { shell } => completion::run(shell, context),
        Command::Version => version::run(context).await,
    }
}

#[cfg(test)]
mod tests;
