//! `sre submit`, `status`, `result`, `cancel`, `list`, `logs`, `redeliver`: clients of the service.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sre_client::{Client, Events, Request};
use sre_core::{ErrorCode, OrderId, OrderResult, OrderStatus};
use sre_journal::Finality;
use sre_orchestrator::OrderConfig;
use sre_skill::{PackageLimits, SkillPackage};

use super::run::left::{self, Target};
use super::run::{exit_of, order as read_order};
use super::{client_files, connect, upload};
use crate::cli::{Format, Global, ListArgs, LogsArgs, OrderRefArgs, ResultArgs, SubmitArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Sheet, Style};

/// How long one request asks the service to wait.
const WAIT: Duration = Duration::from_secs(30);

/// `sre submit`.
///
/// # Errors
/// What the service said.
pub fn submit(args: SubmitArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let client = connect::service(&args.client)?;
    let target = left::target(args.output, &args.order.invocation)?;
    if target.is_some() && !args.wait {
        let detail = "--out and --in-place need --wait";
        return Err(Failure::new(ErrorCode::Usage, detail)
            .hint("or fetch the files later with `sre files ORDER --out DIR`"));
    }
    let mut config = read_order::read(args.order)?;
    config.verdicts_required = args.verdicts_required;
    let wait = if args.wait { WAIT } else { Duration::ZERO };
    let id = config.order_id.clone();
    super::runtime()?.block_on(async {
        if let Some(invocation) = &mut config.invocation {
            upload::upload(&client, invocation, progress).await?;
        }
        progress.show(&format!("submitting order {id}"));
        let request = Request::post("v1/orders")
            .body(to_json(&config)?)
            .wait(wait);
        let answer = client.send(request).await?;
        let answer = if args.wait {
            ended(&client, &id, answer, progress).await?
        } else {
            answer
        };
        let left = match command_result(&answer).filter(|_| args.wait) {
            Some(result) => Some(fetch(&client, result, target.as_ref(), progress).await?),
            None => None,
        };
        progress.clear();
        match left {
            Some(left) => show_command(&answer, &left, global),
            None => show(&answer, global),
        }
    })
}

/// What a command of the service left.
struct Fetched {
    result: OrderResult,
    stdout: Arc<[u8]>,
    /// How many changes were written, where that was asked for.
    written: Option<usize>,
}

/// The result of an order that has ended, where it ran a command.
fn command_result(answer: &Value) -> Option<OrderResult> {
    let result: OrderResult = serde_json::from_value(answer.clone()).ok()?;
    result.command.is_some().then_some(result)
}

/// Fetches what a command printed, and writes its files to where they were asked for.
async fn fetch(
    client: &Client,
    result: OrderResult,
    target: Option<&Target>,
    progress: &Progress,
) -> Result<Fetched, Failure> {
    let store = client_files::store(client);
    progress.show("fetching what it left");
    let stdout = left::stdout(&store, &result).await?.unwrap_or_default();
    let written = match target {
        // Not what a failed program left half done.
        Some(target) if result.status == OrderStatus::Completed => {
            Some(left::write(&store, &result, target).await?)
        }
        _ => None,
    };
    Ok(Fetched {
        result,
        stdout,
        written,
    })
}

/// Prints as `sre run` does: what the program printed to standard output, the rest to standard
/// error.
fn show_command(answer: &Value, left: &Fetched, global: &Global) -> Result<Exit, Failure> {
    match global.format {
        Format::Json => output::stdout(output::json_line(answer).as_bytes())?,
        Format::Human => {
            output::stdout(&left.stdout)?;
            if !global.quiet {
                output::stderr(&output::command(None, &left.result, left.written));
            }
        }
    }
    Ok(exit_of(&left.result))
}

