"""What every problem document of the daemon must look like (RFC 9457 and SPEC section 3)."""

statuses = {
    "invalid_request": 400, "access_denied": 403, "unknown_client": 404, "unknown_api": 404, "not_found": 404,
    "method_not_allowed": 405, "request_timeout": 408, "payload_too_large": 413, "headers_too_large": 431,
    "too_many_requests": 429, "invalid_configuration": 422, "upgrade_not_supported": 501,
    "token_request_rejected": 502, "invalid_token_response": 502, "api_unreachable": 502,
    "authorization_server_unavailable": 503, "client_unavailable": 503, "too_many_connections": 503,
    "token_request_timeout": 504, "api_timeout": 504,
}


def assert_problem(response, code, **members):
    """`response` is the problem document of `code`, with at least these members; returns the document."""
    assert response.header("Content-Type") == "application/problem+json", response
    document = response.json()
    assert document["code"] == code, document
    assert response.status == statuses[code] == document["status"]
    assert document["type"] == f"urn:grantd:error:{code}"
    assert document["title"] and document["detail"]
    for name, value in members.items():
        assert document.get(name) == value, (name, document)
    return document
