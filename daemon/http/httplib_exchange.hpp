#pragma once

#include <memory>

#include "daemon/crypto/tls_context.hpp"
#include "daemon/http/transport.hpp"

namespace grantd::daemon {

/// One request and its response, on the calling thread until `deadline`; only the name lookup may take
/// longer. `tls` is made where it is null and the URL needs it, and may be used again for the same host and
/// the same files afterwards.
std::expected<HttpResponse, TransportError> exchange_with_httplib(const HttpRequest& request,
                                                                  const TransportOptions& options,
                                                                  const common::Clock& clock,
                                                                  common::BootTime deadline,
                                                                  std::shared_ptr<TlsContext>& tls);

}  // namespace grantd::daemon