/// `sre status`.
///
/// # Errors
/// What the service said.
pub fn status(args: &OrderRefArgs, global: &Global) -> Result<Exit, Failure> {
    let client = connect::service(&args.client)?;
    let request = Request::of_order(&args.order, "");
    let answer = super::runtime()?.block_on(client.send(request))?;
    show(&answer, global)?;
    Ok(Exit::Success)
}

/// `sre result`.
///
/// # Errors
/// What the service said; an order that has not ended.
pub fn result(args: &ResultArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let client = connect::service(&args.client)?;
    super::runtime()?.block_on(async {
        let answer = client.send(Request::of_order(&args.order, "")).await?;
        let answer = if args.wait {
            ended(&client, &args.order, answer, progress).await?
        } else {
            answer
        };
        progress.clear();
        if !is_over(&answer) {
            let detail = format!(
                "order {} has no result yet: it is {}",
                args.order,
                text(&answer, "status")
            );
            return Err(Failure::new(ErrorCode::OrderOpen, detail).hint("--wait waits for it"));
        }
        show(&answer, global)
    })
}

/// `sre cancel`.
///
/// # Errors
/// What the service said.
pub fn cancel(args: &OrderRefArgs, global: &Global) -> Result<Exit, Failure> {
    let client = connect::service(&args.client)?;
    let request = Request::to_order(&args.order, "cancel");
    let answer = super::runtime()?.block_on(client.send(request))?;
    show(&answer, global)?;
    Ok(Exit::Success)
}

