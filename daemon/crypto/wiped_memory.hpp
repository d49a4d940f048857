#pragma once

namespace grantd::daemon {

/// Has OpenSSL wipe every block it frees. To be called before anything else uses OpenSSL.
void wipe_memory_freed_by_openssl();

}  // namespace grantd::daemon
