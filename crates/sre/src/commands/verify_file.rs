//! `sre verify FILE`: an independent verdict on a receipt or a bundle, on a machine that need not
//! know the executor.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use sre_client::{ShownReceipt, Sources};
use sre_core::{
    CommitResult, ErrorCode, InputDigest, OrderId, ReceiptDigest, SkillDigest, VerifyResult,
};
use sre_da::format_uri;
use sre_orchestrator::DataFolder;
use sre_receipt::tlog::PROOF_LIMIT_BYTES;
use sre_receipt::{
    BUNDLE_LIMIT_BYTES, Bundle, BundleError, Examination, Examiner, KeyId, Policy, Receipt,
    TRUST_LIMIT_BYTES, Trust,
};
use sre_verify::{Verify as _, VerifyRequest};

use super::{connect, verify};
use crate::cli::{Format, Global, VerifyArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Sheet, Style};
use crate::receipts;

/// Verifies one file.
///
/// # Errors
/// When the file, the proof, the trust file or a source cannot be read.
pub fn verify_file(
    args: &VerifyArgs,
    global: &Global,
    progress: &Progress,
) -> Result<Exit, Failure> {
    let bytes = read(&args.target, BUNDLE_LIMIT_BYTES)?;
    let folder = global.data_folder()?;
    let policy = Policy {
        require_proof: args.require_proof,
        witnesses_required: args.witnesses,
    };
    let examiner = Examiner::new(trust(args, &folder)?, policy);
    let (about, found) = match unpack(bytes, args)? {
        Err(error) => (None, Examination::of_damaged(&error).without_replay()),
        Ok(bundle) => {
            let examination = examiner.examine(&bundle.receipt, bundle.proof.as_deref());
            let about = examination.receipt.as_ref().map(About::of);
            let found = match examination.claim(format_uri) {
                Some(claim) => {
                    examination.conclude(replay(claim, bundle, args, folder, global, progress)?)
                }
                None => examination.without_replay(),
            };
            (about, found)
        }
    };
    let text = match (global.format, &about) {
        (Format::Json, _) => output::json_line(&Found {
            found: &found,
            about: about.as_ref(),
        }),
        (Format::Human, None) => output::verification(&title(args), "", &found, Style::stdout()),
        (Format::Human, Some(about)) => {
            output::verification(&title(args), "", &found, Style::stdout())
                + &about.in_words(Style::stdout())
        }
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Verdict(found.verdict))
}

fn title(args: &VerifyArgs) -> String {
    args.target.display().to_string()
}

/// What was found, and of what.
#[derive(Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    found: &'a VerifyResult,
    #[serde(flatten)]
    about: Option<&'a About>,
}

/// What the receipt in the file is about: a good one of another order is good, too.
#[derive(Serialize)]
struct About {
    receipt: ReceiptDigest,
    order_id: OrderId,
    executor: KeyId,
    skill: Option<SkillDigest>,
    input: Option<InputDigest>,
}

impl About {
    fn of(receipt: &Receipt) -> Self {
        let predicate = receipt.predicate();
        let commitment = predicate
            .provable
            .as_ref()
            .map(|provable| &provable.commitment);
        Self {
            receipt: receipt.digest(),
            order_id: predicate.order_id.clone(),
            executor: predicate.executor.key,
            skill: commitment.map(|commitment| commitment.skill),
            input: commitment.map(|commitment| commitment.input),
        }
    }

    fn in_words(&self, style: Style) -> String {
        let mut sheet = Sheet::new(style);
        sheet.row("order", self.order_id.as_str());
        let skill = self.skill.map(|digest| ("skill", digest.to_string()));
        let input = self.input.map(|digest| ("input", digest.to_string()));
        for (name, digest) in [skill, input].into_iter().flatten() {
            sheet.row(name, &digest);
        }
        sheet.row("executor", &self.executor.to_string());
        sheet.row("receipt", &self.receipt.to_string());
        sheet.into_text()
    }
}

/// The bundle in the file, or a receipt as a bundle without blobs: the envelope, or what a service
/// shows of it.
fn unpack(bytes: Vec<u8>, args: &VerifyArgs) -> Result<Result<Bundle, BundleError>, Failure> {
    if Bundle::looks_like(&bytes) {
        if args.proof.is_some() {
            return Err(Failure::new(
                ErrorCode::Usage,
                "--proof is for a receipt; a bundle has its own",
            ));
        }
        return Ok(Bundle::parse(&bytes));
    }
    let proof = args
        .proof
        .as_deref()
        .map(|path| read(path, PROOF_LIMIT_BYTES as u64))
        .transpose()?;
    if let Some(ShownReceipt {
        receipt: Some(receipt),
        proof: shown,
        ..
    }) = ShownReceipt::parse(&bytes)
    {
        return Ok(Ok(Bundle {
            receipt,
            proof: proof.or(shown),
            ..Bundle::default()
        }));
    }
    Ok(Ok(Bundle {
        receipt: bytes,
        proof,
        ..Bundle::default()
    }))
}

fn replay(
    claim: CommitResult,
    bundle: Bundle,
    args: &VerifyArgs,
    folder: DataFolder,
    global: &Global,
    progress: &Progress,
) -> Result<VerifyResult, Failure> {
    let mut sources = Sources::new(bundle.blobs);
    for place in &args.from {
        connect::add_source(&mut sources, place)?;
    }
    if args.from.is_empty() && folder.has_journal() {
        connect::add_folder(&mut sources, folder.path())?;
    }
    let verifier =
        verify::embedded(folder, args, global, progress)?.verifier_over(Arc::new(sources));
    progress.show(&format!("verifying order {}", claim.order_id));
    let request = VerifyRequest {
        claim,
        reported_output: None,
    };
    let replayed = super::runtime()?.block_on(verifier.verify_result(request));
    progress.clear();
    Ok(replayed)
}

/// Whom to believe: as asked for, or as the local data folder has it.
fn trust(args: &VerifyArgs, folder: &DataFolder) -> Result<Trust, Failure> {
    match &args.trust {
        Some(path) => Trust::parse(&read(path, TRUST_LIMIT_BYTES)?).map_err(|error| {
            Failure::new(
                ErrorCode::TrustMalformed,
                format!("{}: {error}", path.display()),
            )
        }),
        None => Ok(receipts::keys(folder).trust()?),
    }
}

fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit_bytes + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        Failure::new(
            ErrorCode::FileUnreadable,
            format!("{} cannot be read: {error}", path.display()),
        )
    })?;
    if bytes.len() as u64 > limit_bytes {
        let detail = format!("{} is longer than {limit_bytes} bytes", path.display());
        return Err(Failure::new(ErrorCode::FileTooLarge, detail));
    }
    Ok(bytes)
}
