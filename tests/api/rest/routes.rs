//! Every route that is not open to everybody, with what it takes.

use refrain::admission::Permission;

/// Which permissions let a caller make a request, one of those named. A new route fails the walk until it stands here.
pub const ROUTES: [(&[Permission], &[&str]); 9] = [
    (&[Permission::Report], &["POST /v1/{namespace}/processing"]),
    (
        &[Permission::Check],
        &[
            "POST /v1/{namespace}/check",
            "POST /v1/{namespace}/batch-check",
            "POST /v1/{namespace}/stamps/verify",
            "POST /v1/{namespace}/preferences:query",
            "GET /v1/{namespace}/subjects/{token}/preferences",
            "POST /v1/{namespace}/tokens",
            "GET /admin/v1/purposes",
            "GET /admin/v1/namespaces",
            "GET /admin/v1/schema-floors",
        ],
    ),
    (
        &[Permission::OptOut, Permission::OptIn],
        &["PATCH /v1/{namespace}/preferences"],
    ),
    (
        &[Permission::OptOut],
        &[
            "DELETE /v1/{namespace}/subjects/{token}/permissions/{purpose}",
            "POST /v1/{namespace}/signals",
            "POST /v1/{namespace}/links",
        ],
    ),
    (&[Permission::Watch], &["GET /v1/{namespace}/changes"]),
    (
        &[Permission::Erase],
        &["POST /v1/{namespace}/evidence:erase"],
    ),
    (
        &[Permission::Audit],
        &[
            "GET /v1/{namespace}/subjects/{token}/events",
            "GET /admin/v1/services",
            "GET /admin/v1/violations",
            "GET /admin/v1/scores",
            "GET /admin/v1/anomalies",
            "GET /admin/v1/anomaly-settings",
            "GET /v1/{namespace}/receipts/{revision}",
            "GET /admin/v1/receipts/{revision}",
            "GET /tile/{path}",
        ],
    ),
    (
        &[Permission::Registry],
        &[
            "PUT /admin/v1/purposes/{name}",
            "PUT /admin/v1/namespaces/{namespace}",
            "PUT /admin/v1/schema-floors",
            "PUT /admin/v1/anomaly-settings",
            "GET /admin/v1/changes",
            "POST /admin/v1/changes",
            "POST /admin/v1/changes/{id}/approve",
            "POST /admin/v1/changes/{id}/withdraw",
        ],
    ),
    (
        &[Permission::Override],
        &[
            "GET /admin/v1/overrides",
            "POST /admin/v1/overrides",
            "POST /admin/v1/overrides/{id}/approve",
            "POST /admin/v1/overrides/{id}/revoke",
        ],
    ),
];
