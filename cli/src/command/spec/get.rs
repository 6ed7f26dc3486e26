//! `spec get`: the desired state, in a form that `spec apply` takes.

use crate::{
    command::{
        message::{self, to_json},
        peer::Peer,
        store::Stored,
        view,
    },
    context::Context,
    error::CliError,
};
use serde_json::{Value, json};

pub(crate) async fn run(context: &mut Context<'_>) -> Result<(), CliError> {
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let stored = Stored::read(&target).await?;
    if context.format.is_for_people() {
        let text = document(&stored)?;
        return context.print(&text);
    }
    match &stored {
        Stored::Miner(response) => message::show(context, response, |_| String::new()),
        Stored::Control(response) => message::show(context, response.as_ref(), |_| String::new()),
    }
}

/// A YAML file to edit, its place in history in comments.
fn document(stored: &Stored) -> Result<String, CliError> {
    let place = match stored {
        Stored::Miner(response) => {
            let state = response.state.clone().unwrap_or_default();
            format!("# generation {}, in force: {}\n", state.generation, state.observed_generation)
        }
        Stored::Control(response) => {
            let sync = view::sync(response.sync_state());
            match &response.desired {
                Some(desired) => format!("# desired generation {}, {sync}\n", desired.generation),
                None => "# nothing is desired yet; this is what the miner has\n".into(),
            }
        }
    };
    let mut spec = to_json(&stored.spec())?;
    if let Value::Object(fields) = &mut spec
        && !stored.etag().is_empty()
    {
        fields.insert("etag".into(), json!(stored.etag()));
    }
    Ok(format!("{place}{}", message::yaml(&spec)))
}
