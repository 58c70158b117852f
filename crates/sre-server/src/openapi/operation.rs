//! Operation objects, piece by piece.

use serde_json::{Value, json};

/// An operation object under construction.
pub(crate) struct Operation(Value);

/// One answer: its status and its response object.
pub(crate) type Answer = (u16, Value);

/// An answer with a JSON body of the schema with this name.
pub(crate) fn answer(status: u16, description: &str, schema: &str) -> Answer {
    let content = json!({ "application/json": { "schema": reference(schema) } });
    (
        status,
        json!({ "description": description, "content": content }),
    )
}

/// The answer of a stream of events.
pub(crate) fn event_stream() -> Answer {
    (
        200,
        text_answer(
            "text/event-stream",
            "The events, each with its number as id and the schema Event as data",
        ),
    )
}

/// The response object of a text.
pub(crate) fn text_answer(media_type: &str, description: &str) -> Value {
    let mut content = json!({});
    content[media_type] = json!({ "schema": { "type": "string" } });
    json!({ "description": description, "content": content })
}

/// The response object of every problem.
pub(crate) fn problem_response() -> Value {
    let content = json!({ "application/problem+json": { "schema": reference("Problem") } });
    json!({ "description": "A problem document (RFC 9457); `code` is stable", "content": content })
}

pub(crate) fn operation(id: &str, summary: &str, answers: &[Answer]) -> Operation {
    let mut operation =
        Operation(json!({ "operationId": id, "summary": summary, "responses": {} }));
    for (status, response) in answers {
        operation = operation.with(*status, response.clone());
    }
    operation
}

impl Operation {
    pub(crate) fn with(mut self, status: u16, response: Value) -> Self {
        self.0["responses"][status.to_string()] = response;
        self
    }

    pub(crate) fn empty_answer(self, status: u16, description: &str) -> Self {
        self.with(status, json!({ "description": description }))
    }

    pub(crate) fn binary_answer(self, status: u16, description: &str) -> Self {
        let content = json!({ "application/octet-stream": {} });
        self.with(
            status,
            json!({ "description": description, "content": content }),
        )
    }

    pub(crate) fn problems(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            self = self.with(*status, json!({ "$ref": "#/components/responses/Problem" }));
        }
        self
    }

    pub(crate) fn parameters(mut self, parameters: &[Value]) -> Self {
        self.0["parameters"] = json!(parameters);
        self
    }

    pub(crate) fn body(mut self, media_type: &str, schema: &str) -> Self {
        self.0["requestBody"]["required"] = json!(true);
        self.0["requestBody"]["content"][media_type] = json!({ "schema": reference(schema) });
        self
    }

    pub(crate) fn binary_body(mut self, media_type: &str) -> Self {
        self.0["requestBody"]["content"][media_type] = json!({});
        self
    }

    pub(crate) fn into_value(self) -> Value {
        self.0
    }
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

pub(crate) fn path_parameter(name: &str, description: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
}

pub(crate) fn query_parameter(name: &str, description: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

pub(crate) fn order_parameter() -> Value {
    path_parameter("id", "The order", &reference("OrderId"))
}

pub(crate) fn digest_parameter() -> Value {
    path_parameter("digest", "A SHA-256 digest", &reference("Digest"))
}

pub(crate) fn wait_parameter() -> Value {
    let schema = json!({ "type": "number", "minimum": 0, "maximum": 60 });
    query_parameter("wait", "Seconds to wait for the end of the order", &schema)
}

pub(crate) fn last_event_id_parameter() -> Value {
    json!({
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The number of the last event that the client has seen",
        "schema": { "type": "integer", "minimum": 0 },
    })
}
