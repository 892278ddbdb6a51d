//! The OpenAPI document: what a route does not say of itself, such as who may call it and how it fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ComponentsBuilder, HeaderBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    ResponseBuilder, Server,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::schemas::ProblemDetails;
use super::{App, Problem};

/// Routes that tell of themselves.
pub(super) type Routes = OpenApiRouter<Arc<App>>;

type Told = UtoipaMethodRouter<Arc<App>>;

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody.
    Anyone,
    /// A person who is logged in, of any role.
    Person,
    /// A tenant.
    Tenant,
    /// A tenant, by a front end that is known.
    TenantWithKey,
    /// An admin of any rank.
    Admin,
    /// An admin of the rank `staff` or `owner`.
    Staff,
    /// An admin of the rank `owner`.
    Owner,
}

const TAGS: [(&str, &str); 6] = [
    ("sessions", "Log in, stay, and go"),
    ("bills", "What a tenant owes"),
    ("payments", "Pay, watch, and give up"),
    ("methods", "The ways to pay"),
    ("admin", "Run the house"),
    ("gateway", "For Midtrans alone"),
];

/// Completes what a route tells: who may call it, and besides the failures that follow from its parts, those of its own.
pub(super) fn told((schemas, mut paths, handler): Told, who: Who, fails: &[Problem]) -> Told {
    for (path, item) in &mut paths.paths {
        for operation in operations(item) {
            complete(path, operation, who, fails);
        }
    }
    (schemas, paths, handler)
}

/// The same route at another path.
pub(super) fn also_at(path: &str, (schemas, mut paths, handler): Told) -> Told {
    let items = std::mem::take(&mut paths.paths);
    for (_, mut item) in items {
        for operation in operations(&mut item) {
            operation.operation_id = operation.operation_id.take().map(|id| format!("{id}Alias"));
        }
        paths.paths.insert(path.to_owned(), item);
    }
    (schemas, paths, handler)
}

/// The document before the routes have told anything.
pub(super) fn blank() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Kasir")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The cashier of a boarding house. JSON, camelCase; money in whole rupiah; times in RFC 3339, UTC. A failure \
             is `application/problem+json` with a stable `type`, whose path explains it.",
        ));
    let tags = TAGS.map(|(name, what)| TagBuilder::new().name(name).description(Some(what)).build());
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .tags(Some(tags))
        .components(Some(components()))
        .build()
}

/// Answers `GET /openapi.json`.
pub(super) fn page(text: String) -> MethodRouter<Arc<App>> {
    let text = Bytes::from(text);
    get(move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], text).into_response() }
    })
}

/// The pages below `/docs`: Swagger UI out of the binary, so that nothing is fetched from elsewhere.
pub(super) fn swagger() -> Router<Arc<App>> {
    let pages: Router<Arc<App>> = SwaggerUi::new("/docs").config(Config::from("/openapi.json")).into();
    pages.layer(SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
        ),
    ))
}

fn components() -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token of `POST /api/login`"))
        .build();
    let named = |name: &str, what: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, what)))
    };
    ComponentsBuilder::new()
        .schema_from::<ProblemDetails>()
        .security_scheme("accessToken", SecurityScheme::Http(bearer))
        .security_scheme(
            "email",
            named("email", "The e-mail address of the person, together with `password`"),
        )
        .security_scheme("password", named("password", "The password of the person, together with `email`"))
        .security_scheme("frontEnd", named("x-api-key", "The key of the front end"))
        .build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

fn complete(path: &str, operation: &mut Operation, who: Who, fails: &[Problem]) {
    let named = path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let in_path: Vec<RefOr<Parameter>> = named.map(|name| RefOr::T(path_parameter(name))).collect();
    let mut all: Vec<Problem> = fails.to_vec();
    if !in_path.is_empty() {
        all.push(Problem::NotFound);
    }
    let parameters = operation.parameters.get_or_insert_default();
    if !parameters.is_empty() {
        all.push(Problem::Unprocessable("`limit` is not between 1 and 200".to_owned()));
    }
    parameters.splice(0..0, in_path);
    if operation.request_body.is_some() {
        all.extend([
            Problem::Malformed("EOF while parsing an object at line 1 column 14".to_owned()),
            Problem::Unprocessable("missing field `payment` at line 1 column 2".to_owned()),
            Problem::TooLarge,
            Problem::TooSlow,
            Problem::UnsupportedMediaType,
        ]);
    }
    all.extend(problems_of(who));
    all.extend([Problem::Internal, Problem::Overloaded, Problem::Unavailable, Problem::TimedOut]);
    operation.security = Some(security(who));
    if let Some(needs) = rank_of(who) {
        let told = operation.description.take();
        operation.description =
            Some(told.map_or_else(|| needs.to_owned(), |told| format!("{told}\n\n{needs}")));
    }
    describe_failures(operation, &all);
}

fn path_parameter(name: &str) -> Parameter {
    let schema = if name == "id" {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(1_i64))
            .maximum(Some(i64::MAX))
    } else {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(50))
            .pattern(Some("^[A-Za-z0-9_~.-]+$"))
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
        .build()
}

/// How a route fails that is not for everybody.
fn problems_of(who: Who) -> Vec<Problem> {
    if who == Who::Anyone {
        return Vec::new();
    }
    let pause = std::time::Duration::from_secs(5);
    let mut all = vec![Problem::Unauthenticated, Problem::TooManyTries(pause)];
    if who != Who::Person {
        all.push(Problem::Forbidden);
    }
    if who == Who::TenantWithKey {
        all.push(Problem::UnknownFrontEnd);
    }
    all
}

/// What is told of a route that not every admin may call.
fn rank_of(who: Who) -> Option<&'static str> {
    match who {
        Who::Anyone | Who::Person | Who::Tenant | Who::TenantWithKey | Who::Admin => None,
        Who::Staff => Some("For admins of the rank `staff` or `owner`."),
        Who::Owner => Some("For admins of the rank `owner`."),
    }
}

fn security(who: Who) -> Vec<SecurityRequirement> {
    let none = [""; 0];
    let token = SecurityRequirement::new("accessToken", none);
    let headers = SecurityRequirement::new("email", none).add("password", none);
    match who {
        Who::Anyone => Vec::new(),
        Who::Person | Who::Tenant | Who::Admin | Who::Staff | Who::Owner => vec![token, headers],
        Who::TenantWithKey => vec![token.add("frontEnd", none), headers.add("frontEnd", none)],
    }
}

/// One answer for each status, with an example for each problem of it.
fn describe_failures(operation: &mut Operation, problems: &[Problem]) {
    let mut by_status: BTreeMap<StatusCode, BTreeMap<&str, &Problem>> = BTreeMap::new();
    for problem in problems {
        by_status.entry(problem.status()).or_default().entry(problem.slug()).or_insert(problem);
    }
    for (status, problems) in by_status {
        let titles: Vec<&str> = problems.values().map(|problem| problem.title()).collect();
        let examples = problems.iter().map(|(slug, problem)| {
            let example = ExampleBuilder::new().summary(problem.title()).value(Some(problem.body()));
            (*slug, example.build())
        });
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .examples_from_iter(examples)
            .build();
        let mut response = ResponseBuilder::new()
            .description(titles.join("; "))
            .content("application/problem+json", content);
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
            let wait =
                HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait")).build();
            response = response.header("Retry-After", wait);
        }
        let responses = &mut operation.responses.responses;
        responses.entry(status.as_str().to_owned()).or_insert_with(|| RefOr::T(response.build()));
    }
}
