//! The parts that OpenAPI operations are described with. `routes::document` puts the document
//! together from the table of routes; `openapi.json` in this crate is its committed copy.

mod operation;
mod order_schemas;
mod receipt_schemas;
mod schemas;

pub(crate) use operation::problem_response;
pub(crate) use operation::{
    answer, digest_parameter, event_stream, last_event_id_parameter, operation, order_parameter,
    path_parameter, query_parameter, text_answer, wait_parameter,
};
pub(crate) use schemas::schemas;
