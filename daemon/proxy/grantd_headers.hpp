#pragma once

#include "common/error.hpp"
#include "daemon/catalog/token_access.hpp"
#include "daemon/http1/head.hpp"

namespace grantd::daemon {

/// What a proxied request's `Grantd-*` headers say about the token that the caller wants. Names that mean
/// nothing are left alone. Error: `invalid_request`.
common::Result<CallerRequest> read_grantd_headers(const http1::RequestHead& request);

}  // namespace grantd::daemon
