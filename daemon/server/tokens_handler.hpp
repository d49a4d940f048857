#pragma once

#include <string>

#include "daemon/catalog/token_access.hpp"
#include "daemon/server/admission.hpp"

namespace grantd::daemon {

/// `/v1/tokens/{client}` and `/v1/tokens/{client}/page`. Loop thread only; its parts outlive it.
class TokensHandler {
 public:
  TokensHandler(CurrentCatalog& catalog, common::TimerQueue& timers, AuditLog& audit)
      : admission_(catalog, audit), timers_(timers), audit_(audit) {}

  awaitable<void> handle(Exchange& exchange, std::string client);
  awaitable<void> handle_page(Exchange& exchange, std::string client);

 private:
  enum class As { document, page };
  static constexpr std::string_view no_store = "Cache-Control: no-store\r\n";
  awaitable<void> get(Exchange& exchange, std::string name, As as);
  awaitable<void> get_with_wishes(Exchange& exchange, std::string name, As as);
  awaitable<void> post(Exchange& exchange, std::string name, As as);
  awaitable<void> evict(Exchange& exchange, std::string name);
  awaitable<void> hand_out(Exchange& exchange, std::shared_ptr<CatalogClient> client, CallerRequest wishes,
                           As as);
  awaitable<void> answer(Exchange& exchange, const CatalogClient& client, const HandoutResult& result,
                         common::BootTime now);
  awaitable<void> answer_with_page(Exchange& exchange, const CatalogClient& client, const Variant& variant,
                                   const HandoutResult& result);
  void audit(const Exchange& exchange, const std::string& client, const Token& token);
  void audit_refusal(const Exchange& exchange, const std::string& client, const common::Error& error);

  Admission admission_;
  common::TimerQueue& timers_;
  AuditLog& audit_;
};

/// Reads a request's whole body. Errors: `payload_too_large` past `limit` bytes, `request_timeout` past a
/// minute, else what `read_body` says.
awaitable<common::Result<common::Secret>> read_whole_body(Exchange& exchange, std::size_t limit,
                                                          const common::TimerQueue& timers);

}  // namespace grantd::daemon