/// `sre redeliver`.
///
/// # Errors
/// What the service said.
pub fn redeliver(args: &OrderRefArgs, global: &Global) -> Result<Exit, Failure> {
    let client = connect::service(&args.client)?;
    let request = Request::to_order(&args.order, "redeliver");
    let answer = super::runtime()?.block_on(client.send(request))?;
    let text = match global.format {
        Format::Json => output::json_line(&answer),
        Format::Human => format!(
            "the callback to {} is due\n",
            output::escape(text(&answer, "receiver"))
        ),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

/// `sre list`.
///
/// # Errors
/// What the service said.
pub fn list(args: &ListArgs, global: &Global) -> Result<Exit, Failure> {
    let client = connect::service(&args.client)?;
    let mut orders = Vec::new();
    let mut cursor = None::<String>;
    let runtime = super::runtime()?;
    while orders.len() < args.limit {
        let limit = (args.limit - orders.len()).clamp(1, 500);
        let request = Request::get("v1/orders")
            .query("limit", Some(limit.to_string()))
            .query("status", args.status.clone())
            .query("skill", args.skill.clone())
            .query("cursor", cursor);
        let page = runtime.block_on(client.send(request))?;
        orders.extend(page["orders"].as_array().cloned().unwrap_or_default());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let text = match global.format {
        Format::Json => output::json_line(&orders),
        Format::Human => orders
            .iter()
            .map(|order| {
                let row = ["accepted_at", "status", "order_id", "submitter"]
                    .map(|name| text(order, name));
                let finality = if order["is_final"] == false {
                    "  not final"
                } else {
                    ""
                };
                output::escape(&format!(
                    "{}  {:<9}  {}  {}{finality}",
                    row[0], row[1], row[2], row[3]
                )) + "\n"
            })
            .collect(),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

/// `sre logs`: what happens to the order until it ends, then the skill's own log.
///
/// # Errors
/// What the service said.
pub fn logs(args: &LogsArgs, global: &Global) -> Result<Exit, Failure> {
    let client = connect::service(&args.client)?;
    super::runtime()?.block_on(async {
        let mut events = Events::new(client.clone(), &args.order, 0);
        while let Some(event) = events.next().await? {
            print_event(&event.data, global)?;
        }
        let answer = client.send(Request::of_order(&args.order, "")).await?;
        if global.format == Format::Human {
            output::stdout(output::escape(text(&answer, "logs")).as_bytes())?;
        }
        Ok(Exit::Success)
    })
}

fn print_event(data: &str, global: &Global) -> Result<(), Failure> {
    let line = match global.format {
        Format::Json => output::escape_json(data) + "\n",
        Format::Human => {
            let event: Value = serde_json::from_str(data).unwrap_or_default();
            let detail = event["detail"]
                .as_str()
                .map(|detail| format!(": {detail}"))
                .unwrap_or_default();
            output::escape(&format!(
                "{}  {}{detail}",
                text(&event, "at"),
                text(&event, "kind")
            )) + "\n"
        }
    };
    output::stdout(line.as_bytes())
}

/// Waits for the end of an order.
async fn ended(
    client: &Client,
    id: &OrderId,
    mut answer: Value,
    progress: &Progress,
) -> Result<Value, Failure> {
    while !is_over(&answer) {
        progress.show(&format!("order {id} is {}", text(&answer, "status")));
        answer = client.send(Request::of_order(id, "").wait(WAIT)).await?;
    }
    Ok(answer)
}

fn is_over(answer: &Value) -> bool {
    !matches!(text(answer, "status"), "queued" | "running" | "verifying")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Prints an order; a finished one decides the exit code as for `sre run`.
fn show(answer: &Value, global: &Global) -> Result<Exit, Failure> {
    let result: Option<OrderResult> = if is_over(answer) {
        serde_json::from_value(answer.clone()).ok()
    } else {
        None
    };
    let text = match (global.format, &result) {
        (Format::Json, _) => output::json_line(answer),
        (Format::Human, Some(result)) => output::order(None, result, Style::stdout()),
        (Format::Human, None) => {
            let mut sheet = Sheet::new(Style::stdout());
            sheet.title(&format!("order {}", text(answer, "order_id")), "");
            sheet.row("status", text(answer, "status"));
            sheet.into_text()
        }
    };
    output::stdout(text.as_bytes())?;
    if let (Format::Human, false, Some(note)) = (global.format, global.quiet, finality(answer)) {
        output::stderr(&format!("note: {note}\n"));
    }
    Ok(result.map_or(Exit::Success, |result| exit_of(&result)))
}

/// Where an order stands that needs verdicts of others.
fn finality(order: &Value) -> Option<String> {
    let found: Finality = serde_json::from_value(order.get("finality")?.clone()).ok()?;
    let Finality {
        required,
        matched,
        disputed,
        is_final,
        ..
    } = found;
    let stands = if is_final { "final" } else { "not final" };
    let disputed = if disputed > 0 {
        format!("; {disputed} dispute it")
    } else {
        String::new()
    };
    Some(format!(
        "the order is {stands}: {matched} of {required} matching verdicts{disputed}"
    ))
}

/// The order as the service reads it: a local package goes along whole.
fn to_json(config: &OrderConfig) -> Result<Value, Failure> {
    let package = match &config.skill_package {
        SkillPackage::Object(object) => object.clone(),
        package => package.resolve(&PackageLimits::default())?.to_object(),
    };
    let mut order = Map::new();
    order.insert(String::from("order_id"), json!(config.order_id));
    order.insert(String::from("skill_package"), package);
    order.insert(String::from("input_data"), config.input_data.clone());
    order.insert(
        String::from("timeout_seconds"),
        json!(config.timeout_seconds),
    );
    order.insert(String::from("max_retries"), json!(config.max_retries));
    order.insert(
        String::from("retry_on_timeout"),
        json!(config.retry_on_timeout),
    );
    order.insert(String::from("priority"), json!(config.priority));
    if config.verdicts_required > 0 {
        order.insert(
            String::from("verdicts_required"),
            json!(config.verdicts_required),
        );
    }
    if let Some(url) = &config.callback_url {
        order.insert(String::from("callback_url"), json!(url.as_str()));
    }
    if let Some(invocation) = &config.invocation {
        order.insert(String::from("invocation"), json!(invocation));
    }
    if let Some(sandbox) = &config.sandbox_config {
        order.insert(String::from("sandbox_config"), json!(sandbox));
    }
    Ok(Value::Object(order))
}
