//! `sre config`, `sre token` and `sre gc`: what an operator does besides serving.

use serde_json::json;

use super::{serve, service_config};
use crate::cli::{ConfigCommand, Format, GcArgs, Global, TokenArgs, TokenCommand};
use crate::config::DEFAULT;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{output, receipts};
use sre_journal::{Finality, Purged};

/// `sre config`.
///
/// # Errors
/// Settings that cannot be read.
pub fn config(command: &ConfigCommand, global: &Global) -> Result<Exit, Failure> {
    let args = match command {
        ConfigCommand::Default => {
            output::stdout(DEFAULT.as_bytes())?;
            return Ok(Exit::Success);
        }
        ConfigCommand::Show(args) => args,
    };
    let config = service_config(args)?;
    config.settings()?.check()?;
    let text = match global.format {
        Format::Human => config
            .iter()
            .map(|(name, value, origin)| {
                format!(
                    "{name} = {value}  # {}\n",
                    output::escape(&origin.to_string())
                )
            })
            .collect(),
        Format::Json => {
            let entry = |(name, value, origin): (&str, &toml::Value, &crate::config::Origin)| {
                (
                    name.to_owned(),
                    json!({ "value": value, "origin": origin.to_string() }),
                )
            };
            output::json_line(&config.iter().map(entry).collect::<serde_json::Map<_, _>>())
        }
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

/// `sre token`.
///
/// # Errors
/// A name that is taken or unknown; a file that cannot be used.
pub fn token(args: &TokenArgs, global: &Global) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    let settings = service_config(&args.config)?.settings()?;
    let tokens = serve::open_tokens(&settings, &folder)?;
    let (human, value) = match &args.command {
        TokenCommand::New { name, scopes } => {
            let token = tokens.add(name, sre_service::Scopes::new(scopes))?;
            (
                format!("{}\n", token.secret),
                json!({ "name": token.name, "token": token.secret }),
            )
        }
        TokenCommand::List => {
            let list = tokens.list();
            let line = |(name, scopes): &(String, Vec<sre_service::Scope>)| {
                let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
                format!("{name}  {}\n", scopes.join(","))
            };
            let entry = |(name, scopes): &(String, Vec<sre_service::Scope>)| json!({ "name": name, "scopes": scopes });
            (
                list.iter().map(line).collect(),
                list.iter().map(entry).collect(),
            )
        }
        TokenCommand::Revoke { name } => {
            tokens.revoke(name)?;
            (String::new(), json!({ "revoked": name }))
        }
        TokenCommand::CallbackKeys { name } => {
            let keys = folder.open_callback_keys()?;
            let (secret, public) = (keys.secret(name), keys.public_key());
            (
                format!("secret      {secret}\npublic key  {public}\n"),
                json!({ "secret": secret, "public_key": public }),
            )
        }
    };
    let text = match global.format {
        Format::Human => human,
        Format::Json => output::json_line(&value),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

/// `sre gc`.
///
/// # Errors
/// When another process uses the data folder, or it is not complete or cannot be read; then no blob
/// was removed.
pub fn gc(args: &GcArgs, global: &Global) -> Result<Exit, Failure> {
    let retention = service_config(&args.config)?.settings()?.retention()?;
    let folder = global.data_folder()?;
    let swept = super::runtime()?.block_on(sre_orchestrator::sweep(
        &folder,
        retention,
        receipts::PROGRAM,
    ))?;
    let text = match global.format {
        Format::Human => format!(
            "{} forgotten, {} removed ({})\n{}{}",
            output::plural(swept.orders.orders, "order"),
            output::plural(swept.blobs, "blob"),
            output::bytes(swept.bytes),
            without_receipt(&swept.orders),
            never_final(&swept.orders)
        ),
        Format::Json => output::json_line(&json!({
            "orders": swept.orders.orders, "blobs": swept.blobs, "bytes": swept.bytes,
            "without_receipt": swept.orders.without_receipt,
            "never_final": swept.orders.never_final, "never_final_orders": swept.orders.never_final_orders,
        })),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

/// Old orders that were kept.
fn without_receipt(forgotten: &Purged) -> String {
    match forgotten.without_receipt {
        0 => String::new(),
        kept => {
            format!(
                "{} kept: no receipt could be issued so far; the log says why\n",
                output::plural(kept, "order")
            )
        }
    }
}

/// The purged orders whose submitters still wait for verdicts: purging them is reported.
fn never_final(forgotten: &Purged) -> String {
    let named: String = forgotten
        .never_final_orders
        .iter()
        .map(|order| {
            let Finality { required, matched, disputed, .. } = order.finality;
            let callback = if order.callback_dropped { "; its callback was not sent" } else { "" };
            format!(
                "never final: order {}, {matched} of {required} matching verdicts, {disputed} disputing{callback}\n",
                output::escape(&order.order_id)
            )
        })
        .collect();
    match forgotten.never_final - forgotten.never_final_orders.len() as u64 {
        0 => named,
        more => format!("{named}never final: {more} more\n"),
    }
}
