"""The served OpenAPI document held against the running server, by schemathesis."""
