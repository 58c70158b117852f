//! Uploaded skills, which orders then name by digest.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sre_core::{ErrorCode, Manifest, SkillDigest};
use sre_journal::UploadedSkill;
use sre_service::{Caller, Scope, ServiceError, SkillUpload};
use sre_skill::{PackageLimits, Skill};

use super::page::Page;
use super::{Endpoint, OWN};
use crate::body::Received;
use crate::openapi::{answer, digest_parameter, operation};
use crate::{App, Problem, body, json_body};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let uploaded = [
        answer(200, "The skill was uploaded before", "Skill"),
        answer(
            201,
            "The skill is durable and can be named by its digest",
            "Skill",
        ),
    ];
    vec![
        Endpoint {
            method: "post",
            path: "/v1/skills",
            scopes: &[Scope::Submit],
            route: post(upload),
            operation: operation("uploadSkill", "Upload a skill package", &uploaded)
                .body("application/json", "SkillObject")
                .binary_body("application/gzip")
                .binary_body("application/zip")
                .problems(&[400, 408, 413, 415, 422, 429, 503])
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/v1/skills",
            scopes: OWN,
            route: get(list),
            operation: operation(
                "listSkills",
                "List uploaded skills",
                &[answer(200, "A page", "SkillPage")],
            )
            .parameters(&Page::parameters("Skills"))
            .problems(&[400, 429, 503])
            .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/v1/skills/{digest}",
            scopes: OWN,
            route: get(show),
            operation: operation(
                "getSkill",
                "Show an uploaded skill",
                &[answer(200, "The skill", "SkillWithManifest")],
            )
            .parameters(&[digest_parameter()])
            .problems(&[404, 422, 429, 503])
            .into_value(),
        },
    ]
}

#[derive(Serialize)]
struct Shown<'a> {
    digest: SkillDigest,
    name: String,
    version: String,
    submitter: String,
    uploaded_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<&'a Manifest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    cursor: Option<String>,
    limit: Option<usize>,
}

async fn upload(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, Problem> {
    let media_type = body::media_type(&headers);
    if !["application/json", "application/gzip", "application/zip"].contains(&&*media_type) {
        let detail = format!(
            "a package is application/json, application/gzip or application/zip, found {media_type:?}"
        );
        return Err(Problem::new(ErrorCode::MediaTypeUnsupported, detail));
    }
    let received = body::read(&app, &caller, &headers, request, usize::MAX).await?;
    let skill =
        if media_type == "application/json" {
            let value = json_body::parse(&app, &caller, received).await?;
            body::blocking(move || {
                Ok(Skill::from_object(&value, &PackageLimits::default())
                    .map_err(ServiceError::from)?)
            })
            .await?
        } else {
            body::blocking(move || unpack(&media_type, received)).await?
        };
    let skill = Arc::new(skill);
    let digest = skill.digest();
    let SkillUpload { skill, is_new } = app.service.upload(&caller, skill).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = super::json(status, &shown(skill, None));
    if let Ok(location) = format!("/v1/skills/{digest}").parse() {
        response.headers_mut().insert("location", location);
    }
    Ok(response)
}

/// Holds what was received, and with it the memory it was granted, until it is unpacked.
fn unpack(media_type: &str, received: Received) -> Result<Skill, Problem> {
    let limits = PackageLimits::default();
    Ok(match media_type {
        "application/gzip" => {
            Skill::from_tar_gz(&received.bytes, &limits).map_err(ServiceError::from)?
        }
        _ => Skill::from_zip(&received.bytes, &limits).map_err(ServiceError::from)?,
    })
}

async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) =
        query.map_err(|error| Problem::new(ErrorCode::QueryInvalid, error.body_text()))?;
    let page = Page::read(asked.cursor.as_deref(), asked.limit)?;
    let skills = app
        .service
        .skills(&caller, page.place.unwrap_or(0), page.wanted())
        .await?;
    let (skills, next_cursor) = page.cut(skills, |skill| skill.number);
    let skills: Vec<_> = skills.into_iter().map(|skill| shown(skill, None)).collect();
    Ok(super::json(
        StatusCode::OK,
        &json!({ "skills": skills, "next_cursor": next_cursor }),
    ))
}

async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(digest): Path<String>,
) -> Result<Response, Problem> {
    let digest: SkillDigest = digest
        .parse()
        .map_err(|error: sre_core::DigestParseError| {
            Problem::new(ErrorCode::DigestInvalid, error.to_string())
        })?;
    let (uploaded, skill) = app.service.skill(&caller, digest).await?;
    Ok(super::json(
        StatusCode::OK,
        &shown(uploaded, Some(skill.manifest())),
    ))
}

fn shown(skill: UploadedSkill, manifest: Option<&Manifest>) -> Shown<'_> {
    let UploadedSkill {
        digest,
        name,
        version,
        submitter,
        uploaded_at,
        ..
    } = skill;
    Shown {
        digest,
        name,
        version,
        submitter,
        uploaded_at,
        manifest,
    }
}
