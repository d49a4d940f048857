#pragma once

#include "daemon/crypto/tls_context.hpp"
#include "daemon/http/transport.hpp"

namespace grantd::daemon {

/// One request and its response, on the calling thread until `deadline`; only the name lookup may take
/// longer. `tls` is for the URL's host, and may be null where that is no https URL.
std::expected<HttpResponse, TransportError> exchange_with_httplib(const HttpRequest& request,
                                                                  const TransportOptions& options,
                                                                  const common::Clock& clock,
                                                                  common::BootTime deadline, TlsContext* tls);

}  // namespace grantd::daemon
