#pragma once

#include <string>

#include "daemon/catalog/token_access.hpp"
#include "daemon/server/handler.hpp"
#include "daemon/server/refusal_log.hpp"

namespace grantd::daemon {

/// `/v1/tokens/{client}`. Loop thread only; its parts outlive it.
class TokensHandler {
 public:
  TokensHandler(CurrentCatalog& catalog, common::TimerQueue& timers, RefusalLog& refusals)
      : catalog_(catalog), timers_(timers), refusals_(refusals) {}

  awaitable<void> handle(Exchange& exchange, std::string client);

 private:
  awaitable<void> get(Exchange& exchange, std::string name);
  awaitable<void> post(Exchange& exchange, std::string name);
  awaitable<void> evict(Exchange& exchange, std::string name);
  awaitable<void> hand_out(Exchange& exchange, std::shared_ptr<CatalogClient> client, CallerRequest wishes);
  /// The response for `result`, whose body is in `text`; to be followed by `end_answer` once it is sent.
  LocalResponse begin_answer(std::string& text, const CatalogClient& client, const HandoutResult& result,
                             common::BootTime now);
  void end_answer(std::string& text);

  common::Result<std::shared_ptr<CatalogClient>> find(const Exchange& exchange, std::string_view name,
                                                      bool for_token, common::BootTime now);

  CurrentCatalog& catalog_;
  common::TimerQueue& timers_;
  RefusalLog& refusals_;
  // Kept for their memory; the text is wiped after each use.
  TokenQuery own_query_{};
  std::string spare_text_{};
};

/// Reads a request's whole body. Error: `payload_too_large` past `limit`, else what `read_body` says.
awaitable<common::Result<common::Secret>> read_whole_body(Exchange& exchange, std::size_t limit);

}  // namespace grantd::daemon
