//! `board tune`: what is wanted of a board, or of all boards of a model, as part of the spec.

use crate::{
    args::BoardTune,
    command::{
        edit,
        peer::{Peer, Target},
    },
    context::Context,
    error::CliError,
};
use mujina_proto::{
    dataplane::v1::ListBoardsRequest,
    types::v1::{BoardTuning, FixedTuning, MinerSpec, board_tuning::Mode},
};

pub(crate) async fn run(args: BoardTune, context: &mut Context<'_>) -> Result<(), CliError> {
    if !says_anything(&args) {
        let message = format!(
            "nothing is said of {}; give --frequency with --voltage, --power, --hash-rate, --default, a limit, \
             --fan-target or --reset",
            args.board
        );
        return Err(CliError::Usage(message));
    }
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let change = |spec: &mut MinerSpec| {
        let tuning = changed(spec.boards.get(&args.board).cloned().unwrap_or_default(), &args);
        if tuning == BoardTuning::default() {
            spec.boards.remove(&args.board);
        } else {
            spec.boards.insert(args.board.clone(), tuning);
        }
        Ok(())
    };
    if is_missing(&target, &args.board).await {
        context.note(&format!("no board here has the id or the model {}; one is tuned when it comes", args.board))?;
    }
    edit::boards(context, &target, change, args.dry_run).await
}

fn says_anything(args: &BoardTune) -> bool {
    let BoardTune {
        board: _,
        frequency,
        voltage: _,
        power,
        hash_rate,
        default,
        soft_limit,
        hard_limit,
        no_soft_limit,
        no_hard_limit,
        fan_target,
        no_fan_target,
        reset,
        dry_run: _,
    } = args;
    let numbers = [frequency, power, hash_rate, fan_target];
    let none_listed =
        soft_limit.is_empty() && hard_limit.is_empty() && no_soft_limit.is_empty() && no_hard_limit.is_empty();
    *default || *no_fan_target || *reset || !none_listed || numbers.into_iter().any(Option::is_some)
}

/// The tuning after what the words say. Nothing is forgotten that they do not speak of.
fn changed(before: BoardTuning, args: &BoardTune) -> BoardTuning {
    let mut tuning = if args.reset { BoardTuning::default() } else { before };
    let fixed = args
        .frequency
        .zip(args.voltage)
        .map(|(frequency_megahertz, voltage_volts)| Mode::Fixed(FixedTuning { frequency_megahertz, voltage_volts }));
    let wanted = fixed.or(args.power.map(Mode::PowerWatts)).or(args.hash_rate.map(Mode::HashRateHps));
    if wanted.is_some() || args.default {
        tuning.mode = wanted;
    }
    for (limits, tighter, gone) in [
        (&mut tuning.soft_limits_celsius, &args.soft_limit, &args.no_soft_limit),
        (&mut tuning.hard_limits_celsius, &args.hard_limit, &args.no_hard_limit),
    ] {
        limits.retain(|sensor, _| !gone.contains(sensor));
        limits.extend(tighter.iter().cloned());
    }
    if args.fan_target.is_some() || args.no_fan_target {
        tuning.fan_target_celsius = args.fan_target;
    }
    tuning
}

/// Whether the miner answers and has no such board. A miner that does not answer may have one.
async fn is_missing(target: &Target, board: &str) -> bool {
    let Ok(request) = target.request(ListBoardsRequest {}) else { return false };
    let Ok(answer) = target.boards().list_boards(request).await else { return false };
    let boards = answer.into_inner().boards;
    let mut known = boards.iter().filter_map(|board| board.status.as_ref());
    !known.any(|status| status.board_id == board || status.model == board)
}
